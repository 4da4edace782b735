#include "tools/demo/layer_moments.h"

#include <algorithm>

#include "absl/types/span.h"
#include "tools/demo/matmul.h"
#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

constexpr size_t kBatch = 256;

// Adds rowsᵀ rows / total to `moment`.
void AddMoment(const float* rows, size_t count, size_t width, size_t total, MatMulScratch* scratch,
               std::vector<float>* product, std::vector<float>* moment) {
  product->resize(width * width);
  MatMul({rows, 1, width}, {rows, width, 1}, width, count, width, product->data(), scratch);
  for (size_t i = 0; i < product->size(); ++i) (*moment)[i] += (*product)[i] / static_cast<float>(total);
}

// A class, drawn with the probabilities that the logits give.
uint32_t DrawLabel(absl::Span<const float> logits, Random& random, std::vector<float>* probabilities) {
  Softmax(logits, probabilities);
  float left = random.Unit();
  for (uint32_t c = 0; c + 1 < probabilities->size(); ++c) {
    left -= (*probabilities)[c];
    if (left < 0) return c;
  }
  return static_cast<uint32_t>(probabilities->size() - 1);
}

}  // namespace

std::vector<LayerMoments> MeasureMoments(const Network& network, const Dataset& samples, uint64_t seed) {
  std::vector<LayerMoments> moments;
  for (const Layer& layer : network.layers) {
    moments.push_back(
        {std::vector<float>(layer.inputs * layer.inputs), std::vector<float>(layer.outputs * layer.outputs)});
  }
  const size_t classes = network.layers.back().outputs;
  Random random(seed);
  Workspace workspace;
  Network gradient = network;
  MatMulScratch scratch;
  std::vector<float> product, probabilities;
  std::vector<uint32_t> labels;
  for (size_t begin = 0; begin < samples.size(); begin += kBatch) {
    const size_t count = std::min(kBatch, samples.size() - begin);
    const absl::Span<const float> features(samples.features.data() + begin * samples.inputs, count * samples.inputs);
    const absl::Span<const float> logits = Forward(network, features, count, &workspace);
    labels.clear();
    for (size_t s = 0; s < count; ++s) {
      labels.push_back(DrawLabel(logits.subspan(s * classes, classes), random, &probabilities));
    }
    const auto add = [&](size_t l, const float* inputs, const float* gradients) {
      const Layer& layer = network.layers[l];
      AddMoment(inputs, count, layer.inputs, samples.size(), &scratch, &product, &moments[l].input_moment);
      AddMoment(gradients, count, layer.outputs, samples.size(), &scratch, &product, &moments[l].gradient_moment);
    };
    Gradient(network, features, labels, /*factor=*/1, &workspace, &gradient, add);
  }
  return moments;
}

}  // namespace modelvault::demo
