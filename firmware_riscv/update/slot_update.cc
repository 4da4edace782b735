#include "firmware_riscv/update/slot_update.h"

#include "firmware_riscv/update/vault_hash.h"

namespace modelvault {
namespace {

uint32_t Lesser(uint32_t a, uint32_t b) { return a < b ? a : b; }

// Adds a region's first `size` bytes.
template <typename Hash>
mv_error AddRegion(const mv_region* region, uint32_t size, ByteSpan buffer, Hash* hash) {
  const uint32_t room = Lesser(static_cast<uint32_t>(buffer.size), kMaxPatchBlock);
  for (uint32_t at = 0; at < size;) {
    const uint32_t step = Lesser(size - at, room);
    const mv_error error = mv_region_read(region, at, buffer.data, step);
    if (error != MV_OK) return error;
    hash->Update({buffer.data, step});
    at += step;
  }
  return MV_OK;
}

mv_error Digest(const mv_region* region, uint32_t size, ByteSpan buffer, uint64_t* digest) {
  Xxh64 hash;
  const mv_error error = AddRegion(region, size, buffer, &hash);
  *digest = hash.Digest();
  return error;
}

mv_error ReadsAs(const mv_region* region, uint32_t offset, ByteView bytes, bool* same) {
  uint8_t unit[MV_SELECTION_UNIT];
  *same = true;
  for (uint32_t at = 0; at < bytes.size && *same; at += sizeof(unit)) {
    const uint32_t size = Lesser(static_cast<uint32_t>(bytes.size) - at, sizeof(unit));
    const mv_error error = mv_region_read(region, offset + at, unit, size);
    if (error != MV_OK) return error;
    *same = memcmp(unit, bytes.data + at, size) == 0;
  }
  return MV_OK;
}

template <UpdateSteps kSteps>
class Updater {
 public:
  Updater(BasicDeviceState<kSteps>* state, const UpdateSlots& slots, const SlotHost& host, const PatchSource& patch,
          ByteSpan buffer, UpdateReport* report)
      : state_(state), slots_(slots), host_(host), source_(patch), reader_(patch), buffer_(buffer), report_(report) {}

  mv_error Run();

 private:
  mv_error Check(bool* done);
  mv_error CheckBlocks();
  mv_error WriteSectors();
  mv_error WriteSector(uint32_t sector);
  mv_error WriteBlock(uint32_t offset, uint32_t size);
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

// Sets *done if the running vault is what the patch makes.
template <UpdateSteps kSteps>
mv_error Updater<kSteps>::Check(bool* done) {
  const PatchHeader& header = reader_.header();
  if (buffer_.size < header.block_size) return MV_WORKSPACE_TOO_SMALL;
  const bool fits = header.old_size <= running_->size && header.new_size <= target_->size &&
                    target_->sector_size % header.block_size == 0;
  if (!fits) return MV_BAD_PATCH;
  if (header.version < state_->least_version()) return MV_ROLLED_BACK;
  if (host_.vault_id != nullptr && memcmp(host_.vault_id, header.vault_id, sizeof(header.vault_id)) != 0) {
    return MV_OTHER_VAULT;
  }
  uint64_t digest = 0;
  mv_error error = Digest(running_, header.old_size, buffer_, &digest);
  if (error != MV_OK || digest == header.old_digest) return error;
  if (header.new_size > running_->size) return MV_OTHER_VAULT;
  error = Digest(running_, header.new_size, buffer_, &digest);
  if (error != MV_OK) return error;
  *done = digest == header.new_digest;
  return *done ? MV_OK : MV_OTHER_VAULT;
}

// Everything that the patch makes, before anything is written.
template <UpdateSteps kSteps>
mv_error Updater<kSteps>::CheckBlocks() {
  VaultHash hash(host_.crypto);
  mv_error error = MV_OK;
  for (uint32_t size = reader_.next_size(); error == MV_OK && size > 0; size = reader_.next_size()) {
    error = reader_.Next(running_, buffer_.data);
    hash.Update({buffer_.data, size});
  }
  if (error == MV_OK) error = hash.Compare(reader_.header());
  return error == MV_OK ? reader_.Open() : error;
}

template <UpdateSteps kSteps>
mv_error Updater<kSteps>::WriteBlock(uint32_t offset, uint32_t size) {
  mv_error error = MV_OK;
  for (uint32_t at = 0; error == MV_OK && at < size; at += MV_SELECTION_UNIT) {
    uint8_t unit[MV_SELECTION_UNIT];
    memset(unit, 0xFF, sizeof(unit));
    memcpy(unit, buffer_.data + at, Lesser(size - at, sizeof(unit)));
    uint8_t ones = 0xFF;
    for (const uint8_t byte : unit) ones &= byte;
    if (ones == 0xFF) continue;
    error = mv_region_program(target_, offset + at, unit);
    ++report_->units;
  }
  return error;
}

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
    if (error == MV_OK) error = WriteBlock(begin + i * reader_.header().block_size, size);
    if (error != MV_OK) return error;
  }
  ++report_->written;
  return MV_OK;
}

template <UpdateSteps kSteps>
mv_error Updater<kSteps>::WriteSectors() {
  const uint32_t done = state_->record().count;
  report_->done_before = Lesser(done, report_->sectors);
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
  mv_error error = AddRegion(target_, reader_.header().new_size, buffer_, &hash);
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
  if (error == MV_OK) error = Check(&done);
  if (error != MV_OK || done) return error;
  if (source_.rereadable) error = CheckBlocks();
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
