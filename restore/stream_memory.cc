#include "restore/stream_memory.h"

namespace modelvault {

StreamMemory::StreamMemory(const VaultReader* reader, const SharedTables& shared, const VaultBlob* blob,
                           size_t tile_size)
    : reader_(reader),
      blob_(blob),
      order_(static_cast<size_t>(shared.max_prior_cols())),
      strips_(ColumnOrder::StripCount(order_.size())),
      tile_(TileBufferSize(tile_size)) {}

SegmentSource StreamMemory::segments() {
  if (blob_ == nullptr || blob_->empty()) return {nullptr, nullptr};
  return {&FetchSegment, this};
}

StreamWorkspace StreamMemory::workspace() {
  StreamWorkspace workspace;
  workspace.tables = &tables_;
  workspace.order = {order_.data(), strips_.data(), order_.size()};
  workspace.tile = {tile_.data(), tile_.size()};
  return workspace;
}

CoreStatus StreamMemory::FetchChunk(void* self, size_t chunk, ByteView* stored) {
  auto* memory = static_cast<StreamMemory*>(self);
  memory->error_ = memory->reader_->ReadBaseChunk(chunk, &memory->chunk_);
  *stored = {memory->chunk_.data(), memory->chunk_.size()};
  return memory->error_.ok() ? CoreStatus::kOk : CoreStatus::kReadFailed;
}

CoreStatus StreamMemory::FetchSegment(void* self, size_t segment, ByteView* stored) {
  auto* memory = static_cast<StreamMemory*>(self);
  memory->error_ = memory->reader_->ReadSegment(*memory->blob_, segment, &memory->segment_);
  *stored = {memory->segment_.data(), memory->segment_.size()};
  return memory->error_.ok() ? CoreStatus::kOk : CoreStatus::kReadFailed;
}

}  // namespace modelvault
