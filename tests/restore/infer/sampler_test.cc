#include "restore/infer/sampler.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace modelvault {
namespace {

constexpr uint32_t kOne = 1 << 16;  // A temperature of 1.

class SamplerTest : public testing::Test {
 protected:
  // Scores of these values.
  NetworkScores Scores(const std::vector<double>& values) {
    scores_.clear();
    for (const double value : values) scores_.push_back(static_cast<int32_t>(std::lround(std::ldexp(value, 20))));
    return {scores_.data(), scores_.size(), -20};
  }

  std::vector<int32_t> scores_;
};

TEST_F(SamplerTest, BestTokenTakesTheLowerOfEquals) {
  EXPECT_EQ(BestToken(Scores({1, 3, 2, 3})), 1);
  EXPECT_EQ(BestToken(Scores({-5})), 0);
  EXPECT_EQ(BestToken(Scores({-5, -4, -4})), 1);
}

TEST_F(SamplerTest, WithoutTemperatureOrChoiceItIsTheBest) {
  const NetworkScores scores = Scores({1, 3, 2.99, 3});
  for (const size_t top_k : {0u, 1u, 5u}) EXPECT_EQ(Sampler(7, 0, top_k).Pick(scores), 1);
  for (const uint32_t temperature : {kOne, 100 * kOne, UINT32_MAX}) {
    EXPECT_EQ(Sampler(7, temperature, 1).Pick(scores), 1);
  }
}

TEST_F(SamplerTest, TheSameSeedGivesTheSameTokens) {
  const NetworkScores scores = Scores({1, 1.5, 0.3, 1.1, 0, 0.7});
  std::set<std::vector<int>> sequences;
  for (const uint64_t seed : {1u, 2u, 3u}) {
    Sampler a(seed, kOne, 6), b(seed, kOne, 6);
    std::vector<int> sequence;
    for (int i = 0; i < 50; ++i) {
      sequence.push_back(a.Pick(scores));
      EXPECT_EQ(b.Pick(scores), sequence.back());
    }
    sequences.insert(sequence);
  }
  EXPECT_EQ(sequences.size(), 3u);
}

// Frozen: what a seed says today it says for ever.
TEST_F(SamplerTest, FirstTokensOfASeed) {
  const NetworkScores scores = Scores(std::vector<double>(64, 0.0));
  Sampler sampler(1234567, kOne, 64);
  std::vector<int> tokens;
  for (int i = 0; i < 5; ++i) tokens.push_back(sampler.Pick(scores));
  // The upper 6 bits of SplitMix64's numbers.
  EXPECT_EQ(tokens, (std::vector<int>{22, 11, 34, 15, 56}));
}

TEST_F(SamplerTest, FrequenciesFollowTheScores) {
  for (const double temperature : {0.5, 1.0, 3.0}) {
    SCOPED_TRACE(temperature);
    const std::vector<double> values = {2, 0, 1, -30, 1.5};
    const NetworkScores scores = Scores(values);
    Sampler sampler(99, static_cast<uint32_t>(temperature * kOne), 4);
    constexpr int kDraws = 40000;
    std::map<int, int> counts;
    for (int i = 0; i < kDraws; ++i) ++counts[sampler.Pick(scores)];
    double sum = 0;
    for (const int id : {0, 1, 2, 4}) sum += std::exp(values[static_cast<size_t>(id)] / temperature);
    for (const int id : {0, 1, 2, 4}) {
      const double share = std::exp(values[static_cast<size_t>(id)] / temperature) / sum;
      EXPECT_NEAR(static_cast<double>(counts[id]) / kDraws, share, 4 * std::sqrt(share / kDraws) + 1e-3) << id;
    }
    EXPECT_EQ(counts[3], 0);
  }
}

TEST_F(SamplerTest, OfEqualScoresTheLowerIdsAreAmongTheBest) {
  const NetworkScores scores = Scores({1, 0, 1, 1, 1});
  Sampler sampler(5, kOne, 2);
  std::set<int> seen;
  for (int i = 0; i < 200; ++i) seen.insert(sampler.Pick(scores));
  EXPECT_EQ(seen, (std::set<int>{0, 2}));
}

TEST_F(SamplerTest, ExtremesOfExponentAndTemperature) {
  std::vector<int32_t> values = {1 << 27, -(1 << 28), 0};
  Sampler cold(5, 1, 3), hot(5, UINT32_MAX, 3);
  for (const int exponent : {-8192, 0, 8192}) {
    const NetworkScores scores = {values.data(), values.size(), exponent};
    std::set<int> of_cold, of_hot;
    for (int i = 0; i < 200; ++i) {
      of_cold.insert(cold.Pick(scores));
      of_hot.insert(hot.Pick(scores));
    }
    // Scores that are all but equal, or worlds apart.
    EXPECT_EQ(of_cold.size(), exponent < 0 ? 3u : 1u) << exponent;
    EXPECT_EQ(of_hot.size(), exponent < 0 ? 3u : 1u) << exponent;
  }
}

}  // namespace
}  // namespace modelvault
