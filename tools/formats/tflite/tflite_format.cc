#include "tools/formats/tflite/tflite_format.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "tflite_generated.h"
#include "tools/formats/tflite/tflite_damage.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

// So many scales are worth a tensor of their own: elsewhere they cost more than coding them as floats saves.
constexpr flatbuffers::uoffset_t kFewestScales = 8;
// A small file may refer to one table, name or vector any number of times: what is made of them has limits of its own.
constexpr flatbuffers::uoffset_t kMaxTables = 1u << 18;
constexpr size_t kMaxNameSize = 512;
constexpr size_t kMostFlatBuffer = FLATBUFFERS_MAX_BUFFER_SIZE - 1;  // Bytes; files that are longer go on behind it.

// The format's types, by number.
struct TensorType {
  const char* name;
  DType dtype;
  uint32_t bits;  // 0: not known.
};
constexpr std::array<TensorType, 20> kTypes = {{
    {"F32", DType::kF32, 32},   {"F16", DType::kF16, 16},        {"I32", DType::kI32, 32},
    {"U8", DType::kU8, 8},      {"I64", DType::kI64, 64},        {"STRING", DType::kOpaque, 0},
    {"BOOL", DType::kBool, 8},  {"I16", DType::kI16, 16},        {"C64", DType::kOpaque, 64},
    {"I8", DType::kI8, 8},      {"F64", DType::kF64, 64},        {"C128", DType::kOpaque, 128},
    {"U64", DType::kU64, 64},   {"RESOURCE", DType::kOpaque, 0}, {"VARIANT", DType::kOpaque, 0},
    {"U32", DType::kU32, 32},   {"U16", DType::kU16, 16},        {"I4", DType::kOpaque, 4},
    {"BF16", DType::kBf16, 16}, {"I2", DType::kOpaque, 2},
}};

void SetType(int number, ModelTensor* tensor) {
  const bool known = number >= 0 && number < static_cast<int>(kTypes.size());
  const TensorType type = known ? kTypes[static_cast<size_t>(number)] : TensorType{nullptr, DType::kOpaque, 0};
  tensor->dtype = type.dtype;
  if (type.dtype != DType::kOpaque) return;
  tensor->opaque_type = known ? std::string(type.name) : absl::StrCat("type ", number);
  tensor->opaque_bits = type.bits;
}

// One model, verified.
class TfliteReader {
 public:
  TfliteReader(const RandomAccessFile& file, absl::Span<const uint8_t> bytes)
      : file_(file), bytes_(bytes), model_(tflite::GetModel(bytes.data())) {}

  std::vector<TypedRange>& ranges() { return ranges_; }
  std::vector<TensorQuantisation>& quantisations() { return quantisations_; }

