// A decoder of blocks written from docs/format.md §16, sentence by sentence and bit by bit, for comparison.
#ifndef MODELVAULT_TESTS_CODEC_HOST_REFERENCE_BLOCK_DECODER_H_
#define MODELVAULT_TESTS_CODEC_HOST_REFERENCE_BLOCK_DECODER_H_

#include <cstddef>
#include <optional>

#include "codec/core/codec_format.h"
#include "tests/codec/random.h"

namespace modelvault {

// Nothing where the page gives no meaning to the block.
std::optional<Bytes> DecodeByThePage(DType dtype, const Bytes& stored, const Bytes& reference, size_t size);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CODEC_HOST_REFERENCE_BLOCK_DECODER_H_
