// Whose vaults a reader takes (docs/format.md §12).
#ifndef MODELVAULT_VAULT_VAULT_TRUST_H_
#define MODELVAULT_VAULT_VAULT_TRUST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/core/bytes.h"
#include "vault/core/signature_view.h"
#include "vault/signature_section.h"

namespace modelvault {

struct VaultTrust {
  // The key set that is trusted: its digest, as a reader keeps it (VaultReader::key_set_digest), or else its keys, in
  // any order, and its threshold.
  std::optional<Digest> key_set = std::nullopt;
  std::vector<PublicKey> keys = {};
  uint8_t threshold = 1;

  uint64_t least_version = 0;  // Older vaults are refused.
  int64_t now = 0;  // Seconds since 1970, UTC; 0: whether the vault is still, or already, valid is not asked.
};

// Proves a vault's root: `header` is its header, kHeaderSize bytes. The digest of the key set that has signed it, or
// kPermissionDenied (vault/refusal.h), which says what is not right with the vault called `path`.
absl::StatusOr<Digest> CheckRoot(const std::string& path, ByteView header, const SignedRoot& root,
                                 const VaultTrust& trust);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_VAULT_TRUST_H_
