#include "tools/mvault/cli/printable.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "codec/core/bytes.h"
#include "vault/core/utf8.h"

namespace modelvault {
namespace {

bool Disturbs(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) ||  // Control characters.
         code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;  // Line separators and marks of direction.
}

}  // namespace

std::string Printable(absl::string_view text) {
  const ByteView bytes{reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  std::string printable;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    uint32_t character = 0;
    const bool is_character = ReadUtf8(bytes, &at, &character);
    if (!is_character) ++at;
    const absl::string_view piece = text.substr(begin, at - begin);
    if (is_character && !Disturbs(character)) {
      absl::StrAppend(&printable, piece);
      continue;
    }
    for (const char byte : piece) {
      absl::StrAppend(&printable, "\\x", absl::Hex(static_cast<uint8_t>(byte), absl::kZeroPad2));
    }
  }
  return printable;
}

std::string PrintableLines(absl::string_view text) {
  std::string printable;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&printable, printable.empty() ? "" : "  ", Printable(line), "\n");
  }
  return printable;
}

size_t CharacterCount(absl::string_view printable) {
  size_t count = 0;
  for (const char byte : printable) count += (static_cast<uint8_t>(byte) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace modelvault
