// The block codings of the host profile (docs/format.md §16): a piece of a tensor to bytes and back, with or without a
// piece of the base beside it. A block has its own tables: it decodes alone.
#ifndef MODELVAULT_CODEC_HOST_BLOCK_CODEC_H_
#define MODELVAULT_CODEC_HOST_BLOCK_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/types/span.h"
#include "codec/core/codec_format.h"
#include "codec/core/core_status.h"

namespace modelvault {

// The largest piece, in bytes. Pieces of some hundred KiB are coded best: all that a piece needs stays in a core's
// cache.
inline constexpr size_t kMaxBlockSize = size_t{1} << 30;

// Bytes that a block has more than its piece at most.
inline constexpr size_t kBlockOverhead = 1;

// Memory for coding, some times the largest piece that it has served: kept from block to block, used by one thread at a
// time.
class BlockScratch {
 public:
  struct Rep;

  BlockScratch();
  ~BlockScratch();
  BlockScratch(BlockScratch&&) noexcept;
  BlockScratch& operator=(BlockScratch&&) noexcept;

  Rep& rep() { return *rep_; }

 private:
  std::unique_ptr<Rep> rep_;
};

// Appends the block of `data`, at most kMaxBlockSize bytes of a tensor of type `dtype`, to *out. `reference`: as many
// bytes, or none. The same input gives the same bytes on every machine.
void EncodeBlock(DType dtype, absl::Span<const uint8_t> data, absl::Span<const uint8_t> reference,
                 BlockScratch* scratch, std::string* out);

// Decodes the block `stored`, all of it, into all of `out`, which does not overlap `reference`: as many bytes as it
// has, or none. Reads and writes nothing outside. A block that is no coding of out.size() bytes of that type is an
// error, and `out` then unspecified: kTruncated, kBadTable, kBadMode (no such coding, or one that needs another type or
// a reference) or kBadStream; kBadArgument for sizes outside what is said here.
[[nodiscard]] CoreStatus DecodeBlock(DType dtype, absl::Span<const uint8_t> stored, absl::Span<const uint8_t> reference,
                                     BlockScratch* scratch, absl::Span<uint8_t> out);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_BLOCK_CODEC_H_
