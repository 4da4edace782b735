#include "tools/demo/number_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace modelvault::demo {

std::string Grouped(uint64_t value) {
  const std::string digits = absl::StrCat(value);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string Percent(double share) { return absl::StrFormat("%.1f %%", 100 * share); }

}  // namespace modelvault::demo
