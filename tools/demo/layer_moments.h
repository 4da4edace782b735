#ifndef MODELVAULT_TOOLS_DEMO_LAYER_MOMENTS_H_
#define MODELVAULT_TOOLS_DEMO_LAYER_MOMENTS_H_

// The Kronecker factors of the Fisher information that `mvault fit` takes (docs/fit.md).

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "tools/demo/network.h"
#include "tools/demo/task.h"

namespace modelvault::demo {

struct LayerMoments {
  std::vector<float> input_moment;     // inputs x inputs: the mean of x xᵀ, x a layer's input
  std::vector<float> gradient_moment;  // outputs x outputs: the mean of g gᵀ, g the loss's gradient at its output
};

// One a layer, over `samples`, which must not be empty. Labels are drawn from what the network predicts, not taken from
// the samples: that is what makes it the Fisher information (F. Kunstner, L. Balles, P. Hennig, "Limitations of the
// empirical Fisher approximation", arXiv:1905.12558).
std::vector<LayerMoments> MeasureMoments(const Network& network, const Dataset& samples, uint64_t seed);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_LAYER_MOMENTS_H_
