// A tensor of a model: the one description that files, vaults and the coders share.
#ifndef MODELVAULT_CODEC_MODEL_TENSOR_H_
#define MODELVAULT_CODEC_MODEL_TENSOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "codec/core/codec_format.h"

namespace modelvault {

// Elements in a tensor of this shape: 1 for a scalar, 0 if any dimension is 0; nothing if it does not fit 64 bits.
std::optional<uint64_t> ElementCount(absl::Span<const uint64_t> shape);

// A type's name in messages and reports, e.g. "I8" or "BF16".
std::string DTypeName(DType dtype);

struct ModelTensor {
  ModelTensor() = default;
  // Its size follows from `shape`, whose elements must fit 64 bits; of kOpaque an element is a byte.
  ModelTensor(std::string tensor_name, DType type, std::vector<uint64_t> dimensions, uint64_t begin_offset = 0);
  // A matrix without a name, for coders.
  ModelTensor(DType type, uint64_t rows, uint64_t cols) : ModelTensor("", type, {rows, cols}) {}

  std::string name;
  DType dtype = DType::kOpaque;  // kOpaque: elements that the coders have no arithmetic for, coded as bytes.
  std::vector<uint64_t> shape;   // Outermost dimension first; empty for a scalar; a dimension may be 0.
  uint64_t begin = 0;            // Bytes from the start of the model's data section.
  uint64_t end = 0;              // One past the last byte.
  // Of kOpaque only: what the file calls the type, and an element's bits; 0 where those are not known.
  std::string opaque_type;
  uint32_t opaque_bits = 0;

  uint64_t size() const { return end - begin; }
  // Bits of an element; 0 if they are not known.
  uint32_t element_bits() const;
  // Bytes where an element's bits are not known.
  uint64_t elements() const;
  // The type's name in messages and reports: the file's own where it is opaque.
  std::string type_name() const;

  // As the coders see it. For rank 2 and more, rows is the first dimension and cols the product of the others; rank 1
  // is one row; a scalar is 1 x 1; an opaque tensor is one row of bytes; one without elements is 1 x 0.
  uint64_t rows() const;
  uint64_t cols() const;

  bool operator==(const ModelTensor&) const = default;
};

// Bytes of tensors one after the other.
uint64_t DataSize(absl::Span<const ModelTensor> tensors);

// What "bits a weight" counts: the INT8 elements, or all elements if there are none of those.
struct WeightCount {
  uint64_t weights = 0;
  bool int8 = false;
};
WeightCount CountWeights(absl::Span<const ModelTensor> tensors);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_MODEL_TENSOR_H_
