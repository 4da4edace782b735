#include "restore/core/proven_chunks.h"

#include "codec/core/prefix_code.h"

namespace modelvault {

CoreStatus FindStoredChunk(const StoredChunks& from, size_t chunk, ByteView* stored, uint32_t* checksum32) {
  ChunkPlace place;
  const CoreStatus found = FindChunk(*from.header, from.chunks, chunk, &place);
  if (found != CoreStatus::kOk) return found;
  *stored = from.base.Sub(place.offset, place.size);
  *checksum32 = place.checksum32;
  return CoreStatus::kOk;
}

CoreStatus ProvenChunks::BufferSize(const StoredChunks& from, size_t* size) {
  *size = 0;
  const size_t count = from.header->chunk_count();
  for (size_t chunk = 0; chunk < count; ++chunk) {
    ChunkPlace place;
    const CoreStatus found = FindChunk(*from.header, from.chunks, chunk, &place);
    if (found != CoreStatus::kOk) return found;
    if (place.size > *size) *size = place.size;
  }
  return CoreStatus::kOk;
}

CoreStatus ProvenChunks::Fetch(size_t chunk, ByteView* stored) {
  *stored = ByteView{};
  last_ = chunk;
  if (chunk != held_) {
    held_ = kNoChunk;
    ByteView bytes;
    uint32_t checksum32;
    const CoreStatus found = FindStoredChunk(from_, chunk, &bytes, &checksum32);
    if (found != CoreStatus::kOk) return found;
    if (bytes.size > buffer_.size) return CoreStatus::kWorkspaceTooSmall;
    PrefixDecoder words;
    if (!words.Start(bytes)) return CoreStatus::kBadChunk;
    words.RunRaw(buffer_.data, bytes.size);
    if (proof_ == Proof::kEachTime && Checksum32({buffer_.data, bytes.size}) != checksum32) {
      return CoreStatus::kChecksumMismatch;
    }
    held_ = chunk;
    held_size_ = bytes.size;
  }
  *stored = {buffer_.data, held_size_};
  return CoreStatus::kOk;
}

ChunkSource ProvenChunks::source() {
  return {[](void* self, size_t chunk, ByteView* stored) { return static_cast<ProvenChunks*>(self)->Fetch(chunk, stored); },
          this};
}

}  // namespace modelvault
