#include "firmware_riscv/update/slot_update.h"

#include "firmware_riscv/update/patch_check.h"

namespace modelvault {
namespace {

template <UpdateSteps kSteps>
class Updater {
 public:
  Updater(BasicDeviceState<kSteps>* state, const UpdateSlots& slots, const SlotHost& host, const PatchSource& patch,
          ByteSpan buffer, UpdateReport* report)
      : state_(state), slots_(slots), host_(host), source_(patch), reader_(patch), buffer_(buffer), report_(report) {}

  mv_error Run();

 private:
  mv_error WriteSectors();
  mv_error WriteSector(uint32_t sector);
  mv_error Prove(uint64_t* version);

  uint32_t sector_blocks() const { return target_->sector_size / reader_.header().block_size; }

  BasicDeviceState<kSteps>* state_;
  const UpdateSlots& slots_;
  const SlotHost& host_;
  const PatchSource& source_;
  PatchReader reader_;
  ByteSpan buffer_;
  UpdateReport* report_;
  const mv_region* running_ = nullptr;
  const mv_region* target_ = nullptr;
  unsigned target_slot_ = kNoSlot;
  bool trusted_ = false;
};

template <UpdateSteps kSteps>
mv_error Updater<kSteps>::WriteSector(uint32_t sector) {
  const uint32_t begin = sector * target_->sector_size;
  bool erased = false;
  for (uint32_t i = 0; i < sector_blocks() && reader_.next_size() > 0; ++i) {
    const uint32_t size = reader_.next_size();
    mv_error error = reader_.Next(running_, buffer_.data);
    if (error != MV_OK) return error;
    if (trusted_ && sector_blocks() == 1) {
      bool same = false;
      error = ReadsAs(target_, begin, {buffer_.data, size}, &same);
      if (error != MV_OK) return error;
      if (same) {
        ++report_->left_alone;
        return MV_OK;
      }
    }
    if (!erased) error = mv_region_erase(target_, begin);
    erased = true;
    if (error == MV_OK) {
      const uint32_t place = begin + i * reader_.header().block_size;
      error = ProgramBlock(target_, place, {buffer_.data, size}, &report_->units);
    }
    if (error != MV_OK) return error;
  }
  ++report_->written;
  return MV_OK;
}

template <UpdateSteps kSteps>
mv_error Updater<kSteps>::WriteSectors() {
  const uint32_t done = state_->record().count;
  report_->done_before = done < report_->sectors ? done : report_->sectors;
  for (uint32_t i = 0; i < report_->done_before * sector_blocks() && reader_.next_size() > 0; ++i) {
    const mv_error error = reader_.Skip();
    if (error != MV_OK) return error;
  }
  for (uint32_t sector = report_->done_before; sector < report_->sectors; ++sector) {
    mv_error error = MV_OK;
    if (!kSteps.mark_after_sector) error = state_->MarkProgress(sector + 1);
    if (error == MV_OK) error = WriteSector(sector);
    if (error == MV_OK && kSteps.mark_after_sector) error = state_->MarkProgress(sector + 1);
    if (error != MV_OK) return error;
  }
  return MV_OK;
}

template <UpdateSteps kSteps>
mv_error Updater<kSteps>::Prove(uint64_t* version) {
  if (!kSteps.prove_before_switch) return MV_OK;
  VaultHash hash(host_.crypto);
  mv_error error = HashRegion(target_, reader_.header().new_size, buffer_, &hash);
  if (error == MV_OK) error = hash.Compare(reader_.header());
  if (error == MV_OK) error = host_.verify(host_.context, target_slot_, version);
  if (error == MV_OK && *version < state_->least_version()) error = MV_ROLLED_BACK;
  return error;
}

template <UpdateSteps kSteps>
mv_error Updater<kSteps>::Run() {
  *report_ = {};
  if (state_->proven() == kNoSlot) return MV_NOT_FINISHED;
  target_slot_ = 1 - (kSteps.spare_running ? state_->proven() : state_->record().active);
  target_ = slots_.slot[target_slot_];
  running_ = slots_.slot[state_->proven()];
  bool done = false;
  mv_error error = reader_.Open();
  const PatchPlace place = {running_, target_, state_->least_version()};
  if (error == MV_OK) error = CheckHeader(reader_.header(), place, host_, buffer_, &done);
  if (error != MV_OK || done) return error;
  if (source_.rereadable) error = CheckBlocks(&reader_, running_, host_, buffer_);
  if (error == MV_OK) error = state_->BeginUpdate(reader_.header().id, &trusted_);
  if (error != MV_OK) return error;
  if (!kSteps.rewrite_after_cut) trusted_ = true;
  report_->sectors = (reader_.header().new_size + target_->sector_size - 1) / target_->sector_size;
  error = WriteSectors();
  if (error != MV_OK) return error;
  uint64_t version = 0;
  error = Prove(&version);
  if (error == MV_OK) return state_->Switch(version);
  // All is marked as done: the next try would write nothing.
  static_cast<void>(state_->RestartUpdate());
  return error;
}

}  // namespace

template <UpdateSteps kSteps>
mv_error UpdateSlot(BasicDeviceState<kSteps>* state, const UpdateSlots& slots, const SlotHost& host,
                    const PatchSource& patch, ByteSpan buffer, UpdateReport* report) {
  UpdateReport unused;
  Updater<kSteps> updater(state, slots, host, patch, buffer, report != nullptr ? report : &unused);
  return updater.Run();
}

template mv_error UpdateSlot(DeviceState* state, const UpdateSlots& slots, const SlotHost& host,
                             const PatchSource& patch, ByteSpan buffer, UpdateReport* report);

}  // namespace modelvault
