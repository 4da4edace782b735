#include "codec/fit/search/model_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/codec/random.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::Each;

constexpr size_t kRows = 12, kCols = 128;

float Uniform(float most, Random* random) { return most * (static_cast<float>(random->Below(20001)) / 10000 - 1); }

// A tensor, and a variant of it that differs a little everywhere.
struct Case {
  explicit Case(uint64_t seed) : random(seed) {
    static_cast<ModelTensor&>(tensor) = ModelTensor("w", DType::kF32, {kRows, kCols});
    tensor.linear = true;
    tensor.curvature = Curvature::Identity(kRows, kCols);
    for (size_t i = 0; i < kRows * kCols; ++i) {
      tensor.base.push_back(Uniform(0.3f, &random));
      variant.push_back(tensor.base.back() + Uniform(0.02f, &random));
    }
  }

  // What is left of `row`, root mean square.
  double ErrorOf(size_t row) const {
    double sum = 0;
    for (size_t i = row * kCols; i < (row + 1) * kCols; ++i) {
      const double error = static_cast<double>(variant[i]) -
                           static_cast<double>(base.steps[row]) * (base.values[i] + (changes.empty() ? 0 : changes[i]));
      sum += error * error;
    }
    return std::sqrt(sum / kCols);
  }

  // Fits base and variant at a price of a bit at which `row` and its neighbours are as good as the grid lets them be.
  void Fit(GridRule grid) {
    for (size_t row = 0; row < kRows; ++row) {
      double sum = 0;
      for (size_t i = row * kCols; i < (row + 1) * kCols; ++i) {
        sum += std::pow(static_cast<double>(variant[i] - tensor.base[i]), 2);
      }
      tensor.row_changes.push_back(static_cast<float>(std::sqrt(sum / kCols)));
    }
    tensors = {tensor};
    ModelFitOptions options;
    options.grid = grid;
    ASSERT_OK_AND_ASSIGN(const ModelFit fit, ModelFit::Create(&tensors, nullptr, options, 1));
    constexpr double kLambda = 1e-6;
    ASSERT_OK_AND_ASSIGN(base, fit.FitBaseTensor(0, tensor.base, kLambda));
    ASSERT_OK_AND_ASSIGN(const FittedVariant fitted, fit.FitVariant({variant}, {base}, {SymbolPrices()}, kLambda));
    changes = fitted.tensors[0].changes;
    for (size_t row = 0; row < kRows; ++row) errors.push_back(ErrorOf(row));
  }

  Random random;
  FitTensor tensor;
  std::vector<float> variant;
  std::vector<FitTensor> tensors;
  FittedTensor base;
  std::vector<int16_t> changes;
  std::vector<double> errors;
};

class RowTest : public testing::TestWithParam<GridRule> {};

INSTANTIATE_TEST_SUITE_P(Grids, RowTest, testing::Values(GridRule::kCurvature, GridRule::kRowRange));

TEST_P(RowTest, ARowThatIsZeroInTheBaseComesBackAsItsNeighboursDo) {
  for (const float zero : {0.0f, 1e-39f}) {
    for (const bool alike : {true, false}) {
      SCOPED_TRACE(testing::Message() << zero << " " << alike);
      Case c(3);
      for (size_t i = 5 * kCols; i < 6 * kCols; ++i) {
        c.tensor.base[i] = zero;
        c.variant[i] = alike ? (i % 3 == 0 ? -0.112f : 0.112f) : Uniform(0.3f, &c.random);
      }
      c.Fit(GetParam());
      const double worst = *std::max_element(c.errors.begin(), c.errors.begin() + 5);
      EXPECT_LE(c.errors[5], 1.5 * worst);
    }
  }
}

TEST_P(RowTest, ATensorThatIsZeroInTheBaseIsRepresented) {
  Case c(4);
  std::fill(c.tensor.base.begin(), c.tensor.base.end(), 0.0f);
  for (float& w : c.variant) w = Uniform(0.3f, &c.random);
  c.Fit(GetParam());
  EXPECT_THAT(c.errors, Each(testing::Lt(0.02)));
}

TEST_P(RowTest, AnOutlierLeavesOtherRowsAsTheyAre) {
  Case plain(5);
  plain.Fit(GetParam());
  for (const bool in_base : {true, false}) {
    SCOPED_TRACE(in_base);
    Case c(5);
    c.variant[3 * kCols + 7] = 1e4f;
    if (in_base) c.tensor.base[3 * kCols + 7] = 1e4f;
    c.Fit(GetParam());
    for (size_t row = 0; row < kRows; ++row) {
      if (row == 3) continue;
      EXPECT_LE(c.errors[row], 1.1 * plain.errors[row]) << row;
    }
  }
}

TEST(ModelFitTest, OptionsOutOfRangeAreRefused) {
  const std::vector<FitTensor> none;
  for (double ModelFitOptions::*const option :
       {&ModelFitOptions::grid_factor, &ModelFitOptions::gain, &ModelFitOptions::start_scale}) {
    for (const double bad : {0.0, -1.0, static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
      ModelFitOptions options;
      options.*option = bad;
      EXPECT_THAT(ModelFit::Create(&none, nullptr, options, 1), StatusIs(absl::StatusCode::kInvalidArgument));
    }
  }
  ModelFitOptions options;
  options.step_mantissa_bits = 24;
  EXPECT_THAT(ModelFit::Create(&none, nullptr, options, 1), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace modelvault
