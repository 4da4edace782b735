#include "tools/formats/readable_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace modelvault {

std::string Grouped(uint64_t n) {
  const std::string digits = absl::StrCat(n);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped.push_back(',');
    grouped.push_back(digits[i]);
  }
  return grouped;
}

std::string Counted(uint64_t n, absl::string_view one) { return absl::StrCat(Grouped(n), " ", one, n == 1 ? "" : "s"); }

std::string Percent(double share) { return absl::StrFormat("%.1f %%", 100 * share); }

std::string EscapedForHtml(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

}  // namespace modelvault
