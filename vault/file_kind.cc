#include "vault/file_kind.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace modelvault {
namespace {

struct Kind {
  size_t offset;
  absl::string_view bytes;
  const char* description;
};

// The first that matches counts.
absl::Span<const Kind> Kinds() {
  static const auto* const kKinds = new std::array<Kind, 20>{{
      {0, "version https://git-lfs", "a git-LFS pointer, not the file it stands for: fetch that with 'git lfs pull'"},
      {0, "MVLT", "a vault"},
      {0, "GGUF", "a GGUF file"},
      {0, "PK\x03\x04", "a ZIP archive, as PyTorch's .pt and .bin and NumPy's .npz files are"},
      {0, "PK\x05\x06", "an empty ZIP archive"},
      {0, "\x1f\x8b", "gzip-compressed: decompress it first"},
      {0, "\x28\xb5\x2f\xfd", "zstd-compressed: decompress it first"},
      {0, absl::string_view("\xfd\x37zXZ\0", 6), "xz-compressed: decompress it first"},
      {0, "BZh", "bzip2-compressed: decompress it first"},
      {0, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
      {257, "ustar", "a tar archive: unpack it first"},
      {0, "\x93NUMPY", "a NumPy array"},
      {0, "\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them"},
      {4, "TFL3", "a TensorFlow Lite model"},
      {0, "\x80\x02", "a Python pickle, as old PyTorch files are"},
      {0, "\x80\x03", "a Python pickle"},
      {0, "\x80\x04", "a Python pickle"},
      {0,
       "\x7f"
       "ELF",
       "a program"},
      {0, "%PDF", "a PDF document"},
      {0, "\x89PNG", "a PNG picture"},
  }};
  return *kKinds;
}

// What is known by its first bytes; nullptr for anything else.
const char* KnownKind(absl::string_view head) {
  // The length of its header, of which the upper four bytes are zero, and the header. First, for that length may begin
  // as anything does.
  if (head.size() > 8 && head[8] == '{' && head.substr(4, 4) == absl::string_view("\0\0\0\0", 4)) {
    return "a safetensors file";
  }
  for (const Kind& kind : Kinds()) {
    if (head.size() >= kind.offset && absl::StartsWith(head.substr(kind.offset), kind.bytes)) return kind.description;
  }
  const absl::string_view body = absl::StripLeadingAsciiWhitespace(head);
  if (absl::StartsWithIgnoreCase(body, "<!doctype html") || absl::StartsWithIgnoreCase(body, "<html")) {
    return "an HTML page: the download gave a web page instead of the file";
  }
  if (!head.empty() && head.find_first_not_of('\0') == absl::string_view::npos) {
    return "zeros, at least at its start: was it written or downloaded to the end?";
  }
  // A mark, or every other byte zero.
  if (absl::StartsWith(head, "\xFF\xFE") || absl::StartsWith(head, "\xFE\xFF") ||
      (head.size() >= 2 && (head[0] == '\0') != (head[1] == '\0') && absl::ascii_isprint(head[0] | head[1]))) {
    return "text in UTF-16, as some shells write it; expected UTF-8 (PowerShell: | Out-File -Encoding utf8)";
  }
  return nullptr;
}

bool IsText(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || absl::ascii_isspace(byte);
  });
}

constexpr char kBinary[] = "a binary file of no kind known here";

}  // namespace

std::string DescribeFileKind(absl::Span<const uint8_t> head) {
  const absl::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (text.empty()) return "empty";
  if (const char* const known = KnownKind(text); known != nullptr) return known;
  if (!IsText(text)) return kBinary;
  const absl::string_view body = absl::StripLeadingAsciiWhitespace(text);
  if (absl::StartsWith(body, "{")) return "JSON text; of a model in shards this is the index: join the shards first";
  constexpr size_t kShown = 16;
  return absl::StrCat("text that begins with '", absl::CHexEscape(body.substr(0, kShown)), "'");
}

absl::Status CheckIsText(absl::string_view content, absl::string_view path) {
  const absl::string_view head = content.substr(0, kFileKindSize);
  const char* const known = KnownKind(head);
  if (known == nullptr && IsText(head)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": expected text; it is ", known != nullptr ? known : kBinary));
}

}  // namespace modelvault
