// Sealed variants (docs/format.md §13): their names, their keys, and what is in them. Everything follows from a
// tenant's content key, which a device group's secret key opens. Core code: built unchanged for host and board.
#ifndef MODELVAULT_VAULT_CORE_SEALED_BLOB_H_
#define MODELVAULT_VAULT_CORE_SEALED_BLOB_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "vault/core/crypto.h"
#include "vault/core/signature_view.h"
#include "vault/core/vault_view.h"
#include "vault/format.h"

namespace modelvault {

// Bytes that a sealed blob has and the blob in it does not.
inline constexpr size_t kSealedBlobExtra = kSealedDigestsSize + kTagSize;

// By these 8 bytes each, keys that fit are found without trying them.
void ContentKeyId(const uint8_t content_key[kSecretKeySize], const Crypto& crypto,
                  uint8_t id[kTenantContentIdField.size]);
void DeviceGroupId(const uint8_t public_key[kPublicKeySize], const Crypto& crypto, uint8_t id[kTenantGroupIdSize]);

// Writes what follows the prefix in the name that INDEX has for the variant `name`.
void SealedName(ByteView name, const uint8_t content_key[kSecretKeySize], const Crypto& crypto,
                uint8_t sealed_name[kSealedNameSize]);

// The 24 bytes of an entry that are a sealed variant's salt.
void StoreSalt(const VariantEntry& entry, uint8_t salt[kSealSaltSize]);

// What a key encrypts: each message has one of its own.
enum class SealedPart : uint8_t { kBlob, kHead };
void SealingKey(SealedPart part, const uint8_t salt[kSealSaltSize], const uint8_t content_key[kSecretKeySize],
                const Crypto& crypto, uint8_t key[kSecretKeySize]);

// What the encryption of both parts is bound to: the vault, and the name in INDEX. `bytes` must outlive the view.
inline constexpr size_t kMaxSealContextSize = kVaultIdField.size + kMaxVariantNameSize;
ByteView SealContext(ByteView vault_id, ByteView index_name, uint8_t bytes[kMaxSealContextSize]);

// The key that a content key is encrypted with for a group: from the shared secret of one's secret key and the other's
// public key. False for a public key of small order, which would make it nobody's secret.
[[nodiscard]] bool WrappingKey(const uint8_t secret[kSecretKeySize], const uint8_t other[kPublicKeySize],
                               const uint8_t ephemeral[kPublicKeySize], const uint8_t group[kPublicKeySize],
                               const Crypto& crypto, uint8_t key[kSecretKeySize]);

// Opens the tenant's content key with the secret key of a device group. kSealed: it is not for this group;
// kNotAuthentic: it is, but was not made for this tenant and group, or was tampered with.
[[nodiscard]] CoreStatus UnwrapContentKey(const TenantView& tenant, const uint8_t group_secret[kSecretKeySize],
                                          const Crypto& crypto, uint8_t content_key[kSecretKeySize]);

// A sealed blob's contents.
struct OpenedBlob {
  uint64_t xxh64 = 0;     // Of the restored variant,
  uint8_t xxh3[16] = {};  // both digests.
  ByteView blob;          // As §6 has it; empty for a variant that is the base.
};

// Decrypts the sealed blob `stored`, which is all of the entry's, into `out`, which has room for stored.size - kTagSize
// bytes and may be where `stored` is; `opened->blob` lies in it, kSealedDigestsSize bytes from its start. kBadBlob: too
// short; kNotAuthentic: not what a holder of the content key sealed for this vault and name. Then `out` is as it was.
[[nodiscard]] CoreStatus OpenSealedBlob(ByteView vault_id, const VariantEntry& entry, ByteView stored,
                                        const uint8_t content_key[kSecretKeySize], const Crypto& crypto, uint8_t* out,
                                        OpenedBlob* opened);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CORE_SEALED_BLOB_H_
