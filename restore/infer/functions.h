// The functions a network needs, in integers. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_FUNCTIONS_H_
#define MODELVAULT_RESTORE_INFER_FUNCTIONS_H_

#include <stddef.h>
#include <stdint.h>

#include "restore/infer/fixed_point.h"

namespace modelvault {

// (2 · 2^(-i / 64) - 1) · 2^15.
inline constexpr size_t kExp2Intervals = 64;
extern const uint16_t kExp2[kExp2Intervals + 1];

// 2^-z: `z` and the result times 2^16. A table of 64 intervals with straight lines between: off by at most 5e-5.
inline uint32_t Exp2Negative(uint32_t z) {
  if (z >= 18u << 16) return 0;
  const uint16_t* const entry = kExp2 + ((z >> 10) & (kExp2Intervals - 1));
  const uint32_t left = entry[0];
  // To the nearest: what rounding down loses of many small powers would be missed in a sum of them.
  return (((2 * (32768 + left) - (((left - entry[1]) * (z & 1023)) >> 9)) >> (z >> 16)) + 1) >> 1;
}

// 1 / (1 + e^-x): `x`, within ±2^21, and the result times 2^16. Off by at most 6e-5.
inline uint32_t Sigmoid(int32_t x) {
  constexpr uint32_t kLog2E = 94548;  // Times 2^16.
  const uint32_t t = Exp2Negative(MulHighUnsigned(Magnitude(x) << 8, kLog2E << 8));
  // 1 / d for d = (1 + t) / 2, from 1/2 to 1, by Newton's iteration r ← r · (2 - d·r) from the straight line that is
  // off by at most 1/17: two steps make that 1.2e-5, in half the time of a division. d is times 2^31, r times 2^30.
  const uint32_t d = (65536 + t) << 14;
  uint32_t r = 3031741621u - 2 * MulHighUnsigned(d, 2021161080u);
  r = MulHighUnsigned(r, (1u << 30) - MulHighUnsigned(d, r)) << 3;
  r = MulHighUnsigned(r, (1u << 30) - MulHighUnsigned(d, r)) << 3;
  const uint32_t s = r >> 15;
  return x < 0 ? 65536 - s : s;
}

// sin and cos of `phase`, in turns times 2^32; results times 2^30. A quarter wave of 64 intervals with straight lines
// between: off by at most 1.1e-4.
struct SineCosine {
  int32_t sine;
  int32_t cosine;
};
SineCosine FindSineCosine(uint32_t phase);

// 1 / √(a / 2^32) times 2^30, for a ≥ 2^30: from 2^30 to 2^31 - 1. Newton's iteration y ← y · (3 - a·y²) / 2; off by at
// most 2^-26 of it.
uint32_t InverseSquareRoot(uint32_t a);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_FUNCTIONS_H_
