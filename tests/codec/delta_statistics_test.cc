#include "codec/delta_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "codec/text_bytes.h"
#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

using Prior = DeltaStatistics::Prior;

// A tensor of rows x cols and `variants` of it whose weights differ with the given chances.
DeltaStatistics Observe(Random* random, uint64_t rows, uint64_t cols, int variants,
                        const std::function<double(size_t)>& density) {
  const std::vector<ModelTensor> specs = {{DType::kI8, rows, cols}};
  const Bytes base = RandomTensor(random, specs[0]);
  DeltaStatistics statistics(specs);
  for (int v = 0; v < variants; ++v) {
    Bytes variant = base;
    for (size_t i = 0; i < variant.size(); ++i) {
      if (random->Chance(density(i))) ++variant[i];
    }
    statistics.Add(0, 0, base, variant);
    statistics.AddVariant(0);
  }
  return statistics;
}

void ExpectSamePrior(const Prior& a, const Prior& b) {
  EXPECT_EQ(a.flags, b.flags);
  EXPECT_EQ(a.level, b.level);
  EXPECT_EQ(a.row_classes, b.row_classes);
  EXPECT_EQ(a.column_classes, b.column_classes);
}

TEST(DeltaStatisticsTest, CountsOnlyTensorsThatCanHaveAPrior) {
  const DeltaStatistics statistics({{DType::kI8, 2, 16},
                                    {DType::kI8, 1, 1000},
                                    {DType::kI8, 100, 15},
                                    {DType::kI8, 2, 65535},
                                    {DType::kI8, 2, 65536},
                                    {DType::kU8, 100, 100},
                                    {DType::kF32, 100, 100},
                                    {DType::kOpaque, 1, 100},
                                    {DType::kI8, 0, 100}});
  const bool expected[] = {true, false, false, true, false, false, false, false, false};
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(statistics.Counts(i), expected[i]) << i;
}

TEST(DeltaStatisticsTest, WithoutVariantsThereIsNoPrior) {
  const DeltaStatistics statistics({{DType::kI8, 100, 100}, {DType::kF32, 5, 5}});
  for (size_t i = 0; i < 2; ++i) {
    const Prior prior = statistics.MakePrior(i);
    EXPECT_EQ(prior.flags, 0);
    EXPECT_EQ(prior.level, 20);
    EXPECT_TRUE(prior.row_classes.empty());
    EXPECT_TRUE(prior.column_classes.empty());
  }
}

TEST(DeltaStatisticsTest, RecoversAPlantedRankOneDensity) {
  constexpr uint64_t kRows = 200, kCols = 300;
  Random random(1);
  // Rows and columns each over six classes; the densest weight differs in 3 of 10 variants.
  const auto density = [](size_t i) {
    const double row = static_cast<double>(i / kCols % 6), column = static_cast<double>(i % kCols % 6);
    return 0.3 * std::exp2(-(row + column) / 2);
  };
  const Prior prior = Observe(&random, kRows, kCols, 100, density).MakePrior(0);
  ASSERT_EQ(prior.flags, kFlagRowPrior | kFlagColumnPrior);
  ASSERT_EQ(prior.row_classes.size(), kRows);
  ASSERT_EQ(prior.column_classes.size(), kCols);
  // What a weight's level says of its chance is near the truth: levels are quarter octaves.
  double worst = 0, sum = 0;
  for (size_t i = 0; i < kRows * kCols; ++i) {
    const double level =
        prior.level + ClassStep(prior.row_classes[i / kCols]) + ClassStep(prior.column_classes[i % kCols]);
    const double chance = -std::expm1(-4 * std::exp2(-level / 4));
    const double octaves = std::abs(std::log2(chance / density(i)));
    worst = std::max(worst, octaves);
    sum += octaves;
  }
  EXPECT_LT(worst, 1.2);
  EXPECT_LT(sum / (kRows * kCols), 0.3);
}

TEST(DeltaStatisticsTest, KeepsTheAxisThatPaysAndDropsTheOther) {
  Random random(2);
  const auto by_row = [](size_t i) { return i / 256 % 4 == 0 ? 0.2 : 0.005; };
  const auto by_column = [](size_t i) { return i % 4 == 0 ? 0.2 : 0.005; };
  const Prior rows = Observe(&random, 256, 256, 8, by_row).MakePrior(0);
  EXPECT_EQ(rows.flags, kFlagRowPrior);
  EXPECT_EQ(rows.row_classes.size(), 256u);
  EXPECT_TRUE(rows.column_classes.empty());
  EXPECT_LT(rows.row_classes[0] + 4, rows.row_classes[1]);
  const Prior columns = Observe(&random, 256, 256, 8, by_column).MakePrior(0);
  EXPECT_EQ(columns.flags, kFlagColumnPrior);
  EXPECT_TRUE(columns.row_classes.empty());
  EXPECT_LT(columns.column_classes[4] + 4, columns.column_classes[5]);
}

