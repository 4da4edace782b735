#include "tools/eval/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace modelvault {
namespace {

// `hits` of `tokens` tokens are right, the same in every record of 10; every token costs `nll`.
TokenScores Scores(size_t tokens, size_t hits_of_10, float nll) {
  TokenScores scores;
  for (size_t t = 0; t < tokens; ++t) {
    scores.nll.push_back(nll);
    scores.hit.push_back(t % 10 < hits_of_10 ? 1 : 0);
  }
  return scores;
}

DepartmentScores Department(const char* name, size_t tokens, size_t base, size_t finetune, size_t restored) {
  return CompareScores(name, 100, 10, Scores(tokens, base, 2.0f), Scores(tokens, finetune, 1.0f),
                       Scores(tokens, restored, 1.25f));
}

TEST(ComparisonTest, ADepartmentsScoresAreMeansOverTokens) {
  const DepartmentScores d = Department("d", 40, 2, 5, 4);
  EXPECT_EQ(d.name, "d");
  EXPECT_EQ(d.bytes, 100u);
  EXPECT_EQ(d.tokens, 40u);
  EXPECT_DOUBLE_EQ(d.scores.base.top1, 0.2);
  EXPECT_DOUBLE_EQ(d.scores.finetune.top1, 0.5);
  EXPECT_DOUBLE_EQ(d.scores.restored.top1, 0.4);
  EXPECT_DOUBLE_EQ(d.scores.base.nll, 2);
  EXPECT_DOUBLE_EQ(d.scores.top1_change(), 0.4 - 0.5);
  EXPECT_DOUBLE_EQ(d.scores.nll_change(), 0.25);
  // Every record says the same.
  EXPECT_NEAR(d.top1_interval.low, -0.1, 1e-12);
  EXPECT_NEAR(d.top1_interval.high, -0.1, 1e-12);
  EXPECT_NEAR(d.nll_interval.low, 0.25, 1e-12);
}

TEST(ComparisonTest, RecordsAreWhatIsDrawn) {
  // Two records: one all right, one all wrong. Within a record nothing varies, so tokens drawn singly would hardly ever
  // give 0 or 1.
  TokenScores restored = Scores(20, 0, 1);
  std::fill(restored.hit.begin(), restored.hit.begin() + 10, 1);
  const DepartmentScores d = CompareScores("d", 0, 10, Scores(20, 0, 1), Scores(20, 0, 1), restored);
  EXPECT_DOUBLE_EQ(d.top1_interval.low, 0);
  EXPECT_DOUBLE_EQ(d.top1_interval.high, 1);
}

TEST(ComparisonTest, TheMeanCountsDepartmentsThePooledFigureTokens) {
  const std::vector<DepartmentScores> departments = {
      Department("large", 300, 2, 5, 5), Department("small", 100, 2, 6, 2), Department("third", 100, 2, 5, 4)};
  const EvalSummary s = Summarize(departments);
  EXPECT_EQ(s.departments, 3u);
  EXPECT_EQ(s.tokens, 500u);
  EXPECT_EQ(s.bytes, 300u);
  EXPECT_NEAR(s.mean.restored.top1, (0.5 + 0.2 + 0.4) / 3, 1e-12);
  EXPECT_NEAR(s.pooled.restored.top1, 0.6 * 0.5 + 0.2 * 0.2 + 0.2 * 0.4, 1e-12);
  EXPECT_NEAR(s.top1.mean, -0.5 / 3, 1e-12);
  EXPECT_NEAR(s.top1.median, -0.1, 1e-12);
  EXPECT_NEAR(s.top1.worst, -0.4, 1e-12);
  EXPECT_EQ(s.top1.worst_name, "small");
  EXPECT_NEAR(s.top1.pooled, -0.1, 1e-12);
  EXPECT_NEAR(s.top1.pooled_interval.low, -0.1, 1e-9);
  EXPECT_NEAR(s.top1.mean_interval.high, -0.5 / 3, 1e-9);
  // Gained 0.32 pooled, lost 0.1 of it.
  EXPECT_NEAR(s.top1.gain_kept.value(), 0.22 / 0.32, 1e-9);
  EXPECT_NEAR(s.nll.gain_kept.value(), 0.75, 1e-9);
  EXPECT_NEAR(s.nll.worst, 0.25, 1e-12);
}

TEST(ComparisonTest, TheMedianOfAnEvenNumberIsBetweenTheMiddleTwo) {
  const EvalSummary s = Summarize({Department("a", 10, 1, 5, 5), Department("b", 10, 1, 5, 3)});
  EXPECT_NEAR(s.top1.median, -0.1, 1e-12);
}

TEST(ComparisonTest, WithoutAGainNothingIsKept) {
  const EvalSummary s = Summarize({Department("a", 10, 5, 5, 4)});
  EXPECT_FALSE(s.top1.gain_kept.has_value());
  EXPECT_TRUE(s.nll.gain_kept.has_value());
}

TEST(ComparisonTest, DepartmentsDrawTheirRecordsIndependently) {
  TokenScores half = Scores(200, 0, 1);
  std::fill(half.hit.begin(), half.hit.begin() + 100, 1);
  const TokenScores none = Scores(200, 0, 1);
  const DepartmentScores a = CompareScores("a", 0, 10, none, none, half);
  const DepartmentScores b = CompareScores("b", 0, 10, none, none, half);
  EXPECT_NE(a.top1_replicates, b.top1_replicates);
  const EvalSummary s = Summarize({a, b});
  const double one = a.top1_interval.high - a.top1_interval.low;
  const double both = s.top1.mean_interval.high - s.top1.mean_interval.low;
  EXPECT_NEAR(both / one, 0.707, 0.08);
}

}  // namespace
}  // namespace modelvault
