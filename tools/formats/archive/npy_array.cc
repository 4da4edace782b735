#include "tools/formats/archive/npy_array.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "codec/core/bytes.h"
#include "restore/described_frame.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

constexpr uint8_t kMagic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
constexpr size_t kVersionEnd = sizeof(kMagic) + 2;
constexpr uint64_t kMaxHeaderSize = 1 << 20;
constexpr uint64_t kMaxElementSize = 1 << 24;

struct Header {
  std::string descr;  // A string's content, or the text of a list.
  bool structured = false;
  bool fortran_order = false;
  std::vector<uint64_t> shape;
};

// A literal of Python's: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }. False where anything else stands.
class HeaderParser {
 public:
  explicit HeaderParser(absl::string_view text) : text_(text) {}

  bool Parse(Header* header) {
    bool descr = false, order = false, shape = false;
    if (!Take("{")) return false;
    while (!Take("}")) {
      std::string key;
      if (!String(&key) || !Take(":")) return false;
      bool* const seen = key == "descr" ? &descr : key == "fortran_order" ? &order : key == "shape" ? &shape : nullptr;
      if (seen == nullptr || *seen) return false;
      *seen = true;
      const bool read = seen == &descr   ? Descr(header)
                        : seen == &order ? Bool(&header->fortran_order)
                                         : Shape(&header->shape);
      if (!read || (!Take(",") && !absl::StartsWith(text_, "}"))) return false;
    }
    SkipSpace();
    return descr && order && shape && text_.empty();
  }

 private:
  void SkipSpace() { text_ = text_.substr(std::min(text_.find_first_not_of(" \n\t"), text_.size())); }

  bool Take(absl::string_view token) {
    SkipSpace();
    const bool taken = absl::ConsumePrefix(&text_, token);
    SkipSpace();
    return taken;
  }

  bool String(std::string* value) {
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) return false;
    const size_t end = text_.find(text_[0], 1);
    if (end == absl::string_view::npos) return false;
    *value = std::string(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    SkipSpace();
    return !absl::StrContains(*value, "\\");
  }

  bool Bool(bool* value) {
    *value = Take("True");
    return *value || Take("False");
  }

  bool Shape(std::vector<uint64_t>* shape) {
    if (!Take("(")) return false;
    while (!Take(")")) {
      const size_t digits = std::min(text_.find_first_not_of("0123456789"), text_.size());
      uint64_t dimension = 0;
      if (!absl::SimpleAtoi(text_.substr(0, digits), &dimension) || shape->size() == kMaxFrameRank) return false;
      shape->push_back(dimension);
      text_.remove_prefix(digits);
      Take("L");  // As the Python before 3 wrote integers.
      if (!Take(",") && !absl::StartsWith(text_, ")")) return false;
    }
    return true;
  }

  // Of a structured type only the text is taken.
  bool Descr(Header* header) {
    if (String(&header->descr)) return true;
    header->structured = absl::StartsWith(text_, "[");
    if (!header->structured) return false;
    size_t depth = 0, end = 0;
    char quote = 0;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == '[') {
        ++depth;
      } else if (c == ']' && --depth == 0) {
        header->descr = std::string(text_.substr(0, end + 1));
        text_.remove_prefix(end + 1);
        SkipSpace();
        return true;
      }
    }
    return false;
  }

  absl::string_view text_;
};

struct NumpyType {
  absl::string_view name;
  DType dtype;
};
constexpr NumpyType kTypes[] = {{"|b1", DType::kBool}, {"|i1", DType::kI8},  {"|u1", DType::kU8},
                                {"<i2", DType::kI16},  {"<u2", DType::kU16}, {"<i4", DType::kI32},
                                {"<u4", DType::kU32},  {"<i8", DType::kI64}, {"<u8", DType::kU64},
                                {"<f2", DType::kF16},  {"<f4", DType::kF32}, {"<f8", DType::kF64}};