TEST(DeltaStatisticsTest, AFlatDensityHasALevelAndNoPrior) {
  for (double density : {0.9, 0.3, 0.05, 0.01}) {
    Random random(3);
    const Prior prior = Observe(&random, 300, 300, 10, [=](size_t) { return density; }).MakePrior(0);
    EXPECT_EQ(prior.flags, 0) << density;
    EXPECT_NEAR(-std::expm1(-4 * std::exp2(prior.level / -4.0)), density, 0.2 * density);
  }
}

TEST(DeltaStatisticsTest, APriorThatDoesNotPayForItsNibblesIsDropped) {
  // The structure is the same, but one variant of a small tensor saves less than 4 bits a row and column.
  const auto density = [](size_t i) { return i / 32 % 2 == 0 ? 0.03 : 0.01; };
  Random random(4);
  EXPECT_EQ(Observe(&random, 32, 32, 1, density).MakePrior(0).flags, 0);
  EXPECT_EQ(Observe(&random, 32, 32, 2000, density).MakePrior(0).flags, kFlagRowPrior);
}

TEST(DeltaStatisticsTest, VariantsEqualToTheBaseGiveTheLowestDensity) {
  Random random(5);
  const Prior prior = Observe(&random, 64, 64, 10, [](size_t) { return 0.0; }).MakePrior(0);
  EXPECT_EQ(prior.flags, 0);
  EXPECT_EQ(prior.level, kLevelCount - 1);
}

TEST(DeltaStatisticsTest, LinesThatNeverDifferGetTheLastClass) {
  Random random(6);
  const Prior prior = Observe(&random, 128, 256, 200, [](size_t i) { return i / 256 < 8 ? 0.3 : 0.0; }).MakePrior(0);
  ASSERT_TRUE(prior.flags & kFlagRowPrior);
  EXPECT_EQ(prior.row_classes[20], 15);
  EXPECT_LT(prior.row_classes[3], 5);
}

TEST(DeltaStatisticsTest, PiecesAndMergesCountLikeTheWhole) {
  constexpr uint64_t kRows = 40, kCols = 50;
  const std::vector<ModelTensor> specs = {{DType::kF32, 3, 3}, {DType::kI8, kRows, kCols}};
  Random random(7);
  const Bytes base = RandomTensor(&random, specs[1]);
  const std::vector<double> density = RankOneDensity(&random, kRows, kCols, 4, 0.1);
  DeltaStatistics whole(specs), pieces(specs), merged(specs);
  for (int v = 0; v < 60; ++v) {
    Bytes variant = base;
    for (size_t i = 0; i < variant.size(); ++i) {
      if (random.Chance(density[i])) ++variant[i];
    }
    whole.Add(1, 0, base, variant);
    whole.AddVariant(1);
    DeltaStatistics one(specs);
    for (DeltaStatistics* in_pieces : {&pieces, &one}) {
      size_t at = 0;
      while (at < base.size()) {
        const size_t size = std::min<size_t>(base.size() - at, random.Below(130));
        in_pieces->Add(1, at, absl::MakeConstSpan(base).subspan(at, size),
                       absl::MakeConstSpan(variant).subspan(at, size));
        at += size;
      }
      in_pieces->AddVariant(1);
    }
    std::string counts;
    one.AppendTo(&counts);
    ASSERT_TRUE(merged.Merge(BytesOf(counts)));
  }
  ASSERT_NE(whole.MakePrior(1).flags, 0);
  ExpectSamePrior(pieces.MakePrior(1), whole.MakePrior(1));
  ExpectSamePrior(merged.MakePrior(1), whole.MakePrior(1));
  EXPECT_EQ(merged.MakePrior(0).flags, 0);
}

TEST(DeltaStatisticsTest, CountsOfAnotherBaseAreRefused) {
  std::string counts;
  DeltaStatistics({{DType::kI8, 2, 16}, {DType::kF32, 2, 2}}).AppendTo(&counts);
  const absl::Span<const uint8_t> bytes = BytesOf(counts);
  EXPECT_TRUE(DeltaStatistics({{DType::kI8, 2, 16}, {DType::kF32, 2, 2}}).Merge(bytes));
  EXPECT_FALSE(DeltaStatistics({{DType::kI8, 2, 17}, {DType::kF32, 2, 2}}).Merge(bytes));
  EXPECT_FALSE(DeltaStatistics({{DType::kI8, 2, 16}}).Merge(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DeltaStatistics({{DType::kI8, 2, 16}, {DType::kF32, 2, 2}}).Merge(bytes.first(size))) << size;
  }
}

TEST(PackNibblesTest, PutsTheFirstLow) {
  EXPECT_EQ(PackNibbles({}), "");
  EXPECT_EQ(PackNibbles({3}), std::string("\x03", 1));
  EXPECT_EQ(PackNibbles({1, 15, 0, 9, 5}), std::string("\xF1\x90\x05", 3));
}

}  // namespace
}  // namespace modelvault
