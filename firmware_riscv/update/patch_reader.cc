#include "firmware_riscv/update/patch_reader.h"

#include "codec/core/xxh64.h"

namespace modelvault {

mv_error PatchReader::Open() {
  uint8_t bytes[kPatchHeaderSize];
  if (source_->size < sizeof(kPatchMagic)) return MV_BAD_PATCH;
  constexpr uint32_t kMagic = sizeof(kPatchMagic);
  mv_error error = source_->read(source_->context, 0, bytes, kMagic);
  if (error != MV_OK) return error;
  // A header of another version may be shorter.
  if (memcmp(bytes, kPatchMagic, kMagic - 1) != 0) return MV_BAD_PATCH;
  if (bytes[kMagic - 1] != kPatchMagic[kMagic - 1]) return MV_UNKNOWN_VERSION;
  if (source_->size < sizeof(bytes)) return MV_BAD_PATCH;
  error = source_->read(source_->context, kMagic, bytes + kMagic, sizeof(bytes) - kMagic);
  if (error != MV_OK) return error;
  header_.id = LoadLe64(bytes + kPatchChecksumOffset);
  if (header_.id != Xxh64::Of({bytes, kPatchChecksumOffset})) return MV_BAD_PATCH;
  header_.block_size = LoadLe32(bytes + 8);
  header_.old_size = LoadLe32(bytes + 12);
  header_.new_size = LoadLe32(bytes + 16);
  header_.body_size = LoadLe32(bytes + kPatchBodySizeOffset);
  header_.old_digest = LoadLe64(bytes + kPatchOldDigestOffset);
  header_.new_digest = LoadLe64(bytes + kPatchNewDigestOffset);
  memcpy(header_.vault_id, bytes + kPatchVaultIdOffset, sizeof(header_.vault_id));
  header_.version = LoadLe64(bytes + kPatchVersionOffset);
  memcpy(header_.vault_digest, bytes + kPatchVaultDigestOffset, sizeof(header_.vault_digest));
  const uint32_t flags = LoadLe32(bytes + kPatchFlagsOffset);
  header_.in_place = flags == kPatchInPlace;
  const uint32_t block = header_.block_size;
  const bool good_block = block >= kMinPatchBlock && block <= kMaxPatchBlock && (block & (block - 1)) == 0;
  const bool good_sizes = header_.old_size > 0 && header_.old_size <= kMaxPatchedSize && header_.new_size > 0 &&
                          header_.new_size <= kMaxPatchedSize && header_.body_size <= source_->size - kPatchHeaderSize;
  uint8_t reserved = 0;
  for (uint32_t at = kPatchReservedOffset; at < kPatchChecksumOffset; ++at) reserved |= bytes[at];
  if (!good_block || !good_sizes || flags > kPatchInPlace || reserved != 0) return MV_BAD_PATCH;
  position_ = kPatchHeaderSize;
  made_ = 0;
  shift_ = 0;
  return MV_OK;
}

uint32_t PatchReader::block_count() const { return (header_.new_size + header_.block_size - 1) / header_.block_size; }

uint32_t PatchReader::next_size() const {
  const uint32_t left = header_.new_size - made_;
  return left < header_.block_size ? left : header_.block_size;
}

// Null `out`: passed over.
mv_error PatchReader::ReadBytes(uint8_t* out, uint32_t size) {
  if (size > header_.body_size - (position_ - kPatchHeaderSize)) return MV_BAD_PATCH;
  const mv_error error = out == nullptr ? MV_OK : source_->read(source_->context, position_, out, size);
  position_ += size;
  return error;
}

mv_error PatchReader::ReadVarint(uint32_t* out) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    uint8_t byte;
    const mv_error error = ReadBytes(&byte, 1);
    if (error != MV_OK) return error;
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) != 0) continue;
    if ((byte == 0 && shift != 0) || value > UINT32_MAX) return MV_BAD_PATCH;
    *out = static_cast<uint32_t>(value);
    return MV_OK;
  }
  return MV_BAD_PATCH;
}

mv_error PatchReader::Piece(const mv_region* old, uint8_t* out, uint32_t left, uint32_t* made) {
  uint32_t head;
  mv_error error = ReadVarint(&head);
  if (error != MV_OK) return error;
  const uint32_t size = head >> 1;
  *made = size;
  if (size == 0 || size > left) return MV_BAD_PATCH;
  if ((head & 1) == 0) return ReadBytes(out, size);
  uint32_t change;
  error = ReadVarint(&change);
  if (error != MV_OK) return error;
  shift_ += (change >> 1) ^ (0 - (change & 1));
  const uint32_t from = made_ + shift_;
  if (size > header_.old_size || from > header_.old_size - size) return MV_BAD_PATCH;
  if (header_.in_place && from < (made_ & ~(header_.block_size - 1))) return MV_BAD_PATCH;
  return out == nullptr ? MV_OK : mv_region_read(old, from, out, size);
}

mv_error PatchReader::Next(const mv_region* old, uint8_t* out) {
  const uint32_t size = next_size();
  if (size == 0) return MV_BAD_PATCH;
  uint8_t checksum[4];
  mv_error error = ReadBytes(checksum, sizeof(checksum));
  uint32_t made = 0;
  for (uint32_t at = 0; error == MV_OK && at < size; at += made, made_ += made) {
    made = 0;
    error = Piece(old, out == nullptr ? nullptr : out + at, size - at, &made);
  }
  if (error != MV_OK) return error;
  const bool last = made_ == header_.new_size;
  if (last && position_ - kPatchHeaderSize != header_.body_size) return MV_BAD_PATCH;
  if (out == nullptr) return MV_OK;
  return static_cast<uint32_t>(Xxh64::Of({out, size})) == LoadLe32(checksum) ? MV_OK : MV_CHECKSUM_MISMATCH;
}

}  // namespace modelvault
