// Integer arithmetic of the engine. C++20's: a right shift of a negative number rounds down, a left shift keeps the low
// bits, on every machine. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_FIXED_POINT_H_
#define MODELVAULT_RESTORE_INFER_FIXED_POINT_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

// a · b / 2^32, rounded down.
inline int32_t MulHigh(int32_t a, int32_t b) { return static_cast<int32_t>((int64_t{a} * b) >> 32); }
inline uint32_t MulHighUnsigned(uint32_t a, uint32_t b) { return static_cast<uint32_t>((uint64_t{a} * b) >> 32); }

inline uint32_t Magnitude(int32_t v) { return v < 0 ? 0u - static_cast<uint32_t>(v) : static_cast<uint32_t>(v); }

// Bits that `v` has: 0 for 0. Not the compiler's, which without an instruction for it looks into a table in flash.
int BitCount(uint32_t v);

// v / 2^shift to the nearest, halves up; shift ≥ 0.
inline int32_t RoundingShift(int32_t v, int shift) {
  if (shift > 31) return 0;
  return shift == 0 ? v : ((v >> (shift - 1)) + 1) >> 1;
}

// v · 2^shift; what ±2^30 cannot hold becomes ±2^30.
int32_t SaturatingShift(int32_t v, int shift);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_FIXED_POINT_H_