  absl::Status Read() {
    if (model_->subgraphs() == nullptr || model_->buffers() == nullptr) return absl::OkStatus();
    for (flatbuffers::uoffset_t s = 0; s < model_->subgraphs()->size(); ++s) {
      const auto* const tensors = model_->subgraphs()->Get(s)->tensors();
      for (flatbuffers::uoffset_t t = 0; tensors != nullptr && t < tensors->size(); ++t) {
        if (absl::Status status = AddTensor(*tensors->Get(t), s, t); !status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Bad(const tflite::Tensor& tensor, const std::string& name, absl::string_view problem) const {
    const auto offset = reinterpret_cast<const uint8_t*>(&tensor) - bytes_.data();
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path(), ": bad TFLite file: tensor ", Quoted(name), " at offset ", offset, ": ", problem));
  }

  // A name that no other tensor has.
  std::string NameOf(const tflite::Tensor& tensor, uint32_t subgraph, uint32_t number) {
    std::string name;
    if (tensor.name() != nullptr) name = tensor.name()->str().substr(0, kMaxNameSize);
    if (!name.empty() && names_.insert(name).second) return name;
    name = absl::StrCat(name, "@", subgraph, ".", number);
    names_.insert(name);
    return name;
  }

  // Sets the range's place; without bytes it is none.
  absl::Status Place(const tflite::Tensor& tensor, ModelTensor* range) const {
    const auto& buffers = *model_->buffers();
    if (tensor.buffer() >= buffers.size()) {
      return Bad(tensor, range->name, absl::StrCat("buffer ", tensor.buffer(), ", but there are ", buffers.size()));
    }
    const tflite::Buffer& buffer = *buffers.Get(tensor.buffer());
    if (buffer.offset() > 1) {
      range->begin = buffer.offset();
      if (buffer.size() > file_.size() || buffer.offset() > file_.size() - buffer.size()) {
        return Bad(tensor, range->name,
                   absl::StrCat("buffer ", tensor.buffer(), " has ", buffer.size(), " bytes at offset ",
                                buffer.offset(), ", but the file has ", file_.size()));
      }
      range->end = buffer.offset() + buffer.size();
      return absl::OkStatus();
    }
    if (buffer.data() == nullptr) return absl::OkStatus();
    range->begin = static_cast<uint64_t>(buffer.data()->data() - bytes_.data());
    range->end = range->begin + buffer.data()->size();
    return absl::OkStatus();
  }

  absl::Status AddTensor(const tflite::Tensor& tensor, uint32_t subgraph, uint32_t number) {
    TypedRange range;
    ModelTensor& typed = range.tensor;
    typed.name = NameOf(tensor, subgraph, number);
    if (tensor.quantisation() != nullptr) AddQuantisation(*tensor.quantisation(), typed.name);
    if (absl::Status status = Place(tensor, &typed); !status.ok()) return status;
    if (typed.size() == 0) return absl::OkStatus();  // Computed when the model runs.
    SetType(tensor.type(), &typed);
    if (tensor.sparsity() != nullptr) {
      SetRow(&typed);
    } else if (absl::Status status = SetShape(tensor, &typed); !status.ok()) {
      return status;
    }
    ranges_.push_back(std::move(range));
    return absl::OkStatus();
  }

  void AddQuantisation(const tflite::Quantisation& stored, const std::string& name) {
    const auto* const scales = stored.scale();
    if (scales == nullptr || scales->size() == 0) return;
    if (scales->size() >= kFewestScales) {
      const uint64_t begin = static_cast<uint64_t>(reinterpret_cast<const uint8_t*>(scales->data()) - bytes_.data());
      ranges_.push_back({ModelTensor(absl::StrCat(name, ".scales"), DType::kF32, {scales->size()}, begin), {}});
    }
    const auto* const zero_points = stored.zero_point();
    const size_t numbers = scales->size() + (zero_points != nullptr ? zero_points->size() : 0);
    if (numbers > bytes_.size() - quantised_) return;  // More than there can be, unless vectors are shared.
    quantised_ += numbers;
    TensorQuantisation quantisation;
    quantisation.tensor = name;
    quantisation.axis = stored.quantised_dimension();
    quantisation.scales.assign(scales->begin(), scales->end());
    for (flatbuffers::uoffset_t i = 0; zero_points != nullptr && i < zero_points->size(); ++i) {
      // The verifier lets vectors of 8-byte numbers begin at any multiple of 4.
      quantisation.zero_points.push_back(static_cast<int64_t>(LoadLe64(zero_points->Data() + sizeof(int64_t) * i)));
    }
    quantisations_.push_back(std::move(quantisation));
  }

  static void SetRow(ModelTensor* typed) {
    const uint64_t size = typed->dtype == DType::kOpaque ? 1 : ElementSize(static_cast<uint8_t>(typed->dtype));
    if (typed->dtype == DType::kOpaque || typed->size() % size != 0) {
      typed->dtype = DType::kOpaque;
      typed->opaque_type = "sparse";
      typed->opaque_bits = 0;
    }
    typed->shape = {typed->size() / (typed->dtype == DType::kOpaque ? 1 : size)};
  }

  absl::Status SetShape(const tflite::Tensor& tensor, ModelTensor* typed) const {
    constexpr flatbuffers::uoffset_t kMostShown = 64;  // What has more dimensions is refused, whichever they are.
    const auto* const shape = tensor.shape();
    for (flatbuffers::uoffset_t i = 0; shape != nullptr && i < std::min(shape->size(), kMostShown + 1); ++i) {
      const int32_t dimension = shape->Get(i);
      if (dimension < 0) {
        return Bad(tensor, typed->name, absl::StrCat("dimension ", i, " is ", dimension));
      }
      typed->shape.push_back(static_cast<uint64_t>(dimension));
    }
    return absl::OkStatus();
  }

  const RandomAccessFile& file_;
  absl::Span<const uint8_t> bytes_;
  const tflite::Model* model_;
  std::vector<TypedRange> ranges_;
  std::vector<TensorQuantisation> quantisations_;
  size_t quantised_ = 0;  // Scales and zero points in them.
  std::set<std::string> names_;
};

// Verifies and reads a model, of which `use` then takes what it wants.
absl::Status ReadModel(const RandomAccessFile& file, absl::FunctionRef<void(TfliteReader*)> use) {
  std::vector<uint8_t> bytes(static_cast<size_t>(std::min<uint64_t>(file.size(), kMostFlatBuffer)));
  if (absl::Status status = file.ReadAt(0, absl::MakeSpan(bytes)); !status.ok()) return status;
  constexpr flatbuffers::uoffset_t kMaxDepth = 64;
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), kMaxDepth, kMaxTables);
  if (!tflite::VerifyModelBuffer(verifier)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": bad TFLite file: ", FindTfliteDamage(bytes, kMaxTables)));
  }
  TfliteReader reader(file, bytes);
  if (absl::Status status = reader.Read(); !status.ok()) return status;
  use(&reader);
  return absl::OkStatus();
}

}  // namespace

bool TfliteFormat::Recognises(absl::Span<const uint8_t> head) const {
  constexpr size_t kIdentifierOffset = 4;
  const absl::string_view identifier = tflite::ModelIdentifier();
  return head.size() >= kIdentifierOffset + identifier.size() &&
         std::memcmp(head.data() + kIdentifierOffset, identifier.data(), identifier.size()) == 0;
}

absl::StatusOr<std::vector<TypedRange>> TfliteFormat::ReadRanges(const RandomAccessFile& file,
                                                                 const std::vector<FilePart>&) const {
  std::vector<TypedRange> ranges;
  absl::Status status = ReadModel(file, [&](TfliteReader* reader) { ranges = std::move(reader->ranges()); });
  if (!status.ok()) return status;
  return ranges;
}

absl::StatusOr<std::vector<TensorQuantisation>> TfliteFormat::ReadQuantisation(const RandomAccessFile& file,
                                                                               const std::vector<FilePart>&) const {
  std::vector<TensorQuantisation> result;
  absl::Status status = ReadModel(file, [&](TfliteReader* reader) { result = std::move(reader->quantisations()); });
  if (!status.ok()) return status;
  return result;
}

}  // namespace modelvault
