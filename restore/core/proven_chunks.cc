#include "restore/core/proven_chunks.h"

#include "codec/core/prefix_code.h"
#include "codec/core/xxh64.h"

namespace modelvault {
namespace {

constexpr size_t kObserved = 4096;

// 32 bits of a chunk's words as they lie in the vault. No step loses anything, so chunks that differ in one word have
// different values. Only this run of this program knows it.
struct Seal {
  uint32_t value;

  // Never 0, which says that there is none.
  uint32_t Word() const { return value | 1; }

  [[gnu::always_inline]] void Mix(uint32_t word) {
    constexpr uint32_t kOdd = 0x9E3779B1;
    value = (value ^ word) * kOdd;
    value ^= value >> 15;
  }
};

// `count` words, four at a time for the sake of loads that wait.
[[gnu::always_inline]] inline void CopyWords(const uint8_t* from, uint8_t* to, size_t count, Seal* seal) {
  const auto put = [&](size_t at, uint32_t value) __attribute__((always_inline)) {
    StoreAligned32(to + at, value);
    seal->Mix(value);
  };
  for (const uint8_t* const end = from + count / 4 * 16; from != end; from += 16, to += 16) {
    const uint32_t a = LoadAligned32(from), b = LoadAligned32(from + 4);
    const uint32_t c = LoadAligned32(from + 8), d = LoadAligned32(from + 12);
    put(0, a);
    put(4, b);
    put(8, c);
    put(12, d);
  }
  for (size_t i = 0; i < count % 4; ++i) put(4 * i, LoadAligned32(from + 4 * i));
}

// Copies `stored`, which begins `shift` bytes after a multiple of 4, to as many bytes after `to`, itself a multiple
// of 4. Their seal.
uint32_t CopyAsItLies(ByteView stored, size_t shift, uint8_t* to, const ReadObserver& observer) {
  Seal seal = {static_cast<uint32_t>(stored.size)};
  size_t at = 0;
  const auto byte = [&] {
    to[shift + at] = stored.data[at];
    seal.Mix(stored.data[at]);
    ++at;
  };
  while (at < stored.size && (shift + at) % 4 != 0) byte();
  while (stored.size - at >= 4) {
    observer.Call();
    const size_t left = (stored.size - at) / 4;
    const size_t count = left < kObserved / 4 ? left : kObserved / 4;
    CopyWords(stored.data + at, to + shift + at, count, &seal);
    at += 4 * count;
  }
  while (at < stored.size) byte();
  return seal.Word();
}

// What CopyAsItLies() makes of the same bytes, which lie at a multiple of 4 here, with three more behind them, and
// there `shift` bytes after one.
uint32_t SealOf(ByteView bytes, size_t shift) {
  Seal seal = {static_cast<uint32_t>(bytes.size)};
  const size_t head = (4 - shift) % 4 < bytes.size ? (4 - shift) % 4 : bytes.size;
  for (size_t i = 0; i < head; ++i) seal.Mix(bytes.data[i]);
  const size_t words_end = bytes.size - (bytes.size - head) % 4;
  const unsigned down = 8 * static_cast<unsigned>(head);
  const uint8_t* p = bytes.data;
  const uint8_t* const end = p + (words_end - head);
  if (head == 0) {
    for (; p != end; p += 4) seal.Mix(LoadAligned32(p));
  } else {
    uint32_t low = LoadAligned32(p);
    const auto next = [&](uint32_t high) __attribute__((always_inline)) {
      seal.Mix((low >> down) | (high << (32 - down)));
      low = high;
    };
    for (; end - p >= 16; p += 16) {
      const uint32_t a = LoadAligned32(p + 4), b = LoadAligned32(p + 8);
      const uint32_t c = LoadAligned32(p + 12), d = LoadAligned32(p + 16);
      next(a);
      next(b);
      next(c);
      next(d);
    }
    for (; p != end; p += 4) next(LoadAligned32(p + 4));
  }
  for (size_t i = words_end; i < bytes.size; ++i) seal.Mix(bytes.data[i]);
  return seal.Word();
}

}  // namespace

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
  *size += 3;  // It may begin anywhere in a word.
  return CoreStatus::kOk;
}

// Copies a chunk to the buffer's front and hashes it there; makes its seal, if there is room for one.
CoreStatus ProvenChunks::CopyHashed(ByteView stored, uint32_t checksum32, uint32_t* seal) {
  PrefixDecoder from;  // Raw bytes of a stream: it reads the flash by aligned words.
  if (!from.Start(stored)) return CoreStatus::kBadChunk;
  held_bytes_ = {buffer_.data, stored.size};
  Xxh64 hash;
  for (size_t at = 0; at < stored.size; at += kObserved) {
    observer_.Call();
    const size_t size = stored.size - at < kObserved ? stored.size - at : kObserved;
    from.RunRaw(buffer_.data + at, size);
    hash.Update({buffer_.data + at, size});
  }
  if (static_cast<uint32_t>(hash.Digest()) != checksum32) return CoreStatus::kChecksumMismatch;
  if (seal != nullptr) *seal = SealOf(held_bytes_, reinterpret_cast<uintptr_t>(stored.data) % 4);
  return CoreStatus::kOk;
}

// Copies a chunk as it lies in its words, which spares shifting, and compares its seal.
CoreStatus ProvenChunks::CopySealed(ByteView stored, uint32_t seal) {
  const size_t shift = reinterpret_cast<uintptr_t>(stored.data) % 4;
  held_bytes_ = {buffer_.data + shift, stored.size};
  const uint32_t now = CopyAsItLies(stored, shift, buffer_.data, observer_);
  return now == seal ? CoreStatus::kOk : CoreStatus::kChecksumMismatch;
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
    if (bytes.size + 3 > buffer_.size) return CoreStatus::kWorkspaceTooSmall;
    uint32_t* const seal = seals_ != nullptr ? &seals_[chunk] : nullptr;
    const bool sealed = seal != nullptr && *seal != 0;
    const CoreStatus copied = sealed ? CopySealed(bytes, *seal) : CopyHashed(bytes, checksum32, seal);
    if (copied != CoreStatus::kOk) return copied;
    held_ = chunk;
  }
  *stored = held_bytes_;
  return CoreStatus::kOk;
}

ChunkSource ProvenChunks::source() {
  return {
      [](void* self, size_t chunk, ByteView* stored) { return static_cast<ProvenChunks*>(self)->Fetch(chunk, stored); },
      this};
}

}  // namespace modelvault
