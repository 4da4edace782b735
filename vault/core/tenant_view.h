// Tenants (docs/format.md §13): whose a variant is, and whether its owner has signed it. Works on bytes in memory,
// which must outlive every view of them. What it says is true of a vault whose root and INDEX are proven
// (vault/core/vault_proof.h). Core code: built unchanged for host and board.
#ifndef MODELVAULT_VAULT_CORE_TENANT_VIEW_H_
#define MODELVAULT_VAULT_CORE_TENANT_VIEW_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "vault/core/crypto.h"
#include "vault/core/signature_view.h"
#include "vault/core/vault_proof.h"
#include "vault/core/vault_view.h"

namespace modelvault {

inline constexpr size_t kTenantMessageSize = kLabelSize + kDigestSize;

// Whether `name` begins with the tenant's prefix: the variant is its.
bool Owns(const TenantView& tenant, ByteView name);

// Whether the tenant's variants are sealed.
inline bool IsSealed(const TenantView& tenant) { return (tenant.flags & kTenantSealed) != 0; }

// Whether `name` is such as INDEX calls the sealed variants of a tenant that owns it.
bool IsSealedName(const TenantView& tenant, ByteView name);

// Finds the tenant that owns `name`. kNotFound: nobody does, it is the integrator's.
[[nodiscard]] CoreStatus FindTenant(const SignedRoot& root, ByteView name, TenantView* tenant);

// What the tenant signs: that these are its variants, on this base. `index` is the vault's, validated; `*variant_count`
// is how many variants it has. kBadRoot: there are fewer objects than variants.
[[nodiscard]] CoreStatus TenantMessage(const SignedRoot& root, const IndexView& index, const TenantView& tenant,
                                       const Crypto& crypto, uint8_t message[kTenantMessageSize],
                                       uint32_t* variant_count);

// Proves that the tenant has signed all of its variants, their names, salts or digests and stored bytes. kUnsigned: it
// has not, though it has variants; kBadSignature: it has signed something else. One without variants need not sign.
[[nodiscard]] CoreStatus ProveTenant(const SignedRoot& root, const IndexView& index, const TenantView& tenant,
                                     const Crypto& crypto);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CORE_TENANT_VIEW_H_
