#include "vault/xxh3.h"

#include <xxhash.h>

#include <cstring>

#include "vault/xxh3_avx2.h"

namespace modelvault {
namespace {

struct Functions {
  void (*of_128)(const uint8_t* bytes, size_t size, uint8_t canonical[16]);
  uint64_t (*of_64)(const uint8_t* bytes, size_t size);
};

void LibraryOf128(const uint8_t* bytes, size_t size, uint8_t canonical[16]) {
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits(bytes, size));
  std::memcpy(canonical, digest.digest, sizeof(digest.digest));
}

uint64_t LibraryOf64(const uint8_t* bytes, size_t size) { return XXH3_64bits(bytes, size); }

Functions Widest() {
#ifdef MODELVAULT_XXH3_AVX2
  if (__builtin_cpu_supports("avx2")) return {&Xxh3Of128WithAvx2, &Xxh3Of64WithAvx2};
#endif
  return {&LibraryOf128, &LibraryOf64};
}

const Functions& Chosen() {
  static const Functions functions = Widest();
  return functions;
}

}  // namespace

std::array<uint8_t, 16> Xxh3Of128(absl::Span<const uint8_t> bytes) {
  std::array<uint8_t, 16> digest;
  Chosen().of_128(bytes.data(), bytes.size(), digest.data());
  return digest;
}

uint64_t Xxh3Of64(absl::Span<const uint8_t> bytes) { return Chosen().of_64(bytes.data(), bytes.size()); }

}  // namespace modelvault
