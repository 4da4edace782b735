#include "vault/remote/range_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace modelvault {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kMany = uint64_t{1} << 40;

TEST(MergeRangesTest, OverlappingAndTouchingOnesAreOne) {
  const std::vector<FileRange> ranges = {{50, 60}, {10, 20}, {20, 30}, {15, 18}, {5, 5}, {40, 35}};
  EXPECT_THAT(MergeRanges(ranges, kMany), ElementsAre(FileRange{10, 30}, FileRange{50, 60}));
  EXPECT_THAT(MergeRanges({}, kMany), IsEmpty());
}

TEST(MergeRangesTest, NothingLiesPastTheEnd) {
  const std::vector<FileRange> ranges = {{50, 60}, {90, 200}, {100, 101}};
  EXPECT_THAT(MergeRanges(ranges, 100), ElementsAre(FileRange{50, 60}, FileRange{90, 100}));
}

TEST(MergeRangesTest, GapsAreFetchedAsLongAsTheyMakeAFiftieth) {
  const std::vector<FileRange> near = {{0, 2500}, {2550, 5050}};
  EXPECT_THAT(MergeRanges(near, kMany), ElementsAre(FileRange{0, 5050}));
  // 100 bytes are a fiftieth, 101 are more.
  const std::vector<FileRange> edge = {{0, 2500}, {2600, 5100}};
  EXPECT_THAT(MergeRanges(edge, kMany), ElementsAre(FileRange{0, 5100}));
  const std::vector<FileRange> far = {{0, 2500}, {2601, 5101}};
  EXPECT_THAT(MergeRanges(far, kMany), ElementsAre(far[0], far[1]));
  // The nearest first.
  const std::vector<FileRange> three = {{0, 2000}, {2100, 4000}, {4040, 6000}};
  EXPECT_THAT(MergeRanges(three, kMany), ElementsAre(FileRange{0, 2000}, FileRange{2100, 6000}));
}

TEST(MergeRangesTest, NoGapIsFetchedThatIsWorthARequest) {
  constexpr uint64_t kNear = 64 * 1024;
  const std::vector<FileRange> apart = {{0, kMany}, {kMany + kNear, 2 * kMany}};
  EXPECT_THAT(MergeRanges(apart, 2 * kMany), ElementsAre(apart[0], apart[1]));
  const std::vector<FileRange> near = {{0, kMany}, {kMany + kNear - 1, 2 * kMany}};
  EXPECT_THAT(MergeRanges(near, 2 * kMany), ElementsAre(FileRange{0, 2 * kMany}));
}

TEST(MergeRangesTest, OfManyRangesMostAreFetchedTogether) {
  std::vector<FileRange> ranges;
  for (uint64_t i = 0; i < 8; ++i) ranges.push_back({i * 10'000, i * 10'000 + 10});
  EXPECT_EQ(MergeRanges(ranges, kMany).size(), 8u);
  for (uint64_t i = 8; i < 100; ++i) ranges.push_back({i * 10'000, i * 10'000 + 10});
  EXPECT_THAT(MergeRanges(ranges, kMany), ElementsAre(FileRange{0, 990'010}));
}

TEST(PlanPartsTest, LongRangesAreCutIntoEqualParts) {
  const std::vector<FileRange> ranges = {{10, 35}};
  EXPECT_THAT(PlanParts(ranges, 100), ElementsAre(FileRange{10, 35}));
  EXPECT_THAT(PlanParts(ranges, 99), ElementsAre(FileRange{10, 23}, FileRange{23, 35}));
  EXPECT_THAT(PlanParts(ranges, 10), ElementsAre(FileRange{10, 19}, FileRange{19, 27}, FileRange{27, 35}));
}

TEST(PlanPartsTest, RangesThatAreReadAtOnePaceTakeTurns) {
  const std::vector<FileRange> ranges = {{0, 40}, {100, 105}, {200, 220}};
  EXPECT_THAT(PlanParts(ranges, 10),
              ElementsAre(FileRange{0, 10}, FileRange{100, 103}, FileRange{200, 210}, FileRange{10, 20},
                          FileRange{20, 30}, FileRange{103, 105}, FileRange{210, 220}, FileRange{30, 40}));
}

}  // namespace
}  // namespace modelvault
