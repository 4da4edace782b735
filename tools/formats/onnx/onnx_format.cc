#include "tools/formats/onnx/onnx_format.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/formats/onnx/onnx_quantisation.h"
#include "tools/formats/onnx/onnx_tensors.h"
#include "vault/file_paths.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

// Types whose elements stand as they are, by their numbers in TensorProto.DataType.
struct OnnxType {
  int32_t number;
  const char* name;
  DType dtype;
  uint32_t bits;
};
constexpr std::array<OnnxType, 25> kTypes = {{
    {1, "F32", DType::kF32, 32},
    {2, "U8", DType::kU8, 8},
    {3, "I8", DType::kI8, 8},
    {4, "U16", DType::kU16, 16},
    {5, "I16", DType::kI16, 16},
    {6, "I32", DType::kI32, 32},
    {7, "I64", DType::kI64, 64},
    {9, "BOOL", DType::kBool, 8},
    {10, "F16", DType::kF16, 16},
    {11, "F64", DType::kF64, 64},
    {12, "U32", DType::kU32, 32},
    {13, "U64", DType::kU64, 64},
    {14, "C64", DType::kOpaque, 64},
    {15, "C128", DType::kOpaque, 128},
    {16, "BF16", DType::kBf16, 16},
    {17, "F8_E4M3", DType::kOpaque, 8},
    {18, "F8_E4M3FNUZ", DType::kOpaque, 8},
    {19, "F8_E5M2", DType::kOpaque, 8},
    {20, "F8_E5M2FNUZ", DType::kOpaque, 8},
    {21, "U4", DType::kOpaque, 4},
    {22, "I4", DType::kOpaque, 4},
    {23, "F4", DType::kOpaque, 4},
    {24, "F8_E8M0", DType::kOpaque, 8},
    {25, "U2", DType::kOpaque, 2},
    {26, "I2", DType::kOpaque, 2},
}};

// Tags of the fields of a ModelProto: number << 3 | wire type.
constexpr std::array<uint32_t, 12> kModelTags = {
    1 << 3,     2 << 3 | 2, 3 << 3 | 2,  4 << 3 | 2,  5 << 3,      6 << 3 | 2,
    7 << 3 | 2, 8 << 3 | 2, 14 << 3 | 2, 20 << 3 | 2, 25 << 3 | 2, 26 << 3 | 2,
};
constexpr uint64_t kMaxVersion = 127;  // Those that there are have two digits at most.

void SetType(int32_t number, ModelTensor* tensor) {
  const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const OnnxType& t) { return t.number == number; });
  if (type == kTypes.end()) {
    tensor->opaque_type = absl::StrCat("type ", number);
    return;
  }
  tensor->dtype = type->dtype;
  if (type->dtype != DType::kOpaque) return;
  tensor->opaque_type = type->name;
  tensor->opaque_bits = type->bits;
}

// Finds external values in the files of a model.
class ExternalPlaces {
 public:
  ExternalPlaces(const RandomAccessFile& file, const std::vector<FilePart>& files)
      : path_(file.path()), files_(files) {}

  // Sets begin and end of `range`, which has a type and a shape.
  absl::Status Find(const OnnxTensor& tensor, TypedRange* range) const {
    const ExternalData& data = *tensor.external;
    uint64_t begin = 0;
    for (size_t i = 0; i < files_.size(); begin += files_[i++].size) {
      if (files_[i].path != data.location) continue;
      const std::optional<uint64_t> size = data.length.has_value() ? data.length : SizeByShape(range->tensor);
      if (!size.has_value()) return Error(tensor, "neither a length nor type and shape say how many bytes it has");
      if (data.offset > files_[i].size || *size > files_[i].size - data.offset) {
        return Error(tensor, absl::StrCat(*size, " bytes at ", data.offset, " of ", Quoted(data.location),
                                          ", which has ", files_[i].size));
      }
      range->tensor.begin = begin + data.offset;
      range->tensor.end = range->tensor.begin + *size;
      return absl::OkStatus();
    }
    return Error(tensor,
                 absl::StrCat("its values are in ", Quoted(data.location), ", which is none of the model's files"));
  }

