#ifndef MODELVAULT_TOOLS_DEMO_NETWORK_H_
#define MODELVAULT_TOOLS_DEMO_NETWORK_H_

// A multilayer perceptron in float: linear layers with a rectifier between them, and softmax cross-entropy on top.

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <vector>

#include "absl/types/span.h"
#include "tools/demo/matmul.h"
#include "tools/demo/random.h"

namespace modelvault::demo {

// y = weights * x + biases.
struct Layer {
  size_t inputs = 0;
  size_t outputs = 0;
  std::vector<float> weights;  // outputs x inputs, row-major
  std::vector<float> biases;   // outputs
};

// Also holds what has a network's shape: gradients and an optimiser's moments.
struct Network {
  std::vector<Layer> layers;
};

// All zero. `widths` are the input's, then each layer's; at least two, none 0.
Network ZeroNetwork(absl::Span<const size_t> widths);

// Fills the weights for rectifiers (variance 2 / inputs); leaves the biases.
void InitializeWeights(Random& random, Network* network);

// Scratch memory of the functions below, kept between calls so that a training step does not allocate.
struct Workspace {
  std::vector<std::vector<float>> outputs;  // of each layer, after its rectifier; samples x outputs
  std::vector<float> output_gradient;
  std::vector<float> input_gradient;
  MatMulScratch matmul;
};

// Samples of `labels.size()` rows of the network's inputs. Labels must be below the last layer's width.

// The logits, samples x classes; they live in `workspace`. A sample's logits do not depend on the others.
absl::Span<const float> Forward(const Network& network, absl::Span<const float> features, size_t sample_count,
                                Workspace* workspace);

// The probabilities that `logits`, not empty, stand for.
void Softmax(absl::Span<const float> logits, std::vector<float>* probabilities);

// Is shown each layer's inputs (samples x its inputs) and the gradient at its outputs (samples x its outputs).
using LayerObserver = std::function<void(size_t layer, const float* inputs, const float* gradients)>;

// Overwrites `gradient`, of the network's shape, with the gradient of the samples' summed cross-entropy (nats) times
// `factor`, and returns that sum, unscaled. `observer` may be empty.
float Gradient(const Network& network, absl::Span<const float> features, absl::Span<const uint32_t> labels,
               float factor, Workspace* workspace, Network* gradient, const LayerObserver& observer = nullptr);

// Samples whose largest logit is their label's (the first of equal ones counts).
size_t CountCorrect(const Network& network, absl::Span<const float> features, absl::Span<const uint32_t> labels,
                    Workspace* workspace);

// Adam without weight decay.
class Adam {
 public:
  explicit Adam(const Network& shape);

  // Moves `network` by one step. Leaves the biases alone unless `with_biases`.
  void Step(const Network& gradient, float rate, bool with_biases, Network* network);

 private:
  Network first_moment_;
  Network second_moment_;
  double first_decay_power_ = 1;  // kFirstDecay to the number of steps
  double second_decay_power_ = 1;
};

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_NETWORK_H_
