#include "restore/core/variant_stream.h"

#include "codec/core/xxh64.h"

namespace modelvault {

VariantStream::VariantStream(const VariantLayout* layout, uint32_t chunk_size, uint32_t segment_size,
                             ChunkSource chunks, SegmentSource segments, StreamWorkspace workspace,
                             const SegmentTrace* trace)
    : layout_(layout),
      segment_size_(segment_size),
      segments_(segments),
      workspace_(workspace),
      base_(&layout->shared(), chunk_size, chunks, workspace.tables),
      delta_(layout, workspace.order, trace),
      cursor_(layout, layout->data_size()) {}

CoreStatus VariantStream::Start(size_t begin, size_t end, size_t tile_size) {
  if (begin > end || end > layout_->data_size() || tile_size < kMinTileSize ||
      workspace_.tile.size < TileBufferSize(0) || tile_size > workspace_.tile.size - TileBufferSize(0)) {
    status_ = CoreStatus::kBadArgument;
    return status_;
  }
  status_ = CoreStatus::kOk;
  position_ = begin;
  end_ = end;
  tile_size_ = tile_size;
  handed_out_ = filled_ = 0;
  in_segment_ = false;
  if (begin == end) return status_;
  // The segment of the strip that holds `begin`: that strip may begin in the segment before.
  size_t first = begin / segment_size_;
  cursor_ = StripCursor(layout_, first * segment_size_);
  if (cursor_.at_end() || cursor_.strip().offset > begin) {
    --first;  // Segment 0 begins with a strip at 0, so there is one before.
    cursor_ = StripCursor(layout_, first * segment_size_);
  }
  if (segments_.fetch == nullptr) {  // No stream to follow: go to the strip at once.
    while (cursor_.strip().offset + cursor_.strip().size <= begin) cursor_.Next();
  } else {
    status_ = Enter(first);
    while (status_ == CoreStatus::kOk && cursor_.strip().offset + cursor_.strip().size <= begin) {
      status_ = delta_.Decode(cursor_, cursor_.strip().size, nullptr);
      cursor_.Next();
    }
  }
  if (status_ == CoreStatus::kOk) {
    // The first strip's bytes before `begin` are handed to nobody.
    const size_t before = begin - cursor_.strip().offset;
    position_ -= before;
    status_ = FillStrips();
    position_ += before;
    handed_out_ = before;
  }
  return status_;
}

CoreStatus VariantStream::Enter(size_t segment) {
  ByteView stored;
  const CoreStatus fetched = segments_.fetch(segments_.context, segment, &stored);
  if (fetched != CoreStatus::kOk) return fetched;
  segment_end_ = (segment + 1) * segment_size_;
  in_segment_ = true;
  return delta_.Start(stored);
}

// The prediction of the next `size` bytes of the tensor under the cursor.
CoreStatus VariantStream::ReadPrediction(uint8_t* out, size_t size) {
  switch (cursor_.tensor().prediction) {
    case Prediction::kZero:
      memset(out, 0, size);
      return CoreStatus::kOk;
    case Prediction::kCopy:
      return base_.Read(cursor_.record().offset + cursor_.strip().in_tensor, {out, size});
    default:
      return ReadConverted(out, size);
  }
}

// The same across float types.
CoreStatus VariantStream::ReadConverted(uint8_t* out, size_t size) {
  const VariantTensor& tensor = cursor_.tensor();
  const TensorRecord& record = cursor_.record();
  size_t offset = record.offset + cursor_.strip().in_tensor / tensor.element_size * record.element_size;
  uint8_t elements[kStripSize];
  for (size_t left = size / tensor.element_size; left > 0;) {
    const size_t most = sizeof(elements) / record.element_size;
    const size_t count = left < most ? left : most;
    const CoreStatus read = base_.Read(offset, {elements, count * record.element_size});
    if (read != CoreStatus::kOk) return read;
    Predict(tensor.prediction, elements, count, out);
    offset += count * record.element_size;
    out += count * tensor.element_size;
    left -= count;
  }
  return CoreStatus::kOk;
}

// After strips: if these were the last of the segment in progress, its stream must end here.
CoreStatus VariantStream::LeaveSegment() {
  if (!cursor_.at_end() && cursor_.strip().offset < segment_end_) return CoreStatus::kOk;
  in_segment_ = false;
  const CoreStatus finished = delta_.Finish();
  // The last segment may lie within the last strip and hold none of its own; its stream must be empty then.
  if (finished != CoreStatus::kOk || !cursor_.at_end() || segment_end_ >= layout_->data_size()) return finished;
  const CoreStatus entered = Enter(segment_end_ / segment_size_);
  in_segment_ = false;
  return entered == CoreStatus::kOk ? delta_.Finish() : entered;
}

// Decodes strips until a tile is full or the data ends. The bytes in the buffer are those from position_ on.
CoreStatus VariantStream::FillStrips() {
  const size_t fill = end_ - position_ < tile_size_ ? end_ : position_ + tile_size_;
  while (!cursor_.at_end() && position_ + filled_ < fill) {
    if (segments_.fetch != nullptr && !in_segment_) {
      const CoreStatus entered = Enter(cursor_.strip().offset / segment_size_);
      if (entered != CoreStatus::kOk) return entered;
    }
    // A run of strips of one tensor in one segment: the base in one go, then the delta on top of it.
    const size_t run = cursor_.RunTo(in_segment_ && segment_end_ < fill ? segment_end_ : fill);
    uint8_t* out = workspace_.tile.data + filled_;
    const CoreStatus read = ReadPrediction(out, run);
    if (read != CoreStatus::kOk) return read;
    if (workspace_.prediction != nullptr) memcpy(workspace_.prediction + filled_, out, run);
    if (in_segment_) {
      const CoreStatus decoded = delta_.Decode(cursor_, run, out);
      if (decoded != CoreStatus::kOk) return decoded;
    }
    cursor_.Advance(run);
    filled_ += run;
    if (in_segment_) {
      const CoreStatus left = LeaveSegment();
      if (left != CoreStatus::kOk) return left;
    }
  }
  return CoreStatus::kOk;
}

CoreStatus VariantStream::Next(ByteView* tile) {
  *tile = ByteView{};
  if (status_ != CoreStatus::kOk) return status_;
  if (handed_out_ > 0) {
    filled_ -= handed_out_;
    memmove(workspace_.tile.data, workspace_.tile.data + handed_out_, filled_);
    if (workspace_.prediction != nullptr) memmove(workspace_.prediction, workspace_.prediction + handed_out_, filled_);
    handed_out_ = 0;
  }
  const size_t left = end_ - position_;
  const size_t want = left < tile_size_ ? left : tile_size_;
  if (want == 0) return status_;
  if (filled_ < want) status_ = FillStrips();
  if (status_ == CoreStatus::kOk && filled_ < want) status_ = CoreStatus::kBadStream;
  if (status_ != CoreStatus::kOk) return status_;
  *tile = {workspace_.tile.data, want};
  handed_out_ = want;
  position_ += want;
  return status_;
}

CoreStatus StreamVerified(VariantStream* stream, size_t data_size, size_t tile_size, uint64_t xxh64,
                          const TileConsumer* consumer) {
  CoreStatus status = stream->Start(0, data_size, tile_size);
  Xxh64 hash;
  while (status == CoreStatus::kOk) {
    const size_t offset = stream->position();
    ByteView tile;
    status = stream->Next(&tile);
    if (status != CoreStatus::kOk) break;
    if (tile.size == 0) return hash.Digest() == xxh64 ? CoreStatus::kOk : CoreStatus::kDigestMismatch;
    hash.Update(tile);
    if (consumer != nullptr) status = consumer->consume(consumer->context, offset, tile);
  }
  return status;
}

}  // namespace modelvault
