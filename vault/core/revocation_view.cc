#include "vault/core/revocation_view.h"

namespace modelvault {
namespace {

constexpr char kListLabel[] = "modelvault rev";
constexpr char kNameLabel[] = "modelvault vrt";

CoreStatus Malformed(uint32_t offset, uint32_t* bad_offset) {
  if (bad_offset != nullptr) *bad_offset = offset;
  return CoreStatus::kBadRoot;
}

// Entries ascend by kind, then by what they revoke.
bool IsBefore(const RevocationView& list, uint32_t a, uint32_t b) {
  if (list.kind(a) != list.kind(b)) return list.kind(a) < list.kind(b);
  return memcmp(list.what(a).data, list.what(b).data, kDigestSize) < 0;
}

CoreStatus CheckEntries(const RevocationView& list, uint32_t* bad_offset) {
  for (uint32_t i = 0; i < list.count; ++i) {
    const uint32_t offset = static_cast<uint32_t>(kRevocationHeadSize + i * kRevocationEntrySize);
    if (list.kind(i) != RevocationKind::kVariant && list.kind(i) != RevocationKind::kTenant) {
      return Malformed(offset, bad_offset);
    }
    if (list.below(i) == 0) return Malformed(offset + kRevocationBelowField.offset, bad_offset);
    if (i > 0 && !IsBefore(list, i - 1, i)) return Malformed(offset, bad_offset);
  }
  return CoreStatus::kOk;
}

bool Equal(ByteView a, ByteView b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

bool BeginsWith(ByteView name, ByteView prefix) {
  return name.size >= prefix.size && memcmp(name.data, prefix.data, prefix.size) == 0;
}

// What the keys sign of a list with these parts.
void Message(const uint8_t* head, ByteView entries, const Crypto& crypto, uint8_t* message) {
  WriteLabel(kListLabel, message);
  HashState state;
  crypto.hash_begin(&state, nullptr);
  crypto.hash_add(&state, head, kRevocationHeadSize);
  crypto.hash_add(&state, entries.data, entries.size);
  crypto.hash_end(&state, message + kLabelSize);
}

// Whether the tenant with this key owns the variant `name`.
bool IsOwner(const SignedRoot& root, ByteView key, ByteView name) {
  for (uint32_t i = 0; i < root.tenant_count; ++i) {
    const TenantView tenant = root.TenantAt(i);
    if (Equal(tenant.key, key) && BeginsWith(name, tenant.prefix)) return true;
  }
  return false;
}

// Whether the first entry does.
bool Revokes(const RevocationView& list, const SignedRoot& root, ByteView name, ByteView name_digest) {
  const bool of_variant = list.kind(0) == RevocationKind::kVariant;
  if (of_variant ? !Equal(list.what(0), name_digest) : !IsOwner(root, list.what(0), name)) return false;
  return root.version < list.below(0) || list.below(0) == kBelowEveryVersion;
}

}  // namespace

RevocationKind RevocationView::kind(uint32_t i) const {
  return static_cast<RevocationKind>(LoadLe32(entries.data + i * kRevocationEntrySize + kRevocationKindField.offset));
}

uint64_t RevocationView::below(uint32_t i) const {
  return LoadLe64(entries.data + i * kRevocationEntrySize + kRevocationBelowField.offset);
}

ByteView RevocationView::what(uint32_t i) const {
  return entries.Sub(i * kRevocationEntrySize + kRevocationWhatField.offset, kRevocationWhatField.size);
}

CoreStatus ParseRevocations(ByteView bytes, RevocationView* list, uint32_t* bad_offset) {
  if (bad_offset != nullptr) *bad_offset = 0;
  if (bytes.size < kRevocationHeadSize) return CoreStatus::kTruncated;
  if (memcmp(bytes.data, kRevocationMagic, sizeof(kRevocationMagic)) != 0) return CoreStatus::kBadMagic;
  const uint32_t count = LoadLe32(bytes.data + kRevocationCountField.offset);
  if (count > kMaxRevocations) return Malformed(kRevocationCountField.offset, bad_offset);
  const uint32_t signature_count = LoadLe32(bytes.data + kRevocationSignatureCountField.offset);
  if (signature_count == 0 || signature_count > kMaxKeys) {
    return Malformed(kRevocationSignatureCountField.offset, bad_offset);
  }
  const size_t entries_size = count * kRevocationEntrySize;
  const size_t signatures_size = signature_count * kSignatureSize;
  const size_t size = kRevocationHeadSize + entries_size + signatures_size;
  if (size > kMaxRevocationListSize) return Malformed(kRevocationCountField.offset, bad_offset);
  if (size > bytes.size) return CoreStatus::kTruncated;
  list->number = LoadLe64(bytes.data + kRevocationNumberField.offset);
  list->count = count;
  list->vault_id = bytes.Sub(kRevocationVaultIdField.offset, kRevocationVaultIdField.size);
  list->key_set = bytes.Sub(kRevocationKeySetField.offset, kRevocationKeySetField.size);
  list->entries = bytes.Sub(kRevocationHeadSize, entries_size);
  list->signed_part = bytes.Sub(0, kRevocationHeadSize + entries_size);
  list->signatures = bytes.Sub(kRevocationHeadSize + entries_size, signatures_size);
  if (list->number == 0) return Malformed(kRevocationNumberField.offset, bad_offset);
  return CheckEntries(*list, bad_offset);
}

void RevocationMessage(const RevocationView& list, const Crypto& crypto, uint8_t message[kRevocationMessageSize]) {
  const size_t entries_size = list.signed_part.size - kRevocationHeadSize;
  Message(list.signed_part.data, list.signed_part.Sub(kRevocationHeadSize, entries_size), crypto, message);
}

CoreStatus ProveRevocations(RevocationView* list, const SignedRoot& root, uint64_t least_number, const Crypto& crypto,
                            uint32_t* wrong, const SignatureObserver& observer) {
  uint32_t unused;
  if (wrong == nullptr) wrong = &unused;
  *wrong = 0;
  const KeySetView& signer = root.last_key_set;
  uint8_t digest[kDigestSize];
  KeySetDigest(signer, crypto, digest);
  uint8_t head[kRevocationHeadSize];
  memcpy(head, list->signed_part.data, sizeof(head));
  const ByteView id = {head + kRevocationVaultIdField.offset, kRevocationVaultIdField.size};
  const ByteView key_set = {head + kRevocationKeySetField.offset, kRevocationKeySetField.size};
  if (!Equal(id, root.vault_id()) || !Equal(key_set, {digest, sizeof(digest)}) ||
      list->signatures.size != signer.key_count * kSignatureSize) {
    return CoreStatus::kUntrusted;
  }
  uint8_t message[kRevocationMessageSize];
  Message(head, list->entries, crypto, message);
  const CoreStatus status =
      CheckSignatures(signer, list->signatures, {message, sizeof(message)}, crypto, wrong, observer);
  if (status != CoreStatus::kOk) return status;
  memcpy(list->digest, message + kLabelSize, kDigestSize);
  list->number = LoadLe64(head + kRevocationNumberField.offset);
  return list->number >= least_number ? CoreStatus::kOk : CoreStatus::kRolledBack;
}

void RevokedNameDigest(ByteView name, const Crypto& crypto, uint8_t digest[kDigestSize]) {
  LabelledDigest(kNameLabel, &name, 1, crypto, digest);
}

CoreStatus CheckRevoked(const RevocationView& list, const SignedRoot& root, ByteView name, const Crypto& crypto,
                        uint32_t* entry) {
  uint8_t digest[kDigestSize];
  RevokedNameDigest(name, crypto, digest);
  HashState state;
  crypto.hash_begin(&state, nullptr);
  crypto.hash_add(&state, list.signed_part.data, kRevocationHeadSize);
  bool revoked = false;
  for (uint32_t i = 0; i < list.count; ++i) {
    uint8_t bytes[kRevocationEntrySize];
    memcpy(bytes, list.entries.data + i * kRevocationEntrySize, sizeof(bytes));
    crypto.hash_add(&state, bytes, sizeof(bytes));
    RevocationView one;
    one.entries = {bytes, sizeof(bytes)};
    if (revoked || !Revokes(one, root, name, {digest, sizeof(digest)})) continue;
    revoked = true;
    if (entry != nullptr) *entry = i;
  }
  crypto.hash_end(&state, digest);
  if (!Equal({digest, sizeof(digest)}, {list.digest, sizeof(list.digest)})) return CoreStatus::kNotAuthentic;
  return revoked ? CoreStatus::kRevoked : CoreStatus::kOk;
}

}  // namespace modelvault
