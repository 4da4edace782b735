#include "vault/near_name.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"

namespace modelvault {
namespace {

bool IsCombiningMark(char32_t c) { return (c >= 0x300 && c <= 0x36F) || c == 0x3099 || c == 0x309A; }

// The characters that count. What is no UTF-8 counts byte by byte.
std::u32string Folded(absl::string_view text) {
  std::u32string folded;
  while (!text.empty()) {
    const uint8_t lead = static_cast<uint8_t>(text[0]);
    const size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t c = static_cast<uint8_t>(absl::ascii_tolower(static_cast<unsigned char>(text[0])));
    if (size > 1 && size <= text.size()) {
      c = lead & (0x7F >> size);
      for (size_t i = 1; i < size; ++i) c = c << 6 | (static_cast<uint8_t>(text[i]) & 0x3F);
    }
    text.remove_prefix(std::min(size, text.size()));
    if (!IsCombiningMark(c)) folded.push_back(c);
  }
  return folded;
}

// Levenshtein's distance.
size_t Distance(const std::u32string& a, const std::u32string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string NearestName(absl::string_view name, const std::vector<std::string>& names) {
  const std::u32string wanted = Folded(name);
  std::string nearest;
  size_t least = SIZE_MAX;
  for (const std::string& candidate : names) {
    const std::u32string folded = Folded(candidate);
    const size_t distance = Distance(wanted, folded);
    if (distance > std::max(wanted.size(), folded.size()) / 3 || distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace modelvault
