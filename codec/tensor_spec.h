// What the codec needs to know of a tensor before it is coded.
#ifndef MODELVAULT_CODEC_TENSOR_SPEC_H_
#define MODELVAULT_CODEC_TENSOR_SPEC_H_

#include <cstdint>
#include <vector>

#include "codec/core/codec_format.h"

namespace modelvault {

// A tensor of a model's data section; tensors follow each other without holes. For rank 2 and more, rows is the first
// dimension and cols the product of the others; rank 1 is one row; a scalar is 1 x 1; an opaque tensor is one row of
// bytes.
struct TensorSpec {
  DType dtype = DType::kOpaque;
  uint64_t rows = 1;
  uint64_t cols = 0;

  uint64_t size() const { return rows * cols * ElementSize(static_cast<uint8_t>(dtype)); }
};

inline uint64_t DataSize(const std::vector<TensorSpec>& tensors) {
  uint64_t size = 0;
  for (const TensorSpec& t : tensors) size += t.size();
  return size;
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_TENSOR_SPEC_H_
