// XXH3 for machines with AVX2: for vault/xxh3.h, which asks first. Debian's library is built for those without.
#ifndef MODELVAULT_VAULT_XXH3_AVX2_H_
#define MODELVAULT_VAULT_XXH3_AVX2_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

void Xxh3Of128WithAvx2(const uint8_t* bytes, size_t size, uint8_t canonical[16]);
uint64_t Xxh3Of64WithAvx2(const uint8_t* bytes, size_t size);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_XXH3_AVX2_H_
