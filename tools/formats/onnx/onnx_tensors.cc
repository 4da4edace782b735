#include "tools/formats/onnx/onnx_tensors.h"

#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "restore/described_frame.h"
#include "tools/formats/onnx/message_reader.h"
#include "tools/formats/onnx/onnx_fields.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

// A field that holds values.
struct ValueField {
  uint32_t number = 0;  // 0: none.
  BytePlace place;
  bool in_one_piece = true;
};

// One TensorProto on its way into an OnnxTensor.
struct ReadTensor {
  OnnxTensor tensor;
  ValueField values;
  ExternalDataReader external;
  bool is_external = false;
  bool is_segment = false;
};

// The messages of the format, as far as there are tensors in them.
class Walker {
 public:
  Walker(const RandomAccessFile& file, uint64_t size) : path_(file.path()), reader_(file, size, kMaxOnnxDepth) {}

  absl::StatusOr<std::vector<OnnxTensor>> Walk() {
    const absl::Status status = reader_.ReadAll([&](const WireField& field) -> absl::Status {
      switch (field.number) {
        case ModelField::kGraph:
          return Graph(field);
        case ModelField::kTrainingInfo:
          return Training(field);
        case ModelField::kFunctions:
          return Function(field);
        default:
          return reader_.Skip(field);
      }
    });
    if (!status.ok()) return status;
    return std::move(tensors_);
  }

