#include "tools/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/core/bytes.h"
#include "codec/text_bytes.h"
#include "nlohmann/json.hpp"
#include "tools/formats/described/described_format.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

constexpr size_t kLengthSize = 8;
constexpr size_t kAlignment = 8;
constexpr size_t kMaxDtypeSize = 32;
constexpr int kMaxJsonDepth = 128;  // the reference reader's limit
constexpr char kMetadataKey[] = "__metadata__";

struct Dtype {
  const char* name;
  uint32_t bits;
  DType dtype;
};
constexpr std::array<Dtype, 22> kDtypes = {{
    {"BOOL", 8, DType::kBool},
    {"F4", 4, DType::kOpaque},
    {"F6_E2M3", 6, DType::kOpaque},
    {"F6_E3M2", 6, DType::kOpaque},
    {"U8", 8, DType::kU8},
    {"I8", 8, DType::kI8},
    {"F8_E5M2", 8, DType::kOpaque},
    {"F8_E4M3", 8, DType::kOpaque},
    {"F8_E8M0", 8, DType::kOpaque},
    {"F8_E4M3FNUZ", 8, DType::kOpaque},
    {"F8_E5M2FNUZ", 8, DType::kOpaque},
    {"I16", 16, DType::kI16},
    {"U16", 16, DType::kU16},
    {"F16", 16, DType::kF16},
    {"BF16", 16, DType::kBf16},
    {"I32", 32, DType::kI32},
    {"U32", 32, DType::kU32},
    {"F32", 32, DType::kF32},
    {"C64", 64, DType::kOpaque},
    {"F64", 64, DType::kF64},
    {"I64", 64, DType::kI64},
    {"U64", 64, DType::kU64},
}};

void SetType(std::string name, ModelTensor* tensor) {
  const auto known = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& d) { return name == d.name; });
  if (known != kDtypes.end()) {
    tensor->dtype = known->dtype;
    tensor->opaque_bits = known->dtype == DType::kOpaque ? known->bits : 0;
  }
  if (tensor->dtype == DType::kOpaque) tensor->opaque_type = std::move(name);
}

std::string TypeName(const ModelTensor& tensor) {
  if (tensor.dtype == DType::kOpaque) return tensor.opaque_type;
  return std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& d) { return tensor.dtype == d.dtype; })->name;
}

std::string Shown(absl::Span<const uint64_t> shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

absl::Status Bad(absl::string_view file_name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(file_name, ": bad safetensors file: ", what));
}

absl::Status BadTensor(absl::string_view file_name, const ModelTensor& tensor, absl::string_view what) {
  return Bad(file_name, absl::StrCat("tensor ", Quoted(tensor.name), ": ", what));
}

