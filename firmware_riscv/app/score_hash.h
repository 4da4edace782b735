// A hash that tells whether two machines have had the same scores; firmware and hosts share it.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_SCORE_HASH_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_SCORE_HASH_H_

#include "restore/infer/engine.h"

namespace modelvault {

inline constexpr uint64_t kNoScoresHash = 0xCBF29CE484222325;

// `hash`, kNoScoresHash at first, with these scores added: FNV-1a of 32-bit words, the exponent and then each value.
inline uint64_t HashScores(uint64_t hash, const NetworkScores& scores) {
  constexpr uint64_t kPrime = 0x100000001B3;
  hash = (hash ^ static_cast<uint32_t>(scores.exponent)) * kPrime;
  for (size_t i = 0; i < scores.count; ++i) hash = (hash ^ static_cast<uint32_t>(scores.values[i])) * kPrime;
  return hash;
}

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_SCORE_HASH_H_