 private:
  absl::Status Training(const WireField& at) {
    return reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      switch (field.number) {
        case TrainingField::kInitialization:
        case TrainingField::kAlgorithm:
          return Graph(field);
        default:
          return reader_.Skip(field);
      }
    });
  }

  absl::Status Function(const WireField& at) {
    return reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      switch (field.number) {
        case FunctionField::kNode:
          return Node(field);
        case FunctionField::kAttribute:
          return Attribute(field);
        default:
          return reader_.Skip(field);
      }
    });
  }

  absl::Status Graph(const WireField& at) {
    std::set<std::string> names;  // Of initializers.
    return reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      switch (field.number) {
        case GraphField::kNode:
          return Node(field);
        case GraphField::kInitializer:
          return Tensor(field, &names);
        case GraphField::kSparseInitializer:
          return Sparse(field, &names);
        default:
          return reader_.Skip(field);
      }
    });
  }

  // Its own tensors get its name, which may come behind them; those of graphs within it are theirs.
  absl::Status Node(const WireField& at) {
    std::string output;
    std::vector<size_t> own;
    const absl::Status status = reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      if (field.number == NodeField::kOutput && output.empty()) return Text(field, &output);
      if (field.number != NodeField::kAttribute) return reader_.Skip(field);
      return Attribute(field, &own);
    });
    if (!status.ok() || output.empty()) return status;
    for (const size_t index : own) tensors_[index].name = output;
    return absl::OkStatus();
  }

  absl::Status Attribute(const WireField& at, std::vector<size_t>* own = nullptr) {
    return reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      const size_t before = tensors_.size();
      absl::Status status;
      switch (field.number) {
        case AttributeField::kGraph:
        case AttributeField::kGraphs:
          return Graph(field);
        case AttributeField::kTensor:
        case AttributeField::kTensors:
          status = Tensor(field, nullptr);
          break;
        case AttributeField::kSparseTensor:
        case AttributeField::kSparseTensors:
          status = Sparse(field, nullptr);
          break;
        default:
          return reader_.Skip(field);
      }
      for (size_t i = before; own != nullptr && i < tensors_.size(); ++i) own->push_back(i);
      return status;
    });
  }

  absl::Status Sparse(const WireField& at, std::set<std::string>* names) {
    return reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      switch (field.number) {
        case SparseField::kValues:
          return Tensor(field, names);
        case SparseField::kIndices:
          return Tensor(field, nullptr);
        default:
          return reader_.Skip(field);
      }
    });
  }

  // Of an initializer `names` has those of its graph.
  absl::Status Tensor(const WireField& at, std::set<std::string>* names) {
    ReadTensor read;
    read.tensor.message_offset = at.offset;
    absl::Status status = reader_.ReadMessage(at, [&](const WireField& field) { return TensorPart(field, &read); });
    if (!status.ok()) return status;
    OnnxTensor& tensor = read.tensor;
    if (names != nullptr && !tensor.name.empty() && !names->insert(tensor.name).second) {
      return Error(tensor, "the graph has two initializers of this name");
    }
    if (read.is_external) {
      if (read.values.number != 0) return Error(tensor, "values here and in external data");
      status = read.external.Finish(&tensor.external.emplace());
      if (!status.ok()) return Error(tensor, status.message());
    } else if (!HasPlainValues(read)) {
      return absl::OkStatus();
    }
    tensor.offset = read.values.place.offset;
    tensor.size = read.values.place.size;
    if (tensors_.size() == kMaxFrameTensors) {
      return Error(tensor, absl::StrCat("more than ", kMaxFrameTensors, " tensors"));
    }
    tensors_.push_back(std::move(tensor));
    return absl::OkStatus();
  }

  static bool HasPlainValues(const ReadTensor& read) {
    const uint32_t number = read.values.number;
    return read.values.in_one_piece && !read.is_segment && read.values.place.size > 0 &&
           (number == TensorField::kRawData || number == TensorField::kFloatData || number == TensorField::kDoubleData);
  }

  absl::Status TensorPart(const WireField& field, ReadTensor* read) {
    uint64_t number = 0;
    switch (field.number) {
      case TensorField::kDims:
        return Dims(field, read);
      case TensorField::kDataType: {
        absl::Status status = reader_.ReadVarint(field, &number);
        read->tensor.data_type = static_cast<int32_t>(number);
        return status;
      }
      case TensorField::kDataLocation: {
        absl::Status status = reader_.ReadVarint(field, &number);
        read->is_external = number == kExternalLocation;
        return status;
      }
      case TensorField::kSegment:
        read->is_segment = true;
        return reader_.Skip(field);
      case TensorField::kName:
        return Text(field, &read->tensor.name);
      case TensorField::kRawData:
      case TensorField::kFloatData:
      case TensorField::kDoubleData:
      case TensorField::kInt32Data:
      case TensorField::kInt64Data:
      case TensorField::kUint64Data:
      case TensorField::kStringData:
        return Values(field, read);
      case TensorField::kExternalData:
        return ExternalEntry(field, read);
      default:
        return reader_.Skip(field);
    }
  }

  absl::Status Dims(const WireField& field, ReadTensor* read) {
    std::vector<uint64_t>& shape = read->tensor.shape;
    if (absl::Status status = reader_.ReadVarints(field, kMaxFrameRank, &shape); !status.ok()) return status;
    for (const uint64_t dimension : shape) {
      if (dimension <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) continue;
      return Error(read->tensor, absl::StrCat("dimension ", static_cast<int64_t>(dimension), " is negative"));
    }
    return absl::OkStatus();
  }

  absl::Status Values(const WireField& field, ReadTensor* read) {
    BytePlace place;
    const bool alone = field.type != WireType::kBytes;  // An element of an array that is not packed.
    absl::Status status = alone ? reader_.Skip(field) : reader_.SkipBytes(field, &place);
    if (!status.ok() || (place.size == 0 && !alone)) return status;
    ValueField& values = read->values;
    const bool again = values.number == field.number;
    if (values.number != 0 && (!again || field.number == TensorField::kRawData)) {
      return Error(read->tensor, absl::StrCat("values in field ", values.number, " and again in field ", field.number,
                                              " at offset ", field.offset));
    }
    values = {field.number, place, !again && !alone};
    return absl::OkStatus();
  }

  absl::Status ExternalEntry(const WireField& at, ReadTensor* read) {
    std::string key, value;
    absl::Status status = reader_.ReadMessage(at, [&](const WireField& field) -> absl::Status {
      switch (field.number) {
        case EntryField::kKey:
          return reader_.ReadString(field, kMaxOnnxNameSize, &key);
        case EntryField::kValue:
          return reader_.ReadString(field, kMaxOnnxNameSize, &value);
        default:
          return reader_.Skip(field);
      }
    });
    if (!status.ok()) return status;
    status = read->external.Add(key, value);
    return status.ok() ? status : Error(read->tensor, status.message());
  }

  absl::Status Text(const WireField& field, std::string* text) {
    if (absl::Status status = reader_.ReadString(field, kMaxOnnxNameSize, text); !status.ok()) return status;
    if (text->find('\0') == std::string::npos) return absl::OkStatus();
    return reader_.Error(field.offset, absl::StrCat("the name ", Quoted(*text), " has a NUL"));
  }

  absl::Status Error(const OnnxTensor& tensor, absl::string_view problem) const {
    return OnnxTensorError(path_, tensor, problem);
  }

  const std::string path_;
  MessageReader reader_;
  std::vector<OnnxTensor> tensors_;
};

}  // namespace

absl::Status OnnxTensorError(absl::string_view path, const OnnxTensor& tensor, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": tensor ", Quoted(tensor.name), " at offset ", tensor.message_offset, ": ", problem));
}

absl::StatusOr<std::vector<OnnxTensor>> ReadOnnxTensors(const RandomAccessFile& file, uint64_t size) {
  if (size > kMaxOnnxSize) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": ", size, " bytes, but an ONNX message has at most ",
                                                   kMaxOnnxSize, "; larger models have external data"));
  }
  return Walker(file, size).Walk();
}

}  // namespace modelvault