// Takes the JSON event by event. A document tree would cost many times the header's size, forget repeated keys, and be
// as deep as the file wants.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  const std::string& error() const { return error_; }
  SafetensorsHeader& header() { return header_; }

  bool null() override {
    // The reference reader takes "no metadata" in this form, too.
    if (place_ == Place::kMetadataValue) return Go(Place::kTop);
    return Scalar("null");
  }
  bool boolean(bool) override { return Scalar("a boolean"); }
  bool number_integer(number_integer_t value) override { return Scalar(absl::StrCat("negative ", value)); }
  bool number_float(number_float_t, const string_t& text) override { return Scalar(absl::StrCat(Quoted(text))); }
  bool binary(binary_t&) override { return Scalar("binary"); }

  bool number_unsigned(number_unsigned_t value) override {
    switch (place_) {
      case Place::kShape:
        if (tensor_.shape.size() == kMaxTensorRank) {
          return FailTensor(absl::StrCat("shape has more than ", kMaxTensorRank, " dimensions"));
        }
        tensor_.shape.push_back(value);
        return true;
      case Place::kOffsets:
        if (offset_count_ == 2) return FailTensor("data_offsets has more than 2 numbers");
        (offset_count_ == 0 ? tensor_.begin : tensor_.end) = value;
        ++offset_count_;
        return true;
      default:
        return Scalar(absl::StrCat(value));
    }
  }

  bool string(string_t& value) override {
    switch (place_) {
      case Place::kMetadataEntry:
        header_.metadata[key_] = std::move(value);
        return Go(Place::kMetadata);
      case Place::kDtype:
        if (value.empty() || value.size() > kMaxDtypeSize) {
          return FailTensor(absl::StrCat("dtype must have 1 to ", kMaxDtypeSize, " bytes, has ", value.size()));
        }
        SetType(std::move(value), &tensor_);
        return Go(Place::kTensor);
      default:
        return Scalar("a string");
    }
  }

  bool start_object(std::size_t) override {
    if (++depth_ > kMaxJsonDepth) return Fail(TooDeep());
    switch (place_) {
      case Place::kStart:
        return Go(Place::kTop);
      case Place::kMetadataValue:
        return Go(Place::kMetadata);
      case Place::kTensorValue:
        return Go(Place::kTensor);
      case Place::kIgnored:
        return true;
      default:
        return Unexpected("an object");
    }
  }

  bool start_array(std::size_t) override {
    if (++depth_ > kMaxJsonDepth) return Fail(TooDeep());
    switch (place_) {
      case Place::kShapeValue:
        return Go(Place::kShape);
      case Place::kOffsetsValue:
        return Go(Place::kOffsets);
      case Place::kIgnored:
        return true;
      default:
        return Unexpected("an array");
    }
  }

  bool key(string_t& value) override {
    switch (place_) {
      case Place::kTop:
        if (value == kMetadataKey) {
          if (std::exchange(has_metadata_, true)) return Fail(absl::StrCat("repeated key ", Quoted(value)));
          return Go(Place::kMetadataValue);
        }
        return StartTensor(value);
      case Place::kMetadata:
        if (header_.metadata.count(value) > 0) {
          return Fail(absl::StrCat(kMetadataKey, ": repeated key ", Quoted(value)));
        }
        key_ = std::move(value);
        return Go(Place::kMetadataEntry);
      case Place::kTensor:
        if (value == "dtype") return StartField(kHasDtype, Place::kDtype);
        if (value == "shape") return StartField(kHasShape, Place::kShapeValue);
        if (value == "data_offsets") return StartField(kHasOffsets, Place::kOffsetsValue);
        ignored_depth_ = depth_;
        return Go(Place::kIgnored);
      default:
        return true;  // kIgnored: the parser reports keys nowhere else
    }
  }

  bool end_object() override {
    --depth_;
    switch (place_) {
      case Place::kTop:
        return Go(Place::kEnd);
      case Place::kMetadata:
        return Go(Place::kTop);
      case Place::kTensor:
        return EndTensor();
      default:
        return EndIgnored();
    }
  }

  bool end_array() override {
    --depth_;
    switch (place_) {
      case Place::kShape:
        return Go(Place::kTensor);
      case Place::kOffsets:
        if (offset_count_ != 2) return FailTensor(absl::StrCat("data_offsets has ", offset_count_, " numbers, not 2"));
        return Go(Place::kTensor);
      default:
        return EndIgnored();
    }
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    // The library's own message quotes the last token, which may be the whole header.
    return Fail(absl::StrCat("header is not UTF-8 JSON at offset ", kLengthSize + position - (position > 0 ? 1 : 0)));
  }

 private:
  // What the next event must be, or in which object or array it lies.
  enum class Place {
    kStart,          // the header's object
    kTop,            // inside it: tensor names
    kMetadataValue,  // the object behind __metadata__
    kMetadata,       // inside it: keys
    kMetadataEntry,  // a string
    kTensorValue,    // the object behind a tensor's name
    kTensor,         // inside it: field names
    kDtype,          // a string
    kShapeValue,     // an array
    kShape,          // inside it: numbers
    kOffsetsValue,   // an array
    kOffsets,        // inside it: numbers
    kIgnored,        // a value, however deep, of a field nobody knows
    kEnd,
  };
  enum Field : unsigned { kHasDtype = 1, kHasShape = 2, kHasOffsets = 4 };

  bool Go(Place place) {
    place_ = place;
    return true;
  }
  bool Fail(std::string error) {
    error_ = std::move(error);
    return false;
  }
  bool FailTensor(absl::string_view what) { return Fail(absl::StrCat("tensor ", Quoted(tensor_.name), ": ", what)); }
  static std::string TooDeep() { return absl::StrCat("header is nested more than ", kMaxJsonDepth, " deep"); }

  bool Scalar(absl::string_view what) { return place_ == Place::kIgnored ? EndIgnored() : Unexpected(what); }

  // A value of an unknown field, or a part of it, has ended.
  bool EndIgnored() { return depth_ > ignored_depth_ ? true : Go(Place::kTensor); }

  bool Unexpected(absl::string_view found) {
    switch (place_) {
      case Place::kMetadataValue:
        return Fail(absl::StrCat(kMetadataKey, ": expected an object, found ", found));
      case Place::kMetadataEntry:
        return Fail(absl::StrCat(kMetadataKey, ": key ", Quoted(key_), ": expected a string, found ", found));
      case Place::kTensorValue:
        return FailTensor(absl::StrCat("expected an object, found ", found));
      case Place::kDtype:
        return FailTensor(absl::StrCat("dtype: expected a string, found ", found));
      case Place::kShapeValue:
        return FailTensor(absl::StrCat("shape: expected an array, found ", found));
      case Place::kOffsetsValue:
        return FailTensor(absl::StrCat("data_offsets: expected an array, found ", found));
      case Place::kShape:
        return FailTensor(absl::StrCat("shape: expected a number from 0 to 2^64 - 1, found ", found));
      case Place::kOffsets:
        return FailTensor(absl::StrCat("data_offsets: expected a number from 0 to 2^64 - 1, found ", found));
      default:
        return Fail(absl::StrCat("header is ", found, ", not an object"));
    }
  }

  bool StartTensor(std::string& name) {
    if (name.empty()) return Fail("a tensor has no name");
    if (name.size() > kMaxTensorNameSize) {
      return Fail(
          absl::StrCat("tensor ", Quoted(name), ": name has ", name.size(), " bytes, limit ", kMaxTensorNameSize));
    }
    if (name.find('\0') != std::string::npos) {
      return Fail(absl::StrCat("tensor ", Quoted(name), ": name contains a NUL"));
    }
    tensor_ = ModelTensor();
    tensor_.name = std::move(name);
    fields_ = 0;
    offset_count_ = 0;
    return Go(Place::kTensorValue);
  }

  bool StartField(Field field, Place place) {
    if ((fields_ & field) != 0) {
      return FailTensor(absl::StrCat("repeated key ", field == kHasDtype   ? "'dtype'"
                                                      : field == kHasShape ? "'shape'"
                                                                           : "'data_offsets'"));
    }
    fields_ |= field;
    return Go(place);
  }

  bool EndTensor() {
    if ((fields_ & kHasDtype) == 0) return FailTensor("dtype is missing");
    if ((fields_ & kHasShape) == 0) return FailTensor("shape is missing");
    if ((fields_ & kHasOffsets) == 0) return FailTensor("data_offsets is missing");
    header_.tensors.push_back(std::move(tensor_));
    return Go(Place::kTop);
  }

  SafetensorsHeader header_;
  std::string error_;
  Place place_ = Place::kStart;
  int depth_ = 0;
  int ignored_depth_ = 0;  // depth outside the value being ignored
  bool has_metadata_ = false;
  std::string key_;  // of the metadata entry being read
  ModelTensor tensor_;
  unsigned fields_ = 0;
  int offset_count_ = 0;
};

