#include "vault/variant_name.h"

#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "vault/core/vault_view.h"

namespace modelvault {

absl::Status ValidateVariantName(absl::string_view name) {
  const NameFault fault = CheckVariantName({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
  if (fault == NameFault::kNone) return absl::OkStatus();
  // Of a long one, enough to recognise it. Where a character may be cut or malformed, only ASCII is shown as it is.
  const absl::string_view shown = name.substr(0, kMaxVariantNameSize);
  const bool whole_characters = fault != NameFault::kTooLong && fault != NameFault::kNotUtf8;
  const std::string what =
      absl::StrCat("variant name '", whole_characters ? absl::Utf8SafeCHexEscape(shown) : absl::CHexEscape(shown),
                   shown.size() < name.size() ? "...' " : "' ");
  switch (fault) {
    case NameFault::kNone:
      break;
    case NameFault::kEmpty:
      return absl::InvalidArgumentError("variant name is empty");
    case NameFault::kTooLong:
      return absl::InvalidArgumentError(
          absl::StrCat(what, "has ", name.size(), " bytes, at most ", kMaxVariantNameSize, " are allowed"));
    case NameFault::kReserved:
      return absl::InvalidArgumentError(absl::StrCat(what, "is reserved"));
    case NameFault::kLeadingDash:
      return absl::InvalidArgumentError(absl::StrCat(what, "begins with '-', like an option"));
    case NameFault::kBadCharacter:
      return absl::InvalidArgumentError(absl::StrCat(what, "contains '/', '\\' or a control character"));
    case NameFault::kNotUtf8:
      return absl::InvalidArgumentError(absl::StrCat(what, "is not valid UTF-8"));
  }
  return absl::InternalError(absl::StrCat(what, "is invalid"));
}

}  // namespace modelvault
