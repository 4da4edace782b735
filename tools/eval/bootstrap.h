// How sure a difference between two models is that were scored on the same records.
#ifndef MODELVAULT_TOOLS_EVAL_BOOTSTRAP_H_
#define MODELVAULT_TOOLS_EVAL_BOOTSTRAP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace modelvault {

// What 95 of 100 replicates lie in.
struct Interval {
  double low = 0;
  double high = 0;
};

// Means of `values` over as many of them, drawn with replacement, `replicates` times. The paired bootstrap, if a value
// is the difference of two models on one record: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993).
// The draws depend on `seed` and the number of values only. Zeros for no values.
std::vector<double> BootstrapMeans(absl::Span<const double> values, uint64_t seed, size_t replicates);

// Between the 2.5th and the 97.5th percentile of `replicates`, of which there is at least one.
Interval PercentileInterval(std::vector<double> replicates);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_EVAL_BOOTSTRAP_H_
