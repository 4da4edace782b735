// Where to look for what a large piece is like: a few runs of neighbours, which cost less memory traffic than single
// elements all over it.
#ifndef MODELVAULT_CODEC_HOST_SAMPLE_PARTS_H_
#define MODELVAULT_CODEC_HOST_SAMPLE_PARTS_H_

#include <algorithm>
#include <array>
#include <cstddef>

namespace modelvault {

inline constexpr size_t kSampleParts = 8;
inline constexpr size_t kSampleSize = kSampleParts * 256;

struct SamplePart {
  size_t begin;
  size_t size;
};

// Parts of `count` elements, kSampleSize of them together, or all where there are fewer.
inline std::array<SamplePart, kSampleParts> SampleParts(size_t count) {
  std::array<SamplePart, kSampleParts> parts{};
  const size_t size = std::min(kSampleSize, count) / kSampleParts;
  for (size_t p = 0; p < kSampleParts; ++p) parts[p] = {count / kSampleParts * p, size};
  // What does not divide by the number of parts.
  parts.back().size = count < kSampleSize ? count - parts.back().begin : size;
  return parts;
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_SAMPLE_PARTS_H_
