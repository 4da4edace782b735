#include "codec/core/xxh64.h"

namespace modelvault {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87u;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4Fu;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9u;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63u;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5u;

inline uint64_t RotateLeft(uint64_t x, int r) { return (x << r) | (x >> (64 - r)); }

inline uint64_t Round(uint64_t lane, uint64_t input) { return RotateLeft(lane + input * kPrime2, 31) * kPrime1; }

// What is done once a hash is for size: with 64 bits a product or a rotation takes a 32-bit machine a dozen instructions.
[[gnu::noinline]] uint64_t Multiply(uint64_t a, uint64_t b) { return a * b; }
[[gnu::noinline]] uint64_t RotateThenMultiply(uint64_t x, int r, uint64_t prime) {
  return Multiply(RotateLeft(x, r), prime);
}
[[gnu::noinline]] uint64_t SmallRound(uint64_t input) {
  return RotateThenMultiply(Multiply(input, kPrime2), 31, kPrime1);
}

// A 64-bit load that a machine without unaligned access does in two, given that `p` is a multiple of 4.
inline uint64_t LoadAligned(const uint8_t* p) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint32_t words[2];
  memcpy(words, __builtin_assume_aligned(p, 4), sizeof(words));
  return words[0] | (static_cast<uint64_t>(words[1]) << 32);
#else
  return LoadLe64(p);
#endif
}

// Consumes whole 32-byte stripes at a multiple of 4.
void AlignedStripes(uint64_t* lanes, const uint8_t* p, size_t count) {
  uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
  for (; count > 0; --count, p += 32) {
    a = Round(a, LoadAligned(p));
    b = Round(b, LoadAligned(p + 8));
    c = Round(c, LoadAligned(p + 16));
    d = Round(d, LoadAligned(p + 24));
  }
  lanes[0] = a;
  lanes[1] = b;
  lanes[2] = c;
  lanes[3] = d;
}

// Anywhere. Tiles are aligned, so this is for stored bytes.
const uint8_t* Stripes(uint64_t* lanes, const uint8_t* p, size_t count) {
  if (reinterpret_cast<uintptr_t>(p) % 4 == 0) {
    AlignedStripes(lanes, p, count);
    return p + 32 * count;
  }
  for (; count > 0; --count, p += 32) {
    alignas(4) uint8_t stripe[32];
    for (size_t i = 0; i < sizeof(stripe); i += 4) StoreLe32(stripe + i, LoadLe32(p + i));
    AlignedStripes(lanes, stripe, 1);
  }
  return p;
}

}  // namespace

void Xxh64::Reset() {
  lanes_[0] = kPrime1 + kPrime2;
  lanes_[1] = kPrime2;
  lanes_[2] = 0;
  lanes_[3] = 0 - kPrime1;
  total_ = 0;
}

void Xxh64::Update(ByteView bytes) {
  const uint8_t* p = bytes.data;
  size_t left = bytes.size;
  const size_t held = total_ % 32;
  total_ += left;
  if (held > 0) {
    const size_t take = left < 32 - held ? left : 32 - held;
    if (take > 0) memcpy(buffer_ + held, p, take);
    if (held + take < 32) return;
    Stripes(lanes_, buffer_, 1);
    p += take;
    left -= take;
  }
  p = Stripes(lanes_, p, left / 32);
  if (left % 32 > 0) memcpy(buffer_, p, left % 32);
}

uint64_t Xxh64::Digest() const {
  uint64_t hash;
  if (total_ >= 32) {
    static constexpr uint8_t kRotations[] = {1, 7, 12, 18};
    hash = 0;
    for (int i = 0; i < 4; ++i) hash += RotateThenMultiply(lanes_[i], kRotations[i], 1);
    for (int i = 0; i < 4; ++i) hash = Multiply(hash ^ SmallRound(lanes_[i]), kPrime1) + kPrime4;
  } else {
    hash = kPrime5;
  }
  hash += total_;
  const uint8_t* p = buffer_;
  size_t left = total_ % 32;
  for (; left >= 8; left -= 8, p += 8) {
    hash = RotateThenMultiply(hash ^ SmallRound(LoadLe64(p)), 27, kPrime1) + kPrime4;
  }
  if (left >= 4) {
    hash = RotateThenMultiply(hash ^ Multiply(LoadLe32(p), kPrime1), 23, kPrime2) + kPrime3;
    left -= 4;
    p += 4;
  }
  for (; left > 0; --left, ++p) hash = RotateThenMultiply(hash ^ Multiply(*p, kPrime5), 11, kPrime1);
  hash = Multiply(hash ^ (hash >> 33), kPrime2);
  hash = Multiply(hash ^ (hash >> 29), kPrime3);
  return hash ^ (hash >> 32);
}

uint64_t Xxh64::Of(ByteView bytes) {
  Xxh64 hash;
  hash.Update(bytes);
  return hash.Digest();
}

}  // namespace modelvault
