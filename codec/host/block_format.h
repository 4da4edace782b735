// Constants of the host codings (docs/format.md §16). Frozen with the format version: these bytes are in files already
// written.
#ifndef MODELVAULT_CODEC_HOST_BLOCK_FORMAT_H_
#define MODELVAULT_CODEC_HOST_BLOCK_FORMAT_H_

#include <cstddef>
#include <cstdint>

namespace modelvault {

// A block's first byte. Others: reject the block.
enum class BlockCoding : uint8_t {
  kRaw = 0,
  kConstant = 1,
  kSame = 2,
  kValue = 3,
  kXor = 4,
  kDifference = 5,
  kSparse = 6,
  kTernary = 7,
};

// A plane's first byte. Others: reject the block.
enum class PlaneCoding : uint8_t { kRaw = 0, kConstant = 1, kPrefix = 2, kExceptions = 3, kClasses = 4 };

// Code words of host planes: one table of 2^11 entries of 8 bytes stays in the fastest cache beside everything else.
inline constexpr unsigned kHostCodeLength = 11;
inline constexpr size_t kPrefixStreams = 4;
inline constexpr size_t kMaxElementClasses = 8;
// In a plane of gaps: 255 elements like the others, and on.
inline constexpr uint8_t kGapOn = 255;
// Weights that share a scale in a ternary block.
inline constexpr unsigned kTernaryGroupShift = 7;

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_BLOCK_FORMAT_H_
