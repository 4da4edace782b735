#include "tools/eval/bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace modelvault {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

TEST(BootstrapTest, EqualValuesLeaveNoDoubt) {
  const std::vector<double> means = BootstrapMeans({0.25, 0.25, 0.25}, 1, 100);
  EXPECT_EQ(means.size(), 100u);
  EXPECT_THAT(means, Each(0.25));
  EXPECT_EQ(PercentileInterval(means).low, 0.25);
  EXPECT_EQ(PercentileInterval(means).high, 0.25);
  EXPECT_THAT(BootstrapMeans({}, 1, 3), ElementsAre(0, 0, 0));
}

TEST(BootstrapTest, TwoValuesAreDrawnAsACoinIsTossedTwice) {
  const std::vector<double> means = BootstrapMeans({0, 1}, 2, 40000);
  const auto share = [&](double value) {
    return static_cast<double>(std::count(means.begin(), means.end(), value)) / 40000;
  };
  EXPECT_NEAR(share(0), 0.25, 0.01);
  EXPECT_NEAR(share(0.5), 0.5, 0.01);
  EXPECT_NEAR(share(1), 0.25, 0.01);
}

TEST(BootstrapTest, TheIntervalOfManyValuesIsTheNormalOne) {
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(i % 2 == 0 ? 3 : 5);
  const Interval interval = PercentileInterval(BootstrapMeans(values, 3, 4000));
  const double half = 1.96 * 1 / std::sqrt(400.0);
  EXPECT_NEAR(interval.low, 4 - half, 0.01);
  EXPECT_NEAR(interval.high, 4 + half, 0.01);
}

TEST(BootstrapTest, PercentilesAreInterpolated) {
  std::vector<double> values;
  for (int i = 80; i >= 0; --i) values.push_back(i);
  EXPECT_DOUBLE_EQ(PercentileInterval(values).low, 2);
  EXPECT_DOUBLE_EQ(PercentileInterval(values).high, 78);
  EXPECT_DOUBLE_EQ(PercentileInterval({0, 10}).low, 0.25);
  EXPECT_DOUBLE_EQ(PercentileInterval({7}).high, 7);
}

TEST(BootstrapTest, SeedsDecide) {
  const std::vector<double> values = {1, 2, 3, 4, 5};
  EXPECT_EQ(BootstrapMeans(values, 9, 10), BootstrapMeans(values, 9, 10));
  EXPECT_NE(BootstrapMeans(values, 9, 10), BootstrapMeans(values, 10, 10));
}

}  // namespace
}  // namespace modelvault
