#include "codec/weight_groups.h"

#include <gtest/gtest.h>

#include "codec/core/prediction.h"
#include "tests/codec/random.h"

namespace modelvault {
namespace {

Bytes Weights(const std::vector<int>& weights) {
  Bytes bytes;
  for (int w : weights) bytes.push_back(static_cast<uint8_t>(w));
  return bytes;
}

WeightGroup One(const std::vector<int>& base, const std::vector<int>& variant) {
  const Bytes b = Weights(base), v = Weights(variant);
  const std::vector<WeightGroup> groups = AnalyzeGroups(0, b, v);
  EXPECT_EQ(groups.size(), 1u);
  return groups[0];
}

void ExpectScales(const WeightGroup& group, int least, int most) {
  EXPECT_EQ(group.least, least);
  EXPECT_EQ(group.most, most);
}

TEST(WeightGroupsTest, AGroupWithoutADifferenceTakesAnyScale) { ExpectScales(One({1, 2, 3}, {1, 2, 3}), 1, 255); }

TEST(WeightGroupsTest, OneStepInBothDirectionsIsTheScale) { ExpectScales(One({1, 2, 3, 4}, {8, 2, -4, 4}), 7, 7); }

TEST(WeightGroupsTest, SaturatedWeightsOnlyBoundTheScaleFromBelow) {
  ExpectScales(One({120}, {127}), 7, 255);                           // 120 + 14 saturates at 127.
  ExpectScales(One({120, 0}, {127, 14}), 14, 14);                    // The other weight tells.
  ExpectScales(One({120, 0}, {127, 6}), 0, 0);                       // 6 cannot have led from 120 to 127.
  ExpectScales(One({-120, -100, 100}, {-128, -128, 127}), 28, 255);  // All saturated.
  ExpectScales(One({-120, 0}, {-128, -8}), 8, 8);
  ExpectScales(One({-128, 0}, {127, 0}), 255, 255);
  ExpectScales(One({127, 0}, {-128, 0}), 255, 255);
  ExpectScales(One({127, -128}, {126, -127}), 1, 1);  // Away from the rim: not saturated.
  ExpectScales(One({-128, 5}, {127, 6}), 0, 0);
}

TEST(WeightGroupsTest, TwoStepsAreTheEscape) { ExpectScales(One({1, 2, 3}, {2, 4, 3}), 0, 0); }

TEST(WeightGroupsTest, GroupsAreThoseOfTheTensorNotOfThePiece) {
  // A piece from weight 100 to 400: 28 weights of group 0, groups 1 and 2, 16 of group 3.
  const Bytes base(300, 0);
  Bytes variant = base;
  variant[27] = 1;   // Weight 127.
  variant[28] = 2;   // Weight 128.
  variant[155] = 2;  // Weight 255.
  variant[156] = 3;  // Weight 256, and another step in the same group.
  variant[283] = 4;  // Weight 383.
  variant[284] = 5;  // Weight 384.
  const std::vector<WeightGroup> groups = AnalyzeGroups(100, base, variant);
  ASSERT_EQ(groups.size(), 4u);
  ExpectScales(groups[0], 1, 1);
  ExpectScales(groups[1], 2, 2);
  ExpectScales(groups[2], 0, 0);
  ExpectScales(groups[3], 5, 5);
  EXPECT_TRUE(AnalyzeGroups(100, {}, {}).empty());
  EXPECT_EQ(AnalyzeGroups(256, absl::MakeConstSpan(base).first(128), absl::MakeConstSpan(base).first(128)).size(), 1u);
  EXPECT_EQ(AnalyzeGroups(255, absl::MakeConstSpan(base).first(2), absl::MakeConstSpan(base).first(2)).size(), 2u);
}

TEST(WeightGroupsTest, FindsExactlyTheScalesThatExplainAGroup) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const size_t count = 1 + random.Below(6);
    Bytes base(count), variant(count);
    const int k = random.Between(1, 255);
    for (size_t i = 0; i < count; ++i) {
      base[i] = random.Byte();
      variant[i] = static_cast<uint8_t>(
          ApplyTrit(static_cast<int8_t>(base[i]), static_cast<uint16_t>(k * 256), random.Between(-1, 1)));
      if (random.Chance(0.02)) variant[i] = random.Byte();
    }
    const WeightGroup group = AnalyzeGroups(0, base, variant)[0];
    for (int scale = 1; scale <= 255; ++scale) {
      bool explains = true;
      for (size_t i = 0; i < count; ++i) {
        bool reached = false;
        for (int d = -1; d <= 1; ++d) {
          reached = reached || ApplyTrit(static_cast<int8_t>(base[i]), static_cast<uint16_t>(scale * 256), d) ==
                                   static_cast<int8_t>(variant[i]);
        }
        explains = explains && reached;
      }
      ASSERT_EQ(group.least != 0 && group.least <= scale && scale <= group.most, explains) << scale;
    }
  }
}

TEST(WeightGroupsTest, KeepsTheLastScaleWhereItWillDo) {
  EXPECT_EQ(ChooseScale({7, 255}, 14), 14);
  EXPECT_EQ(ChooseScale({7, 255}, 7), 7);
  EXPECT_EQ(ChooseScale({7, 255}, 6), 7);
  EXPECT_EQ(ChooseScale({7, 9}, 9), 9);
  EXPECT_EQ(ChooseScale({7, 9}, 10), 7);
  EXPECT_EQ(ChooseScale({7, 9}, 0), 7);   // After an escape.
  EXPECT_EQ(ChooseScale({0, 0}, 14), 0);  // The escape.
  EXPECT_EQ(ChooseScale({0, 0}, 0), 0);
}

}  // namespace
}  // namespace modelvault
