// How many bits the elements of a sample would take, alone and beside another.
#ifndef MODELVAULT_TOOLS_PACKING_SAMPLE_BITS_H_
#define MODELVAULT_TOOLS_PACKING_SAMPLE_BITS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "codec/core/codec_format.h"

namespace modelvault {

// Elements are little-endian, of ElementSize(dtype) bytes; of kOpaque each byte is one. What is left of less than an
// element at the end does not count. All figures are estimates: entropies of order 0, each byte of the element for
// itself, with the correction for small samples by Miller and Madow. Floats have their sign moved to the lowest bit,
// so that the highest byte is the exponent alone.
struct SampleBits {
  uint64_t elements = 0;
  double bits = 0;  // Of an element.
};
SampleBits BitsAlone(DType dtype, absl::Span<const uint8_t> sample);

struct SampleDifference {
  uint64_t elements = 0;
  uint64_t differing_bits = 0;  // In all elements.
  double bits = 0;              // Of an element's difference: by XOR or of the ordered numbers, whichever is smaller.
};
// Of as many bytes as both have.
SampleDifference BitsOfDifference(DType dtype, absl::Span<const uint8_t> a, absl::Span<const uint8_t> b);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_SAMPLE_BITS_H_
