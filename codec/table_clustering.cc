#include "codec/table_clustering.h"

#include <algorithm>
#include <utility>

#include "codec/core/codec_format.h"

namespace modelvault {
namespace {

uint64_t Total(const Histogram& h) {
  uint64_t total = 0;
  for (uint64_t count : h) total += count;
  return total;
}

// What a table is taken to cost beyond its stored bytes: whoever decodes needs 512 bytes or 2 KiB for it, or thousands of
// cycles to build it anew whenever tensors take turns with it. On a 260,000-weight model it trades 0.06 % of the vault
// for all tables fitting into TableCache.
constexpr uint64_t kTableBurden = 128;

// Short code words may cost one bit in so many: they decode faster, with tables of a quarter of the size. Weights
// of six bits on a grid that ends where rows have their largest give 0.3 %; a bell with tails would give 4 %, weights of
// seven and a half bits 6 %.
constexpr uint64_t kShortCodesCost = 200;

// What coding `h` costs with a table of its own, the stored table included, in bits.
uint64_t CostWithTable(const Histogram& h) {
  const CodeLengths lengths = OptimalCodeLengths(h);
  return CodedBits(h, lengths) + (SerializeCodeLengths(lengths).size() + kTableBurden) * 8;
}

struct Cluster {
  Histogram histogram{};
  uint64_t cost = 0;
  std::vector<size_t> members;
};

Histogram Sum(const Histogram& a, const Histogram& b) {
  Histogram sum;
  for (size_t s = 0; s < 256; ++s) sum[s] = a[s] + b[s];
  return sum;
}

}  // namespace

TableClusters ClusterTables(const std::vector<Histogram>& histograms, const std::vector<bool>& may_be_raw) {
  std::vector<Cluster> clusters;
  for (size_t i = 0; i < histograms.size(); ++i) {
    const Histogram& h = histograms[i];
    const uint64_t total = Total(h);
    if (total == 0) continue;
    const uint64_t own_cost = CostWithTable(h);
    const uint64_t raw_cost = total * 8;
    // Join the cluster that grows least, or found one.
    int best = -1;
    uint64_t best_growth = 0, best_cost = 0;
    for (size_t c = 0; c < clusters.size(); ++c) {
      const uint64_t cost = CostWithTable(Sum(clusters[c].histogram, h));
      const uint64_t growth = cost > clusters[c].cost ? cost - clusters[c].cost : 0;
      if (best >= 0 && growth >= best_growth) continue;
      best = static_cast<int>(c);
      best_growth = growth;
      best_cost = cost;
    }
    const bool can_found = clusters.size() < kMaxTables;
    const uint64_t cheapest = best >= 0 && (best_growth <= own_cost || !can_found) ? best_growth : own_cost;
    // Raw bytes decode fastest: a table has to save half a percent.
    if (may_be_raw[i] && cheapest >= raw_cost - raw_cost / 200) continue;
    if (cheapest == own_cost && (best < 0 || own_cost < best_growth) && can_found) {
      clusters.push_back({h, own_cost, {i}});
    } else {
      Cluster& joined = clusters[static_cast<size_t>(best)];
      joined.histogram = Sum(joined.histogram, h);
      joined.cost = best_cost;
      joined.members.push_back(i);
    }
  }
  // Early members were placed before the later ones were known: merge pairs for as long as it pays.
  for (;;) {
    size_t best_a = 0, best_b = 0;
    uint64_t best_gain = 0, best_cost = 0;
    for (size_t a = 0; a < clusters.size(); ++a) {
      for (size_t b = a + 1; b < clusters.size(); ++b) {
        const uint64_t cost = CostWithTable(Sum(clusters[a].histogram, clusters[b].histogram));
        const uint64_t apart = clusters[a].cost + clusters[b].cost;
        if (cost >= apart || apart - cost <= best_gain) continue;
        best_gain = apart - cost;
        best_cost = cost;
        best_a = a;
        best_b = b;
      }
    }
    if (best_gain == 0) break;
    Cluster& into = clusters[best_a];
    into.histogram = Sum(into.histogram, clusters[best_b].histogram);
    into.cost = best_cost;
    into.members.insert(into.members.end(), clusters[best_b].members.begin(), clusters[best_b].members.end());
    clusters.erase(clusters.begin() + static_cast<std::ptrdiff_t>(best_b));
  }
  TableClusters result;
  result.table_of.assign(histograms.size(), -1);
  for (const Cluster& c : clusters) {
    for (size_t member : c.members) result.table_of[member] = static_cast<int>(result.tables.size());
    result.tables.push_back(OptimalCodeLengths(c.histogram));
  }
  // All short or none: a reader has one size of tables.
  std::vector<CodeLengths> short_tables;
  uint64_t bits = 0, short_bits = 0;
  for (size_t i = 0; i < clusters.size(); ++i) {
    short_tables.push_back(OptimalCodeLengths(clusters[i].histogram, kShortCodeLength));
    bits += CodedBits(clusters[i].histogram, result.tables[i]);
    short_bits += CodedBits(clusters[i].histogram, short_tables[i]);
  }
  if (short_bits <= bits + bits / kShortCodesCost) result.tables = std::move(short_tables);
  return result;
}

}  // namespace modelvault
