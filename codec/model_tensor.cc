#include "codec/model_tensor.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace modelvault {

std::optional<uint64_t> ElementCount(absl::Span<const uint64_t> shape) {
  // A 0 anywhere makes the product 0, whatever the others would have overflowed to.
  if (std::find(shape.begin(), shape.end(), 0u) != shape.end()) return 0;
  uint64_t count = 1;
  for (const uint64_t dimension : shape) {
    if (count > std::numeric_limits<uint64_t>::max() / dimension) return std::nullopt;
    count *= dimension;
  }
  return count;
}

std::string DTypeName(DType dtype) {
  constexpr const char* kNames[kDTypeCount] = {"opaque", "BOOL", "U8",  "I8",  "I16",  "U16", "I32",
                                               "U32",    "I64",  "U64", "F16", "BF16", "F32", "F64"};
  const auto number = static_cast<uint8_t>(dtype);
  return kNames[number < kDTypeCount ? number : 0];
}

ModelTensor::ModelTensor(std::string tensor_name, DType type, std::vector<uint64_t> dimensions, uint64_t begin_offset)
    : name(std::move(tensor_name)), dtype(type), shape(std::move(dimensions)), begin(begin_offset) {
  end = begin + ElementCount(shape).value_or(0) * ElementSize(static_cast<uint8_t>(dtype));
}

uint32_t ModelTensor::element_bits() const {
  return dtype == DType::kOpaque ? opaque_bits : 8u * ElementSize(static_cast<uint8_t>(dtype));
}

uint64_t ModelTensor::elements() const { return element_bits() == 0 ? size() : ElementCount(shape).value_or(0); }

std::string ModelTensor::type_name() const { return dtype == DType::kOpaque ? opaque_type : DTypeName(dtype); }

uint64_t ModelTensor::rows() const {
  // A tensor without elements may have dimensions whose product does not fit 64 bits.
  return dtype != DType::kOpaque && size() > 0 && shape.size() >= 2 ? shape[0] : 1;
}

uint64_t ModelTensor::cols() const { return size() / ElementSize(static_cast<uint8_t>(dtype)) / rows(); }

uint64_t DataSize(absl::Span<const ModelTensor> tensors) {
  uint64_t size = 0;
  for (const ModelTensor& t : tensors) size += t.size();
  return size;
}

WeightCount CountWeights(absl::Span<const ModelTensor> tensors) {
  uint64_t int8 = 0;
  uint64_t all = 0;
  for (const ModelTensor& t : tensors) {
    all += t.elements();
    if (t.dtype == DType::kI8) int8 += t.elements();
  }
  return int8 > 0 ? WeightCount{int8, true} : WeightCount{all, false};
}

}  // namespace modelvault
