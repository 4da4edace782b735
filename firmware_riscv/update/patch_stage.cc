#include "firmware_riscv/update/patch_stage.h"

#include "codec/core/xxh64.h"

namespace modelvault {
namespace {

constexpr uint32_t kHeadSize = 32;
constexpr uint32_t kCheckedHead = 24;
constexpr uint32_t kFrameOffset = MV_SELECTION_UNIT;
constexpr uint32_t kMarkOffset = kFrameOffset + kStageFrame;
static_assert(kHeadSize <= MV_SELECTION_UNIT && kPatchHeaderSize <= kStageFrame);

uint64_t MarkOf(uint64_t checksum) {
  uint8_t bytes[8];
  StoreLe64(bytes, checksum);
  return Xxh64::Of({bytes, sizeof(bytes)});
}

}  // namespace

bool PatchStage::ReadHead(uint32_t place, Head* head) const {
  uint8_t bytes[kHeadSize];
  if (mv_region_read(region_, place * kStagePlace, bytes, sizeof(bytes)) != MV_OK) return false;
  if (LoadLe32(bytes) != kStageMagic) return false;
  const uint32_t voids = LoadLe32(bytes + 12);
  *head = {LoadLe32(bytes + 4),
           LoadLe32(bytes + 8),
           {static_cast<uint16_t>(voids), static_cast<uint16_t>(voids >> 16)},
           LoadLe64(bytes + 16),
           LoadLe64(bytes + kCheckedHead)};
  return head->size <= kStageFrame && head->patch != 0;
}

bool PatchStage::ReadsErased(uint32_t place) const {
  for (uint32_t at = 0; at < kStagePlace; at += MV_SELECTION_UNIT) {
    uint8_t unit[MV_SELECTION_UNIT];
    if (mv_region_read(region_, place * kStagePlace + at, unit, sizeof(unit)) != MV_OK) return false;
    uint8_t ones = 0xFF;
    for (const uint8_t byte : unit) ones &= byte;
    if (ones != 0xFF) return false;
  }
  return true;
}

bool PatchStage::IsWhole(uint32_t place, Head* whole) const {
  if (!ReadHead(place, whole) || whole->patch != patch_) return false;
  const Head& head = *whole;
  const uint32_t begin = place * kStagePlace;
  uint8_t unit[MV_SELECTION_UNIT];
  if (mv_region_read(region_, begin, unit, sizeof(unit)) != MV_OK) return false;
  Xxh64 hash;
  hash.Update({unit, kCheckedHead});
  for (uint32_t at = 0; at < head.size; at += MV_SELECTION_UNIT) {
    const uint32_t size = head.size - at < MV_SELECTION_UNIT ? head.size - at : MV_SELECTION_UNIT;
    if (mv_region_read(region_, begin + kFrameOffset + at, unit, size) != MV_OK) return false;
    hash.Update({unit, size});
  }
  if (hash.Digest() != head.checksum) return false;
  if (mv_region_read(region_, begin + kMarkOffset, unit, sizeof(unit)) != MV_OK) return false;
  return LoadLe64(unit) == MarkOf(head.checksum);
}

bool PatchStage::Counts(uint32_t place) const {
  if (place >= begin_) return true;  // Made since this start.
  for (uint32_t i = 0; i < void_count_; ++i) {
    if (place >= voids_[i].begin && place < voids_[i].end) return false;
  }
  return true;
}

// False if there are too many.
bool PatchStage::AddVoid(Voids voids) {
  if (voids.begin >= voids.end) return true;
  for (uint32_t i = 0; i < void_count_; ++i) {
    if (voids_[i].begin == voids.begin && voids_[i].end == voids.end) return true;
  }
  if (void_count_ == kMostVoids) return false;
  voids_[void_count_++] = voids;
  return true;
}

// Sets found_. The frame after the one that was found last lies behind it, as a rule.
bool PatchStage::Find(uint32_t index) {
  if (index == index_) return true;
  for (uint32_t i = 0; i < end_; ++i) {
    const uint32_t place = (found_ + i) % end_;
    Head head;
    if (!IsWhole(place, &head) || head.index != index || head.size == 0 || !Counts(place)) continue;
    found_ = place;
    index_ = index;
    return true;
  }
  return false;
}

// Sets count_ and next_.
void PatchStage::CountFrames() {
  count_ = 0;
  next_ = 0;
  index_ = kNone;
  if (!Find(0)) return;
  uint8_t header[kPatchHeaderSize];
  const uint32_t at = found_ * kStagePlace + kFrameOffset;
  if (mv_region_read(region_, at, header, sizeof(header)) != MV_OK) return;
  const uint32_t size = kPatchHeaderSize + LoadLe32(header + kPatchBodySizeOffset);
  count_ = (size + kStageFrame - 1) / kStageFrame;
  while (next_ < count_ && Find(next_)) ++next_;
}

mv_error PatchStage::Open(bool trust_last) {
  if (sector_places() == 0 || places() < 2 * sector_places() || places() > UINT16_MAX) return MV_BAD_ARGUMENT;
  patch_ = 0;
  end_ = 0;
  found_ = 0;
  for (uint32_t place = 0; place < places(); ++place) {
    Head head;
    if (!ReadHead(place, &head)) continue;
    if (patch_ == 0) patch_ = head.patch;
    if (head.patch == patch_) end_ = place + 1;
  }
  while (end_ % sector_places() != 0 && !ReadsErased(end_)) ++end_;
  begin_ = end_;
  void_count_ = 0;
  own_ = {0, static_cast<uint16_t>(end_)};
  bool good = true;
  for (uint32_t place = 0; place < end_; ++place) {
    Head head;
    if (!IsWhole(place, &head)) continue;
    good = good && AddVoid(head.voids);
    own_.begin = static_cast<uint16_t>(place);
  }
  if (trust_last) own_.begin = own_.end;
  if (!good || !AddVoid(own_)) return Clear();
  CountFrames();
  return MV_OK;
}

// Erases the log.
mv_error PatchStage::Clear() {
  for (uint32_t at = 0; at < region_->size; at += region_->sector_size) {
    const mv_error error = mv_region_erase(region_, at);
    if (error != MV_OK) return error;
  }
  Forget();
  return MV_OK;
}

// As if there were no log.
void PatchStage::Forget() {
  end_ = 0;
  begin_ = 0;
  void_count_ = 0;
  own_ = {};
  patch_ = 0;
  count_ = 0;
  next_ = 0;
  found_ = 0;
  index_ = kNone;
}

mv_error PatchStage::WriteNext(uint32_t index, ByteView frame) {
  const uint32_t begin = end_ * kStagePlace;
  mv_error error = MV_OK;
  if (end_ % sector_places() == 0) error = mv_region_erase(region_, begin);
  ++end_;
  uint8_t unit[MV_SELECTION_UNIT];
  memset(unit, 0xFF, sizeof(unit));
  StoreLe32(unit, kStageMagic);
  StoreLe32(unit + 4, index);
  StoreLe32(unit + 8, static_cast<uint32_t>(frame.size));
  StoreLe32(unit + 12, uint32_t{own_.end} << 16 | own_.begin);
  StoreLe64(unit + 16, patch_);
  Xxh64 hash;
  hash.Update({unit, kCheckedHead});
  hash.Update(frame);
  const uint64_t checksum = hash.Digest();
  StoreLe64(unit + kCheckedHead, checksum);
  if (error == MV_OK) error = mv_region_program(region_, begin, unit);
  for (uint32_t at = 0; error == MV_OK && at < frame.size; at += MV_SELECTION_UNIT) {
    const size_t size = frame.size - at < MV_SELECTION_UNIT ? frame.size - at : MV_SELECTION_UNIT;
    memset(unit, 0xFF, sizeof(unit));
    memcpy(unit, frame.data + at, size);
    error = mv_region_program(region_, begin + kFrameOffset + at, unit);
  }
  memset(unit, 0xFF, sizeof(unit));
  StoreLe64(unit, MarkOf(checksum));
  return error == MV_OK ? mv_region_program(region_, begin + kMarkOffset, unit) : error;
}

mv_error PatchStage::Append(uint32_t index, ByteView frame) {
  mv_error error = WriteNext(index, frame);
  // A unit that reads erased may have been begun before, and not take it; not where its sector was erased for it.
  while (error == MV_FLASH_FAILED && (end_ - 1) % sector_places() != 0 && end_ < places()) {
    error = WriteNext(index, frame);
  }
  return error;
}

mv_error PatchStage::Add(uint32_t index, ByteView frame) {
  if (frame.size == 0 || frame.size > kStageFrame || (index != 0 && index != next_)) return MV_BAD_ARGUMENT;
  if (index == 0) {
    if (frame.size < kPatchHeaderSize) return MV_BAD_PATCH;
    const uint64_t size = kPatchHeaderSize + uint64_t{LoadLe32(frame.data + kPatchBodySizeOffset)};
    const uint64_t room = uint64_t{places() - sector_places()} * kStageFrame;
    const uint64_t patch = LoadLe64(frame.data + kPatchChecksumOffset);
    if (patch != Xxh64::Of({frame.data, kPatchChecksumOffset}) || patch == 0 || size > room) return MV_BAD_PATCH;
    if (patch == patch_ && next_ != 0) {
      // Whether an earlier start's seal was cut off nobody can tell.
      const bool seal = complete() && end_ == begin_ && end_ < places();
      return seal ? Append(count_, {}) : MV_OK;
    }
    if (patch != patch_) Forget();
    patch_ = patch;
    count_ = static_cast<uint32_t>((size + kStageFrame - 1) / kStageFrame);
  }
  if (frame.size < kStageFrame && index + 1 != count_) return MV_BAD_ARGUMENT;
  // With places for the seal, and for what does not take it.
  if (places() - end_ <= sector_places()) return Clear();
  const mv_error error = Append(index, frame);
  if (error != MV_OK) return error;
  if (next_ == index) {
    ++next_;
    while (next_ < count_ && Find(next_)) ++next_;
  }
  return complete() ? Append(count_, {}) : MV_OK;
}

mv_error PatchStage::Read(uint32_t offset, uint8_t* out, uint32_t size) {
  while (size > 0) {
    if (!Find(offset / kStageFrame)) return MV_READ_FAILED;
    const uint32_t within = offset % kStageFrame;
    const uint32_t step = size < kStageFrame - within ? size : kStageFrame - within;
    const mv_error error = mv_region_read(region_, found_ * kStagePlace + kFrameOffset + within, out, step);
    if (error != MV_OK) return error;
    offset += step;
    out += step;
    size -= step;
  }
  return MV_OK;
}

PatchSource PatchStage::Source() { return {ReadFlashStage, this, count_ * kStageFrame, true}; }

mv_error ReadFlashStage(void* stage, uint32_t offset, uint8_t* out, uint32_t size) {
  return static_cast<PatchStage*>(stage)->Read(offset, out, size);
}

}  // namespace modelvault
