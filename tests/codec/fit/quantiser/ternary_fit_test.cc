#include "codec/fit/quantiser/ternary_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/codec/random.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;

std::vector<float> Uniform(size_t count, float most, Random* random) {
  std::vector<float> values(count);
  for (float& v : values) v = most * (static_cast<float>(random->Below(20001)) / 10000 - 1);
  return values;
}

// A second moment of `samples` random vectors of n values.
std::vector<float> Moment(size_t n, size_t samples, Random* random) {
  std::vector<float> m(n * n);
  for (size_t s = 0; s < samples; ++s) {
    const std::vector<float> x = Uniform(n, 1, random);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) m[i * n + j] += x[i] * x[j] / static_cast<float>(samples);
    }
  }
  return m;
}

Curvature RandomCurvature(size_t rows, size_t cols, Random* random) {
  return Curvature::Kronecker("w", rows, cols, Moment(rows, 3 * rows, random), Moment(cols, 3 * cols, random), 0.03)
      .value();
}

// Half the form at what `fit` leaves, by its definition.
double FormOf(const TernaryFit& fit, const std::vector<float>& delta, const std::vector<float>& steps,
              const Curvature& c) {
  std::vector<double> e(delta.size());
  for (size_t i = 0; i < e.size(); ++i) {
    e[i] = static_cast<double>(delta[i]) - static_cast<double>(steps[i / c.cols()]) * fit.changes[i];
  }
  double sum = 0;
  for (size_t i = 0; i < e.size(); ++i) {
    for (size_t j = 0; j < e.size(); ++j) sum += e[i] * e[j] * c.Between(i, j);
  }
  return sum / 2;
}

TEST(TernaryFitTest, TheObjectiveNeverGrowsAndIsWhatItSays) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Curvature c = RandomCurvature(9, 31, &random);
    const std::vector<float> delta = Uniform(9 * 31, 6, &random);
    const std::vector<float> steps(9, 1.0f);
    TernaryFitOptions options;
    options.lambda = 0.02;
    ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, steps, {}, c, options));
    ASSERT_GE(fit.objectives.size(), 2u);
    for (size_t i = 1; i < fit.objectives.size(); ++i) {
      EXPECT_LE(fit.objectives[i], fit.objectives[i - 1] * (1 + 1e-6)) << i;
    }
    EXPECT_NEAR(fit.remaining, FormOf(fit, delta, steps, c), 1e-4 * fit.signal);
    double bits = 6.0 * static_cast<double>(fit.nonzeros);
    for (const int scale : fit.scales) bits += scale != 4 ? 4 : 0;
    EXPECT_NEAR(fit.objectives.back(), fit.remaining + options.lambda * bits, 1e-4 * fit.signal);
    EXPECT_LT(fit.remaining, fit.signal);
    EXPECT_EQ(fit.nonzeros,
              fit.changes.size() - static_cast<size_t>(std::count(fit.changes.begin(), fit.changes.end(), 0)));
  }
}

TEST(TernaryFitTest, ComesNearTheBestOfAllDeltas) {
  double ours = 0;
  double best_sum = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    const Curvature c = RandomCurvature(2, 4, &random);
    const std::vector<float> delta = Uniform(8, 6, &random);
    const std::vector<float> steps = {1.0f, 1.5f};
    TernaryFitOptions options;
    options.lambda = 0.1;
    ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, steps, {}, c, options));
    double best = INFINITY;
    TernaryFit trial = fit;
    for (int code = 0; code < 6561; ++code) {
      for (int scale = 1; scale <= 12; ++scale) {
        size_t nonzeros = 0;
        for (size_t i = 0, rest = static_cast<size_t>(code); i < 8; ++i, rest /= 3) {
          trial.changes[i] = static_cast<int16_t>((static_cast<int>(rest % 3) - 1) * scale);
          nonzeros += trial.changes[i] != 0 ? 1 : 0;
        }
        const double bits = 6.0 * static_cast<double>(nonzeros) + (scale != 4 ? 4 : 0);
        if (options.lambda * bits < best) best = std::min(best, FormOf(trial, delta, steps, c) + options.lambda * bits);
      }
    }
    EXPECT_GE(fit.objectives.back(), best * (1 - 1e-5)) << seed;
    EXPECT_LE(fit.objectives.back(), best * 2) << seed;
    ours += fit.objectives.back();
    best_sum += best;
  }
  EXPECT_LE(ours, best_sum * 1.15);
}

