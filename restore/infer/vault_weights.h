// WeightSources over a vault: the base's bytes beside a variant's DeltaList, and, for variants without one, restored
// bytes. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_VAULT_WEIGHTS_H_
#define MODELVAULT_RESTORE_INFER_VAULT_WEIGHTS_H_

#include "codec/core/base_decoder.h"
#include "restore/core/proven_chunks.h"
#include "restore/core/variant_stream.h"
#include "restore/infer/tensor_consumer.h"
#include "restore/infer/weight_source.h"

namespace modelvault {

// The base's bytes, each chunk proven each time it is read (ProvenChunks). Where the base is stored as it is, pieces
// are handed out from where they were proven; else they are decoded from there.
class BaseWeights {
 public:
  // What the constructor's `memory` takes, in bytes, with pieces of at most `piece_size` bytes, a multiple of 4.
  [[nodiscard]] static CoreStatus MemorySize(const SharedTables& shared, const StoredChunks& from, size_t piece_size,
                                             size_t* size);

  // All of `shared`, `from`, `seals` (ProvenChunks; null: none) and `memory` (at a multiple of 4, MemorySize() bytes)
  // must outlive this; nobody else uses the memory meanwhile.
  BaseWeights(const SharedTables* shared, const StoredChunks& from, uint32_t* seals, ByteSpan memory,
              size_t piece_size);
  BaseWeights(const BaseWeights&) = delete;
  BaseWeights& operator=(const BaseWeights&) = delete;

  // `deltas` may be null: the weights are the base's.
  WeightSource source(const DeltaList* deltas);

  // Of the failure, if the source has failed: the chunk.
  size_t last_chunk() const { return chunks_.last(); }

 private:
  static size_t DecoderSize(const SharedTables& shared, size_t piece_size);
  CoreStatus Start(size_t tensor, size_t begin, size_t end);
  CoreStatus Next(ByteView* piece);
  CoreStatus NextRaw(size_t want, ByteView* piece);

  const SharedTables* shared_;
  const VaultHeader* header_;
  ByteSpan piece_;  // None where the base is stored as it is.
  TableCache tables_;
  ProvenChunks chunks_;
  BaseDecoder decoder_;
  CoreStatus status_ = CoreStatus::kBadArgument;
  size_t position_ = 0;
  size_t end_ = 0;
};

// A variant's own bytes, restored as they are asked for. Tensors are best asked for in the order of the variant's data:
// going back costs decoding what of the segment lies before.
class RestoredWeights {
 public:
  // The stream proves what it reads (its sources do); its workspace holds tiles of `tile_size` bytes.
  RestoredWeights(VariantStream* stream, const VariantLayout* layout, size_t tile_size)
      : stream_(stream), layout_(layout), tile_size_(tile_size) {}

  WeightSource source();

 private:
  CoreStatus Start(size_t tensor, size_t begin, size_t end);
  CoreStatus Next(ByteView* piece);

  VariantStream* stream_;
  const VariantLayout* layout_;
  size_t tile_size_;
  CoreStatus status_ = CoreStatus::kBadArgument;
  size_t end_ = 0;
  size_t position_ = 0;
  bool streaming_ = false;  // The stream is on its way to the data's end.
  ByteView tile_;           // What of the last tile has not been handed over, from tile_offset_ on.
  size_t tile_offset_ = 0;
};

// Hands all tensors of MODEL to `consumer`, in its order and as `source` has them; those that a variant lacks, or has
// in another type or size, are left out.
[[nodiscard]] CoreStatus ConsumeTensors(const WeightSource& source, const SharedTables& shared,
                                        const TensorConsumer& consumer);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_VAULT_WEIGHTS_H_
