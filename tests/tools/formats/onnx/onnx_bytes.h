// ONNX models as tests want them, sound or not: messages of Protocol Buffers, put together field by field.
#ifndef MODELVAULT_TESTS_TOOLS_FORMATS_ONNX_ONNX_BYTES_H_
#define MODELVAULT_TESTS_TOOLS_FORMATS_ONNX_ONNX_BYTES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace modelvault::onnx {

inline std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(0x80 | (value & 0x7F));
  return bytes + static_cast<char>(value);
}

inline std::string Number(uint32_t field, uint64_t value) { return Varint(field << 3) + Varint(value); }

// A string, a message, or an array that is packed.
inline std::string Bytes(uint32_t field, absl::string_view value) {
  return Varint(field << 3 | 2) + Varint(value.size()) + std::string(value);
}

// Numbers of TensorProto.DataType.
enum : uint64_t { kFloat = 1, kUint8 = 2, kInt8 = 3, kInt16 = 5, kInt32 = 6, kInt64 = 7, kString = 8, kBool = 9 };
enum : uint64_t { kFloat16 = 10, kDouble = 11, kBfloat16 = 16, kFloat8 = 17, kUint4 = 21, kInt4 = 22 };

// Fields of a TensorProto.
enum : uint32_t {
  kDims = 1,
  kDataType = 2,
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kName = 8
};
enum : uint32_t { kRawData = 9, kDoubleData = 10, kExternalData = 13, kDataLocation = 14 };

inline std::string Head(const std::string& name, uint64_t type, const std::vector<uint64_t>& dims) {
  std::string bytes;
  for (const uint64_t dim : dims) bytes += Number(kDims, dim);
  return bytes + Number(kDataType, type) + Bytes(kName, name);
}

// A TensorProto whose values are raw_data.
inline std::string Tensor(const std::string& name, uint64_t type, const std::vector<uint64_t>& dims,
                          const std::string& values) {
  return Head(name, type, dims) + Bytes(kRawData, values);
}

using Entries = std::vector<std::pair<std::string, std::string>>;

// A TensorProto whose values are in another file.
inline std::string ExternalTensor(const std::string& name, uint64_t type, const std::vector<uint64_t>& dims,
                                  const Entries& entries) {
  std::string bytes = Head(name, type, dims);
  for (const auto& [key, value] : entries) bytes += Bytes(kExternalData, Bytes(1, key) + Bytes(2, value));
  return bytes + Number(kDataLocation, 1);
}

// A field of a GraphProto.
inline std::string Initializer(const std::string& tensor) { return Bytes(5, tensor); }

// A field of a GraphProto or a FunctionProto: a node with an attribute, whose field is given.
inline std::string Node(const std::string& output, uint32_t field, const std::string& value) {
  return Bytes(1, Bytes(2, output) + Bytes(4, "Constant") + Bytes(5, Bytes(1, "value") + Bytes(field, value)));
}

// A field of a NodeProto: its attribute "axis".
inline std::string AxisOf(int64_t axis) {
  return Bytes(5, Bytes(1, "axis") + Number(3, static_cast<uint64_t>(axis)) + Number(20, 2));
}

// A field of a GraphProto: a node with inputs and attributes.
inline std::string Operation(const std::string& name, const std::vector<std::string>& inputs,
                             const std::string& attributes = "") {
  std::string node;
  for (const std::string& input : inputs) node += Bytes(1, input);
  return Bytes(1, node + Bytes(2, "out") + attributes + Bytes(4, name));
}

inline std::string Model(const std::string& graph) {
  return Number(1, 8) + Bytes(2, "test") + Bytes(7, graph) + Bytes(8, Number(2, 17));
}

}  // namespace modelvault::onnx

#endif  // MODELVAULT_TESTS_TOOLS_FORMATS_ONNX_ONNX_BYTES_H_
