#include "tools/demo/network.h"

#include <string.h>

#include <algorithm>
#include <cmath>

namespace modelvault::demo {
namespace {

constexpr float kFirstDecay = 0.9f;
constexpr float kSecondDecay = 0.99f;
constexpr float kEpsilon = 1e-8f;

// e^x for -87 <= x <= 0 within 1e-6 of its value. The C library's differs in its last bit between processors, and the
// demo's files should not.
float Exp(float x) {
  const float scaled = std::max(x, -87.0f) * 1.44269504f;  // In powers of two.
  const float whole = std::floor(scaled);
  const float t = (scaled - whole) * 0.69314718f;  // In [0, ln 2).
  const float power =
      1 + t * (1 + t * (1 / 2.0f + t * (1 / 6.0f + t * (1 / 24.0f + t * (1 / 120.0f + t * (1 / 720.0f))))));
  const uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(whole) + 127) << 23;
  float two_to_whole;
  memcpy(&two_to_whole, &bits, sizeof(two_to_whole));
  return power * two_to_whole;
}

struct Exponentials {
  float largest;  // Of the logits.
  float sum;      // Of e^(logit - largest).
};

// Writes e^(logit - largest) for each logit.
Exponentials Exponentiate(absl::Span<const float> logits, float* values) {
  Exponentials result{*std::max_element(logits.begin(), logits.end()), 0};
  for (size_t c = 0; c < logits.size(); ++c) result.sum += values[c] = Exp(logits[c] - result.largest);
  return result;
}

void StepParameters(const std::vector<float>& gradient, float rate, float second_correction,
                    std::vector<float>* first_moment, std::vector<float>* second_moment, std::vector<float>* values) {
  float* m = first_moment->data();
  float* v = second_moment->data();
  float* w = values->data();
  const float* g = gradient.data();
  for (size_t i = 0, count = gradient.size(); i < count; ++i) {
    m[i] = kFirstDecay * m[i] + (1 - kFirstDecay) * g[i];
    v[i] = kSecondDecay * v[i] + (1 - kSecondDecay) * g[i] * g[i];
    w[i] -= rate * m[i] / (std::sqrt(v[i] * second_correction) + kEpsilon);
  }
}

}  // namespace

Network ZeroNetwork(absl::Span<const size_t> widths) {
  Network network;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    Layer& layer = network.layers.emplace_back();
    layer.inputs = widths[i];
    layer.outputs = widths[i + 1];
    layer.weights.resize(layer.inputs * layer.outputs);
    layer.biases.resize(layer.outputs);
  }
  return network;
}

void InitializeWeights(Random& random, Network* network) {
  for (Layer& layer : network->layers) {
    const float deviation = std::sqrt(2.0f / static_cast<float>(layer.inputs));
    for (float& weight : layer.weights) weight = deviation * random.Normal();
  }
}

absl::Span<const float> Forward(const Network& network, absl::Span<const float> features, size_t sample_count,
                                Workspace* workspace) {
  workspace->outputs.resize(network.layers.size());
  const float* input = features.data();
  for (size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    std::vector<float>& output = workspace->outputs[l];
    output.resize(sample_count * layer.outputs);
    MatMul({input, layer.inputs, 1}, {layer.weights.data(), 1, layer.inputs}, sample_count, layer.inputs, layer.outputs,
           output.data(), &workspace->matmul);
    const float floor = l + 1 < network.layers.size() ? 0.0f : -HUGE_VALF;
    for (size_t s = 0; s < sample_count; ++s) {
      float* row = output.data() + s * layer.outputs;
      for (size_t o = 0; o < layer.outputs; ++o) row[o] = std::max(row[o] + layer.biases[o], floor);
    }
    input = output.data();
  }
  return workspace->outputs.back();
}

void Softmax(absl::Span<const float> logits, std::vector<float>* probabilities) {
  probabilities->resize(logits.size());
  const Exponentials exponentials = Exponentiate(logits, probabilities->data());
  for (float& probability : *probabilities) probability /= exponentials.sum;
}

