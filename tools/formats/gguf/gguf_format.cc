#include "tools/formats/gguf/gguf_format.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/core/bytes.h"
#include "restore/described_frame.h"
#include "tools/formats/gguf/ggml_types.h"
#include "tools/formats/gguf/gguf_cursor.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

constexpr uint8_t kMagic[] = {'G', 'G', 'U', 'F'};
constexpr uint32_t kFirstVersion = 2;
constexpr uint32_t kLastVersion = 3;
constexpr char kAlignmentKey[] = "general.alignment";
constexpr uint32_t kDefaultAlignment = 32;
constexpr uint32_t kMaxDimensions = 4;
constexpr int kMaxArrayDepth = 8;  // Files have arrays of arrays rarely, and no deeper ones.
constexpr uint64_t kLeastKeySize = 8 + 4 + 1;
constexpr uint64_t kLeastTensorSize = 8 + 4 + 4 + 8;

// The types of values.
constexpr uint32_t kUint32 = 4;
constexpr uint32_t kString = 8;
constexpr uint32_t kArray = 9;
// Bytes of a value, by its type; 0 where they vary.
constexpr uint64_t kValueSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

bool IsPowerOfTwo(uint32_t number) { return number != 0 && (number & (number - 1)) == 0; }

class Parser {
 public:
  explicit Parser(const RandomAccessFile& file) : cursor_(file) {}

  absl::StatusOr<std::vector<TypedRange>> Parse() {
    cursor_.Skip(sizeof(kMagic), "the magic");
    ReadVersion();
    const uint64_t tensors = cursor_.U64("the number of tensors");
    const uint64_t keys = cursor_.U64("the number of keys");
    CheckCount("keys", keys, kLeastKeySize, std::numeric_limits<uint64_t>::max());
    for (uint64_t i = 0; i < keys && cursor_.ok(); ++i) ReadKey();
    CheckCount("tensors", tensors, kLeastTensorSize, kMaxFrameTensors);
    for (uint64_t i = 0; i < tensors && cursor_.ok(); ++i) ReadTensor();
    if (!cursor_.ok()) return cursor_.status();
    return Place();
  }

 private:
  void ReadVersion() {
    const uint32_t version = cursor_.U32("the version");
    if (version >= kFirstVersion && version <= kLastVersion) return;
    const bool big_endian = (version & 0xffff) == 0 && version != 0;
    cursor_.Fail(big_endian ? "a big-endian file, only little-endian ones are read"
                            : absl::StrCat("version ", version, ", expected 2 or 3"));
  }

  // A count that no file of this size has would only cost memory and time.
  void CheckCount(absl::string_view what, uint64_t count, uint64_t least_size, uint64_t most) {
    if (count <= most && count <= cursor_.left() / least_size) return;
    cursor_.Fail(absl::StrCat(count, " ", what, ", ", cursor_.left(), " bytes are left in the file"));
  }

  void ReadKey() {
    const std::string key = cursor_.Text("a key");
    const uint32_t type = cursor_.U32("a value's type");
    if (key != kAlignmentKey) return SkipValue(type, 0);
    if (type != kUint32) return cursor_.Fail(absl::StrCat(kAlignmentKey, " of type ", type, ", expected ", kUint32));
    alignment_ = cursor_.U32(kAlignmentKey);
    if (!IsPowerOfTwo(alignment_)) {
      cursor_.Fail(absl::StrCat(kAlignmentKey, " ", alignment_, ", expected a power of two"));
    }
  }

  void SkipValue(uint32_t type, int depth) {
    if (!cursor_.ok()) return;
    if (type >= std::size(kValueSizes)) return cursor_.Fail(absl::StrCat("unknown type of value ", type));
    if (type == kString) return cursor_.Skip(cursor_.U64("a string's length"), "a string");
    if (type != kArray) return cursor_.Skip(kValueSizes[type], "a value");
    if (depth == kMaxArrayDepth) {
      return cursor_.Fail(absl::StrCat("arrays within arrays, more than ", kMaxArrayDepth, " deep"));
    }
    const uint32_t element = cursor_.U32("the type of an array's elements");
    const uint64_t count = cursor_.U64("the number of an array's elements");
    if (element >= std::size(kValueSizes)) return cursor_.Fail(absl::StrCat("unknown type of elements ", element));
    const uint64_t least = element == kArray ? 12 : element == kString ? 8 : kValueSizes[element];
    CheckCount("elements of an array", count, least, std::numeric_limits<uint64_t>::max());
    if (!cursor_.ok()) return;
    if (kValueSizes[element] > 0) return cursor_.Skip(count * kValueSizes[element], "an array");
    for (uint64_t i = 0; i < count && cursor_.ok(); ++i) SkipValue(element, depth + 1);
  }

