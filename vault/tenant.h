// Tenants of a vault (docs/format.md §13) on hosts: who they are, the keys that open what is theirs, and their
// signatures.
#ifndef MODELVAULT_VAULT_TENANT_H_
#define MODELVAULT_VAULT_TENANT_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/core/tenant_view.h"
#include "vault/sealing.h"
#include "vault/signature_section.h"

namespace modelvault {

// What opens sealed variants: tenants' content keys, and secret keys of device groups that content keys are wrapped
// for.
struct TenantKeys {
  std::vector<SecretKey> content;
  std::vector<SecretKey> devices;
};

// The tenant's content key, if `keys` have it. kPermissionDenied if it is wrapped for a group whose key is there, and
// does not open: tampered with.
absl::StatusOr<std::optional<SecretKey>> FindContentKey(const TenantView& tenant, const TenantKeys& keys);

// A tenant that owns names that begin with `prefix`. With a content key its variants are sealed, and the groups can
// open them. kInvalidArgument for a prefix that no name can begin with or that is too long, for groups without a
// content key, too many of them, one twice.
absl::StatusOr<TenantRecord> MakeTenant(absl::string_view prefix, const PublicKey& key,
                                        const std::optional<SecretKey>& content_key,
                                        absl::Span<const PublicKey> groups);

// Puts `tenant` among `tenants`, which are in order, in the place of the one with its prefix. kInvalidArgument if its
// prefix begins another's or the other way round; kResourceExhausted if they are too many.
absl::Status PlaceTenant(TenantRecord tenant, std::vector<TenantRecord>* tenants);

// The tenant whose prefix `name` begins with; null if it is nobody's.
const TenantRecord* OwnerOf(absl::string_view name, absl::Span<const TenantRecord> tenants);

// Signs a tenant's message (kTenantMessageSize bytes), or does not: nothing.
using TenantSigner =
    std::function<absl::StatusOr<std::optional<Signature>>(const TenantRecord& tenant, absl::string_view message)>;

// Leaves to each tenant of `section`, whose header and INDEX these are, the signature that is still true; of the others
// `sign`, which may be null, makes one, or it goes. kPermissionDenied if what it makes is not the tenant's.
absl::Status SignTenants(const VaultHeader& header, absl::string_view index, const TenantSigner& sign,
                         SignatureSection* section);

// kPermissionDenied if a tenant that has variants has not signed them as they are, or if its signature is of something
// else: then nobody may sign the root. `path` is for the message.
absl::Status CheckTenantsSigned(const std::string& path, const SignedRoot& root, const IndexView& index);
// The same of a vault with this header and INDEX that is to have this SIGNATURE.
absl::Status CheckTenantsSigned(const std::string& path, const VaultHeader& header, absl::string_view index,
                                const SignatureSection& section);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_TENANT_H_
