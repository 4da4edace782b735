// The vault that the patches of the fuzz target update_patch are for, and those patches' new ones. They need not be
// vaults to be patched.
#ifndef MODELVAULT_TESTS_FUZZ_UPDATE_SEEDS_H_
#define MODELVAULT_TESTS_FUZZ_UPDATE_SEEDS_H_

#include <string>

#include "codec/split_mix_64.h"

namespace modelvault {

inline std::string SeedBytes(uint64_t seed, size_t size) {
  SplitMix64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

inline std::string SeedOldVault() { return SeedBytes(1, 2500); }

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_UPDATE_SEEDS_H_
