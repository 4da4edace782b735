#include "tools/formats/onnx/onnx_quantisation.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/prediction.h"
#include "tools/formats/onnx/message_reader.h"
#include "tools/formats/onnx/onnx_fields.h"
#include "tools/formats/onnx/onnx_tensors.h"

namespace modelvault {
namespace {

// An input that is quantised; its scales and zero points are the two behind it.
struct QuantisedInput {
  absl::string_view operation;
  size_t input;
  int64_t axis;  // Of the scales; a negative one counts from behind. DequantizeLinear may have another.
};
constexpr std::array<QuantisedInput, 4> kInputs = {{
    {"DequantizeLinear", 0, 1},
    {"QLinearConv", 3, 0},
    {"QLinearMatMul", 0, -2},
    {"QLinearMatMul", 3, -1},
}};
constexpr size_t kMostInputs = 6;  // That are looked at.

struct QuantisedTensor {
  std::string name, scales, zero_points;  // Without zero points "".
  int64_t axis = 0;
};

// A node that may be one of those operators.
struct NodeParts {
  std::vector<BytePlace> inputs;
  BytePlace operation;
  std::optional<int64_t> axis;
};

// Collects what nodes refer to.
class NodeWalker {
 public:
  NodeWalker(const RandomAccessFile& file, uint64_t size) : file_(file), reader_(file, size, kMaxOnnxDepth) {}

  absl::Status Walk() {
    return reader_.ReadAll([&](const WireField& field) {
      return field.number == ModelField::kGraph ? Graph(field) : reader_.Skip(field);
    });
  }

  const std::vector<QuantisedTensor>& tensors() const { return tensors_; }
  // Where initializers have their values as varints; of several with one name nowhere.
  const std::map<std::string, BytePlace>& varints() const { return varints_; }

 private:
  absl::Status Graph(const WireField& at) {
    return reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      switch (field.number) {
        case GraphField::kNode:
          return Node(field);
        case GraphField::kInitializer:
          return Initializer(field);
        default:
          return reader_.Skip(field);
      }
    });
  }

  absl::Status Node(const WireField& at) {
    NodeParts node;
    const absl::Status status = reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      switch (field.number) {
        case NodeField::kInput:
          if (node.inputs.size() == kMostInputs) return reader_.Skip(field);
          return reader_.SkipBytes(field, &node.inputs.emplace_back());
        case NodeField::kOperator:
          return reader_.SkipBytes(field, &node.operation);
        case NodeField::kAttribute:
          return Attribute(field, &node);
        default:
          return reader_.Skip(field);
      }
    });
    return status.ok() ? AddInputs(node) : status;
  }

  absl::Status Attribute(const WireField& at, NodeParts* node) {
    std::string name;
    uint64_t integer = 0;
    const absl::Status status = reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      BytePlace place;
      switch (field.number) {
        case AttributeField::kName: {
          const absl::Status skipped = reader_.SkipBytes(field, &place);
          return skipped.ok() ? Text(place, &name) : skipped;
        }
        case AttributeField::kInteger:
          return reader_.ReadVarint(field, &integer);
        case AttributeField::kGraph:
        case AttributeField::kGraphs:
          return Graph(field);
        default:
          return reader_.Skip(field);
      }
    });
    if (name == "axis") node->axis = static_cast<int64_t>(integer);
    return status;
  }

  absl::Status Initializer(const WireField& at) {
    BytePlace name_place, varints;
    absl::Status status = reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      const bool packed = field.type == WireType::kBytes;
      if (field.number == TensorField::kName) return reader_.SkipBytes(field, &name_place);
      if (field.number == TensorField::kInt32Data && packed) return reader_.SkipBytes(field, &varints);
      return reader_.Skip(field);
    });
    if (!status.ok() || varints.size == 0) return status;
    std::string name;
    status = Text(name_place, &name);
    const auto [entry, added] = varints_.emplace(std::move(name), varints);
    if (!added) entry->second = {};
    return status;
  }

  // Longer texts are no names that there are.
  absl::Status Text(const BytePlace& place, std::string* text) const {
    text->resize(place.size <= kMaxOnnxNameSize ? static_cast<size_t>(place.size) : 0);
    return file_.ReadAt(place.offset, absl::MakeSpan(reinterpret_cast<uint8_t*>(text->data()), text->size()));
  }

  absl::Status AddInputs(const NodeParts& node) {
    std::string operation;
    if (absl::Status status = Text(node.operation, &operation); !status.ok()) return status;
    for (const QuantisedInput& input : kInputs) {
      if (operation != input.operation || node.inputs.size() < input.input + 2) continue;
      std::array<std::string, 3> names;
      for (size_t i = 0; i < names.size() && input.input + i < node.inputs.size(); ++i) {
        if (absl::Status status = Text(node.inputs[input.input + i], &names[i]); !status.ok()) return status;
      }
      tensors_.push_back({names[0], names[1], names[2], node.axis.value_or(input.axis)});
    }
    return absl::OkStatus();
  }

  const RandomAccessFile& file_;
  MessageReader reader_;
  std::vector<QuantisedTensor> tensors_;
  std::map<std::string, BytePlace> varints_;
};

float FloatAt(DType dtype, const uint8_t* p) {
  if (dtype == DType::kF32) return std::bit_cast<float>(LoadLe32(p));
  return std::bit_cast<float>(dtype == DType::kF16 ? F16ToF32(LoadLe16(p)) : Bf16ToF32(LoadLe16(p)));
}

int64_t IntegerAt(DType dtype, const uint8_t* p) {
  switch (dtype) {
    case DType::kI8:
      return static_cast<int8_t>(*p);
    case DType::kU8:
      return *p;
    case DType::kI16:
      return static_cast<int16_t>(LoadLe16(p));
    case DType::kU16:
      return LoadLe16(p);
    default:
      return static_cast<int32_t>(LoadLe32(p));
  }
}