TEST(TernaryFitTest, WithoutCouplingEveryWeightIsDecidedAlone) {
  Random random(5);
  const std::vector<float> delta = Uniform(256, 8, &random);
  std::vector<float> diagonal(256);
  for (size_t i = 0; i < 256; ++i) diagonal[i] = 0.5f + static_cast<float>(i % 7);
  TernaryFitOptions options;
  options.lambda = 0.1;
  options.scale_bits = 1e9;  // Scales stay.
  ASSERT_OK_AND_ASSIGN(const Curvature weighted, Curvature::Diagonal("w", 4, 64, diagonal, 0));
  for (const Curvature& c : {weighted, Curvature::Identity(4, 64)}) {
    ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, {1, 1, 1, 1}, {}, c, options));
    for (size_t i = 0; i < 256; ++i) {
      const double d = static_cast<double>(delta[i]);
      const double moved = std::abs(d) - 4;
      const bool pays = c.Between(i, i) * (d * d - moved * moved) / 2 > 0.1 * 6;
      EXPECT_EQ(fit.changes[i], pays ? (d > 0 ? 4 : -4) : 0) << i;
    }
  }
}

TEST(TernaryFitTest, ScalesFollowTheDifferences) {
  std::vector<float> delta(256);
  for (size_t i = 0; i < 256; ++i) delta[i] = (i % 3 == 0 ? -1.0f : 1.0f) * (i < 128 ? 3.0f : 9.0f);
  ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, {0.5f, 0.5f}, {}, Curvature::Identity(2, 128), {}));
  EXPECT_EQ(fit.scales, (std::vector<int>{6, 18}));
  EXPECT_EQ(fit.remaining, 0);
}

TEST(TernaryFitTest, AWeightAtTheEndOfTheRangeDoesNotKeepItsGroupFromItsScale) {
  std::vector<float> delta(128);
  for (size_t i = 0; i < 128; ++i) delta[i] = i % 3 == 0 ? -9.0f : 9.0f;
  std::vector<int8_t> base(128, 0);
  base[1] = 126;  // One step more fits, nine do not.
  TernaryFitOptions options;
  options.start_scale = 1;
  ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, {1}, base, Curvature::Identity(1, 128), options));
  EXPECT_EQ(fit.scales, (std::vector<int>{9}));
  EXPECT_EQ(fit.changes[1], 0);
  EXPECT_EQ(fit.nonzeros, 127u);
  EXPECT_FLOAT_EQ(static_cast<float>(fit.remaining), 81.0f / 2);
}

TEST(TernaryFitTest, WideTensorsAreFittedAsNarrowOnes) {
  // 150 columns: three blocks, groups that end inside rows.
  Random random(11);
  const Curvature c = RandomCurvature(6, 150, &random);
  const std::vector<float> delta = Uniform(6 * 150, 6, &random);
  const std::vector<float> steps(6, 1.0f);
  TernaryFitOptions options;
  options.lambda = 0.02;
  ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, steps, {}, c, options));
  EXPECT_NEAR(fit.remaining, FormOf(fit, delta, steps, c), 1e-4 * fit.signal);
  EXPECT_LT(fit.remaining, fit.signal / 2);
  // No single symbol could be better: what the walk by blocks left is the minimum of the whole form.
  TernaryFit trial = fit;
  for (size_t i = 0; i < delta.size(); i += 7) {
    for (int symbol = -1; symbol <= 1; ++symbol) {
      trial.changes[i] = static_cast<int16_t>(symbol * fit.scales[i / 128]);
      const double bits = 6.0 * ((symbol != 0) - (fit.changes[i] != 0));
      EXPECT_GE(FormOf(trial, delta, steps, c) + options.lambda * bits, fit.remaining * (1 - 1e-4)) << i;
    }
    trial.changes[i] = fit.changes[i];
  }
}

TEST(TernaryFitTest, NothingLeavesTheGrid) {
  std::vector<float> delta(128, 5.0f);
  std::vector<int8_t> base(128, 0);
  for (size_t i = 0; i < 128; i += 2) base[i] = 124;
  base[1] = -125;
  delta[1] = -5.0f;
  ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, {1}, base, Curvature::Identity(1, 128), {}));
  for (size_t i = 0; i < 128; ++i) {
    const int value = base[i] + fit.changes[i];
    EXPECT_GE(value, -128) << i;
    EXPECT_LE(value, 127) << i;
  }
  EXPECT_EQ(fit.changes[3], 5);
}

TEST(TernaryFitTest, CheapRowsAndColumnsTakeMore) {
  const std::vector<float> delta(4 * 32, 4.0f);
  TernaryFitOptions options;
  options.lambda = 1;
  options.symbol_bits = 9;  // A difference of 4 is worth 8 bits.
  const std::vector<float> row_bits = {0, -2, 0, 0};
  const std::vector<float> column_bits(32, 0.0f);
  std::vector<float> cheap_column = column_bits;
  cheap_column[5] = -2;
  options.row_bits = row_bits;
  options.column_bits = cheap_column;
  ASSERT_OK_AND_ASSIGN(const TernaryFit fit,
                       FitTernary("w", delta, {1, 1, 1, 1}, {}, Curvature::Identity(4, 32), options));
  for (size_t i = 0; i < 128; ++i) EXPECT_EQ(fit.changes[i], i / 32 == 1 || i % 32 == 5 ? 4 : 0) << i;
  EXPECT_DOUBLE_EQ(fit.bits, 31 * 7 + 3 * 7 + 5);
}

