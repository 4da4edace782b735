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
      base_(&layout->model(), chunk_size, chunks, workspace.tables),
      delta_(layout, workspace.order, trace),
      cursor_(layout, layout->data_size()) {}

CoreStatus VariantStream::Start(uint64_t begin, uint64_t end, size_t tile_size) {
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
  uint64_t first = begin / segment_size_;
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
      status_ = delta_.Decode(cursor_, nullptr);
      cursor_.Next();
    }
  }
  if (status_ == CoreStatus::kOk) {
    // The first strip's bytes before `begin` are handed to nobody.
    const size_t before = static_cast<size_t>(begin - cursor_.strip().offset);
    position_ -= before;
    status_ = FillStrips();
    position_ += before;
    handed_out_ = before;
  }
  return status_;
}

CoreStatus VariantStream::Enter(uint64_t segment) {
  ByteView stored;
  const CoreStatus fetched = segments_.fetch(segments_.context, segment, &stored);
  if (fetched != CoreStatus::kOk) return fetched;
  segment_end_ = (segment + 1) * segment_size_;
  in_segment_ = true;
  return delta_.Start(stored);
}

CoreStatus VariantStream::ReadPrediction(const VariantTensor& tensor, uint64_t in_tensor, uint8_t* out, size_t size) {
  const TensorRecord& record = layout_->model().tensor(tensor.base_index);
  switch (tensor.prediction) {
    case Prediction::kZero:
      memset(out, 0, size);
      return CoreStatus::kOk;
    case Prediction::kCopy:
      return base_.Read(record.offset + in_tensor, {out, size});
    default: {
      // Element sizes differ by a factor of two at most.
      uint8_t elements[2 * kStripSize];
      while (size > 0) {
        const size_t piece = size < kStripSize ? size : kStripSize;
        const size_t count = piece / tensor.element_size;
        const CoreStatus read = base_.Read(record.offset + in_tensor / tensor.element_size * record.element_size,
                                           {elements, count * record.element_size});
        if (read != CoreStatus::kOk) return read;
        Predict(tensor.prediction, elements, count, out);
        in_tensor += piece;
        out += piece;
        size -= piece;
      }
      return CoreStatus::kOk;
    }
  }
}

// Whether `cursor` has passed the last strip of the segment in progress.
bool VariantStream::LeftSegment(const StripCursor& cursor) const {
  return in_segment_ && (cursor.at_end() || cursor.strip().offset >= segment_end_);
}

// Decodes strips until a tile is full or the data ends. The bytes in the buffer are those from position_ on.
CoreStatus VariantStream::FillStrips() {
  while (filled_ < tile_size_ && !cursor_.at_end() && position_ + filled_ < end_) {
    if (segments_.fetch != nullptr && !in_segment_) {
      const CoreStatus entered = Enter(cursor_.strip().offset / segment_size_);
      if (entered != CoreStatus::kOk) return entered;
    }
    // A run of strips of one tensor in one segment: the base comes in one go, the delta strip by strip on top of it.
    const size_t index = cursor_.tensor_index();
    const VariantTensor tensor = cursor_.tensor();
    const uint64_t in_tensor = cursor_.strip().in_tensor;
    StripCursor ahead = cursor_;
    size_t run = 0;
    while (!ahead.at_end() && ahead.tensor_index() == index && filled_ + run < tile_size_ &&
           position_ + filled_ + run < end_ && !LeftSegment(ahead)) {
      run += ahead.strip().size;
      ahead.Next();
    }
    uint8_t* out = workspace_.tile.data + filled_;
    const CoreStatus read = ReadPrediction(tensor, in_tensor, out, run);
    if (read != CoreStatus::kOk) return read;
    if (segments_.fetch != nullptr) {
      for (size_t at = 0; at < run; cursor_.Next()) {
        const uint32_t size = cursor_.strip().size;
        const CoreStatus decoded = delta_.Decode(cursor_, out + at);
        if (decoded != CoreStatus::kOk) return decoded;
        at += size;
      }
    }
    cursor_ = ahead;
    filled_ += run;
    if (LeftSegment(cursor_)) {
      in_segment_ = false;
      const CoreStatus finished = delta_.Finish();
      if (finished != CoreStatus::kOk) return finished;
      // The last segment may lie within the last strip and hold none of its own; its stream must be empty then.
      if (cursor_.at_end() && segment_end_ < layout_->data_size()) {
        const CoreStatus entered = Enter(segment_end_ / segment_size_);
        in_segment_ = false;
        if (entered != CoreStatus::kOk) return entered;
        const CoreStatus empty = delta_.Finish();
        if (empty != CoreStatus::kOk) return empty;
      }
    }
  }
  return CoreStatus::kOk;
}

CoreStatus VariantStream::Next(ByteView* tile) {
  *tile = ByteView{};
  if (status_ != CoreStatus::kOk) return status_;
  if (handed_out_ > 0) {
    memmove(workspace_.tile.data, workspace_.tile.data + handed_out_, filled_ - handed_out_);
    filled_ -= handed_out_;
    handed_out_ = 0;
  }
  const uint64_t left = end_ - position_;
  const size_t want = left < tile_size_ ? static_cast<size_t>(left) : tile_size_;
  if (want == 0) return status_;
  if (filled_ < want) status_ = FillStrips();
  if (status_ == CoreStatus::kOk && filled_ < want) status_ = CoreStatus::kBadStream;
  if (status_ != CoreStatus::kOk) return status_;
  *tile = {workspace_.tile.data, want};
  handed_out_ = want;
  position_ += want;
  return status_;
}

CoreStatus StreamVerified(VariantStream* stream, uint64_t data_size, size_t tile_size, uint64_t xxh64,
                          const TileConsumer* consumer) {
  CoreStatus status = stream->Start(0, data_size, tile_size);
  Xxh64 hash;
  while (status == CoreStatus::kOk) {
    const uint64_t offset = stream->position();
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
