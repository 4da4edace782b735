// The ternary delta that costs the least, accuracy and bytes together.
#ifndef MODELVAULT_CODEC_FIT_QUANTISER_TERNARY_FIT_H_
#define MODELVAULT_CODEC_FIT_QUANTISER_TERNARY_FIT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/fit/quantiser/curvature.h"

namespace modelvault {

struct TernaryFitOptions {
  double lambda = 0;       // What a bit costs, in units of the curvature's form; not negative.
  double symbol_bits = 6;  // Bits a weight that differs takes more than one that does not.
  double scale_bits = 4;   // Bits a scale unlike `start_scale` takes more.
  int start_scale = 4;     // Grid steps, 1 … most_scale.
  int most_scale = 40;     // At most 127.
  int warm_up_sweeps = 5;  // Sweeps over the weights, the first at 2^(n-1) times lambda, the last at lambda.
  int most_sweeps = 20;    // All in all, at least warm_up_sweeps.

  // Added to symbol_bits for the weights of a row or of a column: where the coder expects differences they are cheaper.
  // Empty or one a row (column); the sum for a weight never goes below `least_symbol_bits`.
  absl::Span<const float> row_bits;
  absl::Span<const float> column_bits;
  double least_symbol_bits = 0.5;

  // Groups whose weights want very different changes, such as those of a row that is zero in the base, may escape from
  // having a scale: each of their weights then changes by steps of its own, where that pays.
  bool escapes = false;
};

struct TernaryFit {
  std::vector<int16_t> changes;    // Grid steps, one a weight: 0, or its group's scale with either sign.
  std::vector<int> scales;         // Grid steps, one for 128 weights, the last group may be short; 0: it escaped.
  size_t nonzeros = 0;             // Of the changes.
  double signal = 0;               // Half the form at `delta`: what leaving everything at the base costs.
  double remaining = 0;            // Half the form at the error that is left.
  double bits = 0;                 // By the options' prices.
  std::vector<double> objectives;  // remaining + lambda * bits after each sweep at lambda itself: they never grow.
};

// Fits changes in steps to `delta`, the fine-tune's weights less the base's, row-major, by coordinate descent:
// weight after weight takes the change that makes ½ tr(G E H Eᵀ) + lambda * bits the least, all others fixed, and after
// each sweep at lambda every group the scale that does. `steps` are the base's grid, one a row, positive. `base` are
// the base's weights on that grid: what would leave -128 … 127 is not chosen; empty: no such limit. Equal input gives
// equal output. kInvalidArgument, naming `tensor`, for wrong sizes, values that are not finite, and options out of
// range.
absl::StatusOr<TernaryFit> FitTernary(absl::string_view tensor, absl::Span<const float> delta,
                                      absl::Span<const float> steps, absl::Span<const int8_t> base,
                                      const Curvature& curvature, const TernaryFitOptions& options);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_QUANTISER_TERNARY_FIT_H_
