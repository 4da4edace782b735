// Activations in few bits: what a matrix is multiplied with. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_QUANTIZER_H_
#define MODELVAULT_RESTORE_INFER_QUANTIZER_H_

#include "restore/infer/vector.h"

namespace modelvault {

// Quantised values times this step are the vector's: mantissa · 2^exponent, the mantissa below 2^31.
struct Step {
  int32_t mantissa;
  int32_t exponent;
};

inline constexpr size_t kActivationGroup = 32;
inline constexpr int kMaxActivationShift = 4;

// The largest s for which `cols` products of INT8 and 127 · 2^s add up in 31 bits.
inline int MostActivationShift(size_t cols) {
  const int room = 31 - BitCount(static_cast<uint32_t>(128 * 127 * cols));
  return room < kMaxActivationShift ? room : kMaxActivationShift;
}

// Values of `bits`, 8 or 4, with one step for a group of kActivationGroup after one another: each is -127 … 127 (-7 …
// 7) times 2^s, the group's s from 0 to MostActivationShift() the least that does not clip, where the vector's largest
// magnitude has the largest. out[i · stride] is all that, their negatives are out[i · stride + stride / 2]. Off by at
// most 0.506 · 2^s, in 4 bits 0.53 · 2^s. `v` is normalised, `stride` even.
Step QuantizeActivations(const Vector& v, unsigned bits, int16_t* out, size_t stride);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_QUANTIZER_H_
