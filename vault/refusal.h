// Why a vault, or a part of it, is refused, as programs want it: messages tell it to people, a payload of the status to
// programs.
#ifndef MODELVAULT_VAULT_REFUSAL_H_
#define MODELVAULT_VAULT_REFUSAL_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace modelvault {

enum class Refusal : uint8_t {
  kUntrusted,   // Not what those who are trusted have signed, or a tenant has sealed.
  kSealed,      // Needs a key of its tenant's that is not there.
  kRolledBack,  // Older than what is taken.
  kExpired,     // Not valid at the time: no longer, or not yet.
  kRevoked,     // By a revocation list.
};

// A kPermissionDenied for that reason.
absl::Status Refused(Refusal why, absl::string_view message);

// Why; nothing for any other code. A kPermissionDenied that does not say is kUntrusted.
std::optional<Refusal> RefusalOf(const absl::Status& status);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REFUSAL_H_
