// Decodes host codings (docs/format.md §16): any bytes of the base, or of a variant, from their blocks. What one thread
// needs, and keeps from call to call.
#ifndef MODELVAULT_RESTORE_HOST_DECODER_H_
#define MODELVAULT_RESTORE_HOST_DECODER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "codec/core/core_status.h"
#include "codec/core/variant_layout.h"
#include "codec/host/block_codec.h"
#include "codec/host/pieces.h"
#include "vault/vault_reader.h"

namespace modelvault {

// The base. Memory: a few chunks.
class HostBaseDecoder {
 public:
  // Both must outlive this.
  HostBaseDecoder(const VaultReader* reader, const SharedTables* shared);

  // Fills `out` with bytes [begin, begin + out.size()) of the base's data, which must be there. Only the blocks that
  // hold some of them are decoded. Where a chunk cannot be read, kReadFailed and error() says why.
  CoreStatus Read(size_t begin, absl::Span<uint8_t> out);

  // The same where they are decoded to, or, if they are in several chunks, in a copy; valid until the next call. Blocks
  // of the last two chunks stay decoded.
  CoreStatus View(size_t begin, size_t size, absl::Span<const uint8_t>* bytes);

  const absl::Status& error() const { return error_; }

 private:
  struct Block {
    Piece piece;
    ByteView stored;
    bool decoded = false;
  };
  struct Chunk {
    size_t number = SIZE_MAX;
    std::vector<uint8_t> stored;
    std::vector<Block> blocks;  // In order; they view `stored`.
    std::vector<uint8_t> bytes;
  };

  CoreStatus Load(size_t number, Chunk** chunk);
  CoreStatus ReadInChunk(size_t begin, absl::Span<uint8_t> out);
  CoreStatus DecodeBlocks(Chunk* chunk, size_t begin, size_t end);

  const VaultReader* reader_;
  const VariantLayout layout_;  // The base's own.
  std::array<Chunk, 2> chunks_;
  size_t last_ = 0;  // Of chunks_, the one that was used last.
  std::vector<uint8_t> copy_;
  BlockScratch scratch_;
  absl::Status error_;
};

// A model: a variant, or with no blob the base.
class HostDecoder {
 public:
  // `blob` may be null. All must outlive this.
  HostDecoder(const VaultReader* reader, const VariantLayout* layout, const VaultBlob* blob);

  // Fills `out` with bytes [begin, begin + out.size()) of the model's data, which must be there, all in one segment. As
  // HostBaseDecoder::Read.
  CoreStatus Read(size_t begin, absl::Span<uint8_t> out);

  // After a failure: the place of it in the model's data, and of kReadFailed what went wrong.
  size_t position() const { return position_; }
  const absl::Status& error() const { return error_; }

 private:
  CoreStatus ReadBlock(const Piece& piece, ByteView stored, size_t begin, absl::Span<uint8_t> out);
  CoreStatus FindReference(const Piece& piece, absl::Span<const uint8_t>* reference);

  const VaultReader* reader_;
  const VariantLayout* layout_;
  const VaultBlob* blob_;
  HostBaseDecoder base_;
  std::vector<uint8_t> segment_;    // Stored.
  std::vector<uint8_t> predicted_;  // A reference of another type.
  std::vector<uint8_t> whole_;      // A block of which only a part was asked for.
  BlockScratch scratch_;
  size_t position_ = 0;
  absl::Status error_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_HOST_DECODER_H_