// Bytes of an element of a type such as "<U7", ">f4" or "<M8[ns]"; nothing for what is no such type.
std::optional<uint64_t> ElementSizeOf(absl::string_view descr) {
  if (descr.size() < 3 || absl::string_view("<>|=").find(descr[0]) == absl::string_view::npos) return std::nullopt;
  const char kind = descr[1];
  descr.remove_prefix(2);
  const size_t digits = std::min(descr.find_first_not_of("0123456789"), descr.size());
  uint64_t size = 0;
  if (!absl::SimpleAtoi(descr.substr(0, digits), &size) || size > kMaxElementSize) return std::nullopt;
  return kind == 'U' ? 4 * size : size;  // UCS-4.
}

absl::Status SetType(const Header& header, uint64_t rest, ModelTensor* tensor) {
  const absl::string_view descr = header.descr;
  if (absl::StrContains(descr, header.structured ? "|O" : "O")) {
    return absl::InvalidArgumentError(absl::StrCat("type ", Quoted(descr), ": objects are pickled, and never read"));
  }
  const auto* const known =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const NumpyType& type) { return type.name == descr; });
  const std::optional<uint64_t> size = header.structured ? std::optional<uint64_t>(0) : ElementSizeOf(descr);
  if (!size.has_value()) return absl::InvalidArgumentError(absl::StrCat("unknown type ", Quoted(descr)));
  tensor->end = tensor->begin + rest;
  if (known != std::end(kTypes)) {
    tensor->dtype = known->dtype;
  } else {
    tensor->opaque_type = header.structured ? "struct" : std::string(descr);
    tensor->opaque_bits = static_cast<uint32_t>(8 * *size);
  }
  if (header.structured || *size == 0) return absl::OkStatus();
  const std::optional<uint64_t> elements = ElementCount(header.shape);
  if (!elements.has_value() || *elements > rest / *size) {
    return absl::InvalidArgumentError(absl::StrCat("the elements of [", absl::StrJoin(header.shape, ", "), "], of ",
                                                   *size, " bytes, do not fit the ", rest, " that follow"));
  }
  tensor->end = tensor->begin + *elements * *size;
  return absl::OkStatus();
}

}  // namespace

bool BeginsNpy(absl::Span<const uint8_t> head) {
  return head.size() >= sizeof(kMagic) && std::equal(std::begin(kMagic), std::end(kMagic), head.begin());
}

absl::StatusOr<TypedRange> ReadNpy(const RandomAccessFile& file, std::string name, uint64_t begin, uint64_t size) {
  const auto bad = [&](uint64_t offset, absl::string_view problem) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": array ", Quoted(name), " at offset ", offset, ": ", problem));
  };
  std::vector<uint8_t> head(static_cast<size_t>(std::min<uint64_t>(size, kVersionEnd + 4)));
  if (absl::Status status = file.ReadAt(begin, absl::MakeSpan(head)); !status.ok()) return status;
  if (head.size() < kVersionEnd + 4 || !BeginsNpy(head)) return bad(begin, "no NumPy array");
  const uint8_t version = head[sizeof(kMagic)];
  if (version < 1 || version > 3) return bad(begin, absl::StrCat("version ", version, ", expected 1 to 3"));
  const uint64_t text_size = version == 1 ? LoadLe16(&head[kVersionEnd]) : LoadLe32(&head[kVersionEnd]);
  const uint64_t text_begin = kVersionEnd + (version == 1 ? 2 : 4);
  if (text_size > size - text_begin || text_size > kMaxHeaderSize) {
    return bad(begin, absl::StrCat("a header of ", text_size, " bytes, ", size - text_begin, " follow, and at most ",
                                   kMaxHeaderSize, " are taken"));
  }
  std::string text(static_cast<size_t>(text_size), '\0');
  absl::Status status =
      file.ReadAt(begin + text_begin, absl::MakeSpan(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  if (!status.ok()) return status;
  Header header;
  if (!HeaderParser(text).Parse(&header)) return bad(begin + text_begin, absl::StrCat("header ", Quoted(text)));
  TypedRange range;
  ModelTensor& tensor = range.tensor;
  tensor.begin = begin + text_begin + text_size;
  status = SetType(header, size - text_begin - text_size, &tensor);
  if (!status.ok()) return bad(begin + text_begin, status.message());
  tensor.shape = std::move(header.shape);
  if (header.fortran_order) std::reverse(tensor.shape.begin(), tensor.shape.end());
  tensor.name = std::move(name);
  return range;
}

}  // namespace modelvault
