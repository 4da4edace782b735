// How fast this machine codes models like these.
#ifndef MODELVAULT_TOOLS_PACKING_CODING_RATE_H_
#define MODELVAULT_TOOLS_PACKING_CODING_RATE_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "tools/packing/model_sample.h"

namespace modelvault {

// Raw bytes that were coded, and how long that took.
struct CodingTime {
  uint64_t base_size = 0;
  double base_seconds = 0;
  uint64_t variant_size = 0;
  double variant_seconds = 0;
};

// Codes the samples of a base and of one of its variants, as far as they have the same tensors, as `pack` codes models,
// on this thread, and adds what that took by the clock `seconds` to `*time`.
absl::Status MeasureCoding(const ModelSample& base, const ModelSample& variant, const std::function<double()>& seconds,
                           CodingTime* time);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_CODING_RATE_H_
