// Small float tensors (norms, biases) beside ternary deltas: kept, coarsened or dropped to the base's, by what it
// costs.
#ifndef MODELVAULT_CODEC_FIT_QUANTISER_SIDE_FIT_H_
#define MODELVAULT_CODEC_FIT_QUANTISER_SIDE_FIT_H_

#include <vector>

#include "absl/types/span.h"
#include "codec/core/rans_decoder.h"

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
  double bits = 0;            // As coded.
};

// What the coder has learnt from the small tensors of a variant so far.
using SideContexts = AdaptiveGamma<64>;

// Values of as many mantissa bits as the base's (`mantissa_bits`), or of as many as the variant's own are worth: each
// stays the base's or moves to, or half the way to, the variant's, on the line of floats, whichever makes
// ½ Σ own * error² + lambda * bits the least. Of the ways to do so the one that is least by what the residual coder
// spends (docs/format.md §6), from `contexts` on, which then go on from there; the whole tensor stays the base's where
// none pays. The three spans are of one length.
SideFit FitSide(absl::Span<const float> base, absl::Span<const float> variant, absl::Span<const float> own,
                double lambda, int mantissa_bits, SideContexts* contexts);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_QUANTISER_SIDE_FIT_H_
