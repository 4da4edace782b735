// Lengths of the code words of a plane's prefix code, from how often each byte occurs to how they are stored.
#ifndef MODELVAULT_CODEC_HOST_PREFIX_LENGTHS_H_
#define MODELVAULT_CODEC_HOST_PREFIX_LENGTHS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "codec/core/core_status.h"

namespace modelvault {

// How often each byte occurs; the sum is below 2^32.
using ByteCounts = std::array<uint32_t, 256>;
ByteCounts CountBytes(absl::Span<const uint8_t> bytes);

// 0: the byte does not occur. Else 1 … kHostCodeLength; the code is complete.
using ByteLengths = std::array<uint8_t, 256>;

// A Huffman code of words of at most `limit` bits (8 … kHostCodeLength), within a few hundredths of the shortest such.
// At least two counts are not 0.
ByteLengths LengthsFor(const ByteCounts& counts, unsigned limit);

// Bits of all that was counted, with `lengths` that cover it.
uint64_t CodedBits(const ByteCounts& counts, const ByteLengths& lengths);

// What AppendLengths appends.
size_t StoredLengthsSize(const ByteLengths& lengths);
void AppendLengths(const ByteLengths& lengths, std::string* out);

// kBadTable where the stored lengths are no complete code of at least two bytes.
[[nodiscard]] CoreStatus ReadLengths(ByteReader* reader, ByteLengths* lengths);

// The code words, their first bits highest: going by length, then by byte, each is the one before plus one, shifted up
// to its own length.
std::array<uint16_t, 256> CodeWords(const ByteLengths& lengths);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_PREFIX_LENGTHS_H_
