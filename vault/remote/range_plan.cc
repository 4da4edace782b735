#include "vault/remote/range_plan.h"

#include <algorithm>
#include <numeric>

namespace modelvault {
namespace {

constexpr uint64_t kNear = 64 * 1024;
constexpr uint64_t kMostBetween = 50;  // What is asked for, divided by what comes unasked.
constexpr size_t kFewRanges = 8;
constexpr uint64_t kRequestCost = 16 * 1024;  // In bytes.

}  // namespace

std::vector<FileRange> MergeRanges(absl::Span<const FileRange> ranges, uint64_t size) {
  std::vector<FileRange> sorted;
  for (FileRange range : ranges) {
    range.end = std::min(range.end, size);
    if (range.begin < range.end) sorted.push_back(range);
  }
  std::sort(sorted.begin(), sorted.end(), [](const FileRange& a, const FileRange& b) { return a.begin < b.begin; });
  std::vector<FileRange> apart;
  uint64_t wanted = 0;
  for (const FileRange& range : sorted) {
    if (apart.empty() || range.begin > apart.back().end) {
      apart.push_back(range);
    } else {
      apart.back().end = std::max(apart.back().end, range.end);
    }
  }
  for (const FileRange& range : apart) wanted += range.size();

  std::vector<size_t> gaps(apart.empty() ? 0 : apart.size() - 1);  // Each after the range of its number.
  std::iota(gaps.begin(), gaps.end(), size_t{0});
  const auto gap_size = [&](size_t i) { return apart[i + 1].begin - apart[i].end; };
  std::sort(gaps.begin(), gaps.end(),
            [&](size_t a, size_t b) { return gap_size(a) != gap_size(b) ? gap_size(a) < gap_size(b) : a < b; });
  std::vector<bool> joined(apart.size(), false);
  uint64_t left = wanted / kMostBetween;
  if (apart.size() > kFewRanges) left += (apart.size() - kFewRanges) * kRequestCost;
  for (const size_t gap : gaps) {
    if (gap_size(gap) >= kNear || gap_size(gap) > left) break;
    left -= gap_size(gap);
    joined[gap] = true;
  }
  std::vector<FileRange> merged;
  for (size_t i = 0; i < apart.size(); ++i) {
    if (i > 0 && joined[i - 1]) {
      merged.back().end = apart[i].end;
    } else {
      merged.push_back(apart[i]);
    }
  }
  return merged;
}

std::vector<FileRange> PlanParts(absl::Span<const FileRange> ranges, uint64_t part_size) {
  struct Part {
    FileRange range;
    double at;  // How far into its range it begins, of 1.
  };
  std::vector<Part> parts;
  for (const FileRange& range : ranges) {
    const uint64_t size = range.size();
    const uint64_t least = size > part_size / 4 ? 2 : 1;
    const uint64_t count = std::max(least, (size + part_size - 1) / part_size);
    const uint64_t each = size / count;
    const uint64_t longer = size % count;  // So many have a byte more.
    uint64_t begin = range.begin;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t end = begin + each + (i < longer ? 1 : 0);
      parts.push_back({{begin, end}, static_cast<double>(i) / static_cast<double>(count)});
      begin = end;
    }
  }
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.at < b.at; });
  std::vector<FileRange> planned;
  planned.reserve(parts.size());
  for (const Part& part : parts) planned.push_back(part.range);
  return planned;
}

}  // namespace modelvault
