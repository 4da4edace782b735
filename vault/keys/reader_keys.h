// The keys that whoever reads a vault was given.
#ifndef MODELVAULT_VAULT_KEYS_READER_KEYS_H_
#define MODELVAULT_VAULT_KEYS_READER_KEYS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "vault/keys/key_text.h"
#include "vault/signature_section.h"
#include "vault/tenant.h"

namespace modelvault {

// Where a key is: in the file `name`, or in `text`, which messages call `name`.
struct KeyPlace {
  std::string name;
  std::optional<absl::string_view> text = std::nullopt;
};

// Whether keys of this kind open what is sealed.
bool OpensSealed(KeyKind kind);

struct ReaderKeys {
  std::vector<PublicKey> trusted;
  TenantKeys opening;

  // Adds a public signing key. Errors: those of ReadPublicKey(); kInvalidArgument if it is there already.
  absl::Status AddTrusted(const KeyPlace& place);
  // Adds a tenant's content key or a device group's secret key. Errors: those of ReadSecretKey().
  absl::Status AddOpening(const KeyPlace& place);
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_KEYS_READER_KEYS_H_