 private:
  static std::optional<uint64_t> SizeByShape(const ModelTensor& tensor) {
    const std::optional<uint64_t> elements = ElementCount(tensor.shape);
    const uint64_t bits = tensor.element_bits();
    if (!elements.has_value() || bits == 0 || *elements > (std::numeric_limits<uint64_t>::max() - 7) / bits) {
      return std::nullopt;
    }
    return (*elements * bits + 7) / 8;
  }

  absl::Status Error(const OnnxTensor& tensor, absl::string_view problem) const {
    return OnnxTensorError(path_, tensor, problem);
  }

  const std::string& path_;
  const std::vector<FilePart>& files_;
};

// Bytes of the message, which comes first.
uint64_t MessageSize(const RandomAccessFile& file, const std::vector<FilePart>& files) {
  return files.empty() ? file.size() : files.front().size;
}

}  // namespace

bool OnnxFormat::Recognises(absl::Span<const uint8_t> head) const {
  const int size = static_cast<int>(head.size());
  google::protobuf::io::CodedInputStream input(head.data(), size);
  bool first = true;
  // What goes on behind the head may be anything.
  for (; input.CurrentPosition() < size; first = false) {
    uint64_t tag = 0, value = 0;
    if (!input.ReadVarint64(&tag)) return !first;
    if (first ? tag != kModelTags[0] : std::find(kModelTags.begin(), kModelTags.end(), tag) == kModelTags.end())
      return false;
    if (!input.ReadVarint64(&value)) return !first;
    if (first && (value == 0 || value > kMaxVersion)) return false;
    if ((tag & 7) == 2 && (value > head.size() || !input.Skip(static_cast<int>(value)))) return true;
  }
  return !first;
}

absl::StatusOr<std::vector<OtherFile>> OnnxFormat::OpenOthers(FileSystem& file_system,
                                                              const RandomAccessFile& file) const {
  const absl::StatusOr<std::vector<OnnxTensor>> tensors = ReadOnnxTensors(file, file.size());
  if (!tensors.ok()) return tensors.status();
  const std::string own_name = file.path().substr(file.path().rfind('/') + 1);
  std::vector<OtherFile> others;
  std::set<absl::string_view> seen;
  for (const OnnxTensor& tensor : *tensors) {
    if (!tensor.external.has_value()) continue;
    const std::string& location = tensor.external->location;
    if (!seen.insert(location).second) continue;
    if (location == own_name) {
      return OnnxTensorError(file.path(), tensor, "its external data are in the model's own file");
    }
    absl::StatusOr<std::unique_ptr<RandomAccessFile>> other = file_system.OpenBelow(FolderOf(file.path()), location);
    if (!other.ok()) {
      const absl::Status where = OnnxTensorError(
          file.path(), tensor, absl::StrCat("its values are in another file: ", other.status().message()));
      return absl::Status(other.status().code(), where.message());
    }
    others.push_back({location, *std::move(other)});
  }
  return others;
}

absl::StatusOr<std::vector<TypedRange>> OnnxFormat::ReadRanges(const RandomAccessFile& file,
                                                               const std::vector<FilePart>& files) const {
  absl::StatusOr<std::vector<OnnxTensor>> tensors = ReadOnnxTensors(file, MessageSize(file, files));
  if (!tensors.ok()) return tensors.status();
  const ExternalPlaces places(file, files);
  std::vector<TypedRange> ranges;
  ranges.reserve(tensors->size());
  for (OnnxTensor& tensor : *tensors) {
    TypedRange range;
    SetType(tensor.data_type, &range.tensor);
    range.tensor.shape = std::move(tensor.shape);
    range.tensor.begin = tensor.offset;
    range.tensor.end = tensor.offset + tensor.size;
    if (tensor.external.has_value()) {
      if (absl::Status status = places.Find(tensor, &range); !status.ok()) return status;
    }
    range.tensor.name = std::move(tensor.name);
    ranges.push_back(std::move(range));
  }
  return ranges;
}

absl::StatusOr<std::vector<TensorQuantisation>> OnnxFormat::ReadQuantisation(const RandomAccessFile& file,
                                                                             const std::vector<FilePart>& files) const {
  const absl::StatusOr<std::vector<TypedRange>> tensors = ReadRanges(file, files);
  if (!tensors.ok()) return tensors.status();
  return ReadOnnxQuantisation(file, MessageSize(file, files), *tensors);
}

}  // namespace modelvault
