// Base chunks in RAM, each compared with its checksum before anybody sees a byte of it. Core code: built unchanged for
// host and board.
#ifndef MODELVAULT_RESTORE_CORE_PROVEN_CHUNKS_H_
#define MODELVAULT_RESTORE_CORE_PROVEN_CHUNKS_H_

#include "codec/core/base_decoder.h"
#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "vault/core/vault_view.h"

namespace modelvault {

// Where a vault's base chunks are: BASE at a multiple of 4, and the bytes of CHUNKS, which have had their checksum
// compared.
struct StoredChunks {
  const VaultHeader* header = nullptr;
  ByteView chunks;
  ByteView base;
};

// Chunk `chunk`'s stored bytes where they are, and their checksum32.
[[nodiscard]] CoreStatus FindStoredChunk(const StoredChunks& from, size_t chunk, ByteView* stored,
                                         uint32_t* checksum32);

// Is called at least once for every 4 KiB that are read. Null: nobody.
struct ReadObserver {
  void (*observe)(void* context) = nullptr;
  void* context = nullptr;

  void Call() const {
    if (observe != nullptr) observe(context);
  }
};

// A chunk is proven by its checksum when it is read first, and by a seal of 32 bits later, taken when the checksum was
// right: that costs a quarter. Without room for seals it is the checksum each time.
class ProvenChunks {
 public:
  // Bytes that the largest chunk takes at most. Fails as FindChunk does.
  [[nodiscard]] static CoreStatus BufferSize(const StoredChunks& from, size_t* size);

  // `buffer` lies at a multiple of 4, has BufferSize() bytes, and outlives this. `seals` is null or has one for each
  // chunk: 0, or what another ProvenChunks of these chunks has made of it.
  ProvenChunks(const StoredChunks& from, ByteSpan buffer, uint32_t* seals = nullptr, ReadObserver observer = {})
      : from_(from), buffer_(buffer), seals_(seals), observer_(observer) {}
  ProvenChunks(const ProvenChunks&) = delete;
  ProvenChunks& operator=(const ProvenChunks&) = delete;

  // Sets *stored to chunk `chunk`'s bytes in the buffer: read from the vault once, compared there, and used from there.
  // The chunk that is in the buffer already is not read again. kChecksumMismatch: they are not what was packed.
  [[nodiscard]] CoreStatus Fetch(size_t chunk, ByteView* stored);
  // The same for a decoder.
  ChunkSource source();

  // The chunk that was asked for last: the one at fault, if that failed.
  size_t last() const { return last_; }

 private:
  static constexpr size_t kNoChunk = SIZE_MAX;

  CoreStatus CopyHashed(ByteView stored, uint32_t checksum32, uint32_t* seal);
  CoreStatus CopySealed(ByteView stored, uint32_t seal);

  StoredChunks from_;
  ByteSpan buffer_;
  uint32_t* seals_;  // 0: the chunk has not been read yet.
  ReadObserver observer_;
  size_t last_ = 0;
  size_t held_ = kNoChunk;
  ByteView held_bytes_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_CORE_PROVEN_CHUNKS_H_
