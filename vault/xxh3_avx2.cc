// Compiled for AVX2, so nothing may be included whose inline functions other files have, too.
#define XXH_INLINE_ALL
#include "vault/xxh3_avx2.h"

#include <string.h>
#include <xxhash.h>

namespace modelvault {

void Xxh3Of128WithAvx2(const uint8_t* bytes, size_t size, uint8_t canonical[16]) {
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits(bytes, size));
  memcpy(canonical, digest.digest, sizeof(digest.digest));
}

uint64_t Xxh3Of64WithAvx2(const uint8_t* bytes, size_t size) { return XXH3_64bits(bytes, size); }

}  // namespace modelvault