float Gradient(const Network& network, absl::Span<const float> features, absl::Span<const uint32_t> labels,
               float factor, Workspace* workspace, Network* gradient, const LayerObserver& observer) {
  const size_t sample_count = labels.size();
  const absl::Span<const float> logits = Forward(network, features, sample_count, workspace);
  const size_t classes = network.layers.back().outputs;
  std::vector<float>& output_gradient = workspace->output_gradient;
  output_gradient.resize(logits.size());
  float loss = 0;
  for (size_t s = 0; s < sample_count; ++s) {
    const float* row = logits.data() + s * classes;
    float* row_gradient = output_gradient.data() + s * classes;
    const Exponentials exponentials = Exponentiate({row, classes}, row_gradient);
    loss += std::log(exponentials.sum) + exponentials.largest - row[labels[s]];
    for (size_t c = 0; c < classes; ++c) row_gradient[c] *= factor / exponentials.sum;
    row_gradient[labels[s]] -= factor;
  }
  for (size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    Layer& layer_gradient = gradient->layers[l];
    const float* input = l == 0 ? features.data() : workspace->outputs[l - 1].data();
    if (observer) observer(l, input, output_gradient.data());
    std::fill(layer_gradient.biases.begin(), layer_gradient.biases.end(), 0.0f);
    for (size_t s = 0; s < sample_count; ++s) {
      for (size_t o = 0; o < layer.outputs; ++o) {
        layer_gradient.biases[o] += output_gradient[s * layer.outputs + o];
      }
    }
    MatMul({output_gradient.data(), 1, layer.outputs}, {input, layer.inputs, 1}, layer.outputs, sample_count,
           layer.inputs, layer_gradient.weights.data(), &workspace->matmul);
    if (l == 0) break;
    workspace->input_gradient.resize(sample_count * layer.inputs);
    MatMul({output_gradient.data(), layer.outputs, 1}, {layer.weights.data(), layer.inputs, 1}, sample_count,
           layer.outputs, layer.inputs, workspace->input_gradient.data(), &workspace->matmul);
    for (size_t i = 0; i < workspace->input_gradient.size(); ++i) {
      if (input[i] <= 0) workspace->input_gradient[i] = 0;  // The rectifier was closed.
    }
    workspace->input_gradient.swap(output_gradient);
  }
  return loss;
}

size_t CountCorrect(const Network& network, absl::Span<const float> features, absl::Span<const uint32_t> labels,
                    Workspace* workspace) {
  const absl::Span<const float> logits = Forward(network, features, labels.size(), workspace);
  const size_t classes = network.layers.back().outputs;
  size_t correct = 0;
  for (size_t s = 0; s < labels.size(); ++s) {
    const float* row = logits.data() + s * classes;
    if (static_cast<uint32_t>(std::max_element(row, row + classes) - row) == labels[s]) ++correct;
  }
  return correct;
}

Adam::Adam(const Network& shape) : first_moment_(shape), second_moment_(shape) {
  for (Network* moment : {&first_moment_, &second_moment_}) {
    for (Layer& layer : moment->layers) {
      std::fill(layer.weights.begin(), layer.weights.end(), 0.0f);
      std::fill(layer.biases.begin(), layer.biases.end(), 0.0f);
    }
  }
}

void Adam::Step(const Network& gradient, float rate, bool with_biases, Network* network) {
  first_decay_power_ *= kFirstDecay;
  second_decay_power_ *= kSecondDecay;
  const auto corrected_rate = static_cast<float>(rate / (1 - first_decay_power_));
  const auto second_correction = static_cast<float>(1 / (1 - second_decay_power_));
  for (size_t l = 0; l < network->layers.size(); ++l) {
    Layer& first = first_moment_.layers[l];
    Layer& second = second_moment_.layers[l];
    StepParameters(gradient.layers[l].weights, corrected_rate, second_correction, &first.weights, &second.weights,
                   &network->layers[l].weights);
    if (!with_biases) continue;
    StepParameters(gradient.layers[l].biases, corrected_rate, second_correction, &first.biases, &second.biases,
                   &network->layers[l].biases);
  }
}

}  // namespace modelvault::demo
