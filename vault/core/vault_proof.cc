#include "vault/core/vault_proof.h"

namespace modelvault {
namespace {

constexpr char kKeySetLabel[] = "modelvault keys";
constexpr char kNextKeySetLabel[] = "modelvault next";
constexpr char kRootLabel[] = "modelvault root";

void Digest(ByteView bytes, const Crypto& crypto, uint8_t digest[kDigestSize]) {
  HashState state;
  crypto.hash_begin(&state, nullptr);
  if (bytes.size > 0) crypto.hash_add(&state, bytes.data, bytes.size);
  crypto.hash_end(&state, digest);
}

bool HasDigest(ByteView bytes, ByteView expected, const Crypto& crypto) {
  uint8_t digest[kDigestSize];
  Digest(bytes, crypto, digest);
  return memcmp(digest, expected.data, kDigestSize) == 0;
}

size_t Smaller(size_t a, size_t b) { return a < b ? a : b; }

// Follows the chain from the trusted set to the last one; `digest` becomes the last one's.
CoreStatus FollowChain(const SignedRoot& root, const TrustedKeys& trusted, const Crypto& crypto,
                       uint8_t digest[kDigestSize], RootFault* fault) {
  bool found = false;
  KeySetView before;
  for (uint32_t i = 0; i < root.key_set_count; ++i) {
    fault->key_set = i;
    fault->in_chain = true;
    const KeySetView set = root.KeySetAt(i);
    uint8_t own[kDigestSize];
    KeySetDigest(set, crypto, own);
    if (found) {
      uint8_t message[kKeySetMessageSize];
      KeySetMessage(digest, own, message);
      const CoreStatus status = CheckSignatures(before, set.signatures, {message, sizeof(message)}, crypto,
                                                &fault->signature, trusted.observer);
      if (status != CoreStatus::kOk) return CoreStatus::kBadSignature;
    }
    found = found || memcmp(own, trusted.key_set_digest, kDigestSize) == 0;
    memcpy(digest, own, kDigestSize);
    before = set;
  }
  return found ? CoreStatus::kOk : CoreStatus::kUntrusted;
}

}  // namespace

void WriteLabel(const char* text, uint8_t label[kLabelSize]) {
  size_t size = 0;
  for (; size < kLabelSize && text[size] != '\0'; ++size) label[size] = static_cast<uint8_t>(text[size]);
  for (; size < kLabelSize; ++size) label[size] = 0;
}

void LabelledDigest(const char* text, const ByteView* parts, size_t part_count, const Crypto& crypto,
                    uint8_t digest[kDigestSize]) {
  uint8_t label[kLabelSize];
  WriteLabel(text, label);
  HashState state;
  crypto.hash_begin(&state, nullptr);
  crypto.hash_add(&state, label, sizeof(label));
  for (size_t i = 0; i < part_count; ++i) crypto.hash_add(&state, parts[i].data, parts[i].size);
  crypto.hash_end(&state, digest);
}

void KeySetDigest(const KeySetView& set, const Crypto& crypto, uint8_t digest[kDigestSize]) {
  LabelledDigest(kKeySetLabel, &set.own, 1, crypto, digest);
}

void KeySetMessage(const uint8_t before[kDigestSize], const uint8_t own[kDigestSize],
                   uint8_t message[kKeySetMessageSize]) {
  WriteLabel(kNextKeySetLabel, message);
  memcpy(message + kLabelSize, before, kDigestSize);
  memcpy(message + kLabelSize + kDigestSize, own, kDigestSize);
}

void RootMessage(ByteView header, const SignedRoot& root, const Crypto& crypto, uint8_t message[kRootMessageSize]) {
  // What covers the signatures themselves is not covered by them.
  uint8_t covered[kHeaderSize];
  memcpy(covered, header.data, kHeaderSize);
  memset(covered + SectionEntryOffset(Section::kSignature) + kSectionChecksumField.offset, 0,
         kSectionChecksumField.size);
  memset(covered + kHeaderChecksumField.offset, 0, kHeaderChecksumField.size);
  WriteLabel(kRootLabel, message);
  HashState state;
  crypto.hash_begin(&state, nullptr);
  crypto.hash_add(&state, covered, sizeof(covered));
  crypto.hash_add(&state, root.head.data, root.head.size);
  crypto.hash_add(&state, root.key_sets.data, root.key_sets.size);
  if (root.tenants.size > 0) crypto.hash_add(&state, root.tenants.data, root.tenants.size);
  crypto.hash_end(&state, message + kLabelSize);
}

CoreStatus CheckSignatures(const KeySetView& signer, ByteView signatures, ByteView message, const Crypto& crypto,
                           uint32_t* wrong, const SignatureObserver& observer) {
  size_t valid = 0;
  if (signatures.size != signer.key_count * kSignatureSize) return CoreStatus::kBadArgument;
  for (uint32_t i = 0; i < signer.key_count; ++i) {
    const ByteView signature = signatures.Sub(i * kSignatureSize, kSignatureSize);
    if (IsNoSignature(signature)) continue;
    *wrong = i;
    observer.Call();
    if (!crypto.verify(signature.data, message.data, message.size, signer.key(i).data)) {
      return CoreStatus::kBadSignature;
    }
    ++valid;
  }
  *wrong = signer.key_count;
  if (valid == 0) return CoreStatus::kUnsigned;
  return valid >= signer.threshold ? CoreStatus::kOk : CoreStatus::kBadSignature;
}

CoreStatus ProveRoot(ByteView header, const SignedRoot& root, const TrustedKeys& trusted, const Crypto& crypto,
                     uint8_t key_set_digest[kDigestSize], RootFault* fault) {
  RootFault unused;
  if (fault == nullptr) fault = &unused;
  *fault = RootFault();
  if (header.size != kHeaderSize || root.key_set_count == 0 || trusted.key_set_digest == nullptr) {
    return CoreStatus::kBadArgument;
  }
  uint8_t last[kDigestSize];
  const CoreStatus chain = FollowChain(root, trusted, crypto, last, fault);
  if (chain != CoreStatus::kOk) return chain;
  fault->in_chain = false;
  uint8_t message[kRootMessageSize];
  RootMessage(header, root, crypto, message);
  const CoreStatus signed_by = CheckSignatures(root.last_key_set, root.signatures, {message, sizeof(message)}, crypto,
                                               &fault->signature, trusted.observer);
  if (signed_by != CoreStatus::kOk) return signed_by;
  if (!HasDigest(root.objects, root.objects_digest(), crypto)) return CoreStatus::kNotAuthentic;
  if (root.version < trusted.least_version) return CoreStatus::kRolledBack;
  if (trusted.now != 0 && (trusted.now < root.not_before || (root.not_after != 0 && trusted.now > root.not_after))) {
    return CoreStatus::kExpired;
  }
  memcpy(key_set_digest, last, kDigestSize);
  return CoreStatus::kOk;
}

CoreStatus ProveTileList(const SignedObject& object, const Crypto& crypto) {
  if (object.tiles.size == 0) return CoreStatus::kOk;
  return HasDigest(object.tiles, object.digest, crypto) ? CoreStatus::kOk : CoreStatus::kNotAuthentic;
}

CoreStatus ProveTile(const SignedRoot& root, const SignedObject& object, size_t tile, ByteView bytes,
                     const Crypto& crypto) {
  const bool whole = object.tiles.size == 0;
  const size_t count = whole ? 1 : object.tiles.size / kDigestSize;
  if (tile >= count) return CoreStatus::kBadArgument;
  const size_t begin = tile << root.tile_log2;
  if (bytes.size != Smaller(object.size - begin, root.tile_size())) return CoreStatus::kBadArgument;
  const ByteView expected = whole ? object.digest : object.tiles.Sub(tile * kDigestSize, kDigestSize);
  return HasDigest(bytes, expected, crypto) ? CoreStatus::kOk : CoreStatus::kNotAuthentic;
}

CoreStatus ProveObject(const SignedRoot& root, const SignedObject& object, ByteView bytes, const Crypto& crypto) {
  if (bytes.size != object.size) return CoreStatus::kBadArgument;
  CoreStatus status = ProveTileList(object, crypto);
  const size_t count = object.tiles.size == 0 ? 1 : object.tiles.size / kDigestSize;
  for (size_t tile = 0; tile < count && status == CoreStatus::kOk; ++tile) {
    const size_t begin = tile << root.tile_log2;
    status = ProveTile(root, object, tile, bytes.Sub(begin, Smaller(object.size - begin, root.tile_size())), crypto);
  }
  return status;
}

}  // namespace modelvault
