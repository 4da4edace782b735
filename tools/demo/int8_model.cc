#include "tools/demo/int8_model.h"

#include <algorithm>
#include <cmath>

namespace modelvault::demo {

Int8Model Quantize(const Network& network, int largest) {
  Int8Model model;
  for (const Layer& layer : network.layers) {
    Int8Layer& quantized = model.layers.emplace_back();
    quantized.inputs = layer.inputs;
    quantized.outputs = layer.outputs;
    quantized.biases = layer.biases;
    for (size_t row = 0; row < layer.outputs; ++row) {
      const float* weights = layer.weights.data() + row * layer.inputs;
      float largest_weight = 0;
      for (size_t i = 0; i < layer.inputs; ++i) largest_weight = std::max(largest_weight, std::fabs(weights[i]));
      // A row of zeros has no grid of its own; any will do.
      const float scale = largest_weight > 0 ? largest_weight / static_cast<float>(largest) : 1.0f;
      quantized.scales.push_back(scale);
      for (size_t i = 0; i < layer.inputs; ++i) {
        quantized.weights.push_back(static_cast<int8_t>(std::lround(weights[i] / scale)));
      }
    }
  }
  return model;
}

Network Dequantize(const Int8Model& model) {
  Network network;
  for (const Int8Layer& quantized : model.layers) {
    Layer& layer = network.layers.emplace_back();
    layer.inputs = quantized.inputs;
    layer.outputs = quantized.outputs;
    layer.biases = quantized.biases;
    layer.weights.resize(quantized.weights.size());
    for (size_t i = 0; i < layer.weights.size(); ++i) {
      layer.weights[i] = static_cast<float>(quantized.weights[i]) * quantized.scales[i / layer.inputs];
    }
  }
  return network;
}

Int8Model Apply(const Int8Model& base, const TernaryDelta& delta) {
  Int8Model model = base;
  for (size_t l = 0; l < model.layers.size(); ++l) {
    std::vector<int8_t>& weights = model.layers[l].weights;
    const TernaryLayer& layer = delta.layers[l];
    for (size_t i = 0; i < weights.size(); ++i) {
      const int moved = weights[i] + layer.scales[i / kGroupSize] * layer.trits[i];
      weights[i] = static_cast<int8_t>(std::clamp(moved, -128, 127));
    }
  }
  return model;
}

}  // namespace modelvault::demo
