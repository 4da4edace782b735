#include "codec/fit/quantiser/base_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/codec/random.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<float> Normals(size_t count, double deviation, Random* random) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(deviation * random->Normal());
  return values;
}

// Half the form at weights - steps * values.
double FormOf(const std::vector<float>& weights, float step, const std::vector<int8_t>& values, const Curvature& c) {
  std::vector<double> e(weights.size());
  for (size_t i = 0; i < e.size(); ++i) {
    e[i] = static_cast<double>(weights[i]) - static_cast<double>(step) * values[i];
  }
  double sum = 0;
  for (size_t i = 0; i < e.size(); ++i) {
    for (size_t j = 0; j < e.size(); ++j) sum += c.Between(i, j) * e[i] * e[j] / 2;
  }
  return sum;
}

TEST(BaseFitTest, BitsThatCostNothingLeaveTheNearestStepWhereWeightsDoNotCouple) {
  Random random(1);
  const std::vector<float> weights = Normals(4 * 20, 6, &random);
  ASSERT_OK_AND_ASSIGN(const BaseFit fit, FitBase("w", weights, {1, 1, 1, 1}, Curvature::Identity(4, 20), {}));
  for (size_t i = 0; i < weights.size(); ++i) EXPECT_EQ(fit.values[i], std::lround(weights[i])) << i;
  EXPECT_NEAR(fit.remaining, FormOf(weights, 1, fit.values, Curvature::Identity(4, 20)), 1e-4);
}

TEST(BaseFitTest, CoupledWeightsAreRoundedAgainstEachOther) {
  Random random(2);
  const size_t n = 12;
  std::vector<float> h(n * n, 0.9f);  // Columns that move the output alike.
  for (size_t i = 0; i < n; ++i) h[i * n + i] = 1;
  ASSERT_OK_AND_ASSIGN(const Curvature c, Curvature::Kronecker("w", 1, n, {1}, h, 0));
  const std::vector<float> weights = Normals(n, 3, &random);
  BaseFitOptions options;
  options.sweeps = 0;
  ASSERT_OK_AND_ASSIGN(const BaseFit nearest, FitBase("w", weights, {1}, c, options));
  ASSERT_OK_AND_ASSIGN(const BaseFit fitted, FitBase("w", weights, {1}, c, {}));
  EXPECT_LT(fitted.remaining, 0.7 * nearest.remaining);
  EXPECT_NEAR(fitted.remaining, FormOf(weights, 1, fitted.values, c), 1e-4);
}

TEST(BaseFitTest, DearBitsAreSaved) {
  Random random(3);
  const std::vector<float> weights = Normals(16 * 32, 2, &random);
  const Curvature c = Curvature::Identity(16, 32);
  const std::vector<float> steps(16, 1.0f);
  BaseFitOptions options;
  ASSERT_OK_AND_ASSIGN(const BaseFit free, FitBase("w", weights, steps, c, options));
  options.lambda = 0.5;
  ASSERT_OK_AND_ASSIGN(const BaseFit dear, FitBase("w", weights, steps, c, options));
  EXPECT_LT(dear.bits, free.bits - 20);
  EXPECT_GT(dear.remaining, free.remaining);
  EXPECT_LT(dear.remaining + options.lambda * dear.bits, free.remaining + options.lambda * free.bits);
  options.variants = 100;  // The same error a hundred times over.
  ASSERT_OK_AND_ASSIGN(const BaseFit shared, FitBase("w", weights, steps, c, options));
  EXPECT_LT(shared.remaining, dear.remaining);
}

TEST(BaseFitTest, WhatLiesBeyondTheGridIsItsEnd) {
  ASSERT_OK_AND_ASSIGN(const BaseFit fit, FitBase("w", {1000, -1000}, {1}, Curvature::Identity(1, 2), {}));
  EXPECT_THAT(fit.values, testing::ElementsAre(127, -127));
}

TEST(BaseFitTest, BadInputIsRefusedByName) {
  const Curvature c = Curvature::Identity(1, 2);
  const auto expect = [&](std::vector<float> weights, std::vector<float> steps, const BaseFitOptions& options,
                          const char* message) {
    EXPECT_THAT(FitBase("layer.w", weights, steps, c, options),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("layer.w"), HasSubstr(message))));
  };
  expect({1}, {1}, {}, "1 weights and 1 steps");
  expect({1, 2}, {1, 1}, {}, "2 weights and 2 steps");
  expect({1, NAN}, {1}, {}, "not a finite number");
  expect({1, 2}, {0}, {}, "step of the grid");
  BaseFitOptions options;
  options.variants = 0;
  expect({1, 2}, {1}, options, "option");
  options = {};
  options.lambda = -1;
  expect({1, 2}, {1}, options, "option");
}

}  // namespace
}  // namespace modelvault
