#ifndef MODELVAULT_VAULT_VARIANT_NAME_H_
#define MODELVAULT_VAULT_VARIANT_NAME_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// OK if a variant may be named so (docs/format.md §7), else kInvalidArgument that shows the name, made printable, and
// says what is wrong with it. It does not know which names are taken.
absl::Status ValidateVariantName(absl::string_view name);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_VARIANT_NAME_H_
