#include "tools/mvault/cli/text_stream.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/mvault/cli/printable.h"

namespace modelvault {
namespace {

// Bytes at the end of `text` that begin a character and are too few for it.
size_t OpenBytes(absl::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const uint8_t byte = static_cast<uint8_t>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // It goes on what is before it.
    const size_t size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return back < size ? back : 0;
  }
  return 0;
}

std::string PrintableText(absl::string_view text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) lines.push_back(Printable(line));
  return absl::StrJoin(lines, "\n");
}

}  // namespace

std::string TextStream::Add(absl::string_view piece) {
  absl::StrAppend(&held_, piece);
  const size_t open = OpenBytes(held_);
  const std::string text = PrintableText(absl::string_view(held_).substr(0, held_.size() - open));
  held_.erase(0, held_.size() - open);
  return text;
}

std::string TextStream::Finish() { return PrintableText(std::exchange(held_, "")); }

}  // namespace modelvault
