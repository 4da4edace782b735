#include "vault/near_name.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "vault/core/utf8.h"

namespace modelvault {
namespace {

constexpr size_t kMostNames = 4096;
constexpr size_t kMostBytes = 1024;

bool IsCombiningMark(uint32_t c) { return (c >= 0x300 && c <= 0x36F) || c == 0x3099 || c == 0x309A; }

struct Text {
  std::u32string folded;  // The characters that count. What is no UTF-8 counts byte by byte.
  std::u32string plain;   // The same, ASCII letters in their case.
};

Text TextOf(absl::string_view name) {
  const ByteView bytes{reinterpret_cast<const uint8_t*>(name.data()), name.size()};
  Text text;
  for (size_t at = 0; at < name.size();) {
    uint32_t c = 0;
    if (!ReadUtf8(bytes, &at, &c)) c = bytes.data[at++];
    if (IsCombiningMark(c)) continue;
    text.plain.push_back(c);
    text.folded.push_back(c < 0x80 ? static_cast<uint8_t>(absl::ascii_tolower(static_cast<unsigned char>(c))) : c);
  }
  return text;
}

// How many characters are missing, too many, another, or change places with their neighbour, at least.
size_t Distance(const std::u32string& a, const std::u32string& b) {
  std::vector<size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      next[j + 1] = std::min({row[j] + (a[i] == b[j] ? 0 : 1), next[j] + 1, row[j + 1] + 1});
      const bool swapped = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
      if (swapped) next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    before.swap(row);
    row.swap(next);
  }
  return row.back();
}

}  // namespace

std::string NearestName(absl::string_view name, const std::vector<std::string>& names) {
  if (name.size() > kMostBytes) return "";
  const Text wanted = TextOf(name);
  std::string nearest;
  size_t least = SIZE_MAX;
  size_t least_plain = SIZE_MAX;  // Of those as near as that.
  for (size_t i = 0; i < std::min(names.size(), kMostNames); ++i) {
    if (names[i].size() > kMostBytes) continue;
    const Text text = TextOf(names[i]);
    const auto [shorter, longer] = std::minmax({wanted.folded.size(), text.folded.size()});
    const size_t most = std::min(longer / 3, least);
    if (longer - shorter > most) continue;  // It cannot be less than that.
    const size_t distance = Distance(wanted.folded, text.folded);
    if (distance > most) continue;
    const size_t plain = Distance(wanted.plain, text.plain);
    if (distance == least && plain >= least_plain) continue;
    least = distance;
    least_plain = plain;
    nearest = names[i];
  }
  return nearest;
}

std::string NearestNameHint(absl::string_view name, const std::vector<std::string>& names) {
  const std::string nearest = NearestName(name, names);
  return nearest.empty() ? "" : absl::StrCat("; there is '", absl::Utf8SafeCHexEscape(nearest), "'");
}

}  // namespace modelvault
