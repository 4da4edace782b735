// Revocation lists as values (docs/format.md §14), for whoever makes, extends or holds a vault against one.
// vault/core/revocation_view.h reads them without copying. Errors: kDataLoss for a file that is no list,
// kPermissionDenied (vault/refusal.h) for one that is not to be believed, and for what it revokes.
#ifndef MODELVAULT_VAULT_REVOCATION_LIST_H_
#define MODELVAULT_VAULT_REVOCATION_LIST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"
#include "vault/format.h"
#include "vault/signature_section.h"
#include "vault/vault_reader.h"

namespace modelvault {

struct Revocation {
  RevocationKind kind = RevocationKind::kVariant;
  uint64_t below = kBelowEveryVersion;  // Revoked in vaults of a version below this; at least 1.
  Digest what = {};                     // RevokedName of a variant, the key of a tenant.

  bool operator==(const Revocation&) const = default;
};

struct RevocationList {
  VaultId vault_id = {};
  uint64_t number = 1;
  Digest key_set = {};
  std::vector<Revocation> entries;    // Ascending, as the format has them.
  std::vector<Signature> signatures;  // One for each key of the key set.

  bool operator==(const RevocationList&) const = default;
};

// What an entry calls the variant `name`, as INDEX has it.
Digest RevokedName(absl::string_view name);

// A list for a vault, without entries and signatures, number 1.
RevocationList EmptyRevocationList(const SignatureSection& section);

// Adds an entry, or changes what is there of the same variant or tenant. kResourceExhausted if the file would have more
// than kMaxRevocationListSize bytes.
absl::Status Revoke(const Revocation& revocation, RevocationList* list);

// The file's bytes, and what the keys sign: kRevocationMessageSize bytes.
std::string EncodeRevocations(const RevocationList& list);
std::string RevocationMessageOf(const RevocationList& list);

// Puts the signature of `message` by `key` of `signer` into the list, which is of that key set. kPermissionDenied, and
// nothing changes, if the key is not of it or the signature is not its.
absl::Status PlaceRevocationSignature(const KeySet& signer, const PublicKey& key, const Signature& signature,
                                      RevocationList* list);

// A list that is there to be held against: its file's bytes, proven.
class ProvenRevocations {
 public:
  // Reads the list in `path` and proves that it is for `vault`, which was opened with a trust, and has at least
  // `least_number`.
  static absl::StatusOr<ProvenRevocations> Open(FileSystem& file_system, const std::string& path,
                                                const VaultReader& vault, uint64_t least_number);
  // The same for a file's bytes, which messages call `name`.
  static absl::StatusOr<ProvenRevocations> FromBytes(const std::string& name, std::string bytes,
                                                     const VaultReader& vault, uint64_t least_number);

  uint64_t number() const { return number_; }
  // kPermissionDenied if the variant `name` of `vault`, with which this was opened, is revoked.
  absl::Status Check(const VaultReader& vault, absl::string_view name) const;

 private:
  ProvenRevocations() = default;

  std::string path_;
  std::string bytes_;
  Digest digest_ = {};  // Of the signed part.
  uint64_t number_ = 0;
};

// Reads a list without believing it.
absl::StatusOr<RevocationList> ReadRevocations(FileSystem& file_system, const std::string& path);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REVOCATION_LIST_H_
