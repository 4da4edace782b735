// The base on its INT8 grid: rounded where rounding costs the least, accuracy and bytes together.
#ifndef MODELVAULT_CODEC_FIT_QUANTISER_BASE_FIT_H_
#define MODELVAULT_CODEC_FIT_QUANTISER_BASE_FIT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/fit/quantiser/curvature.h"

namespace modelvault {

struct BaseFitOptions {
  double lambda = 0;    // What a bit costs, in units of the curvature's form; not negative.
  double variants = 1;  // How often an error of the base counts: once for each variant that starts from it. Positive.
  int sweeps = 6;       // Over the weights; prices of values are counted anew before each.
};

struct BaseFit {
  std::vector<int8_t> values;  // Grid steps, -127 … 127.
  double remaining = 0;        // Half the form at weights - step * values, once.
  double bits = 0;             // Of all values, at order 0.
};

// Rounds `weights`, row-major, to multiples of `steps`, one a row, positive: to the nearest at first, then weight after
// weight takes the neighbouring value that makes variants * ½ tr(G E H Eᵀ) + lambda * bits the least, all others fixed;
// a value costs what it costs at order 0, by how often it occurs in the tensor. Equal input gives equal output.
// kInvalidArgument, naming `tensor`, for wrong sizes, values that are not finite, and options out of range.
absl::StatusOr<BaseFit> FitBase(absl::string_view tensor, absl::Span<const float> weights,
                                absl::Span<const float> steps, const Curvature& curvature,
                                const BaseFitOptions& options);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_QUANTISER_BASE_FIT_H_
