#include "tools/demo/int8_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

TEST(QuantizeTest, RoundsEachRowToItsGrid) {
  Network network = ZeroNetwork({50, 20, 3});
  Random random(2);
  InitializeWeights(random, &network);
  for (Layer& layer : network.layers) {
    for (float& bias : layer.biases) bias = random.Normal();
  }
  for (const int largest : {1, 31, 127}) {
    const Int8Model model = Quantize(network, largest);
    const Network back = Dequantize(model);
    for (size_t l = 0; l < network.layers.size(); ++l) {
      const Layer& layer = network.layers[l];
      EXPECT_EQ(back.layers[l].biases, layer.biases);
      for (size_t row = 0; row < layer.outputs; ++row) {
        int reached = 0;
        for (size_t i = row * layer.inputs; i < (row + 1) * layer.inputs; ++i) {
          reached = std::max(reached, std::abs(model.layers[l].weights[i]));
          EXPECT_NEAR(back.layers[l].weights[i], layer.weights[i], 0.5001f * model.layers[l].scales[row]);
        }
        EXPECT_EQ(reached, largest) << "layer " << l << ", row " << row;
      }
    }
  }
}

TEST(QuantizeTest, ARowOfZerosStaysZero) {
  const Int8Model model = Quantize(ZeroNetwork({4, 2}), 31);
  EXPECT_THAT(model.layers[0].weights, testing::Each(0));
  EXPECT_THAT(model.layers[0].scales, testing::Each(1.0f));
}

TEST(ApplyTest, MovesWeightsByTheGroupsScaleAndSaturates) {
  Int8Model base;
  base.layers.push_back(
      {.inputs = 65, .outputs = 2, .weights = std::vector<int8_t>(130), .scales = {1, 2}, .biases = {3, 4}});
  base.layers[0].weights[0] = 126;
  base.layers[0].weights[1] = -127;
  base.layers[0].weights[2] = 5;
  TernaryDelta delta;
  delta.layers.push_back({std::vector<int8_t>(130), {3, 7}});  // the second group has two weights
  delta.layers[0].trits[0] = 1;
  delta.layers[0].trits[1] = -1;
  delta.layers[0].trits[2] = -1;
  delta.layers[0].trits[129] = 1;
  const Int8Model variant = Apply(base, delta);
  EXPECT_EQ(variant.layers[0].weights[0], 127);
  EXPECT_EQ(variant.layers[0].weights[1], -128);
  EXPECT_EQ(variant.layers[0].weights[2], 2);
  EXPECT_EQ(variant.layers[0].weights[128], 0);
  EXPECT_EQ(variant.layers[0].weights[129], 7);
  EXPECT_EQ(variant.layers[0].scales, base.layers[0].scales);
  EXPECT_EQ(variant.layers[0].biases, base.layers[0].biases);
}

}  // namespace
}  // namespace modelvault::demo