// `end` is that of the tensor which ends last.
absl::Status CheckTensor(const ModelTensor& tensor, uint64_t data_size, uint64_t end, absl::string_view file_name) {
  if (tensor.begin > tensor.end || tensor.end > data_size) {
    return BadTensor(file_name, tensor,
                     absl::StrCat("data_offsets [", tensor.begin, ", ", tensor.end,
                                  "] do not lie within the data section of ", data_size, " bytes",
                                  end > data_size ? absl::StrCat(", which is ", end - data_size, " short") : ""));
  }
  const std::optional<uint64_t> count = ElementCount(tensor.shape);
  if (!count.has_value()) {
    return BadTensor(file_name, tensor, absl::StrCat("shape ", Shown(tensor.shape), " has too many elements"));
  }
  const uint32_t bits = tensor.element_bits();
  if (bits == 0) return absl::OkStatus();
  if (*count > std::numeric_limits<uint64_t>::max() / bits) {
    return BadTensor(file_name, tensor,
                     absl::StrCat("shape ", Shown(tensor.shape), " of ", tensor.type_name(), " has too many bits"));
  }
  const uint64_t total_bits = *count * bits;
  if (total_bits % 8 != 0) {
    return BadTensor(
        file_name, tensor,
        absl::StrCat("shape ", Shown(tensor.shape), " of ", tensor.type_name(), " does not fill whole bytes"));
  }
  if (tensor.size() != total_bits / 8) {
    return BadTensor(file_name, tensor,
                     absl::StrCat("shape ", Shown(tensor.shape), " of ", tensor.type_name(), " takes ", total_bits / 8,
                                  " bytes, data_offsets [", tensor.begin, ", ", tensor.end, "] hold ", tensor.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckNamesDiffer(absl::Span<const ModelTensor> tensors, absl::string_view file_name) {
  std::vector<const ModelTensor*> by_name;
  by_name.reserve(tensors.size());
  for (const ModelTensor& tensor : tensors) by_name.push_back(&tensor);
  std::sort(by_name.begin(), by_name.end(),
            [](const ModelTensor* a, const ModelTensor* b) { return a->name < b->name; });
  for (size_t i = 1; i < by_name.size(); ++i) {
    if (by_name[i - 1]->name == by_name[i]->name) {
      return Bad(file_name, absl::StrCat("repeated key ", Quoted(by_name[i]->name)));
    }
  }
  return absl::OkStatus();
}

// `tensors` are in data order.
absl::Status CheckTiling(absl::Span<const ModelTensor> tensors, uint64_t data_size, absl::string_view file_name) {
  uint64_t covered = 0;
  for (const ModelTensor& tensor : tensors) {
    if (tensor.begin != covered) {
      return BadTensor(
          file_name, tensor,
          absl::StrCat(tensor.begin < covered ? "overlaps the tensor before it" : "leaves a hole before it",
                       " in the data section: expected begin ", covered, ", found ", tensor.begin));
    }
    covered = tensor.end;
  }
  if (covered != data_size) {
    return Bad(file_name, absl::StrCat("tensors cover ", covered, " bytes of a data section of ", data_size, ": ",
                                       data_size - covered, " too many"));
  }
  return absl::OkStatus();
}

// JSON text for a string, or nothing if it is not UTF-8.
std::optional<std::string> JsonString(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    return std::nullopt;
  }
}

// The header, with its length, of the safetensors file that begins at `begin` of `file` and has `size` bytes.
absl::StatusOr<std::string> ReadHeader(const RandomAccessFile& file, uint64_t begin, uint64_t size,
                                       absl::string_view file_name) {
  std::array<uint8_t, kLengthSize> length_bytes;
  if (size < length_bytes.size()) {
    return Bad(file_name, absl::StrCat("expected a header length of 8 bytes, found ", size, " bytes"));
  }
  if (absl::Status status = file.ReadAt(begin, absl::MakeSpan(length_bytes)); !status.ok()) return status;
  const uint64_t json_size = LoadLe64(length_bytes.data());
  if (json_size > kMaxSafetensorsHeaderSize) {
    return Bad(file_name,
               absl::StrCat("header length ", json_size, " exceeds the limit of ", kMaxSafetensorsHeaderSize));
  }
  if (json_size > size - kLengthSize) {
    return Bad(file_name, absl::StrCat("header length ", json_size, ", but ", size - kLengthSize, " bytes follow"));
  }
  std::string header(kLengthSize + json_size, '\0');
  const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(header.data()), header.size());
  if (absl::Status status = file.ReadAt(begin, bytes); !status.ok()) return status;
  return header;
}

}  // namespace

ModelTensor SafetensorsTensor(std::string name, std::string dtype, std::vector<uint64_t> shape, uint64_t begin,
                              uint64_t end) {
  ModelTensor tensor;
  tensor.name = std::move(name);
  tensor.shape = std::move(shape);
  tensor.begin = begin;
  tensor.end = end;
  SetType(std::move(dtype), &tensor);
  return tensor;
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::Span<const uint8_t> header_bytes, uint64_t data_size,
                                                         absl::string_view file_name) {
  if (header_bytes.size() < kLengthSize) {
    return Bad(file_name, absl::StrCat("expected a header length of 8 bytes, found ", header_bytes.size(), " bytes"));
  }
  const absl::Span<const uint8_t> json = header_bytes.subspan(kLengthSize);
  const uint64_t json_size = LoadLe64(header_bytes.data());
  if (json_size > kMaxSafetensorsHeaderSize) {
    return Bad(file_name,
               absl::StrCat("header length ", json_size, " exceeds the limit of ", kMaxSafetensorsHeaderSize));
  }
  if (json_size != json.size()) {
    return Bad(file_name, absl::StrCat("header length ", json_size, ", but ", json.size(), " bytes follow"));
  }
  if (json.empty() || json[0] != '{') return Bad(file_name, "header does not start with '{' at offset 8");
  // The parser takes a NUL for the end of its input and would not see what follows.
  if (const void* nul = std::memchr(json.data(), 0, json.size()); nul != nullptr) {
    const auto* first = static_cast<const uint8_t*>(nul);
    const bool padding = std::all_of(first, json.data() + json.size(), [](uint8_t byte) { return byte == 0; });
    return Bad(file_name, absl::StrCat(padding ? "header is padded with NUL bytes, which must be spaces, from offset "
                                               : "header contains a NUL at offset ",
                                       first - header_bytes.data()));
  }

  HeaderHandler handler;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &handler)) return Bad(file_name, handler.error());
  SafetensorsHeader header = std::move(handler.header());

  uint64_t end = 0;
  for (const ModelTensor& tensor : header.tensors) end = std::max(end, tensor.end);
  for (const ModelTensor& tensor : header.tensors) {
    if (absl::Status status = CheckTensor(tensor, data_size, end, file_name); !status.ok()) return status;
  }
  if (absl::Status status = CheckNamesDiffer(header.tensors, file_name); !status.ok()) return status;
  std::sort(header.tensors.begin(), header.tensors.end(), [](const ModelTensor& a, const ModelTensor& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  if (absl::Status status = CheckTiling(header.tensors, data_size, file_name); !status.ok()) return status;
  return header;
}

absl::StatusOr<std::string> SafetensorsHeaderFor(absl::Span<const ModelTensor> tensors,
                                                 const SafetensorsMetadata& metadata) {
  constexpr char kWhere[] = "new header";
  std::string json = "{";
  const char* separator = "";
  if (!metadata.empty()) {
    absl::StrAppend(&json, "\"", kMetadataKey, "\":{");
    for (const auto& [key, value] : metadata) {
      const std::optional<std::string> json_key = JsonString(key);
      const std::optional<std::string> json_value = JsonString(value);
      if (!json_key.has_value() || !json_value.has_value()) {
        return Bad(kWhere, absl::StrCat(kMetadataKey, ": key ", Quoted(key), " or its value is not UTF-8"));
      }
      absl::StrAppend(&json, separator, *json_key, ":", *json_value);
      separator = ",";
    }
    absl::StrAppend(&json, "}");
  }
  uint64_t begin = 0;
  for (const ModelTensor& tensor : tensors) {
    if (tensor.name == kMetadataKey) return BadTensor(kWhere, tensor, "the name is reserved");
    const std::optional<std::string> json_name = JsonString(tensor.name);
    const std::optional<std::string> json_dtype = JsonString(TypeName(tensor));
    if (!json_name.has_value()) return BadTensor(kWhere, tensor, "name is not UTF-8");
    if (!json_dtype.has_value()) return BadTensor(kWhere, tensor, "dtype is not UTF-8");
    if (tensor.begin > tensor.end || tensor.size() > std::numeric_limits<uint64_t>::max() - begin) {
      return BadTensor(kWhere, tensor, absl::StrCat("impossible range [", tensor.begin, ", ", tensor.end, "]"));
    }
    const uint64_t end = begin + tensor.size();
    absl::StrAppend(&json, separator, *json_name, ":{\"dtype\":", *json_dtype, ",\"shape\":[",
                    absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[", begin, ",", end, "]}");
    separator = ",";
    begin = end;
  }
  json += "}";
  json.append((kAlignment - json.size() % kAlignment) % kAlignment, ' ');

  std::string header(kLengthSize, '\0');
  for (size_t i = 0; i < kLengthSize; ++i) header[i] = static_cast<char>((uint64_t{json.size()} >> (8 * i)) & 0xff);
  header += json;
  const absl::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(header.data()), header.size());
  if (absl::Status status = ParseSafetensorsHeader(bytes, begin, kWhere).status(); !status.ok()) return status;
  return header;
}

