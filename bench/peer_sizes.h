// What other ways to store a fine-tune take, by their methods built here.
#ifndef MODELVAULT_BENCH_PEER_SIZES_H_
#define MODELVAULT_BENCH_PEER_SIZES_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace modelvault::bench {

// `zstd -LEVEL` and `xz -PRESET` of all bytes at once, with a window over all of them for zstd above level 9; 0 if the
// library fails.
uint64_t ZstdSize(absl::Span<const uint8_t> bytes, int level);
uint64_t XzSize(absl::Span<const uint8_t> bytes, uint32_t preset);

// ZipNN's method: the bytes of elements of `element_size` apart (for floats of two bytes the sign rotated out of the
// exponent's, if `is_float`), each 128 KiB of them by Huff0, or raw where that is smaller. Counted, not written: a
// Huffman code of at most 11 bits is what Huff0 makes, a byte and a half for each symbol's weight up to the last its
// uncompressed header, and six bytes are its three streams' sizes.
uint64_t SplitHuffmanSize(absl::Span<const uint8_t> bytes, size_t element_size, bool is_float);

// BitX's method: zstd of the XOR with the base, of as many bytes.
uint64_t XorZstdSize(absl::Span<const uint8_t> bytes, absl::Span<const uint8_t> base, int level);

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_PEER_SIZES_H_
