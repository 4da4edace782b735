#include "firmware_riscv/boot/slot_boot.h"

namespace modelvault {

template <UpdateSteps kSteps>
SlotChoice ChooseSlot(BasicDeviceState<kSteps>* state, const SlotHost& host) {
  const DeviceRecord record = state->record();
  const bool trial = record.phase == SlotPhase::kTrial;
  const bool given_up = trial && record.count >= kMaxSlotAttempts;
  SlotChoice choice;
  if (record.phase == SlotPhase::kInPlace && kSteps.finish_first) {
    choice.error = MV_NOT_FINISHED;
    return choice;
  }
  for (unsigned i = 0; i < kSlots; ++i) {
    const bool is_active = (i == 0) != given_up;
    // What is being written may read well now and not later.
    if (!is_active && record.phase == SlotPhase::kUpdating) continue;
    const unsigned slot = is_active ? record.active : 1u - record.active;
    // A trial that cannot be counted begins all the same: a flash that takes nothing is no reason not to start.
    if (is_active && trial && !given_up && kSteps.mark_attempt) static_cast<void>(state->MarkAttempt());
    uint64_t version = 0;
    choice.error = kSteps.verify_slot ? host.verify(host.context, slot, &version) : MV_OK;
    if (choice.error == MV_OK && kSteps.check_floor && version < state->least_version()) {
      choice.error = MV_ROLLED_BACK;
    }
    if (choice.error != MV_OK) continue;
    choice.source = !is_active ? SlotSource::kOther : trial ? SlotSource::kTrial : SlotSource::kActive;
    choice.slot = slot;
    choice.version = version;
    state->SetProven(slot, version);
    return choice;
  }
  return choice;
}

template SlotChoice ChooseSlot(DeviceState* state, const SlotHost& host);

}  // namespace modelvault
