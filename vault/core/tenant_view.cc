#include "vault/core/tenant_view.h"

#include "vault/core/sealed_blob.h"

namespace modelvault {
namespace {

constexpr char kTenantLabel[] = "modelvault own";

// MODEL, CHUNKS, BASE and NETWORK come first among the objects.
constexpr size_t kBaseObjectCount = 4;

bool IsLowerHex(uint8_t c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

void Add(ByteView bytes, const Crypto& crypto, HashState* state) {
  if (bytes.size > 0) crypto.hash_add(state, bytes.data, bytes.size);
}

}  // namespace

bool Owns(const TenantView& tenant, ByteView name) {
  return name.size >= tenant.prefix.size && memcmp(name.data, tenant.prefix.data, tenant.prefix.size) == 0;
}

bool IsSealedName(const TenantView& tenant, ByteView name) {
  const size_t mark = tenant.prefix.size;
  if (name.size != mark + kSealedNameSize || name.data[mark] != static_cast<uint8_t>(kSealedMark)) return false;
  for (size_t i = mark + 1; i < name.size; ++i) {
    if (!IsLowerHex(name.data[i])) return false;
  }
  return true;
}

CoreStatus FindTenant(const SignedRoot& root, ByteView name, TenantView* tenant) {
  for (uint32_t i = 0; i < root.tenant_count; ++i) {
    *tenant = root.TenantAt(i);
    if (Owns(*tenant, name)) return CoreStatus::kOk;
  }
  return CoreStatus::kNotFound;
}

CoreStatus TenantMessage(const SignedRoot& root, const IndexView& index, const TenantView& tenant, const Crypto& crypto,
                         uint8_t message[kTenantMessageSize], uint32_t* variant_count) {
  *variant_count = 0;
  if (root.object_count() < kBaseObjectCount) return CoreStatus::kBadRoot;
  WriteLabel(kTenantLabel, message);
  HashState state;
  crypto.hash_begin(&state, nullptr);
  Add(root.vault_id(), crypto, &state);
  Add(root.objects.Sub(0, kBaseObjectCount * kDigestSize), crypto, &state);
  Add(tenant.own, crypto, &state);
  IndexView::Cursor cursor = index.Begin();
  VariantEntry entry;
  for (size_t object = kSectionObjectCount;; ++object) {
    const CoreStatus status = index.Next(&cursor, &entry);
    if (status == CoreStatus::kNotFound) break;
    if (status != CoreStatus::kOk) return status;
    if (object >= root.object_count()) return CoreStatus::kBadRoot;
    if (!Owns(tenant, entry.name)) continue;
    const uint8_t name_size = static_cast<uint8_t>(entry.name.size);
    uint8_t salt[kSealSaltSize];
    StoreSalt(entry, salt);
    Add({&name_size, 1}, crypto, &state);
    Add(entry.name, crypto, &state);
    Add({salt, sizeof(salt)}, crypto, &state);
    Add(root.objects.Sub(object * kDigestSize, kDigestSize), crypto, &state);
    ++*variant_count;
  }
  crypto.hash_end(&state, message + kLabelSize);
  return CoreStatus::kOk;
}

CoreStatus ProveTenant(const SignedRoot& root, const IndexView& index, const TenantView& tenant, const Crypto& crypto) {
  uint8_t message[kTenantMessageSize];
  uint32_t variant_count = 0;
  const CoreStatus status = TenantMessage(root, index, tenant, crypto, message, &variant_count);
  if (status != CoreStatus::kOk) return status;
  if (IsNoSignature(tenant.signature)) return variant_count == 0 ? CoreStatus::kOk : CoreStatus::kUnsigned;
  return crypto.verify(tenant.signature.data, message, sizeof(message), tenant.key.data) ? CoreStatus::kOk
                                                                                         : CoreStatus::kBadSignature;
}

}  // namespace modelvault