  void ReadTensor() {
    Info info;
    info.name = cursor_.Text("a tensor's name");
    const uint32_t dimensions = cursor_.U32("a tensor's number of dimensions");
    if (dimensions > kMaxDimensions) {
      return FailTensor(info.name, absl::StrCat(dimensions, " dimensions, at most ", kMaxDimensions, " are known"));
    }
    for (uint32_t i = 0; i < dimensions; ++i) info.shape.push_back(cursor_.U64("a dimension"));
    std::reverse(info.shape.begin(), info.shape.end());
    const uint32_t type = cursor_.U32("a tensor's type");
    info.offset = cursor_.U64("a tensor's offset");
    if (!cursor_.ok()) return;
    if (info.name.empty() || !IsFrameText(info.name)) {
      return FailTensor(info.name, "a name is UTF-8, not empty and without NUL");
    }
    if (!names_.insert(info.name).second) return FailTensor(info.name, "two tensors have the name");
    info.type = FindGgmlType(type);
    if (info.type == nullptr) return FailTensor(info.name, absl::StrCat("unknown type ", type));
    if (info.type->block_elements == 0) {
      return FailTensor(info.name,
                        absl::StrCat("type ", info.type->name, " (", type, "), which is not in use any more"));
    }
    infos_.push_back(std::move(info));
  }

  struct Info {
    std::string name;
    std::vector<uint64_t> shape;  // Outermost dimension first.
    const GgmlType* type = nullptr;
    uint64_t offset = 0;  // In the data.
  };

  void FailTensor(const std::string& name, absl::string_view problem) {
    cursor_.Fail(absl::StrCat("tensor ", Quoted(name), ": ", problem));
  }

  // Ranges, once it is known where the data begin.
  absl::StatusOr<std::vector<TypedRange>> Place() {
    const uint64_t behind = cursor_.offset() % alignment_;
    const uint64_t padding = behind == 0 ? 0 : alignment_ - behind;
    if (!infos_.empty()) cursor_.Skip(padding, "padding before the data");
    std::vector<TypedRange> ranges;
    for (Info& info : infos_) {
      if (!cursor_.ok()) break;
      ranges.push_back(Range(&info));
    }
    if (!cursor_.ok()) return cursor_.status();
    return ranges;
  }

  // Fails at the start of the data.
  TypedRange Range(Info* info) {
    const GgmlType& type = *info->type;
    TypedRange range;
    const std::string shape = absl::StrCat("[", absl::StrJoin(info->shape, ", "), "]");
    const uint64_t inner = info->shape.empty() ? 1 : info->shape.back();
    const std::optional<uint64_t> elements = ElementCount(info->shape);
    if (!elements.has_value() || *elements / type.block_elements > cursor_.left() / type.block_bytes) {
      FailTensor(info->name, absl::StrCat("the elements of ", shape, " do not fit the file: ", type.name, " has ",
                                          type.block_bytes, " bytes for ", type.block_elements));
      return range;
    }
    if (inner % type.block_elements != 0) {
      FailTensor(info->name, absl::StrCat("rows of ", inner, " elements are not blocks of ", type.block_elements, " (",
                                          type.name, ")"));
      return range;
    }
    const uint64_t size = *elements / type.block_elements * type.block_bytes;
    if (info->offset % alignment_ != 0) {
      FailTensor(info->name, absl::StrCat("offset ", info->offset, " is no multiple of ", alignment_));
    }
    if (size > cursor_.left() || info->offset > cursor_.left() - size) {
      FailTensor(info->name,
                 absl::StrCat(size, " bytes at ", info->offset, " of the data, which have ", cursor_.left()));
    }
    if (!cursor_.ok()) return range;
    range.tensor.begin = cursor_.offset() + info->offset;
    range.tensor.end = range.tensor.begin + size;
    range.tensor.name = std::move(info->name);
    range.tensor.shape = std::move(info->shape);
    range.tensor.dtype = type.dtype;
    if (type.dtype == DType::kOpaque) range.tensor.opaque_type = type.name;
    if (type.behind_scale != DType::kOpaque) range.parts = Parts(range.tensor, type);
    return range;
  }

  static std::vector<WovenPart> Parts(const ModelTensor& tensor, const GgmlType& type) {
    const uint32_t scale_size = ElementSize(static_cast<uint8_t>(DType::kF16));
    const auto part = [&](std::string name, DType dtype, uint32_t bytes) {
      std::vector<uint64_t> shape = tensor.shape;
      shape.back() = shape.back() / type.block_elements * (bytes / ElementSize(static_cast<uint8_t>(dtype)));
      return WovenPart{ModelTensor(std::move(name), dtype, std::move(shape)), bytes};
    };
    return {part(absl::StrCat(tensor.name, ".scales"), DType::kF16, scale_size),
            part(tensor.name, type.behind_scale, type.block_bytes - scale_size)};
  }

  GgufCursor cursor_;
  uint32_t alignment_ = kDefaultAlignment;
  std::vector<Info> infos_;
  std::set<std::string> names_;
};

}  // namespace

bool GgufFormat::Recognises(absl::Span<const uint8_t> head) const {
  return head.size() >= sizeof(kMagic) && std::equal(std::begin(kMagic), std::end(kMagic), head.begin());
}

absl::StatusOr<std::vector<TypedRange>> GgufFormat::ReadRanges(const RandomAccessFile& file,
                                                               const std::vector<FilePart>&) const {
  return Parser(file).Parse();
}

}  // namespace modelvault
