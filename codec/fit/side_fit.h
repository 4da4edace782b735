// Small float tensors (norms, biases) beside ternary deltas: kept, coarsened or dropped to the base's, by what it
// costs.
#ifndef MODELVAULT_CODEC_FIT_SIDE_FIT_H_
#define MODELVAULT_CODEC_FIT_SIDE_FIT_H_

#include <vector>

#include "absl/types/span.h"

namespace modelvault {

// `value` with `bits` of mantissa after the leading one, 0 … 23, rounded to nearest; the rest are zeros, which the
// coder takes off. Steps of a grid are rounded up instead, so that what fitted the grid still does.
float RoundMantissa(float value, int bits);
float RoundUpMantissa(float value, int bits);

// Mantissa bits of a base's tensor: what makes variants * ½ Σ own[i] * error[i]² + lambda * bits the least, by a rough
// count of bits. `own` is the diagonal of the curvature, of one variant.
int ChooseMantissa(absl::Span<const float> base, absl::Span<const float> own, double variants, double lambda);

struct SideFit {
  std::vector<float> values;  // Empty: as the base's.
  double signal = 0;          // ½ Σ own * (variant - base)².
  double remaining = 0;       // The same at what is left.
  double bits = 0;            // Estimated.
};

// Each value stays the base's or moves by whole units of the base's mantissa (`mantissa_bits`), whichever makes
// ½ Σ own * error² + lambda * bits the least; the whole tensor stays the base's where moving does not pay for telling
// which values moved. The three spans are of one length.
SideFit FitSide(absl::Span<const float> base, absl::Span<const float> variant, absl::Span<const float> own,
                double lambda, int mantissa_bits);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_SIDE_FIT_H_
