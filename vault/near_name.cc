#include "vault/near_name.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

constexpr size_t kMostNames = 4096;
constexpr size_t kMostBytes = 1024;

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
  if (name.size() > kMostBytes) return "";
  const std::u32string wanted = Folded(name);
  std::string nearest;
  size_t least = SIZE_MAX;
  for (size_t i = 0; i < std::min(names.size(), kMostNames); ++i) {
    if (names[i].size() > kMostBytes) continue;
    const std::u32string folded = Folded(names[i]);
    const auto [shorter, longer] = std::minmax({wanted.size(), folded.size()});
    const auto is_near = [&, most = longer / 3](size_t distance) { return distance <= most && distance < least; };
    if (!is_near(longer - shorter)) continue;  // It cannot be less than that.
    const size_t distance = Distance(wanted, folded);
    if (!is_near(distance)) continue;
    least = distance;
    nearest = names[i];
  }
  return nearest;
}

std::string NearestNameHint(absl::string_view name, const std::vector<std::string>& names) {
  const std::string nearest = NearestName(name, names);
  return nearest.empty() ? "" : absl::StrCat("; there is '", absl::Utf8SafeCHexEscape(nearest), "'");
}

}  // namespace modelvault