absl::StatusOr<std::vector<TypedRange>> SafetensorsRanges(const RandomAccessFile& file, uint64_t begin, uint64_t size,
                                                          absl::string_view file_name) {
  const absl::StatusOr<std::string> header = ReadHeader(file, begin, size, file_name);
  if (!header.ok()) return header.status();
  absl::StatusOr<SafetensorsHeader> parsed = ParseSafetensorsHeader(BytesOf(*header), size - header->size(), file_name);
  if (!parsed.ok()) return parsed.status();
  std::vector<TypedRange> ranges;
  for (ModelTensor& tensor : parsed->tensors) {
    tensor.begin += begin + header->size();
    tensor.end += begin + header->size();
    ranges.push_back({std::move(tensor), {}});
  }
  return ranges;
}

bool SafetensorsFormat::Recognises(absl::Span<const uint8_t> head) const {
  return head.size() > kLengthSize && head[kLengthSize] == '{';
}

absl::StatusOr<std::string> SafetensorsFormat::ReadFrame(const RandomAccessFile& file,
                                                         const FrameOptions& options) const {
  absl::StatusOr<std::string> header = ReadHeader(file, 0, file.size(), file.path());
  if (!header.ok() || !options.whole_file) return header;
  absl::StatusOr<std::vector<TypedRange>> ranges = SafetensorsRanges(file, 0, file.size(), file.path());
  if (!ranges.ok()) return ranges.status();
  return DescribeFrame(file, name(), *std::move(ranges), options);
}

absl::StatusOr<ModelStructure> SafetensorsFormat::ParseFrame(absl::Span<const uint8_t> frame, uint64_t data_size,
                                                             absl::string_view file_name) const {
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(frame, data_size, file_name);
  if (!header.ok()) return header.status();
  ModelStructure structure;
  structure.tensors = std::move(header->tensors);
  structure.pieces = {{0, frame.size()}};
  return structure;
}

}  // namespace modelvault
