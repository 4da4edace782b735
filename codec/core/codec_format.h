// Constants of the coded bytes (docs/format.md §3 to §6). Frozen with the format version: these bytes are in files
// already written. Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_CODEC_FORMAT_H_
#define MODELVAULT_CODEC_CORE_CODEC_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

// Element types. Anything else is kOpaque: bytes without arithmetic.
enum class DType : uint8_t {
  kOpaque = 0,
  kBool = 1,
  kU8 = 2,
  kI8 = 3,
  kI16 = 4,
  kU16 = 5,
  kI32 = 6,
  kU32 = 7,
  kI64 = 8,
  kU64 = 9,
  kF16 = 10,
  kBf16 = 11,
  kF32 = 12,
  kF64 = 13,
};
inline constexpr uint8_t kDTypeCount = 14;

// Bytes of one element; 0 for a number that is no DType.
constexpr uint8_t ElementSize(uint8_t dtype) {
  // 1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8: two bits each of the logarithm, in a constant rather than a table in flash.
  constexpr uint32_t kLogarithms = 0b11'10'01'01'11'11'10'10'01'01'00'00'00'00;
  return dtype < kDTypeCount ? static_cast<uint8_t>(1u << (kLogarithms >> 2 * dtype & 3)) : uint8_t{0};
}
constexpr bool IsFloat(DType dtype) { return dtype >= DType::kF16; }

// How a tensor is coded inside one segment of a variant.
enum class TensorMode : uint8_t { kSame = 0, kGap = 1, kSign = 2, kResidual = 3, kRaw = 4, kGapFlat = 5, kPlain = 6 };
inline constexpr uint8_t kTensorModeCount = 7;

// rANS.
inline constexpr uint32_t kRansLow =
    1u << 16;  // A state is in [kRansLow, 2^32) between symbols, and kRansLow at the end.
inline constexpr unsigned kProbabilityBits = 12;
inline constexpr uint32_t kProbabilityScale = 1u << kProbabilityBits;

// Prefix codes of the base's bytes. A vault whose code words all have at most kShortCodeLength bits decodes faster, with
// tables of a quarter of the size.
inline constexpr unsigned kMaxCodeLength = 10;
inline constexpr unsigned kShortCodeLength = 8;

// MODEL.
inline constexpr size_t kMaxTables = 64;
inline constexpr uint8_t kRawPlane = 255;         // A byte plane without a table.
inline constexpr size_t kMaxTablesPerTensor = 3;  // So that a small cache of tables never thrashes inside a tensor.
inline constexpr uint8_t kFlagDictionary = 1;
inline constexpr uint8_t kFlagRowPrior = 2;
inline constexpr uint8_t kFlagColumnPrior = 4;
inline constexpr size_t kMaxDictionaryRows = 255;
inline constexpr uint8_t kSkipOn = 255;           // In a copied row: 255 bytes like the dictionary's, and on.
inline constexpr uint64_t kMaxPriorColumns = 65535;
// Keeps every sum of sizes inside size_t: the format's limit of 2^60, or what a 32-bit machine can take.
inline constexpr size_t kMaxDataSize = size_t{1} << (sizeof(size_t) >= 8 ? 60 : 28);

// Deltas.
inline constexpr size_t kStripSize = 256;   // Bytes; a strip never crosses a line of its tensor.
inline constexpr unsigned kGroupShift = 7;  // 128 weights share a scale.
inline constexpr unsigned kGroupSize = 1u << kGroupShift;
inline constexpr unsigned kClassCount = 16;  // Row and column classes of a prior.
inline constexpr unsigned kLevelCount = 64;  // Level l: a weight differs with chance 1 - exp(-4 * 2^(-l/4)).
inline constexpr unsigned kGapTableCount = 21;
inline constexpr unsigned kGapSymbolCount = 32;  // The last one means "31 and more to come".
inline constexpr unsigned kMagnitudeContexts = 16;
inline constexpr uint32_t kMaxGap = 1u << 30;

// What a row's or a column's class adds to the tensor's level: half an octave of density a class; the last class holds
// what (nearly) never differs.
constexpr unsigned ClassStep(unsigned c) { return c < kClassCount - 1 ? 2 * c : 48; }

// The gap table of level l and the low bits of a gap that it leaves to raw bits.
constexpr unsigned GapShift(unsigned level) { return level <= 20 ? 0 : (level - 20 + 3) / 4; }
constexpr unsigned GapTable(unsigned level) { return level - 4 * GapShift(level); }

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_CODEC_FORMAT_H_
