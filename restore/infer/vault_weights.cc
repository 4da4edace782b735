#include "restore/infer/vault_weights.h"

namespace modelvault {
namespace {

// The end of a stream that has decoded whole bytes: a one, and zeros to the end of the byte.
constexpr uint8_t kRawEnd = 1;

}  // namespace

// What of the memory a base takes that is coded: a piece, and its tables. The chunk lies behind.
size_t BaseWeights::DecoderSize(const SharedTables& shared, size_t piece_size) {
  return shared.all_raw() ? 0 : piece_size + TableCache::Size(shared.code_bits());
}

CoreStatus BaseWeights::MemorySize(const SharedTables& shared, const StoredChunks& from, size_t piece_size,
                                   size_t* size) {
  const CoreStatus measured = ProvenChunks::BufferSize(from, size);
  *size += DecoderSize(shared, piece_size);
  return measured;
}

BaseWeights::BaseWeights(const SharedTables* shared, const StoredChunks& from, uint32_t* seals, ByteSpan memory,
                         size_t piece_size)
    : shared_(shared),
      header_(from.header),
      piece_{memory.data, shared->all_raw() ? 0 : piece_size},
      tables_{memory.data + piece_.size, {}, 0, {}},
      chunks_(from, {memory.data + DecoderSize(*shared, piece_size), memory.size - DecoderSize(*shared, piece_size)},
              seals),
      decoder_(shared, from.header->chunk_size, chunks_.source(), &tables_) {}

WeightSource BaseWeights::source(const DeltaList* deltas) {
  return {this,
          [](void* self, size_t tensor, size_t begin, size_t end) {
            return static_cast<BaseWeights*>(self)->Start(tensor, begin, end);
          },
          [](void* self, ByteView* piece) { return static_cast<BaseWeights*>(self)->Next(piece); }, deltas};
}

CoreStatus BaseWeights::Start(size_t tensor, size_t begin, size_t end) {
  status_ = CoreStatus::kBadArgument;
  if (tensor >= shared_->tensor_count()) return status_;
  const TensorRecord& t = shared_->tensor(tensor);
  if (begin > end || end > t.size) return status_;
  position_ = t.offset + begin;
  end_ = t.offset + end;
  status_ = CoreStatus::kOk;
  return status_;
}

// From the chunk itself, which has as many bytes as it decodes to, and an end.
CoreStatus BaseWeights::NextRaw(size_t want, ByteView* piece) {
  const size_t chunk = position_ / header_->chunk_size;
  const size_t in_chunk = position_ % header_->chunk_size;
  const size_t raw_size = header_->chunk_raw_size(chunk);
  ByteView stored;
  const CoreStatus fetched = chunks_.Fetch(chunk, &stored);
  if (fetched != CoreStatus::kOk) return fetched;
  if (stored.size != raw_size + 1 || stored.data[raw_size] != kRawEnd) return CoreStatus::kBadStream;
  *piece = stored.Sub(in_chunk, want < raw_size - in_chunk ? want : raw_size - in_chunk);
  return CoreStatus::kOk;
}

CoreStatus BaseWeights::Next(ByteView* piece) {
  *piece = ByteView{};
  const size_t left = end_ - position_;
  if (status_ != CoreStatus::kOk || left == 0) return status_;
  if (shared_->all_raw()) {
    status_ = NextRaw(left, piece);
  } else {
    const size_t size = left < piece_.size ? left : piece_.size;
    status_ = decoder_.Read(position_, {piece_.data, size});
    if (status_ == CoreStatus::kOk) *piece = {piece_.data, size};
  }
  position_ += piece->size;
  return status_;
}

WeightSource RestoredWeights::source() {
  return {this,
          [](void* self, size_t tensor, size_t begin, size_t end) {
            return static_cast<RestoredWeights*>(self)->Start(tensor, begin, end);
          },
          [](void* self, ByteView* piece) { return static_cast<RestoredWeights*>(self)->Next(piece); }, nullptr};
}

CoreStatus RestoredWeights::Start(size_t tensor, size_t begin, size_t end) {
  status_ = CoreStatus::kNotFound;  // A variant may lack tensors of its base.
  for (size_t i = 0; i < layout_->tensor_count(); ++i) {
    const VariantTensor& t = layout_->tensor(i);
    if (t.base_index != tensor) continue;
    status_ =
        begin <= end && end <= t.size && t.prediction == Prediction::kCopy ? CoreStatus::kOk : CoreStatus::kBadArgument;
    position_ = t.offset + begin;
    end_ = t.offset + end;
    break;
  }
  if (status_ != CoreStatus::kOk || position_ == end_) return status_;
  // Ahead on the stream's way it is enough to go on.
  if (streaming_ && position_ >= tile_offset_) return status_;
  status_ = stream_->Start(position_, layout_->data_size(), tile_size_);
  streaming_ = status_ == CoreStatus::kOk;
  tile_ = ByteView{};
  tile_offset_ = position_;
  return status_;
}

CoreStatus RestoredWeights::Next(ByteView* piece) {
  *piece = ByteView{};
  if (status_ != CoreStatus::kOk || position_ == end_) return status_;
  while (position_ >= tile_offset_ + tile_.size) {
    tile_offset_ += tile_.size;
    status_ = stream_->Next(&tile_);
    if (status_ == CoreStatus::kOk && tile_.size == 0) status_ = CoreStatus::kBadStream;
    if (status_ != CoreStatus::kOk) {
      streaming_ = false;
      tile_ = ByteView{};
      return status_;
    }
  }
  const size_t in_tile = position_ - tile_offset_;
  const size_t left = end_ - position_;
  const size_t size = left < tile_.size - in_tile ? left : tile_.size - in_tile;
  *piece = tile_.Sub(in_tile, size);
  position_ += size;
  return status_;
}

CoreStatus ConsumeTensors(const WeightSource& source, const SharedTables& shared, const TensorConsumer& consumer) {
  for (size_t tensor = 0; tensor < shared.tensor_count(); ++tensor) {
    CoreStatus status = source.start(source.context, tensor, 0, shared.tensor(tensor).size);
    if (status == CoreStatus::kNotFound || status == CoreStatus::kBadArgument) continue;
    size_t offset = 0;
    ByteView piece;
    do {
      if (status == CoreStatus::kOk) status = source.next(source.context, &piece);
      if (status == CoreStatus::kOk && piece.size > 0) {
        status = consumer.consume(consumer.context, tensor, offset, piece);
        offset += piece.size;
      }
      if (status != CoreStatus::kOk) return status;
    } while (piece.size > 0);
  }
  return CoreStatus::kOk;
}

}  // namespace modelvault