TEST(TernaryFitTest, AVariantLikeItsBaseHasNothingToFit) {
  Random random(6);
  ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", std::vector<float>(40), {1, 1, 1, 1, 1}, {},
                                                        RandomCurvature(5, 8, &random), {}));
  EXPECT_EQ(fit.nonzeros, 0u);
  EXPECT_EQ(fit.signal, 0);
  EXPECT_EQ(fit.remaining, 0);
}

// Two rows, each a group: differences of one size, and normal ones, for which no scale is right.
TEST(TernaryFitTest, AGroupThatNoScaleExplainsEscapes) {
  Random random(12);
  std::vector<float> delta(256, 9.0f);
  for (size_t i = 128; i < 256; ++i) delta[i] = Uniform(1, 30, &random)[0];
  std::vector<int8_t> base(256, 0);
  base[130] = 126;
  delta[130] = 30;
  TernaryFitOptions options;
  options.lambda = 0.1;
  const std::vector<float> steps = {1, 1};
  ASSERT_OK_AND_ASSIGN(const TernaryFit without,
                       FitTernary("w", delta, steps, base, Curvature::Identity(2, 128), options));
  options.escapes = true;
  ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, steps, base, Curvature::Identity(2, 128), options));
  EXPECT_EQ(fit.scales, (std::vector<int>{9, 0}));
  EXPECT_LT(fit.remaining + options.lambda * fit.bits, without.remaining + options.lambda * without.bits);
  for (size_t i = 0; i < 256; ++i) {
    if (i == 130) continue;
    EXPECT_NEAR(fit.changes[i], delta[i], i < 128 ? 0 : 2.1) << i;
  }
  EXPECT_LE(fit.changes[130], 1) << "leaves the grid";
  // Where bits are dear, it keeps a scale.
  options.lambda = 50;
  ASSERT_OK_AND_ASSIGN(const TernaryFit dear,
                       FitTernary("w", delta, steps, base, Curvature::Identity(2, 128), options));
  EXPECT_EQ(std::count(dear.scales.begin(), dear.scales.end(), 0), 0);
}

TEST(TernaryFitTest, EscapesNeverCostMore) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Curvature c = RandomCurvature(9, 31, &random);
    const std::vector<float> delta = Uniform(9 * 31, 20, &random);
    const std::vector<float> steps(9, 1.0f);
    TernaryFitOptions options;
    options.lambda = 0.05;
    ASSERT_OK_AND_ASSIGN(const TernaryFit without, FitTernary("w", delta, steps, {}, c, options));
    options.escapes = true;
    ASSERT_OK_AND_ASSIGN(const TernaryFit fit, FitTernary("w", delta, steps, {}, c, options));
    EXPECT_LE(fit.objectives.back(), without.objectives.back() * (1 + 1e-6));
    EXPECT_NEAR(fit.remaining, FormOf(fit, delta, steps, c), 1e-4 * fit.signal);
    EXPECT_NEAR(fit.objectives.back(), fit.remaining + options.lambda * fit.bits, 1e-4 * fit.signal);
  }
}

TEST(TernaryFitTest, EqualInputGivesEqualOutput) {
  Random random(7);
  const Curvature c = RandomCurvature(8, 40, &random);
  const std::vector<float> delta = Uniform(320, 6, &random);
  const std::vector<float> steps(8, 1.0f);
  ASSERT_OK_AND_ASSIGN(const TernaryFit a, FitTernary("w", delta, steps, {}, c, {}));
  ASSERT_OK_AND_ASSIGN(const TernaryFit b, FitTernary("w", delta, steps, {}, c, {}));
  EXPECT_EQ(a.changes, b.changes);
  EXPECT_EQ(a.scales, b.scales);
  EXPECT_EQ(a.objectives, b.objectives);
}

