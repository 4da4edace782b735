#include "codec/fit/side_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace modelvault {
namespace {

using ::testing::IsEmpty;

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
  const SideFit fit = FitSide(base, variant, std::vector<float>{1, 1, 1}, 0, 2);
  EXPECT_EQ(fit.values, variant);
  EXPECT_EQ(fit.remaining, 0);
  EXPECT_DOUBLE_EQ(fit.signal, (0.0625 + 0.25) / 2);
}

TEST(SideFitTest, OnlyValuesThatPayMove) {
  const std::vector<float> base = {1, 1, 1};
  const std::vector<float> variant = {1.5f, 1.25f, 1.5f};
  // The third hardly matters, and the second moves too little.
  const SideFit fit = FitSide(base, variant, std::vector<float>{100, 1, 0.001f}, 0.3, 2);
  EXPECT_EQ(fit.values, (std::vector<float>{1.5f, 1, 1}));
  EXPECT_GT(fit.bits, 0);
  EXPECT_LT(fit.remaining, fit.signal / 10);
}

TEST(SideFitTest, ATensorThatDoesNotPayIsTheBases) {
  const SideFit fit = FitSide(std::vector<float>{1, 1}, std::vector<float>{1.1f, 1.1f}, std::vector<float>{1, 1}, 1, 4);
  EXPECT_THAT(fit.values, IsEmpty());
  EXPECT_EQ(fit.remaining, fit.signal);
  EXPECT_EQ(fit.bits, 0);
  EXPECT_THAT(FitSide({}, {}, {}, 1, 4).values, IsEmpty());
}

}  // namespace
}  // namespace modelvault
