#include "codec/weight_groups.h"

#include <algorithm>
#include <cstdlib>

#include "codec/core/codec_format.h"

namespace modelvault {

std::vector<WeightGroup> AnalyzeGroups(uint64_t begin, absl::Span<const uint8_t> base,
                                       absl::Span<const uint8_t> variant) {
  std::vector<WeightGroup> groups;
  uint64_t at = begin;
  const uint64_t end = begin + base.size();
  while (at < end) {
    const uint64_t group_end = std::min(end, ((at >> kGroupShift) + 1) << kGroupShift);
    int least = 1, most = 255;
    for (; at < group_end; ++at) {
      const int b = static_cast<int8_t>(base[static_cast<size_t>(at - begin)]);
      const int v = static_cast<int8_t>(variant[static_cast<size_t>(at - begin)]);
      if (b == v) continue;
      const int magnitude = std::abs(v - b);
      least = std::max(least, magnitude);
      // A weight that saturated only says that the scale was at least this large.
      const bool saturated = v == (v > b ? 127 : -128);
      if (!saturated) most = std::min(most, magnitude);
    }
    WeightGroup group;
    if (least <= most) {
      group.least = static_cast<uint8_t>(least);
      group.most = static_cast<uint8_t>(most);
    }
    groups.push_back(group);
  }
  return groups;
}

}  // namespace modelvault
