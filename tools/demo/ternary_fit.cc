#include "tools/demo/ternary_fit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "tools/demo/random.h"
#include "tools/demo/trainer.h"

namespace modelvault::demo {
namespace {

constexpr float kLargestScale = 127;  // steps

// The magnitude that exactly `count` weights' differences exceed, or fewer if some are equal.
float MagnitudeExceededBy(size_t count, const Network& start, const Network& moved, std::vector<float>* scratch) {
  scratch->clear();
  for (size_t l = 0; l < start.layers.size(); ++l) {
    const std::vector<float>& from = start.layers[l].weights;
    const std::vector<float>& to = moved.layers[l].weights;
    for (size_t i = 0; i < from.size(); ++i) scratch->push_back(std::fabs(to[i] - from[i]));
  }
  if (count >= scratch->size()) return 0;
  std::nth_element(scratch->begin(), scratch->begin() + count, scratch->end(), std::greater<>());
  return (*scratch)[count];
}

// Gives a trit to each weight whose difference exceeds `threshold`, and each group the mean of their differences as
// its scale. `rounded` becomes the layer of Dequantize(Apply(base, delta)), here without visiting every weight.
void RoundLayer(const Int8Layer& base, const Layer& start, const Layer& moved, float threshold, TernaryLayer* delta,
                Layer* rounded) {
  rounded->weights = start.weights;
  for (size_t begin = 0, g = 0; begin < base.weights.size(); begin += kGroupSize, ++g) {
    const size_t end = std::min(begin + kGroupSize, base.weights.size());
    for (size_t i = begin; i < end; ++i) {
      const float difference = moved.weights[i] - start.weights[i];
      delta->trits[i] = static_cast<int8_t>((difference > threshold) - (difference < -threshold));
    }
    float steps = 0;
    size_t count = 0;
    for (size_t i = begin; i < end; ++i) {
      if (delta->trits[i] == 0) continue;
      steps += std::fabs(moved.weights[i] - start.weights[i]) / base.scales[i / base.inputs];
      ++count;
    }
    delta->scales[g] = 0;
    if (count == 0) continue;
    const float mean = steps / static_cast<float>(count);
    delta->scales[g] = static_cast<uint8_t>(std::clamp(mean + 0.5f, 1.0f, kLargestScale));
    for (size_t i = begin; i < end; ++i) {
      if (delta->trits[i] == 0) continue;
      const int weight = std::clamp(base.weights[i] + delta->scales[g] * delta->trits[i], -128, 127);
      rounded->weights[i] = static_cast<float>(weight) * base.scales[i / base.inputs];
    }
  }
}

}  // namespace

TernaryDelta FitTernary(const Int8Model& base, const Network& tuned, const Dataset& samples,
                        const TernaryFitting& fitting, uint64_t seed) {
  const Network start = Dequantize(base);
  Network moved = tuned;
  Network gradient = tuned;
  Network rounded = start;
  Adam adam(moved);
  Workspace workspace;
  Dataset batch;
  std::vector<float> scratch;
  Random random(seed);
  TernaryDelta delta;
  for (const Int8Layer& layer : base.layers) {
    const size_t groups = (layer.weights.size() + kGroupSize - 1) / kGroupSize;
    delta.layers.push_back({std::vector<int8_t>(layer.weights.size()), std::vector<uint8_t>(groups)});
  }
  float threshold = 0;
  for (size_t step = 0;; ++step) {
    if (step % fitting.support_steps == 0 || step == fitting.steps) {
      threshold = MagnitudeExceededBy(fitting.nonzeros, start, moved, &scratch);
    }
    for (size_t l = 0; l < base.layers.size(); ++l) {
      RoundLayer(base.layers[l], start.layers[l], moved.layers[l], threshold, &delta.layers[l], &rounded.layers[l]);
    }
    if (step == fitting.steps) return delta;
    DrawBatch(samples, fitting.batch, random, &batch);
    Gradient(rounded, batch.features, batch.labels, 1.0f / static_cast<float>(fitting.batch), &workspace, &gradient);
    const float remaining = static_cast<float>(fitting.steps - step) / static_cast<float>(fitting.steps);
    adam.Step(gradient, fitting.rate * remaining, /*with_biases=*/false, &moved);
  }
}

}  // namespace modelvault::demo
