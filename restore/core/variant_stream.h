// Base + delta -> the variant's bytes, tile by tile, in order, in constant memory: the one loop of host and board.
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_CORE_VARIANT_STREAM_H_
#define MODELVAULT_RESTORE_CORE_VARIANT_STREAM_H_

#include "codec/core/base_decoder.h"
#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/core/segment_decoder.h"
#include "codec/core/variant_layout.h"

namespace modelvault {

inline constexpr size_t kDefaultTileSize = 4096;
inline constexpr size_t kMinTileSize = 256;

// Where the stored bytes of a variant's segments come from.
struct SegmentSource {
  // Sets *stored to segment `segment`'s bytes, which stay valid until the next call. Null: the variant is the base.
  CoreStatus (*fetch)(void* context, size_t segment, ByteView* stored) = nullptr;
  void* context = nullptr;
};

// The memory of a stream, the caller's.
struct StreamWorkspace {
  TableCache* tables = nullptr;
  ColumnOrder order;  // Room for model.max_prior_cols() columns.
  ByteSpan tile;      // TileBufferSize(tile size) bytes.
  // As many, at an address that is the same modulo 4, for what VariantStream::prediction() tells. Null: nobody asks.
  uint8_t* prediction = nullptr;
};

// A tile is assembled from whole strips, so one may be left over.
constexpr size_t TileBufferSize(size_t tile_size) { return tile_size + kStripSize; }

class VariantStream {
 public:
  // `layout`, the sources and the workspace must outlive the stream. `chunk_size` and `segment_size` are the header's.
  VariantStream(const VariantLayout* layout, uint32_t chunk_size, uint32_t segment_size, ChunkSource chunks,
                SegmentSource segments, StreamWorkspace workspace, const SegmentTrace* trace = nullptr);

  // Stands before byte `begin` of the variant's data; tiles of `tile_size` bytes (kMinTileSize … what the workspace
  // holds) follow up to byte `end`. Beginning inside a segment costs passing over what the segment holds before.
  [[nodiscard]] CoreStatus Start(size_t begin, size_t end, size_t tile_size);

  // Sets *tile to the next bytes: tile_size of them, fewer only at the end, none after it. They stay valid until the
  // next call. They are unverified until whoever hashes them has seen the last; a segment or chunk decoded to its end
  // has been checked to end where it must. A failure is repeated by every later call.
  [[nodiscard]] CoreStatus Next(ByteView* tile);

  // What the last tile's bytes were predicted as: the base's bytes, of their place, where the type is the base's. Only
  // with a workspace that has room for it; valid as long as the tile.
  const uint8_t* prediction() const { return workspace_.prediction; }

  // Of the next tile's first byte, in the variant's data.
  size_t position() const { return position_; }

 private:
  CoreStatus FillStrips();
  CoreStatus Enter(size_t segment);
  CoreStatus LeaveSegment();
  CoreStatus ReadPrediction(uint8_t* out, size_t size);
  CoreStatus ReadConverted(uint8_t* out, size_t size);

  const VariantLayout* layout_;
  uint32_t segment_size_;
  SegmentSource segments_;
  StreamWorkspace workspace_;
  BaseDecoder base_;
  SegmentDecoder delta_;
  StripCursor cursor_;
  CoreStatus status_ = CoreStatus::kOk;
  bool in_segment_ = false;
  size_t segment_end_ = 0;  // Strips that begin before it belong to the segment in progress.
  size_t position_ = 0;
  size_t end_ = 0;
  size_t tile_size_ = 0;
  size_t handed_out_ = 0;  // Bytes at the buffer's front that the caller has had.
  size_t filled_ = 0;
};

// Receives tiles in order; `offset` is the tile's place in the variant's data. Anything but kOk ends the stream.
struct TileConsumer {
  CoreStatus (*consume)(void* context, size_t offset, ByteView tile);
  void* context;
};

// Hands a whole model to `consumer` (which may be null: hash only) and compares the XXH64 of everything with `xxh64`:
// kDigestMismatch if it differs. What the consumer got before kOk is returned is unverified.
[[nodiscard]] CoreStatus StreamVerified(VariantStream* stream, size_t data_size, size_t tile_size, uint64_t xxh64,
                                        const TileConsumer* consumer);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_CORE_VARIANT_STREAM_H_
