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

// Each value to -127 … 127, the largest magnitude to 127: out[i · stride]. Off by at most 0.506 steps. `v` is
// normalised.
Step QuantizeToInt8(const Vector& v, int8_t* out, size_t stride);

// The same in 4 bits, groups of kActivationGroup after one another having steps of their own: each value is -7 … 7
// times a group step of 1, 2, 4, 8 or 16 steps, the least of them that does not clip, where 112 steps are the vector's
// largest magnitude. Off by at most 0.53 group steps.
inline constexpr size_t kActivationGroup = 32;
Step QuantizeTo4Bits(const Vector& v, int8_t* out, size_t stride);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_QUANTIZER_H_
