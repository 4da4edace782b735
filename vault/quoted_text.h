// Text from files in messages.
#ifndef MODELVAULT_VAULT_QUOTED_TEXT_H_
#define MODELVAULT_VAULT_QUOTED_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// In a form that cannot disturb a terminal, of bounded length.
inline std::string Quoted(absl::string_view text) {
  constexpr size_t kShown = 80;
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, kShown)), text.size() > kShown ? "..." : "", "'");
}

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_QUOTED_TEXT_H_
