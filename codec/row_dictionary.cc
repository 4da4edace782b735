#include "codec/row_dictionary.h"

#include <algorithm>
#include <cstdlib>

namespace modelvault {
namespace {

// Sum of absolute differences as signed bytes, or something above `limit` as soon as it is known to be.
uint64_t Distance(absl::Span<const uint8_t> a, const std::string& b, uint64_t limit) {
  uint64_t sum = 0;
  for (size_t begin = 0; begin < a.size() && sum <= limit; begin += 64) {
    const size_t end = std::min(a.size(), begin + 64);
    for (size_t i = begin; i < end; ++i) {
      sum += static_cast<uint64_t>(std::abs(static_cast<int8_t>(a[i]) - static_cast<int8_t>(b[i])));
    }
  }
  return sum;
}

}  // namespace

void RowDictionaryFinder::AddRow(absl::Span<const uint8_t> row) {
  const uint64_t limit = cols_ / 4;  // A quarter of a step a weight: far below what unrelated rows show.
  Candidate* nearest = nullptr;
  uint64_t best = limit;
  for (Candidate& c : candidates_) {
    const uint64_t distance = Distance(row, c.row, best);
    if (distance > best || (nearest != nullptr && distance == best)) continue;
    best = distance;
    nearest = &c;
  }
  const auto* chars = reinterpret_cast<const char*>(row.data());
  if (nearest == nullptr) {
    Candidate fresh;
    fresh.row.assign(chars, row.size());
    fresh.majority = fresh.row;
    fresh.votes = fresh.members = 1;
    if (candidates_.size() < kCandidates) {
      candidates_.push_back(std::move(fresh));
      return;
    }
    for (size_t tried = 0; tried < kCandidates; ++tried) {  // Replace the oldest that nobody resembled.
      Candidate& c = candidates_[oldest_];
      oldest_ = (oldest_ + 1) % kCandidates;
      if (c.members == 1) {
        c = std::move(fresh);
        return;
      }
    }
    return;
  }
  ++nearest->members;
  if (nearest->majority.compare(0, std::string::npos, chars, row.size()) == 0) {
    ++nearest->votes;
  } else if (--nearest->votes == 0) {
    nearest->majority.assign(chars, row.size());
    nearest->votes = 1;
  }
}

std::vector<std::string> RowDictionaryFinder::Rows() const {
  std::vector<std::string> rows;
  for (const Candidate& c : candidates_) {
    if (c.members > 1) rows.push_back(c.majority);
  }
  return rows;
}

}  // namespace modelvault
