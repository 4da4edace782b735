// Bytes as code words in four streams, which are decoded side by side: each look into a table waits for the one before
// it in the same stream only, and gives up to six symbols.
#ifndef MODELVAULT_CODEC_HOST_PREFIX_STREAMS_H_
#define MODELVAULT_CODEC_HOST_PREFIX_STREAMS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "codec/host/block_format.h"
#include "codec/host/prefix_lengths.h"
#include "codec/host/reusable.h"

namespace modelvault {

// Appends the streams' sizes and the streams. `lengths` cover `bytes`.
void AppendStreams(absl::Span<const uint8_t> bytes, const ByteLengths& lengths, Reusable<uint8_t>* memory,
                   std::string* out);

// What decoding looks up, by the next bits of a stream.
struct PrefixLook {
  // Makes the tables of the code that `lengths` say, which is complete, for decoding about `count` symbols.
  void Build(size_t count);

  unsigned bits = 0;  // Of an index: longest code word … kHostCodeLength.
  ByteLengths lengths;
  // By 2^bits + index: bits 0 … 5 are the bits of all words that are complete, 8 … 15 how many, and the others their
  // symbols, the first lowest, at most six. What lies below serves to make them.
  uint64_t several[2u << kHostCodeLength];
};

// Reads the streams' sizes and the streams into `out`, all of it.
[[nodiscard]] CoreStatus ReadStreams(ByteReader* reader, const PrefixLook& look, absl::Span<uint8_t> out);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_PREFIX_STREAMS_H_
