// XXH3 of bytes that are all there, with the widest vectors of ours that the machine has.
#ifndef MODELVAULT_VAULT_XXH3_H_
#define MODELVAULT_VAULT_XXH3_H_

#include <array>
#include <cstdint>

#include "absl/types/span.h"

namespace modelvault {

// Seed 0; of 128 bits the canonical (big-endian) form.
std::array<uint8_t, 16> Xxh3Of128(absl::Span<const uint8_t> bytes);
uint64_t Xxh3Of64(absl::Span<const uint8_t> bytes);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_XXH3_H_
