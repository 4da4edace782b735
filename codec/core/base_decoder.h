// Gives back any bytes of the base from its chunks (docs/format.md §5). Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_BASE_DECODER_H_
#define MODELVAULT_CODEC_CORE_BASE_DECODER_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/core/prefix_code.h"
#include "codec/core/shared_tables.h"

namespace modelvault {

// Where the stored bytes of base chunks come from: flash on the board, a file on the host.
struct ChunkSource {
  // Sets *stored to chunk `chunk`'s bytes, which stay valid until the next call.
  CoreStatus (*fetch)(void* context, size_t chunk, ByteView* stored);
  void* context;
};

// The tables a decoder has at hand. A tensor uses at most as many as fit, so nothing is built twice within one.
struct TableCache {
  uint8_t* memory;  // Size(model.code_bits()) bytes.
  uint16_t tag[kMaxTablesPerTensor];  // Table number + 1; 0 = empty.
  uint8_t next;                       // The slot to be replaced next.
  PrefixTable tables[kMaxTablesPerTensor];

  static constexpr size_t Size(unsigned bits) { return kMaxTablesPerTensor * PrefixTable::Size(bits); }
};

// The same with memory enough for any model.
struct WideTableCache : TableCache {
  WideTableCache() { memory = room; }
  WideTableCache(const WideTableCache&) = delete;
  WideTableCache& operator=(const WideTableCache&) = delete;

  uint8_t room[TableCache::Size(kMaxCodeLength)];
};

class BaseDecoder {
 public:
  // `model` and `cache` must outlive the decoder; `chunk_size` is the header's.
  BaseDecoder(const SharedTables* shared, uint32_t chunk_size, ChunkSource source, TableCache* cache);

  // Writes base bytes [offset, offset + out.size), which must lie inside the data section. Going on where the last call
  // ended costs nothing extra; any other place costs decoding from its chunk's start. A chunk that has been decoded to
  // its end has been checked to end where it must; any failure leaves `out` undefined and the decoder usable.
  [[nodiscard]] CoreStatus Read(size_t offset, ByteSpan out);

  // For accounting: the stream of the chunk in progress, and how many chunks were begun.
  const PrefixDecoder& stream() const { return stream_; }
  size_t chunks_begun() const { return chunks_begun_; }

 private:
  CoreStatus StartChunk(size_t chunk);
  void EnterTensor(size_t index);
  CoreStatus ReadRowKind(const TensorRecord& t);
  CoreStatus ProduceCopy(const TensorRecord& t, size_t column, size_t rest, uint8_t* out, size_t size);
  CoreStatus Produce(uint8_t* out, size_t size);
  const PrefixTable* Table(uint8_t number);

  const SharedTables* shared_;
  uint32_t chunk_size_;
  ChunkSource source_;
  TableCache* cache_;

  PrefixDecoder stream_;
  size_t position_;   // In the data section; of the next byte to be produced.
  size_t chunk_end_;  // Where the chunk in progress ends; position_ == chunk_end_ when there is none.
  size_t chunks_begun_ = 0;
  size_t tensor_index_;
  size_t in_tensor_;  // position_ relative to the tensor.
  // Dictionary tensors: what is known of the row in progress.
  bool row_known_;
  uint8_t row_kind_;  // 0: fresh; else the number of the dictionary's row + 1.
  size_t row_skip_;   // Of a copied row: bytes like the dictionary's still to come …
  bool row_differs_;  // … and whether one follows that differs; else the next skip does.
  const PrefixTable* planes_[8];
  const PrefixTable* skip_table_;
  const PrefixTable* near_table_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_BASE_DECODER_H_
