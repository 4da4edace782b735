// Seals variants and wraps content keys (docs/format.md §13): what vault/core/sealed_blob.h opens. Only hosts do this,
// with libsodium's encryption and random bytes.
#ifndef MODELVAULT_VAULT_SEALING_H_
#define MODELVAULT_VAULT_SEALING_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/core/sealed_blob.h"
#include "vault/signature_section.h"
#include "vault/vault_types.h"

namespace modelvault {

// A secret of kSecretKeySize bytes, wiped when it goes: a tenant's content key, or a device group's X25519 key.
class SecretKey {
 public:
  explicit SecretKey(const uint8_t bytes[kSecretKeySize]);
  ~SecretKey();
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;

  const uint8_t* data() const { return bytes_.data(); }

 private:
  std::array<uint8_t, kSecretKeySize> bytes_;
};

using ContentId = std::array<uint8_t, kTenantContentIdField.size>;
ContentId ContentIdOf(const SecretKey& content_key);

using GroupId = std::array<uint8_t, kTenantGroupIdSize>;
GroupId GroupIdOf(const PublicKey& group);

// The name in INDEX of variant `name`, which begins with `prefix`.
std::string SealedNameOf(absl::string_view prefix, absl::string_view name, const SecretKey& content_key);

// Wraps a tenant's content key for a device group, with a fresh key pair: no two results are equal. kInvalidArgument
// for a group key of small order.
absl::StatusOr<TenantGroup> WrapContentKey(const SecretKey& content_key, const PublicKey& group,
                                           const PublicKey& tenant);

// A variant's two parts, each encrypted, a tag behind it.
struct SealedVariant {
  SealSalt salt = {};
  std::string blob;
  std::string head;
};

// Seals `blob` (digests and blob) and `head` (a SealedHeader). Equal arguments give equal bytes; arguments that differ
// in anything have other keys.
SealedVariant SealVariant(const SecretKey& content_key, const VaultId& vault_id, absl::string_view index_name,
                          absl::string_view blob, absl::string_view head);

// Opens a head. kPermissionDenied if it is not one that was sealed with this key for this vault, name and salt.
absl::StatusOr<std::string> OpenSealedHead(const SecretKey& content_key, ByteView vault_id,
                                           absl::string_view index_name, const SealSalt& salt,
                                           absl::string_view sealed);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_SEALING_H_
