// What one thread needs to decode: the core's workspace and the bytes it reads, with the host's own account of what
// went wrong where the core only knows that something did.
#ifndef MODELVAULT_RESTORE_STREAM_MEMORY_H_
#define MODELVAULT_RESTORE_STREAM_MEMORY_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "restore/core/variant_stream.h"
#include "vault/vault_reader.h"

namespace modelvault {

class StreamMemory {
 public:
  // `blob` may be null (the base). Everything must outlive this, and this the streams that use it.
  StreamMemory(const VaultReader* reader, const SharedTables& shared, const VaultBlob* blob, size_t tile_size);
  StreamMemory(const StreamMemory&) = delete;
  StreamMemory& operator=(const StreamMemory&) = delete;

  ChunkSource chunks() { return {&FetchChunk, this}; }
  SegmentSource segments();
  StreamWorkspace workspace();

  // What a fetch that failed said.
  const absl::Status& error() const { return error_; }

 private:
  static CoreStatus FetchChunk(void* self, size_t chunk, ByteView* stored);
  static CoreStatus FetchSegment(void* self, size_t segment, ByteView* stored);

  const VaultReader* reader_;
  const VaultBlob* blob_;
  WideTableCache tables_;
  std::vector<uint8_t> order_;
  std::vector<StripColumns> strips_;
  std::vector<uint8_t> tile_;
  std::vector<uint8_t> chunk_;
  std::vector<uint8_t> segment_;
  absl::Status error_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_STREAM_MEMORY_H_
