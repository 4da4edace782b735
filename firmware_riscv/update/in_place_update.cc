#include "firmware_riscv/update/in_place_update.h"

#include "firmware_riscv/update/patch_check.h"

namespace modelvault {
namespace {

template <UpdateSteps kSteps>
class Rewriter {
 public:
  Rewriter(BasicDeviceState<kSteps>* state, const InPlaceFlash& flash, const SlotHost& host, const PatchSource& patch,
           ByteSpan buffer, UpdateReport* report)
      : state_(state), flash_(flash), host_(host), source_(patch), reader_(patch), buffer_(buffer), report_(report) {}

  mv_error Run();

 private:
  mv_error Check(bool* done);
  mv_error WriteSector(uint32_t sector);
  mv_error Compare(uint32_t sector, bool* same);
  mv_error Make(const mv_region* target, uint32_t begin);
  mv_error Stage(uint32_t sector);
  mv_error CopySpare(uint32_t sector);

  uint32_t sector_size() const { return flash_.vault->sector_size; }
  uint32_t sector_blocks() const { return sector_size() / reader_.header().block_size; }

  BasicDeviceState<kSteps>* state_;
  const InPlaceFlash& flash_;
  const SlotHost& host_;
  const PatchSource& source_;
  PatchReader reader_;
  ByteSpan buffer_;
  UpdateReport* report_;
};

// Before an update begins: all that there is to know of the patch.
template <UpdateSteps kSteps>
mv_error Rewriter<kSteps>::Check(bool* done) {
  const PatchPlace place = {flash_.vault, flash_.vault, state_->least_version()};
  const mv_error error = CheckHeader(reader_.header(), place, host_, buffer_, done);
  if (error != MV_OK || *done) return error;
  if (!reader_.header().in_place && kSteps.check_whole) return MV_BAD_PATCH;
  return kSteps.check_whole ? CheckBlocks(&reader_, flash_.vault, host_, buffer_) : MV_OK;
}

// Whether the sector is as it is to be. Passes its blocks over.
template <UpdateSteps kSteps>
mv_error Rewriter<kSteps>::Compare(uint32_t sector, bool* same) {
  *same = true;
  mv_error error = MV_OK;
  for (uint32_t i = 0; error == MV_OK && i < sector_blocks() && reader_.next_size() > 0; ++i) {
    const uint32_t size = reader_.next_size();
    error = reader_.Next(flash_.vault, buffer_.data);
    bool reads = false;
    const uint32_t place = sector * sector_size() + i * reader_.header().block_size;
    if (error == MV_OK) error = ReadsAs(flash_.vault, place, {buffer_.data, size}, &reads);
    *same = *same && reads;
  }
  return error;
}

// The sector's new contents in an erased one that begins at `begin`.
template <UpdateSteps kSteps>
mv_error Rewriter<kSteps>::Make(const mv_region* target, uint32_t begin) {
  mv_error error = MV_OK;
  for (uint32_t i = 0; error == MV_OK && i < sector_blocks() && reader_.next_size() > 0; ++i) {
    const uint32_t size = reader_.next_size();
    error = reader_.Next(flash_.vault, buffer_.data);
    const uint32_t place = begin + i * reader_.header().block_size;
    if (error == MV_OK) error = ProgramBlock(target, place, {buffer_.data, size}, &report_->units);
  }
  return error;
}

template <UpdateSteps kSteps>
mv_error Rewriter<kSteps>::Stage(uint32_t sector) {
  mv_error error = MV_OK;
  if (!kSteps.mark_when_staged) error = state_->MarkProgress(2 * sector + 1);
  if (error == MV_OK) error = mv_region_erase(flash_.spare, 0);
  if (error == MV_OK) error = Make(flash_.spare, 0);
  if (error == MV_OK && kSteps.mark_when_staged) error = state_->MarkProgress(2 * sector + 1);
  return error;
}

template <UpdateSteps kSteps>
mv_error Rewriter<kSteps>::CopySpare(uint32_t sector) {
  const uint32_t begin = sector * sector_size();
  mv_error error = MV_OK;
  if (!kSteps.mark_after_sector) error = state_->MarkProgress(2 * sector + 2);
  if (error == MV_OK) error = mv_region_erase(flash_.vault, begin);
  for (uint32_t at = 0; error == MV_OK && at < sector_size(); at += MV_SELECTION_UNIT) {
    uint8_t unit[MV_SELECTION_UNIT];
    error = mv_region_read(flash_.spare, at, unit, sizeof(unit));
    if (error == MV_OK) error = ProgramBlock(flash_.vault, begin + at, {unit, sizeof(unit)}, &report_->units);
  }
  if (error == MV_OK && kSteps.mark_after_sector) error = state_->MarkProgress(2 * sector + 2);
  return error;
}

template <UpdateSteps kSteps>
mv_error Rewriter<kSteps>::WriteSector(uint32_t sector) {
  const PatchReader begin = reader_;
  bool same = false;
  mv_error error = Compare(sector, &same);
  if (error != MV_OK) return error;
  if (same) {
    ++report_->left_alone;
    return MV_OK;
  }
  reader_ = begin;
  ++report_->written;
  if (!kSteps.stage_sector) {
    error = mv_region_erase(flash_.vault, sector * sector_size());
    if (error == MV_OK) error = Make(flash_.vault, sector * sector_size());
    return error == MV_OK ? state_->MarkProgress(2 * sector + 2) : error;
  }
  error = Stage(sector);
  return error == MV_OK ? CopySpare(sector) : error;
}

template <UpdateSteps kSteps>
mv_error Rewriter<kSteps>::Run() {
  *report_ = {};
  const bool has_spare = flash_.spare->size >= sector_size() && flash_.spare->sector_size == sector_size();
  if (!source_.rereadable || !has_spare) return MV_BAD_ARGUMENT;
  const bool goes_on = IsInPlace(*state_);
  if (!goes_on && state_->proven() == kNoSlot) return MV_NOT_FINISHED;
  bool done = false;
  mv_error error = reader_.Open();
  if (error == MV_OK && buffer_.size < reader_.header().block_size) error = MV_WORKSPACE_TOO_SMALL;
  if (error == MV_OK && !goes_on) error = Check(&done);
  if (error != MV_OK || done) return error;
  error = state_->BeginInPlace(reader_.header().id);
  if (error != MV_OK) return error;

  report_->sectors = (reader_.header().new_size + sector_size() - 1) / sector_size();
  const uint32_t steps = state_->record().count;
  report_->done_before = steps / 2;
  for (uint32_t sector = 0; sector < report_->sectors && error == MV_OK; ++sector) {
    const bool copied = 2 * sector + 2 <= steps;
    const bool staged = 2 * sector + 1 == steps;
    if (!copied && !staged) {
      error = WriteSector(sector);
      continue;
    }
    for (uint32_t i = 0; error == MV_OK && i < sector_blocks() && reader_.next_size() > 0; ++i) error = reader_.Skip();
    if (error == MV_OK && staged) error = CopySpare(sector);
    if (staged) ++report_->written;
  }
  return error == MV_OK ? state_->EndInPlace() : error;
}

}  // namespace

template <UpdateSteps kSteps>
mv_error UpdateInPlace(BasicDeviceState<kSteps>* state, const InPlaceFlash& flash, const SlotHost& host,
                       const PatchSource& patch, ByteSpan buffer, UpdateReport* report) {
  UpdateReport unused;
  Rewriter<kSteps> rewriter(state, flash, host, patch, buffer, report != nullptr ? report : &unused);
  return rewriter.Run();
}

template mv_error UpdateInPlace(DeviceState* state, const InPlaceFlash& flash, const SlotHost& host,
                                const PatchSource& patch, ByteSpan buffer, UpdateReport* report);

}  // namespace modelvault
