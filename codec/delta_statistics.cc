#include "codec/delta_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "codec/core/bytes.h"
#include "codec/rans_encoder.h"
#include "codec/varint.h"

namespace modelvault {
namespace {

// Weights and hits of the rows (or columns) of each class.
struct ClassTotals {
  std::array<double, kClassCount> lines{};
  std::array<double, kClassCount> hits{};
};

// Classes by density, half an octave each, counted down from `top_octaves` below the densest line; the last class takes
// what lies far below.
std::vector<uint8_t> Classify(const std::vector<uint64_t>& hits, double top_octaves) {
  const double most = static_cast<double>(*std::max_element(hits.begin(), hits.end())) + 0.3;
  std::vector<uint8_t> classes(hits.size());
  for (size_t i = 0; i < hits.size(); ++i) {
    // 0.3: a line without a hit is rare, not impossible.
    const double octaves = std::log2(most / (static_cast<double>(hits[i]) + 0.3)) - top_octaves;
    const double c = std::round(2 * octaves);
    classes[i] = static_cast<uint8_t>(octaves > 8.5 ? 15 : std::clamp(c, 0.0, 14.0));
  }
  return classes;
}

ClassTotals Totals(const std::vector<uint64_t>& hits, const std::vector<uint8_t>& classes) {
  ClassTotals totals;
  for (size_t i = 0; i < hits.size(); ++i) {
    totals.lines[classes[i]] += 1;
    totals.hits[classes[i]] += static_cast<double>(hits[i]);
  }
  return totals;
}

struct Estimate {
  double bits;
  uint8_t level;
};

// Bits of the positions at the best level, rows and columns taken as independent given the classes.
Estimate EstimateCost(const ClassTotals& rows, const ClassTotals& columns, double variants) {
  double all_hits = 0;
  for (double h : rows.hits) all_hits += h;
  std::array<double, 2 * 48 + 1> hits{}, weights{};  // By what the classes add to the level.
  for (unsigned r = 0; r < kClassCount; ++r) {
    for (unsigned c = 0; c < kClassCount; ++c) {
      const unsigned step = ClassStep(r) + ClassStep(c);
      weights[step] += rows.lines[r] * columns.lines[c] * variants;
      if (all_hits > 0) hits[step] += rows.hits[r] * columns.hits[c] / all_hits;
    }
  }
  Estimate best{0, 0};
  for (unsigned t = 0; t < kLevelCount; ++t) {
    double cost = 0;
    for (unsigned step = 0; step < hits.size(); ++step) {
      if (weights[step] == 0) continue;
      const unsigned level = std::min(t + step, kLevelCount - 1);
      cost += hits[step] * HitCost(level) + std::max(0.0, weights[step] - hits[step]) * MissCost(level);
    }
    cost /= kBitCost;
    if (t == 0 || cost < best.bits) best = {cost, static_cast<uint8_t>(t)};
  }
  return best;
}

// The classes of one axis that cost least, tried from several tops (a few very dense lines must not push all others to
// the bottom).
std::vector<uint8_t> BestClasses(const std::vector<uint64_t>& hits, double other_lines, double variants) {
  double all_hits = 0;
  for (uint64_t h : hits) all_hits += static_cast<double>(h);
  ClassTotals other;
  other.lines[0] = other_lines;
  other.hits[0] = all_hits;
  std::vector<uint8_t> best;
  double best_bits = 0;
  for (double top = 0; top <= 4; top += 0.5) {
    std::vector<uint8_t> classes = Classify(hits, top);
    const double bits = EstimateCost(Totals(hits, classes), other, variants).bits;
    if (best.empty() || bits < best_bits) {
      best = std::move(classes);
      best_bits = bits;
    }
  }
  return best;
}

}  // namespace

DeltaStatistics::DeltaStatistics(absl::Span<const ModelTensor> base)
    : base_(base.begin(), base.end()), tensors_(base.size()) {
  for (size_t i = 0; i < base.size(); ++i) {
    const ModelTensor& t = base[i];
    if (t.dtype != DType::kI8 || t.rows() < 2 || t.rows() > kMaxCountedRows || t.cols() < 16 ||
        t.cols() > kMaxPriorColumns)
      continue;
    tensors_[i].row_hits.resize(static_cast<size_t>(t.rows()));
    tensors_[i].column_hits.resize(static_cast<size_t>(t.cols()));
  }
}

void DeltaStatistics::Add(size_t i, uint64_t begin, absl::Span<const uint8_t> base, absl::Span<const uint8_t> variant) {
  Tensor& t = tensors_[i];
  const size_t cols = t.column_hits.size();
  size_t row = static_cast<size_t>(begin / cols);
  size_t column = static_cast<size_t>(begin % cols);
  size_t at = 0;
  while (at < base.size()) {
    const size_t run = std::min(base.size() - at, cols - column);
    uint64_t row_hits = 0;
    for (size_t j = 0; j < run; ++j) {
      const uint64_t differs = base[at + j] != variant[at + j] ? 1 : 0;
      t.column_hits[column + j] += differs;
      row_hits += differs;
    }
    t.row_hits[row++] += row_hits;
    column = 0;
    at += run;
  }
}

void DeltaStatistics::AppendTo(std::string* out) const {
  for (const Tensor& t : tensors_) {
    AppendVarint(out, t.variants);
    for (const uint64_t hits : t.row_hits) AppendVarint(out, hits);
    for (const uint64_t hits : t.column_hits) AppendVarint(out, hits);
  }
}

bool DeltaStatistics::Merge(absl::Span<const uint8_t> counts) {
  ByteReader reader({counts.data(), counts.size()});
  const auto add = [&](uint64_t* count) {
    uint64_t more = 0;
    if (!reader.ReadVarint(&more)) return false;
    *count += more;
    return true;
  };
  for (Tensor& t : tensors_) {
    if (!add(&t.variants)) return false;
    for (uint64_t& hits : t.row_hits) {
      if (!add(&hits)) return false;
    }
    for (uint64_t& hits : t.column_hits) {
      if (!add(&hits)) return false;
    }
  }
  return reader.remaining() == 0;
}

DeltaStatistics::Prior DeltaStatistics::MakePrior(size_t i) const {
  Prior prior;
  if (!Counts(i) || tensors_[i].variants == 0) return prior;
  const Tensor& t = tensors_[i];
  const double variants = static_cast<double>(t.variants);
  const double rows = static_cast<double>(base_[i].rows());
  const double cols = static_cast<double>(base_[i].cols());
  const std::vector<uint8_t> flat_rows(t.row_hits.size(), 0), flat_columns(t.column_hits.size(), 0);
  const std::vector<uint8_t> row_classes = BestClasses(t.row_hits, cols, variants);
  const std::vector<uint8_t> column_classes = BestClasses(t.column_hits, rows, variants);
  double best = 0;
  constexpr uint8_t kBoth = kFlagRowPrior | kFlagColumnPrior;
  for (uint8_t flags : {uint8_t{0}, kFlagRowPrior, kFlagColumnPrior, kBoth}) {
    const bool by_row = (flags & kFlagRowPrior) != 0;
    const bool by_column = (flags & kFlagColumnPrior) != 0;
    const Estimate estimate = EstimateCost(Totals(t.row_hits, by_row ? row_classes : flat_rows),
                                           Totals(t.column_hits, by_column ? column_classes : flat_columns), variants);
    // Each nibble must pay for itself.
    const double bits = estimate.bits + (by_row ? 4 * rows : 0) + (by_column ? 4 * cols : 0);
    if (flags != 0 && bits >= best) continue;
    best = bits;
    prior.flags = flags;
    prior.level = estimate.level;
  }
  if (prior.flags & kFlagRowPrior) prior.row_classes = row_classes;
  if (prior.flags & kFlagColumnPrior) prior.column_classes = column_classes;
  return prior;
}

std::string PackNibbles(const std::vector<uint8_t>& classes) {
  std::string out((classes.size() + 1) / 2, '\0');
  for (size_t i = 0; i < classes.size(); ++i) {
    out[i / 2] = static_cast<char>(out[i / 2] | (classes[i] << (i % 2 * 4)));
  }
  return out;
}

}  // namespace modelvault
