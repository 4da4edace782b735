#include "restore/core/proven_chunks.h"

#include "codec/core/prefix_code.h"
#include "codec/core/xxh64.h"

namespace modelvault {
namespace {

constexpr size_t kObserved = 4096;

// 32 bits of `bytes`, which lie at a multiple of 4: no step loses anything, so bytes that differ in one word have
// another seal. Only this run of this program knows it.
uint32_t Seal(ByteView bytes) {
  constexpr uint32_t kOdd = 0x9E3779B1;
  uint32_t seal = static_cast<uint32_t>(bytes.size);
  const auto mix = [&](uint32_t word) __attribute__((always_inline)) {
    seal = (seal ^ word) * kOdd;
    seal ^= seal >> 15;
  };
  const uint8_t* p = bytes.data;
  const uint8_t* const end = p + bytes.size;
  for (; end - p >= 16; p += 16) {
    const uint32_t a = LoadAligned32(p), b = LoadAligned32(p + 4), c = LoadAligned32(p + 8), d = LoadAligned32(p + 12);
    mix(a);
    mix(b);
    mix(c);
    mix(d);
  }
  for (; p != end; ++p) mix(*p);
  return seal;
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

ProvenChunks::ProvenChunks(const StoredChunks& from, ByteSpan buffer, uint32_t* seals, ReadObserver observer)
    : from_(from), buffer_(buffer), seals_(seals), observer_(observer) {
  const size_t count = seals != nullptr ? from.header->chunk_count() : 0;
  for (size_t i = 0; i < count; ++i) seals[i] = 0;
}

// Copies a chunk into the buffer by words and proves it there.
CoreStatus ProvenChunks::Copy(size_t chunk, ByteView stored, uint32_t checksum32) {
  // Where it is not to be proven it may begin in the middle of a word: that spares shifting.
  const size_t shift = proof_ == Proof::kNone ? reinterpret_cast<uintptr_t>(stored.data) % 4 : 0;
  PrefixDecoder from;
  if (!from.Start({stored.data - shift, stored.size + shift})) return CoreStatus::kBadChunk;
  held_bytes_ = {buffer_.data + shift, stored.size};
  uint32_t* const seal = seals_ != nullptr ? &seals_[chunk] : nullptr;
  const bool sealed = seal != nullptr && *seal != 0;
  Xxh64 hash;
  for (size_t at = 0; at < stored.size + shift; at += kObserved) {
    if (observer_.observe != nullptr) observer_.observe(observer_.context);
    const size_t left = stored.size + shift - at;
    const size_t size = left < kObserved ? left : kObserved;
    from.RunRaw(buffer_.data + at, size);
    if (proof_ == Proof::kEachTime && !sealed) hash.Update({buffer_.data + at, size});
  }
  if (proof_ == Proof::kNone) return CoreStatus::kOk;
  const uint32_t now = seal != nullptr ? Seal(held_bytes_) : 0;
  const bool proven = sealed ? now == *seal : static_cast<uint32_t>(hash.Digest()) == checksum32;
  if (!proven) return CoreStatus::kChecksumMismatch;
  if (seal != nullptr) *seal = now;
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
    if (bytes.size + 3 > buffer_.size) return CoreStatus::kWorkspaceTooSmall;
    const CoreStatus copied = Copy(chunk, bytes, checksum32);
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
