// Reads an update patch (docs/format.md §15): makes a new vault's blocks, one after the other, out of an old vault and
// the patch. Never trusts a byte of it. Freestanding: no heap, the caller's buffers.
#ifndef MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_READER_H_
#define MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_READER_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/boot/flash_region.h"

namespace modelvault {

// The last byte is the patch format's version.
inline constexpr uint8_t kPatchMagic[8] = {'M', 'V', 'P', 'A', 'T', 'C', 'H', 2};
inline constexpr uint32_t kPatchHeaderSize = 128;
inline constexpr uint32_t kPatchBodySizeOffset = 20;
inline constexpr uint32_t kPatchOldDigestOffset = 24;
inline constexpr uint32_t kPatchNewDigestOffset = 32;
inline constexpr uint32_t kPatchVaultIdOffset = 40;
inline constexpr uint32_t kPatchVersionOffset = 56;
inline constexpr uint32_t kPatchVaultDigestOffset = 64;
inline constexpr uint32_t kPatchFlagsOffset = 96;
inline constexpr uint32_t kPatchReservedOffset = 100;
inline constexpr uint32_t kPatchChecksumOffset = 120;
inline constexpr uint32_t kPatchVaultIdSize = 16;
inline constexpr uint32_t kPatchVaultDigestSize = 32;
// A flag: no block copies what lies before it in the old vault.
inline constexpr uint32_t kPatchInPlace = 1;
inline constexpr uint32_t kMinPatchBlock = 256;
inline constexpr uint32_t kMaxPatchBlock = 1u << 20;
inline constexpr uint32_t kMaxPatchedSize = 1u << 30;

// Where a patch comes from: a part of flash, or a line it is sent over. Reads of a line come in ascending order, a byte
// or a run of bytes at a time, and may leave bytes out.
struct PatchSource {
  mv_error (*read)(void* context, uint32_t offset, uint8_t* out, uint32_t size);
  void* context;
  uint32_t size;    // Bytes there are at most; UINT32_MAX where only the patch itself can tell.
  bool rereadable;  // Whether reads may go back: then all of it is checked before anything is written.
};

struct PatchHeader {
  uint32_t block_size = 0;
  uint32_t old_size = 0;
  uint32_t new_size = 0;
  uint32_t body_size = 0;
  uint64_t old_digest = 0;
  uint64_t new_digest = 0;
  uint8_t vault_id[kPatchVaultIdSize] = {};          // Of the new vault, as its version; zeros: it is not signed.
  uint64_t version = 0;                              // 0: it is not signed.
  uint8_t vault_digest[kPatchVaultDigestSize] = {};  // BLAKE2s of the new vault.
  bool in_place = false;                             // It can be written over the old vault, front to back.
  uint64_t id = 0;                                   // header_checksum: no two patches have the same.
};

class PatchReader {
 public:
  // `source` must outlive this. A copy of a reader goes on from where the reader was, if the source can be reread.
  explicit PatchReader(const PatchSource& source) : source_(&source) {}

  // Reads the header. MV_BAD_PATCH: it is none, or damaged; MV_UNKNOWN_VERSION: of another patch format; or whatever
  // the source says.
  [[nodiscard]] mv_error Open();
  const PatchHeader& header() const { return header_; }
  uint32_t block_count() const;
  // Bytes of the block that comes next: header().block_size, fewer for the last; 0 after it.
  uint32_t next_size() const;

  // Makes the next block in `out`, which has room for next_size() bytes, out of the old vault at the front of `old`.
  // MV_BAD_PATCH: the patch is damaged; MV_CHECKSUM_MISMATCH: patch and old vault do not give what they should.
  [[nodiscard]] mv_error Next(const mv_region* old, uint8_t* out);
  // Passes it over.
  [[nodiscard]] mv_error Skip() { return Next(nullptr, nullptr); }

 private:
  mv_error ReadBytes(uint8_t* out, uint32_t size);
  mv_error ReadVarint(uint32_t* out);
  mv_error Piece(const mv_region* old, uint8_t* out, uint32_t left, uint32_t* made);

  const PatchSource* source_;
  PatchHeader header_;
  uint32_t position_ = 0;  // In the patch.
  uint32_t made_ = 0;      // Bytes of the new vault so far.
  uint32_t shift_ = 0;     // Where copies come from, less where they go, modulo 2^32.
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_READER_H_
