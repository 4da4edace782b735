#include "tools/packing/name_rules.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace modelvault {

std::string NameRules::Apply(absl::string_view name) const {
  std::string result(name);
  for (const NameRule& rule : renames) {
    const size_t at = result.find(rule.from);
    if (at != std::string::npos) result.replace(at, rule.from.size(), rule.to);
  }
  return result;
}

bool NameRules::Ignores(absl::string_view name) const {
  return std::any_of(ignore.begin(), ignore.end(),
                     [&](const std::string& pattern) { return MatchesPattern(name, pattern); });
}

absl::StatusOr<NameRule> ParseNameRule(absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || text.size() == 1) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not FROM=TO"));
  }
  return NameRule{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

bool MatchesPattern(absl::string_view name, absl::string_view pattern) {
  // Where the last '*' stands and how much of the name it has been given: the only choice that ever has to be revised.
  size_t star = absl::string_view::npos;
  size_t resume = 0;
  size_t p = 0;
  size_t n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == absl::string_view::npos;
}

std::string FormatNameRule(const NameRule& rule) {
  const std::string text = absl::StrCat(rule.from, "=", rule.to);
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("._-=/:").find(c) != absl::string_view::npos;
  });
  return plain ? text : absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

}  // namespace modelvault
