#ifndef MODELVAULT_TESTS_VAULT_FORMAT_DOCUMENT_H_
#define MODELVAULT_TESTS_VAULT_FORMAT_DOCUMENT_H_

// Reads docs/format.md, so that tests can hold it against the code and against files.

#include <gtest/gtest.h>

#include <cctype>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace modelvault {

// The page's text. MODELVAULT_SOURCE_DIR is defined by the build.
inline std::string FormatDocument() {
  std::ifstream in(MODELVAULT_SOURCE_DIR "/docs/format.md");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(text.empty()) << "docs/format.md cannot be read";
  return text;
}

// With every run of spaces and line ends made one space, for sentences that are wrapped.
inline std::string Unwrapped(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n';
    if (!space || (!out.empty() && out.back() != ' ')) out += space ? ' ' : c;
  }
  return out;
}

using TableRows = std::vector<std::vector<std::string>>;

// The rows under the table header that begins with `header`, e.g. "| Mode | Name |"; cells without surrounding spaces.
inline TableRows TableBelow(absl::string_view document, absl::string_view header) {
  TableRows rows;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(document, '\n')) {
    if (!inside) {
      inside = absl::StartsWith(line, header);
      continue;
    }
    if (!absl::StartsWith(line, "|")) break;
    if (absl::StartsWith(line, "|---")) continue;
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    cells.erase(cells.begin());
    cells.pop_back();
    for (std::string& cell : cells) cell = std::string(absl::StripAsciiWhitespace(cell));
    rows.push_back(std::move(cells));
  }
  return rows;
}

// The bytes of all hex dumps in `document`, by offset. A dump is a code block opened by `fence` with lines as written
// by `od -A x -t x1z -v`: an offset, up to 16 bytes, and the same as text between > and <. Lines that are no such thing
// fail the test.
inline std::map<uint64_t, uint8_t> DumpedBytes(absl::string_view document, absl::string_view fence = "```hex") {
  std::map<uint64_t, uint8_t> bytes;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(document, '\n')) {
    if (absl::StartsWith(line, "```")) {
      inside = !inside && line == fence;
      continue;
    }
    if (!inside) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t offset = 0;
    if (words.empty() || !absl::SimpleHexAtoi(words[0], &offset)) {
      ADD_FAILURE() << "not a line of a hex dump: " << line;
      continue;
    }
    for (size_t i = 1; i < words.size() && words[i][0] != '>'; ++i) {
      uint32_t byte = 0;
      if (words[i].size() != 2 || !absl::SimpleHexAtoi(words[i], &byte)) {
        ADD_FAILURE() << "not a byte: " << words[i] << " in " << line;
        break;
      }
      if (!bytes.emplace(offset++, static_cast<uint8_t>(byte)).second) ADD_FAILURE() << "dumped twice: " << line;
    }
  }
  return bytes;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_FORMAT_DOCUMENT_H_
