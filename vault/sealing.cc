#include "vault/sealing.h"

#include <sodium.h>

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "vault/core/vault_proof.h"
#include "vault/crypto.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

constexpr char kSaltLabel[] = "modelvault salt";

const uint8_t* Bytes(absl::string_view text) { return ToByteView(text).data; }

void Add(absl::string_view bytes, HashState* state) { HostCrypto().hash_add(state, Bytes(bytes), bytes.size()); }

std::string Context(ByteView vault_id, absl::string_view index_name) {
  uint8_t bytes[kMaxSealContextSize];
  const ByteView context = SealContext(vault_id, ToByteView(index_name), bytes);
  return std::string(reinterpret_cast<const char*>(context.data), context.size);
}

// Of all that is sealed and all that it is bound to: a key that follows from it never meets anything else.
SealSalt SaltOf(const SecretKey& content_key, absl::string_view context, absl::string_view blob,
                absl::string_view head) {
  uint8_t label[kLabelSize];
  uint8_t sizes[16];
  WriteLabel(kSaltLabel, label);
  StoreLe64(sizes, context.size());
  StoreLe64(sizes + 8, blob.size());
  HashState state;
  HostCrypto().hash_begin(&state, content_key.data());
  HostCrypto().hash_add(&state, label, sizeof(label));
  HostCrypto().hash_add(&state, sizes, sizeof(sizes));
  Add(context, &state);
  Add(blob, &state);
  Add(head, &state);
  Digest digest;
  HostCrypto().hash_end(&state, digest.data());
  SealSalt salt;
  std::memcpy(salt.data(), digest.data(), salt.size());
  return salt;
}

std::string Seal(absl::string_view plain, absl::string_view context, const uint8_t key[kSecretKeySize]) {
  constexpr uint8_t kNonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES] = {};
  std::string sealed(plain.size() + kTagSize, '\0');
  unsigned long long size = 0;
  crypto_aead_chacha20poly1305_ietf_encrypt(reinterpret_cast<uint8_t*>(sealed.data()), &size, Bytes(plain),
                                            plain.size(), Bytes(context), context.size(), nullptr, kNonce, key);
  return sealed;
}

std::string SealPart(SealedPart part, const SecretKey& content_key, const SealSalt& salt, absl::string_view plain,
                     absl::string_view context) {
  uint8_t key[kSecretKeySize];
  SealingKey(part, salt.data(), content_key.data(), HostCrypto(), key);
  std::string sealed = Seal(plain, context, key);
  sodium_memzero(key, sizeof(key));
  return sealed;
}

}  // namespace

SecretKey::SecretKey(const uint8_t bytes[kSecretKeySize]) { std::memcpy(bytes_.data(), bytes, bytes_.size()); }

SecretKey::~SecretKey() { sodium_memzero(bytes_.data(), bytes_.size()); }

ContentId ContentIdOf(const SecretKey& content_key) {
  ContentId id;
  ContentKeyId(content_key.data(), HostCrypto(), id.data());
  return id;
}

GroupId GroupIdOf(const PublicKey& group) {
  GroupId id;
  DeviceGroupId(group.data(), HostCrypto(), id.data());
  return id;
}

std::string SealedNameOf(absl::string_view prefix, absl::string_view name, const SecretKey& content_key) {
  uint8_t own[kSealedNameSize];
  SealedName(ToByteView(name), content_key.data(), HostCrypto(), own);
  return absl::StrCat(prefix, absl::string_view(reinterpret_cast<const char*>(own), sizeof(own)));
}

absl::StatusOr<TenantGroup> WrapContentKey(const SecretKey& content_key, const PublicKey& group,
                                           const PublicKey& tenant) {
  static_cast<void>(HostCrypto());  // Initialises the library that the random bytes are of.
  TenantGroup wrapped;
  wrapped.id = GroupIdOf(group);
  uint8_t secret[kSecretKeySize];
  uint8_t key[kSecretKeySize];
  randombytes_buf(secret, sizeof(secret));
  crypto_scalarmult_base(wrapped.ephemeral.data(), secret);
  const bool agreed = WrappingKey(secret, group.data(), wrapped.ephemeral.data(), group.data(), HostCrypto(), key);
  sodium_memzero(secret, sizeof(secret));
  if (!agreed) return absl::InvalidArgumentError("the device group's key is no X25519 key: it is of small order");
  const std::string sealed = Seal({reinterpret_cast<const char*>(content_key.data()), kSecretKeySize},
                                  {reinterpret_cast<const char*>(tenant.data()), tenant.size()}, key);
  sodium_memzero(key, sizeof(key));
  std::memcpy(wrapped.wrapped.data(), sealed.data(), wrapped.wrapped.size());
  return wrapped;
}

SealedVariant SealVariant(const SecretKey& content_key, const VaultId& vault_id, absl::string_view index_name,
                          absl::string_view blob, absl::string_view head) {
  const std::string context = Context({vault_id.data(), vault_id.size()}, index_name);
  SealedVariant sealed;
  sealed.salt = SaltOf(content_key, context, blob, head);
  sealed.blob = SealPart(SealedPart::kBlob, content_key, sealed.salt, blob, context);
  sealed.head = SealPart(SealedPart::kHead, content_key, sealed.salt, head, context);
  return sealed;
}

absl::StatusOr<std::string> OpenSealedHead(const SecretKey& content_key, ByteView vault_id,
                                           absl::string_view index_name, const SealSalt& salt,
                                           absl::string_view sealed) {
  if (sealed.size() < kTagSize) return absl::DataLossError("shorter than its tag");
  const std::string context = Context(vault_id, index_name);
  uint8_t key[kSecretKeySize];
  SealingKey(SealedPart::kHead, salt.data(), content_key.data(), HostCrypto(), key);
  std::string head(sealed.size() - kTagSize, '\0');
  const bool opened = HostCrypto().open(reinterpret_cast<uint8_t*>(head.data()), Bytes(sealed), head.size(),
                                        Bytes(sealed) + head.size(), Bytes(context), context.size(), key);
  sodium_memzero(key, sizeof(key));
  if (!opened) return absl::PermissionDeniedError("not what a holder of its tenant's key sealed here");
  return head;
}

}  // namespace modelvault
