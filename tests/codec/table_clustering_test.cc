#include "codec/table_clustering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "codec/core/codec_format.h"
#include "tests/codec/random.h"

namespace modelvault {
namespace {

using ::testing::Each;

Histogram Bell(Random* random, double mean, double deviation, int count) {
  Histogram h{};
  for (int i = 0; i < count; ++i) ++h[static_cast<uint8_t>(static_cast<int>(mean + deviation * random->Normal()))];
  return h;
}

Histogram Flat(Random* random, int count) {
  Histogram h{};
  for (int i = 0; i < count; ++i) ++h[random->Byte()];
  return h;
}

TableClusters Cluster(const std::vector<Histogram>& histograms, bool may_be_raw) {
  return ClusterTables(histograms, std::vector<bool>(histograms.size(), may_be_raw));
}

// Every histogram has a table with a code word for each of its symbols, or none where it may; no table is idle.
void ExpectCovered(const std::vector<Histogram>& histograms, const TableClusters& clusters) {
  ASSERT_LE(clusters.tables.size(), kMaxTables);
  ASSERT_EQ(clusters.table_of.size(), histograms.size());
  std::set<int> used;
  for (size_t i = 0; i < histograms.size(); ++i) {
    const int t = clusters.table_of[i];
    ASSERT_LT(t, static_cast<int>(clusters.tables.size()));
    if (t < 0) continue;
    used.insert(t);
    for (size_t s = 0; s < 256; ++s) {
      ASSERT_TRUE(histograms[i][s] == 0 || clusters.tables[static_cast<size_t>(t)].Has(static_cast<uint8_t>(s)))
          << i << " " << s;
    }
  }
  ASSERT_EQ(used.size(), clusters.tables.size());
}

// In bits, stored tables included.
uint64_t TotalCost(const std::vector<Histogram>& histograms, const TableClusters& clusters) {
  uint64_t cost = 0;
  for (const CodeLengths& table : clusters.tables) cost += SerializeCodeLengths(table).size() * 8;
  for (size_t i = 0; i < histograms.size(); ++i) {
    const int t = clusters.table_of[i];
    if (t < 0) {
      cost += std::accumulate(histograms[i].begin(), histograms[i].end(), uint64_t{0}) * 8;
    } else {
      cost += CodedBits(histograms[i], clusters.tables[static_cast<size_t>(t)]);
    }
  }
  return cost;
}

TEST(TableClusteringTest, AlikeHistogramsShareATable) {
  Random random(1);
  std::vector<Histogram> histograms;
  for (int i = 0; i < 20; ++i) histograms.push_back(Bell(&random, 0, 20, 2000));
  const TableClusters clusters = Cluster(histograms, true);
  EXPECT_EQ(clusters.tables.size(), 1u);
  EXPECT_THAT(clusters.table_of, Each(0));
}

TEST(TableClusteringTest, UnlikeHistogramsDoNot) {
  Random random(2);
  std::vector<Histogram> histograms;
  for (int i = 0; i < 9; ++i) histograms.push_back(Bell(&random, 40 * (i % 3), 3, 5000));
  const TableClusters clusters = Cluster(histograms, true);
  EXPECT_EQ(clusters.tables.size(), 3u);
  for (size_t i = 3; i < 9; ++i) EXPECT_EQ(clusters.table_of[i], clusters.table_of[i - 3]);
  ASSERT_NO_FATAL_FAILURE(ExpectCovered(histograms, clusters));
}

TEST(TableClusteringTest, NoiseStaysRawWhereItMay) {
  Random random(3);
  const std::vector<Histogram> histograms = {Flat(&random, 50000), Bell(&random, 0, 10, 5000), Flat(&random, 300)};
  TableClusters clusters = Cluster(histograms, true);
  EXPECT_EQ(clusters.table_of[0], -1);
  EXPECT_GE(clusters.table_of[1], 0);
  EXPECT_EQ(clusters.table_of[2], -1);
  clusters = Cluster(histograms, false);
  for (int table : clusters.table_of) EXPECT_GE(table, 0);
  ASSERT_NO_FATAL_FAILURE(ExpectCovered(histograms, clusters));
}

unsigned Longest(const TableClusters& clusters) {
  unsigned longest = 0;
  for (const CodeLengths& table : clusters.tables) {
    longest = std::max<unsigned>(longest, *std::max_element(table.length.begin(), table.length.end()));
  }
  return longest;
}

TEST(TableClusteringTest, CodeWordsAreShortWhereThatCostsLittle) {
  Random random(5);
  // Six bits a weight on a grid that ends where rows have their largest: a third of a percent.
  Histogram cut{};
  for (int w = -42; w <= 42; ++w) cut[static_cast<uint8_t>(w)] = static_cast<uint64_t>(1e5 * std::exp(-w * w / 600.0));
  EXPECT_EQ(Longest(Cluster({cut}, true)), kShortCodeLength);
  // As many bits with tails: four percent.
  EXPECT_GT(Longest(Cluster({Bell(&random, 0, 16, 200000)}, true)), kShortCodeLength);
  // Seven and a half: with short ones it would be eight.
  EXPECT_GT(Longest(Cluster({Bell(&random, 0, 45, 200000)}, true)), kShortCodeLength);
  // One tensor that needs the long ones decides for all.
  const TableClusters both = Cluster({Bell(&random, 60, 4, 2000), Bell(&random, 0, 45, 200000)}, true);
  EXPECT_GT(Longest(both), kShortCodeLength);
}

TEST(TableClusteringTest, EmptyHistogramsHaveNoTable) {
  Random random(4);
  const TableClusters clusters = Cluster({Histogram{}, Bell(&random, 0, 10, 5000), Histogram{}}, false);
  EXPECT_EQ(clusters.table_of, (std::vector<int>{-1, 0, -1}));
  EXPECT_EQ(clusters.tables.size(), 1u);
  EXPECT_TRUE(Cluster({}, true).tables.empty());
  EXPECT_TRUE(Cluster({Histogram{}}, true).tables.empty());
}

TEST(TableClusteringTest, NeverMoreTablesThanTheFormatAllows) {
  std::vector<Histogram> histograms;
  for (size_t i = 0; i < 85; ++i) {
    Histogram h{};
    h[3 * i] = 100000;
    h[3 * i + 1] = 50000 + i;
    histograms.push_back(h);
  }
  for (bool may_be_raw : {false, true}) {
    const TableClusters clusters = Cluster(histograms, may_be_raw);
    ASSERT_NO_FATAL_FAILURE(ExpectCovered(histograms, clusters));
    for (int table : clusters.table_of) EXPECT_GE(table, 0);  // Two symbols a table are far better than raw.
    EXPECT_GT(clusters.tables.size(), kMaxTables / 2);
  }
}

TEST(TableClusteringTest, CostsNoMoreThanOneTableForAllOrNone) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<Histogram> histograms;
    Histogram all{};
    for (uint64_t n = 1 + random.Below(20); n > 0; --n) {
      const int count = random.Between(0, 3000);
      const double mean = random.Between(-60, 60);
      const double deviation = 1 + 40 * random.Unit();
      histograms.push_back(random.Chance(0.2) ? Flat(&random, count) : Bell(&random, mean, deviation, count));
      for (size_t s = 0; s < 256; ++s) all[s] += histograms.back()[s];
    }
    const TableClusters clusters = Cluster(histograms, true);
    ASSERT_NO_FATAL_FAILURE(ExpectCovered(histograms, clusters));
    const uint64_t cost = TotalCost(histograms, clusters);
    const uint64_t raw = std::accumulate(all.begin(), all.end(), uint64_t{0}) * 8;
    EXPECT_LE(cost, raw);
    if (raw == 0) continue;
    // Greedy, and each table is held to cost more than its bytes: a little more than one for all is in order.
    const CodeLengths one = OptimalCodeLengths(all);
    EXPECT_LE(cost, CodedBits(all, one) + (SerializeCodeLengths(one).size() + 256) * 8 + raw / 100);
    // The same histograms, the same tables.
    const TableClusters again = Cluster(histograms, true);
    EXPECT_EQ(again.tables, clusters.tables);
    EXPECT_EQ(again.table_of, clusters.table_of);
  }
}

}  // namespace
}  // namespace modelvault