constexpr std::array<DType, 3> kScaleTypes = {DType::kF32, DType::kF16, DType::kBf16};
constexpr std::array<DType, 5> kZeroPointTypes = {DType::kI8, DType::kU8, DType::kI16, DType::kU16, DType::kI32};

// Reads the numbers.
class NumberReader {
 public:
  NumberReader(const RandomAccessFile& file, const std::vector<TypedRange>& tensors,
               const std::map<std::string, BytePlace>& varints)
      : file_(file), varints_(varints) {
    for (const TypedRange& range : tensors) {
      const auto [entry, added] = tensors_.emplace(range.tensor.name, &range.tensor);
      if (!added) entry->second = nullptr;
    }
  }

  // Leaves `result` without scales where there is nothing to tell, or nothing new.
  absl::Status Read(const QuantisedTensor& quantised, TensorQuantisation* result) {
    const ModelTensor* const tensor = Find(quantised.name);
    const ModelTensor* const scales = Find(quantised.scales);
    if (tensor == nullptr || scales == nullptr || told_.count(tensor->name) > 0) return absl::OkStatus();
    TensorQuantisation read = {tensor->name, quantised.axis, {}, {}};
    absl::Status status = Numbers(*scales, kScaleTypes, FloatAt, &read.scales);
    if (!status.ok()) return status;
    if (!quantised.zero_points.empty()) {
      status = ZeroPoints(quantised.zero_points, &read.zero_points);
      if (!status.ok() || read.zero_points.empty()) return status;
    }
    if (!Fits(*tensor, *scales, &read)) return absl::OkStatus();
    told_.insert(tensor->name);
    *result = std::move(read);
    return absl::OkStatus();
  }

 private:
  const ModelTensor* Find(const std::string& name) const {
    const auto entry = tensors_.find(name);
    return name.empty() || entry == tensors_.end() ? nullptr : entry->second;
  }

  // One scale, or one for each index of an axis, which is made to count from the front.
  static bool Fits(const ModelTensor& tensor, const ModelTensor& scales, TensorQuantisation* read) {
    const size_t count = read->scales.size();
    if (read->zero_points.size() > 1 && read->zero_points.size() != count) return false;
    if (count == 1) read->axis = 0;
    if (count <= 1) return count == 1;
    if (read->axis < 0) read->axis += static_cast<int64_t>(tensor.shape.size());
    const auto axis = static_cast<uint64_t>(read->axis);
    return scales.shape.size() == 1 && axis < tensor.shape.size() && tensor.shape[static_cast<size_t>(axis)] == count;
  }

  // Of a file only so much is read as it has, however often its nodes refer to one tensor.
  absl::Status Bytes(uint64_t offset, uint64_t size, std::vector<uint8_t>* bytes) {
    if (size > file_.size() - read_) return absl::OkStatus();
    read_ += size;
    bytes->resize(static_cast<size_t>(size));
    return file_.ReadAt(offset, absl::MakeSpan(*bytes));
  }

  template <typename Number>
  absl::Status Numbers(const ModelTensor& tensor, absl::Span<const DType> types, Number (*at)(DType, const uint8_t*),
                       std::vector<Number>* numbers) {
    if (std::find(types.begin(), types.end(), tensor.dtype) == types.end()) return absl::OkStatus();
    std::vector<uint8_t> bytes;
    const absl::Status status = Bytes(tensor.begin, tensor.size(), &bytes);
    const size_t width = ElementSize(static_cast<uint8_t>(tensor.dtype));
    for (size_t i = 0; i + width <= bytes.size(); i += width) numbers->push_back(at(tensor.dtype, bytes.data() + i));
    return status;
  }

  absl::Status ZeroPoints(const std::string& name, std::vector<int64_t>* numbers) {
    const auto place = varints_.find(name);
    const ModelTensor* const tensor = Find(name);
    if (place == varints_.end()) {
      return tensor == nullptr ? absl::OkStatus() : Numbers(*tensor, kZeroPointTypes, IntegerAt, numbers);
    }
    if (tensors_.count(name) > 0) return absl::OkStatus();
    std::vector<uint8_t> bytes;
    const absl::Status status = Bytes(place->second.offset, place->second.size, &bytes);
    google::protobuf::io::CodedInputStream input(bytes.data(), static_cast<int>(bytes.size()));
    for (uint64_t number = 0; input.ReadVarint64(&number);) numbers->push_back(static_cast<int32_t>(number));
    return status;
  }

  const RandomAccessFile& file_;
  const std::map<std::string, BytePlace>& varints_;
  std::map<absl::string_view, const ModelTensor*> tensors_;  // Null: several have this name.
  std::set<absl::string_view> told_;
  uint64_t read_ = 0;  // Bytes.
};

}  // namespace

absl::StatusOr<std::vector<TensorQuantisation>> ReadOnnxQuantisation(const RandomAccessFile& file, uint64_t size,
                                                                     const std::vector<TypedRange>& tensors) {
  NodeWalker walker(file, size);
  if (absl::Status status = walker.Walk(); !status.ok()) return status;
  NumberReader reader(file, tensors, walker.varints());
  std::vector<TensorQuantisation> result;
  for (const QuantisedTensor& tensor : walker.tensors()) {
    TensorQuantisation quantisation;
    if (absl::Status status = reader.Read(tensor, &quantisation); !status.ok()) return status;
    if (!quantisation.scales.empty()) result.push_back(std::move(quantisation));
  }
  return result;
}

}  // namespace modelvault
