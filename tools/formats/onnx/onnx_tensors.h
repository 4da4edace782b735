// Where the tensors of an ONNX file are. The generated classes of Protocol Buffers do not tell at which byte of a file
// a field stands, so the messages are walked with the library's CodedInputStream, by the format's field numbers.
#ifndef MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_TENSORS_H_
#define MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_TENSORS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/formats/onnx/external_data.h"
#include "vault/file_system.h"

namespace modelvault {

inline constexpr uint64_t kMaxOnnxSize = std::numeric_limits<int32_t>::max();  // Bytes of a message; the library's.
inline constexpr int kMaxOnnxDepth = 100;                                      // Messages within one another; as there.
inline constexpr size_t kMaxOnnxNameSize = 65536;                              // Bytes.

// Tensors whose values stand as they are, little-endian and one after the other: raw_data, packed float_data and
// double_data, external data.
struct OnnxTensor {
  // An initializer's own name. A tensor that is an attribute of a node has that of the node's first output, if there is
  // one: its own is often empty, or the same for all.
  std::string name;
  int32_t data_type = 0;        // A number of TensorProto.DataType, or any other.
  std::vector<uint64_t> shape;  // Outermost dimension first.
  uint64_t message_offset = 0;  // Of the TensorProto in the file; for messages.
  // Its values' place in the file, or in another one.
  uint64_t offset = 0;
  uint64_t size = 0;
  std::optional<ExternalData> external;
};

// What is wrong with `tensor` of the model at `path`.
absl::Status OnnxTensorError(absl::string_view path, const OnnxTensor& tensor, absl::string_view problem);

// Those of graphs at any depth, functions, training graphs and attributes, in the order of the first `size` bytes of
// `file`, which are the message. Values that are coded as varints or as strings are left out.
//
// kInvalidArgument, naming file, tensor and offset, for bytes that are no message, fields of another wire type than the
// format's, lengths beyond what is around them, deep nesting, initializers of one graph that have the same name, names
// with a NUL, dimensions that are negative or too many, values that a tensor has twice, and external data that cannot
// be (external_data.h). Whether values fit type and shape is not looked at.
absl::StatusOr<std::vector<OnnxTensor>> ReadOnnxTensors(const RandomAccessFile& file, uint64_t size);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_TENSORS_H_
