// A variant decoded by the letter of docs/format.md §4 and §6, weight by weight and slowly: what the real decoder is
// held against. Shares no code with it beyond MODEL's parser and the float conversions.
#ifndef MODELVAULT_TESTS_CODEC_REFERENCE_DECODER_H_
#define MODELVAULT_TESTS_CODEC_REFERENCE_DECODER_H_

#include "tests/codec/model_fixture.h"

namespace modelvault {

// False if a stream does not decode or does not end where it must. `layout` empty: the base's.
bool ReferenceDecode(const TestBase& base, const std::vector<LayoutEntry>& layout, const CodedVariant& coded,
                     uint32_t segment_size, Bytes* data);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CODEC_REFERENCE_DECODER_H_
