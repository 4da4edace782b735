// What updates alone write of the device's state.
#include "firmware_riscv/boot/device_state.h"

namespace modelvault {

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::BeginUpdate(uint64_t patch, bool* trusted) {
  *trusted = false;
  if (proven_ == kNoSlot || record_.phase == SlotPhase::kInPlace) return MV_NOT_FINISHED;
  const bool runs_active = proven_ == record_.active;
  if (record_.phase == SlotPhase::kTrial && runs_active) return MV_NOT_FINISHED;
  const bool goes_on = record_.phase == SlotPhase::kUpdating && runs_active && record_.patch == patch;
  *trusted = record_.phase == SlotPhase::kStable && runs_active && record_.other_whole;
  DeviceRecord next = record_;
  next.phase = SlotPhase::kUpdating;
  next.active = static_cast<uint8_t>(proven_);
  next.other_whole = false;
  if (!goes_on) next.count = 0;
  next.patch = patch;
  // Also where it goes on: a mark that was half done and does not count now must not count later, when its sector is
  // being written again.
  return kSteps.record_first && !(goes_on && !kSteps.forget_marks) ? Write(next) : MV_OK;
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::MarkProgress(uint32_t count) {
  if (!kSteps.record_first) return MV_OK;
  const bool written = record_.phase == SlotPhase::kUpdating || record_.phase == SlotPhase::kInPlace;
  return written ? Mark(count) : MV_NOT_FINISHED;
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::RestartUpdate() {
  if (!kSteps.record_first) return MV_OK;
  if (record_.phase != SlotPhase::kUpdating) return MV_NOT_FINISHED;
  DeviceRecord next = record_;
  next.count = 0;
  return Write(next);
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::Switch(uint64_t version) {
  if (record_.phase != SlotPhase::kUpdating && kSteps.record_first) return MV_NOT_FINISHED;
  DeviceRecord next = record_;
  next.phase = SlotPhase::kTrial;
  next.active = record_.active == 0 ? 1 : 0;
  next.other_whole = true;
  next.count = 0;
  next.patch = 0;
  if (!kSteps.floor_after_boot && version > next.least_version) next.least_version = version;
  return Write(next);
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::BeginInPlace(uint64_t patch) {
  const bool goes_on = record_.phase == SlotPhase::kInPlace;
  if (goes_on && record_.patch != patch) return MV_OTHER_VAULT;
  if (!goes_on && (proven_ == kNoSlot || record_.phase == SlotPhase::kTrial)) return MV_NOT_FINISHED;
  DeviceRecord next = record_;
  next.phase = SlotPhase::kInPlace;
  if (!goes_on) {
    next.active = static_cast<uint8_t>(proven_);
    next.other_whole = false;
    next.count = 0;
    next.patch = patch;
  }
  // Also where it goes on: what a mark that was half done has been taken for must stay so.
  return kSteps.record_first && !(goes_on && !kSteps.forget_marks) ? Write(next) : MV_OK;
}

template <UpdateSteps kSteps>
mv_error BasicDeviceState<kSteps>::EndInPlace() {
  if (!kSteps.record_first) return MV_OK;
  if (record_.phase != SlotPhase::kInPlace) return MV_NOT_FINISHED;
  DeviceRecord next = record_;
  next.phase = SlotPhase::kStable;
  next.count = 0;
  next.patch = 0;
  return Write(next);
}

template mv_error BasicDeviceState<kAllSteps>::BeginUpdate(uint64_t patch, bool* trusted);
template mv_error BasicDeviceState<kAllSteps>::MarkProgress(uint32_t count);
template mv_error BasicDeviceState<kAllSteps>::RestartUpdate();
template mv_error BasicDeviceState<kAllSteps>::Switch(uint64_t version);
template mv_error BasicDeviceState<kAllSteps>::BeginInPlace(uint64_t patch);
template mv_error BasicDeviceState<kAllSteps>::EndInPlace();

}  // namespace modelvault