TEST(TernaryFitTest, BadInputIsRefusedByName) {
  const Curvature c = Curvature::Identity(2, 2);
  const auto expect = [&](std::vector<float> delta, std::vector<float> steps, const TernaryFitOptions& options,
                          const char* message) {
    EXPECT_THAT(FitTernary("layer.w", delta, steps, {}, c, options),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("layer.w"), HasSubstr(message))));
  };
  expect({1, 2, 3}, {1, 1}, {}, "3 weights and 2 steps");
  expect({1, 2, 3, 4}, {1}, {}, "4 weights and 1 steps");
  expect({1, 2, NAN, 4}, {1, 1}, {}, "not a finite number");
  expect({1, 2, INFINITY, 4}, {1, 1}, {}, "not a finite number");
  EXPECT_THAT(FitTernary("layer.w", {1, 2, 3, 4}, {1, 1}, {1, 2}, c, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 of the base")));
  expect({1, 2, 3, 4}, {1, 0}, {}, "step of the grid");
  expect({1, 2, 3, 4}, {1, NAN}, {}, "step of the grid");
  TernaryFitOptions options;
  options.lambda = -1;
  expect({1, 2, 3, 4}, {1, 1}, options, "option");
  options = {};
  options.start_scale = 41;
  expect({1, 2, 3, 4}, {1, 1}, options, "option");
  options = {};
  const std::vector<float> three = {1, 1, 1};
  options.row_bits = three;
  expect({1, 2, 3, 4}, {1, 1}, options, "not one for each");
  options = {};
  options.most_sweeps = 4;
  expect({1, 2, 3, 4}, {1, 1}, options, "option");
}

TEST(CurvatureTest, DampingAddsToTheDiagonal) {
  ASSERT_OK_AND_ASSIGN(const Curvature c, Curvature::Kronecker("w", 1, 2, {2}, {3, 1, 1, 5}, 0.5));
  EXPECT_DOUBLE_EQ(c.Between(0, 0), 3 * (3 + 2));
  EXPECT_DOUBLE_EQ(c.Between(0, 1), 3 * 1);
  EXPECT_DOUBLE_EQ(c.Between(1, 1), 3 * (5 + 2));
  ASSERT_OK_AND_ASSIGN(const Curvature d, Curvature::Diagonal("w", 1, 2, {1, 3}, 0.5));
  EXPECT_DOUBLE_EQ(d.Between(1, 1), 4);
  EXPECT_DOUBLE_EQ(d.Between(0, 1), 0);
}

// Ones, with the same value everywhere else: positive definite from -1 / (n - 1) on, and below it the last of all
// pivots is what tells.
TEST(CurvatureTest, LargeFactorsAreCheckedToTheLast) {
  constexpr size_t kSize = 100;
  const auto make = [](float others) {
    std::vector<float> h(kSize * kSize, others);
    for (size_t i = 0; i < kSize; ++i) h[i * kSize + i] = 1;
    return Curvature::Kronecker("layer.w", 1, kSize, {1}, h, 0);
  };
  EXPECT_THAT(make(-0.0100f), IsOk());
  EXPECT_THAT(make(-0.0102f), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("H of layer.w: is not positive")));
  EXPECT_THAT(make(0.99f), IsOk());
}

TEST(CurvatureTest, WhatIsNoCurvatureIsRefusedByName) {
  const auto refused = [](const absl::StatusOr<Curvature>& c, const char* message) {
    EXPECT_THAT(c, StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("of layer.w"), HasSubstr(message))));
  };
  const std::vector<float> one = {1, 0, 0, 1};
  const auto kronecker = [&](std::vector<float> h, double damping) {
    refused(Curvature::Kronecker("layer.w", 2, 2, h, one, damping), "curvature G");
    return Curvature::Kronecker("layer.w", 2, 2, one, h, damping);
  };
  EXPECT_THAT(Curvature::Kronecker("layer.w", 2, 2, one, one, 0), IsOk());
  refused(kronecker({1, 0, 0}, 0), "3 values; expected 2 times 2");
  refused(kronecker({1, 0, 0, NAN}, 1), "not a finite number");
  refused(kronecker({1, 0.5f, 0, 1}, 1), "not symmetric");
  refused(kronecker({1, 0, 0, -0.1f}, 1), "diagonal is negative");
  refused(kronecker({0, 0, 0, 0}, 1), "is zero");
  refused(kronecker({1, 2, 2, 1}, 0.5), "not positive definite");
  refused(kronecker({1, 1, 1, 1}, 0), "not positive definite");
  EXPECT_THAT(Curvature::Kronecker("layer.w", 2, 2, {1, 1, 1, 1}, one, 0.01), IsOk())
      << "damping mends what is singular";
  const auto diagonal = [](std::vector<float> d, double damping) {
    return Curvature::Diagonal("layer.w", 1, 2, d, damping);
  };
  refused(diagonal({1}, 0), "1 values; expected 2");
  refused(diagonal({1, -1}, 3), "value 1 is negative");
  refused(diagonal({1, INFINITY}, 0), "not a finite number");
  refused(diagonal({0, 0}, 1), "is zero");
  refused(diagonal({0, 1}, 0), "value 0 is zero");
  EXPECT_THAT(diagonal({0, 1}, 0.1), IsOk());
}

}  // namespace
}  // namespace modelvault
