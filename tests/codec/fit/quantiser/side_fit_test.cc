#include "codec/fit/quantiser/side_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace modelvault {
namespace {

using ::testing::IsEmpty;

SideFit Fit(const std::vector<float>& base, const std::vector<float>& variant, const std::vector<float>& own,
            double lambda, int mantissa_bits) {
  SideContexts contexts;
  return FitSide(base, variant, own, lambda, mantissa_bits, &contexts);
}

// Sixty-four values about `centre`, none of few bits.
std::vector<float> About(float centre, float width) {
  std::vector<float> values;
  for (int i = 0; i < 64; ++i) values.push_back(centre + width * std::sin(static_cast<float>(i * i)));
  return values;
}

TEST(RoundMantissaTest, KeepsSoManyBits) {
  EXPECT_EQ(RoundMantissa(1.3f, 0), 1.0f);
  EXPECT_EQ(RoundMantissa(1.3f, 1), 1.5f);
  EXPECT_EQ(RoundMantissa(-1.3f, 2), -1.25f);
  EXPECT_EQ(RoundMantissa(0.0f, 3), 0.0f);
  EXPECT_EQ(RoundMantissa(1.3f, 23), 1.3f);
  EXPECT_EQ(RoundUpMantissa(1.26f, 2), 1.5f);
  EXPECT_EQ(RoundUpMantissa(1.25f, 2), 1.25f);
  EXPECT_EQ(RoundUpMantissa(1.9f, 2), 2.0f);
}

TEST(ChooseMantissaTest, DearBitsAreFewer) {
  const std::vector<float> base = {1.234f, 0.987f, 1.111f};
  const std::vector<float> own = {1, 1, 1};
  EXPECT_EQ(ChooseMantissa(base, own, 100, 0), 23);
  const int cheap = ChooseMantissa(base, own, 100, 1e-4);
  const int dear = ChooseMantissa(base, own, 100, 1);
  EXPECT_LT(dear, cheap);
  EXPECT_LT(cheap, 23);
  EXPECT_GT(ChooseMantissa(base, own, 1000000, 1e-4), cheap) << "more variants suffer from the same error";
}

TEST(SideFitTest, WhatCostsNothingIsKeptToTheUnit) {
  const std::vector<float> base = {1, -1, 0.5f};
  const std::vector<float> variant = {1.25f, -1.5f, 0.5f};
  const SideFit fit = Fit(base, variant, std::vector<float>{1, 1, 1}, 0, 2);
  EXPECT_EQ(fit.values, variant);
  EXPECT_EQ(fit.remaining, 0);
  EXPECT_DOUBLE_EQ(fit.signal, (0.0625 + 0.25) / 2);
}

TEST(SideFitTest, OnlyValuesThatPayMove) {
  const std::vector<float> base = {1, 1, 1};
  const std::vector<float> variant = {1.5f, 1.25f, 1.5f};
  // The third hardly matters, and the second moves too little.
  const SideFit fit = Fit(base, variant, std::vector<float>{100, 1, 0.001f}, 0.3, 2);
  EXPECT_EQ(fit.values, (std::vector<float>{1.5f, 1, 1}));
  EXPECT_GT(fit.bits, 0);
  EXPECT_LT(fit.remaining, fit.signal / 10);
}

TEST(SideFitTest, ATensorThatDoesNotPayIsTheBases) {
  const SideFit fit = Fit({1, 1}, {1.1f, 1.1f}, {1, 1}, 1, 4);
  EXPECT_THAT(fit.values, IsEmpty());
  EXPECT_EQ(fit.remaining, fit.signal);
  EXPECT_EQ(fit.bits, 0);
  EXPECT_THAT(Fit({}, {}, {}, 1, 4).values, IsEmpty());
}

TEST(SideFitTest, WhereBitsCostNextToNothingEveryTensorIsExact) {
  const std::vector<float> own(64, 1);
  for (const auto& [base, variant] :
       {std::pair{std::vector<float>(64, 0), About(0, 1)},          // From zero.
        std::pair{std::vector<float>(64, -0.01f), About(0.5f, 1)},  // Across it.
        std::pair{std::vector<float>(64, 1), About(1, 0.3f)}, std::pair{About(1, 0.1f), About(1e6f, 1e3f)}}) {
    const SideFit fit = Fit(base, variant, own, 1e-20, ChooseMantissa(base, own, 1, 1e-20));
    EXPECT_EQ(fit.values, variant) << variant[1];
    EXPECT_EQ(fit.remaining, 0);
  }
  EXPECT_EQ(Fit({1}, {2.5f}, {1}, 1e-6, 0).values, std::vector<float>{2.5f});
}

TEST(SideFitTest, LargeMovesArePricedAsTheyAreCoded) {
  // What a bit buys at best: 64 values of variance 1/2 in b bits each leave 4^-b of it.
  const std::vector<float> own(64, 1);
  const double lambda = 0.01;
  for (const float from : {0.0f, -0.01f}) {
    const SideFit fit = Fit(std::vector<float>(64, from), About(0, 1), own, lambda, 0);
    EXPECT_LT(fit.remaining, fit.signal / 10) << from;
    EXPECT_LT(lambda * fit.bits, fit.signal / 2) << from;
    EXPECT_LE(fit.bits, 64 * 16) << from;
  }
}

TEST(SideFitTest, WhatTheCoderHasLearntCountsForTheNextTensor) {
  SideContexts contexts;
  const std::vector<float> base(64, 1), variant = About(1, 0.3f), own(64, 1);
  const SideFit first = FitSide(base, variant, own, 1e-5, 0, &contexts);
  const SideFit second = FitSide(base, variant, own, 1e-5, 0, &contexts);
  EXPECT_LT(second.bits, first.bits - 5);
}

}  // namespace
}  // namespace modelvault
