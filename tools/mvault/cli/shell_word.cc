#include "tools/mvault/cli/shell_word.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tools/mvault/cli/printable.h"

namespace modelvault {

std::string ShellWord(absl::string_view text) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || absl::StrContains("._-/=+,:@%", c);
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  if (Printable(text) == text) return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
  const std::string escaped = absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}});
  return absl::StrCat("$'", Printable(escaped), "'");
}

}  // namespace modelvault
