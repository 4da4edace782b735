// The types of tensors in GGUF files: their numbers, and what a block of elements takes.
#ifndef MODELVAULT_TOOLS_FORMATS_GGUF_GGML_TYPES_H_
#define MODELVAULT_TOOLS_FORMATS_GGUF_GGML_TYPES_H_

#include <cstdint>

#include "codec/core/codec_format.h"

namespace modelvault {

struct GgmlType {
  uint32_t number;
  const char* name;
  uint32_t
      block_elements;  // Along the innermost dimension, which is a multiple of it; 0: no file has the type any more.
  uint32_t block_bytes;
  DType dtype = DType::kOpaque;  // Of types whose blocks are single elements; kOpaque for all others.
  // A block is a scale of F16 and elements of this type behind it, which are stored apart from the scales; kOpaque:
  // blocks stay as they are.
  DType behind_scale = DType::kOpaque;
};

// The type of this number; nullptr if there is none. A number that once was a type is found, with block_elements 0.
const GgmlType* FindGgmlType(uint32_t number);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_GGUF_GGML_TYPES_H_
