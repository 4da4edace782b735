#include "tools/demo/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

constexpr size_t kSamples = 6;
constexpr size_t kInputs = 5;
constexpr size_t kClasses = 4;

struct Problem {
  Network network = ZeroNetwork({kInputs, 9, 7, kClasses});
  std::vector<float> features;
  std::vector<uint32_t> labels;
};

Problem RandomProblem(uint64_t seed) {
  Problem problem;
  Random random(seed);
  InitializeWeights(random, &problem.network);
  for (Layer& layer : problem.network.layers) {
    for (float& bias : layer.biases) bias = 0.3f * random.Normal();
  }
  for (size_t i = 0; i < kSamples * kInputs; ++i) problem.features.push_back(random.Normal());
  for (size_t i = 0; i < kSamples; ++i) problem.labels.push_back(random.Below(kClasses));
  return problem;
}

// Straight from the definition, in double: neither the library's products nor its exponential.
double Loss(const Problem& problem) {
  double loss = 0;
  for (size_t s = 0; s < problem.labels.size(); ++s) {
    std::vector<double> values(problem.features.begin() + s * kInputs, problem.features.begin() + (s + 1) * kInputs);
    for (size_t l = 0; l < problem.network.layers.size(); ++l) {
      const Layer& layer = problem.network.layers[l];
      std::vector<double> outputs(layer.outputs);
      for (size_t o = 0; o < layer.outputs; ++o) {
        outputs[o] = layer.biases[o];
        for (size_t i = 0; i < layer.inputs; ++i) outputs[o] += layer.weights[o * layer.inputs + i] * values[i];
        if (l + 1 < problem.network.layers.size() && outputs[o] < 0) outputs[o] = 0;
      }
      values = outputs;
    }
    double sum = 0;
    for (const double value : values) sum += std::exp(value);
    loss += std::log(sum) - values[problem.labels[s]];
  }
  return loss;
}

// The slope of the loss along one parameter, from both sides; NaN where they disagree (a rectifier's kink is near).
double Slope(Problem& problem, float* parameter) {
  const float value = *parameter;
  const float step = 1e-3f;
  const double here = Loss(problem);
  *parameter = value + step;
  const double right = (Loss(problem) - here) / (*parameter - value);
  *parameter = value - step;
  const double left = (here - Loss(problem)) / (value - *parameter);
  *parameter = value;
  return std::fabs(right - left) > 0.02 ? NAN : (right + left) / 2;
}

TEST(NetworkTest, GradientAgreesWithFiniteDifferences) {
  Problem problem = RandomProblem(11);
  Network gradient = problem.network;
  Workspace workspace;
  const float factor = 0.25f;
  const float loss = Gradient(problem.network, problem.features, problem.labels, factor, &workspace, &gradient);
  EXPECT_NEAR(loss, Loss(problem), 1e-4);
  int compared = 0;
  int kinks = 0;
  for (size_t l = 0; l < problem.network.layers.size(); ++l) {
    for (const auto part : {&Layer::weights, &Layer::biases}) {
      std::vector<float>& parameters = problem.network.layers[l].*part;
      for (size_t i = 0; i < parameters.size(); ++i) {
        const double slope = Slope(problem, &parameters[i]);
        if (std::isnan(slope)) {
          ++kinks;
          continue;
        }
        ++compared;
        EXPECT_NEAR((gradient.layers[l].*part)[i], factor * slope, 2e-3)
            << "layer " << l << (part == &Layer::weights ? ", weight " : ", bias ") << i;
      }
    }
  }
  EXPECT_GT(compared, 100);
  EXPECT_LT(kinks, 10);
}

TEST(NetworkTest, ASamplesLogitsDoNotDependOnItsBatch) {
  const Problem problem = RandomProblem(5);
  Workspace together;
  const absl::Span<const float> all = Forward(problem.network, problem.features, kSamples, &together);
  Workspace alone;
  for (size_t s = 0; s < kSamples; ++s) {
    const absl::Span<const float> one =
        Forward(problem.network, absl::MakeSpan(problem.features).subspan(s * kInputs, kInputs), 1, &alone);
    EXPECT_EQ(one, all.subspan(s * kClasses, kClasses)) << "sample " << s;
  }
}

TEST(NetworkTest, LossIsRightForLogitsFarApart) {
  Problem problem;
  problem.network = ZeroNetwork({kInputs, kClasses});
  problem.network.layers[0].biases = {500, 0, -500, 0};
  problem.features.resize(kInputs);
  problem.labels = {1};
  Network gradient = problem.network;
  Workspace workspace;
  EXPECT_FLOAT_EQ(Gradient(problem.network, problem.features, problem.labels, 1, &workspace, &gradient), 500);
  EXPECT_THAT(gradient.layers[0].biases, testing::Pointwise(testing::FloatNear(1e-6f), {1.0f, -1.0f, 0.0f, 0.0f}));
}

TEST(NetworkTest, CountsLargestLogitsThatAreTheLabels) {
  Network network = ZeroNetwork({3, 3});
  network.layers[0].weights = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const std::vector<float> features = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0};
  Workspace workspace;
  EXPECT_EQ(CountCorrect(network, features, {0, 1, 2, 0}, &workspace), 4u);
  EXPECT_EQ(CountCorrect(network, features, {0, 2, 2, 1}, &workspace), 2u);
}

TEST(NetworkTest, AdamsFirstStepGoesAgainstTheGradientByTheRate) {
  Network network = ZeroNetwork({2, 1});
  Network gradient = network;
  gradient.layers[0].weights = {0.5f, -20.0f};
  gradient.layers[0].biases = {3.0f};
  Adam adam(network);
  adam.Step(gradient, 0.01f, /*with_biases=*/false, &network);
  EXPECT_THAT(network.layers[0].weights, testing::Pointwise(testing::FloatNear(1e-5f), {-0.01f, 0.01f}));
  EXPECT_EQ(network.layers[0].biases[0], 0);
  Adam other(network);
  other.Step(gradient, 0.01f, /*with_biases=*/true, &network);
  EXPECT_NEAR(network.layers[0].biases[0], -0.01f, 1e-5f);
}

}  // namespace
}  // namespace modelvault::demo
