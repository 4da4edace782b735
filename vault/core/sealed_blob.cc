#include "vault/core/sealed_blob.h"

#include "vault/core/vault_proof.h"

namespace modelvault {
namespace {

constexpr char kNameLabel[] = "modelvault name";
constexpr char kContentIdLabel[] = "modelvault id";
constexpr char kGroupLabel[] = "modelvault grp";
constexpr char kBlobLabel[] = "modelvault blob";
constexpr char kHeadLabel[] = "modelvault head";
constexpr char kWrapLabel[] = "modelvault wrap";

// X25519's base point, of which a secret key makes its public key.
constexpr uint8_t kBasePoint[kPublicKeySize] = {9};

// A group's record.
constexpr FieldPlace kGroupIdField{0, kTenantGroupIdSize};
constexpr FieldPlace kGroupEphemeralField{8, 32};
constexpr FieldPlace kGroupWrappedField{40, 32};
constexpr FieldPlace kGroupTagField{72, 16};
static_assert(kGroupTagField.offset + kGroupTagField.size == kTenantGroupSize);

// Digest keyed with `key`, of label(`text`) and `part`.
void KeyedDigest(const char* text, ByteView part, const uint8_t key[kSecretKeySize], const Crypto& crypto,
                 uint8_t digest[kDigestSize]) {
  uint8_t label[kLabelSize];
  WriteLabel(text, label);
  HashState state;
  crypto.hash_begin(&state, key);
  crypto.hash_add(&state, label, sizeof(label));
  if (part.size > 0) crypto.hash_add(&state, part.data, part.size);
  crypto.hash_end(&state, digest);
}

// Forgets a secret; the compiler may not leave it out.
void Wipe(uint8_t* bytes, size_t size) {
  volatile uint8_t* const at = bytes;
  for (size_t i = 0; i < size; ++i) at[i] = 0;
}

}  // namespace

void ContentKeyId(const uint8_t content_key[kSecretKeySize], const Crypto& crypto,
                  uint8_t id[kTenantContentIdField.size]) {
  uint8_t digest[kDigestSize];
  KeyedDigest(kContentIdLabel, {}, content_key, crypto, digest);
  memcpy(id, digest, kTenantContentIdField.size);
}

void DeviceGroupId(const uint8_t public_key[kPublicKeySize], const Crypto& crypto, uint8_t id[kTenantGroupIdSize]) {
  uint8_t digest[kDigestSize];
  const ByteView part = {public_key, kPublicKeySize};
  LabelledDigest(kGroupLabel, &part, 1, crypto, digest);
  memcpy(id, digest, kTenantGroupIdSize);
}

void SealedName(ByteView name, const uint8_t content_key[kSecretKeySize], const Crypto& crypto,
                uint8_t sealed_name[kSealedNameSize]) {
  constexpr char kHex[] = "0123456789abcdef";
  uint8_t digest[kDigestSize];
  KeyedDigest(kNameLabel, name, content_key, crypto, digest);
  sealed_name[0] = static_cast<uint8_t>(kSealedMark);
  for (size_t i = 0; i < kSealedNameDigits; ++i) {
    const unsigned digit = i % 2 == 0 ? digest[i / 2] >> 4 : digest[i / 2] & 15u;
    sealed_name[1 + i] = static_cast<uint8_t>(kHex[digit]);
  }
}

void StoreSalt(const VariantEntry& entry, uint8_t salt[kSealSaltSize]) {
  StoreLe64(salt, entry.xxh64);
  memcpy(salt + sizeof(entry.xxh64), entry.xxh3, sizeof(entry.xxh3));
}

void SealingKey(SealedPart part, const uint8_t salt[kSealSaltSize], const uint8_t content_key[kSecretKeySize],
                const Crypto& crypto, uint8_t key[kSecretKeySize]) {
  KeyedDigest(part == SealedPart::kBlob ? kBlobLabel : kHeadLabel, {salt, kSealSaltSize}, content_key, crypto, key);
}

ByteView SealContext(ByteView vault_id, ByteView index_name, uint8_t bytes[kMaxSealContextSize]) {
  memcpy(bytes, vault_id.data, vault_id.size);
  memcpy(bytes + vault_id.size, index_name.data, index_name.size);
  return {bytes, vault_id.size + index_name.size};
}

bool WrappingKey(const uint8_t secret[kSecretKeySize], const uint8_t other[kPublicKeySize],
                 const uint8_t ephemeral[kPublicKeySize], const uint8_t group[kPublicKeySize], const Crypto& crypto,
                 uint8_t key[kSecretKeySize]) {
  uint8_t shared[kSecretKeySize];
  if (!crypto.agree(shared, secret, other)) return false;
  const ByteView parts[] = {{shared, sizeof(shared)}, {ephemeral, kPublicKeySize}, {group, kPublicKeySize}};
  LabelledDigest(kWrapLabel, parts, sizeof(parts) / sizeof(parts[0]), crypto, key);
  Wipe(shared, sizeof(shared));
  return true;
}

CoreStatus UnwrapContentKey(const TenantView& tenant, const uint8_t group_secret[kSecretKeySize], const Crypto& crypto,
                            uint8_t content_key[kSecretKeySize]) {
  uint8_t group[kPublicKeySize];
  if (!crypto.agree(group, group_secret, kBasePoint)) return CoreStatus::kBadArgument;
  uint8_t id[kTenantGroupIdSize];
  DeviceGroupId(group, crypto, id);
  for (size_t at = 0; at < tenant.groups.size; at += kTenantGroupSize) {
    const uint8_t* const record = tenant.groups.data + at;
    if (memcmp(record + kGroupIdField.offset, id, sizeof(id)) != 0) continue;
    const uint8_t* const ephemeral = record + kGroupEphemeralField.offset;
    uint8_t key[kSecretKeySize];
    if (!WrappingKey(group_secret, ephemeral, ephemeral, group, crypto, key)) return CoreStatus::kNotAuthentic;
    const bool opened = crypto.open(content_key, record + kGroupWrappedField.offset, kGroupWrappedField.size,
                                    record + kGroupTagField.offset, tenant.key.data, tenant.key.size, key);
    Wipe(key, sizeof(key));
    if (!opened) return CoreStatus::kNotAuthentic;
    uint8_t content_id[kTenantContentIdField.size];
    ContentKeyId(content_key, crypto, content_id);
    const bool own = memcmp(content_id, tenant.content_id.data, sizeof(content_id)) == 0;
    return own ? CoreStatus::kOk : CoreStatus::kNotAuthentic;
  }
  return CoreStatus::kSealed;
}

CoreStatus OpenSealedBlob(ByteView vault_id, const VariantEntry& entry, ByteView stored,
                          const uint8_t content_key[kSecretKeySize], const Crypto& crypto, uint8_t* out,
                          OpenedBlob* opened) {
  if (stored.size < kSealedBlobExtra) return CoreStatus::kBadBlob;
  if (entry.name.size > kMaxVariantNameSize || vault_id.size != kVaultIdField.size) return CoreStatus::kBadArgument;
  uint8_t salt[kSealSaltSize];
  StoreSalt(entry, salt);
  uint8_t context_bytes[kMaxSealContextSize];
  const ByteView context = SealContext(vault_id, entry.name, context_bytes);
  uint8_t key[kSecretKeySize];
  SealingKey(SealedPart::kBlob, salt, content_key, crypto, key);
  const size_t size = stored.size - kTagSize;
  const bool authentic = crypto.open(out, stored.data, size, stored.data + size, context.data, context.size, key);
  Wipe(key, sizeof(key));
  if (!authentic) return CoreStatus::kNotAuthentic;
  opened->xxh64 = LoadLe64(out);
  memcpy(opened->xxh3, out + sizeof(opened->xxh64), sizeof(opened->xxh3));
  opened->blob = {out + kSealedDigestsSize, size - kSealedDigestsSize};
  return CoreStatus::kOk;
}

}  // namespace modelvault
