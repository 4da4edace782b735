#include "tools/demo/layer_moments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

Dataset RandomSamples(size_t count, size_t inputs) {
  Dataset samples;
  samples.inputs = inputs;
  Random random(3);
  for (size_t i = 0; i < count * inputs; ++i) samples.features.push_back(random.Normal());
  samples.labels.resize(count);
  return samples;
}

TEST(LayerMomentsTest, InputMomentsAreMeansOfProducts) {
  Network network = ZeroNetwork({3, 2, 2});
  Random random(1);
  InitializeWeights(random, &network);
  const Dataset samples = RandomSamples(300, 3);  // More than one batch.
  const std::vector<LayerMoments> moments = MeasureMoments(network, samples, 1);
  ASSERT_EQ(moments.size(), 2u);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      double sum = 0;
      for (size_t s = 0; s < 300; ++s) sum += samples.features[3 * s + i] * samples.features[3 * s + j];
      EXPECT_NEAR(moments[0].input_moment[3 * i + j], sum / 300, 1e-4) << i << ", " << j;
    }
  }
  ASSERT_EQ(moments[1].input_moment.size(), 4u);
  ASSERT_EQ(moments[1].gradient_moment.size(), 4u);
}

// With labels from the model, the mean of g gᵀ at the logits is that of diag(p) - p pᵀ.
TEST(LayerMomentsTest, TheLastGradientsAreTheSoftmaxs) {
  Network network = ZeroNetwork({1, 3});
  network.layers[0].biases = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  const std::vector<LayerMoments> moments = MeasureMoments(network, RandomSamples(20000, 1), 1);
  const double p[] = {0.5, 0.3, 0.2};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      EXPECT_NEAR(moments[0].gradient_moment[3 * i + j], (i == j ? p[i] : 0) - p[i] * p[j], 0.01) << i << ", " << j;
    }
  }
}

}  // namespace
}  // namespace modelvault::demo
