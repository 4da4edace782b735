#include "tools/mvault/cli/printable.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace modelvault {
namespace {

// Decodes the UTF-8 character at the start of `text`, which is not empty; the size is 0 if there is none.
struct Character {
  uint32_t code = 0;
  size_t size = 0;
};
Character Decode(absl::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  uint32_t code = lead & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kLeast[size] || code > 0x10FFFF || surrogate) return {};
  return {code, size};
}

bool Disturbs(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) ||  // Control characters.
         code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;  // Line separators and marks of direction.
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const Character c = Decode(text);
    const size_t size = c.size == 0 ? 1 : c.size;
    if (c.size == 0 || Disturbs(c.code)) {
      for (const char byte : text.substr(0, size)) {
        absl::StrAppend(&printable, "\\x", absl::Hex(static_cast<uint8_t>(byte), absl::kZeroPad2));
      }
    } else {
      absl::StrAppend(&printable, text.substr(0, size));
    }
    text.remove_prefix(size);
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
