#ifndef MODELVAULT_TOOLS_DEMO_TERNARY_FIT_H_
#define MODELVAULT_TOOLS_DEMO_TERNARY_FIT_H_

#include <stddef.h>
#include <stdint.h>

#include "tools/demo/int8_model.h"
#include "tools/demo/network.h"
#include "tools/demo/task.h"

namespace modelvault::demo {

struct TernaryFitting {
  size_t nonzeros = 8000;  // at most so many trits are not 0: this bounds what the delta costs
  size_t steps = 300;
  size_t batch = 32;         // samples a step, drawn with replacement
  float rate = 2e-3f;        // of Adam; falls to 0 in a straight line
  size_t support_steps = 8;  // steps between two choices of the weights that may move
};

// Finds a ternary delta that makes `base` behave as `tuned`, a float fine-tune of the dequantised base with the same
// biases. Starts from the largest differences, then trains on `samples`, which must not be empty: gradients are taken
// at the model the delta gives, and applied to the float weights it is rounded from (the straight-through estimator),
// so that the delta itself learns which weights to spend its nonzeros on.
TernaryDelta FitTernary(const Int8Model& base, const Network& tuned, const Dataset& samples,
                        const TernaryFitting& fitting, uint64_t seed);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_TERNARY_FIT_H_
