// Positions as bytes: how many elements lie between one and the next, kGapOn for that many and more to come.
#ifndef MODELVAULT_CODEC_HOST_GAP_BYTES_H_
#define MODELVAULT_CODEC_HOST_GAP_BYTES_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "codec/host/block_format.h"

namespace modelvault {

// The most bytes that `count` positions below `end` need.
inline size_t MostGapBytes(size_t count, size_t end) { return count + end / kGapOn; }

// Writes the gap bytes of ascending positions: up to MostGapBytes(). Returns how many.
inline size_t WriteGaps(absl::Span<const uint32_t> positions, uint8_t* out) {
  uint8_t* const begin = out;
  size_t next = 0;
  for (const size_t position : positions) {
    size_t gap = position - next;
    for (; gap >= kGapOn; gap -= kGapOn) *out++ = kGapOn;
    *out++ = static_cast<uint8_t>(gap);
    next = position + 1;
  }
  return static_cast<size_t>(out - begin);
}

// Writes the positions that `gaps` say; there is memory for gaps.size() of them. False unless they are `count`, all
// below `end`, and nothing follows the last.
[[nodiscard]] inline bool ReadGaps(absl::Span<const uint8_t> gaps, size_t count, size_t end, uint32_t* positions) {
  size_t next = 0, found = 0;
  for (const uint8_t gap : gaps) {
    positions[found] = static_cast<uint32_t>(next + gap);
    const size_t ends = gap != kGapOn ? 1 : 0;
    found += ends;
    next += gap + ends;
  }
  return found == count && next <= end && (gaps.empty() || gaps.back() != kGapOn);
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_GAP_BYTES_H_
