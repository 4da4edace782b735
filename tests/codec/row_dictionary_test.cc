#include "codec/row_dictionary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kCols = 64;

std::string RandomRow(Random* random) {
  const Bytes bytes = RandomTensor(random, {DType::kI8, 1, kCols});
  return std::string(bytes.begin(), bytes.end());
}

// One weight one step away.
std::string Near(std::string row, size_t at) {
  row[at] = static_cast<char>(row[at] == 127 ? 126 : row[at] + 1);
  return row;
}

TEST(RowDictionaryTest, UnrelatedRowsGiveNothing) {
  Random random(1);
  RowDictionaryFinder finder(kCols);
  for (int i = 0; i < 200; ++i) finder.AddRow(SpanOf(RandomRow(&random)));
  EXPECT_THAT(finder.Rows(), IsEmpty());
  EXPECT_THAT(RowDictionaryFinder(kCols).Rows(), IsEmpty());
}

TEST(RowDictionaryTest, FindsRowsThatRepeat) {
  Random random(2);
  RowDictionaryFinder finder(kCols);
  const std::string a = RandomRow(&random), b = RandomRow(&random);
  finder.AddRow(SpanOf(a));
  finder.AddRow(SpanOf(b));
  finder.AddRow(SpanOf(RandomRow(&random)));
  finder.AddRow(SpanOf(a));
  EXPECT_THAT(finder.Rows(), ElementsAre(a));
  finder.AddRow(SpanOf(b));
  EXPECT_THAT(finder.Rows(), UnorderedElementsAre(a, b));
}

TEST(RowDictionaryTest, KeepsTheMostCommonFormOfRowsThatNearlyRepeat) {
  Random random(3);
  const std::string row = RandomRow(&random);
  RowDictionaryFinder finder(kCols);
  finder.AddRow(SpanOf(Near(row, 5)));  // The odd one comes first.
  for (size_t i = 0; i < 10; ++i) {
    finder.AddRow(SpanOf(row));
    if (i % 2 == 0) finder.AddRow(SpanOf(Near(row, i)));
  }
  EXPECT_THAT(finder.Rows(), ElementsAre(row));
}

TEST(RowDictionaryTest, ARowThatOnlyLooksALittleAlikeIsAnother) {
  Random random(4);
  const std::string row = RandomRow(&random);
  std::string alike = row;
  size_t steps = 0;
  for (size_t i = 0; i < kCols && steps <= kCols / 4; ++i) {
    if (row[i] == 127) continue;
    alike[i] = static_cast<char>(alike[i] + 1);
    ++steps;
  }
  ASSERT_EQ(steps, kCols / 4 + 1);  // One step more than is taken for the same.
  RowDictionaryFinder finder(kCols);
  finder.AddRow(SpanOf(row));
  finder.AddRow(SpanOf(alike));
  EXPECT_THAT(finder.Rows(), IsEmpty());
}

TEST(RowDictionaryTest, FindsARepeatLateAmongManyRows) {
  Random random(5);
  RowDictionaryFinder finder(kCols);
  const std::string early = RandomRow(&random), late = RandomRow(&random);
  finder.AddRow(SpanOf(early));
  finder.AddRow(SpanOf(early));
  for (int i = 0; i < 1000; ++i) finder.AddRow(SpanOf(RandomRow(&random)));
  finder.AddRow(SpanOf(late));
  for (size_t i = 0; i < RowDictionaryFinder::kCandidates - 2; ++i) finder.AddRow(SpanOf(RandomRow(&random)));
  finder.AddRow(SpanOf(late));
  EXPECT_THAT(finder.Rows(), UnorderedElementsAre(early, late));
}

TEST(RowDictionaryTest, NeverHoldsMoreRowsThanCandidates) {
  Random random(6);
  RowDictionaryFinder finder(kCols);
  for (size_t i = 0; i < 3 * RowDictionaryFinder::kCandidates; ++i) {
    const std::string row = RandomRow(&random);
    for (int copies = 0; copies < 3; ++copies) finder.AddRow(SpanOf(row));
  }
  EXPECT_EQ(finder.Rows().size(), RowDictionaryFinder::kCandidates);
}

}  // namespace
}  // namespace modelvault
