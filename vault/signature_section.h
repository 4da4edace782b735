// SIGNATURE as values, for whoever makes one or changes it (docs/format.md §12, §13). vault/core/signature_view.h reads
// it without copying.
#ifndef MODELVAULT_VAULT_SIGNATURE_SECTION_H_
#define MODELVAULT_VAULT_SIGNATURE_SECTION_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/core/crypto.h"
#include "vault/core/signature_view.h"
#include "vault/core/vault_view.h"

namespace modelvault {

using PublicKey = std::array<uint8_t, kPublicKeySize>;
using Signature = std::array<uint8_t, kSignatureSize>;  // Zeros: there is none.
using Digest = std::array<uint8_t, kDigestSize>;
using VaultId = std::array<uint8_t, 16>;

// Keys of which at least `threshold` sign.
struct KeySet {
  uint32_t number = 1;
  uint8_t threshold = 1;
  std::vector<PublicKey> keys = {};        // Ascending.
  std::vector<Signature> signatures = {};  // By the keys of the set before, one each; empty for the first set.

  bool operator==(const KeySet&) const = default;

  std::string Encode(bool with_signatures) const;
  Digest digest() const;
  // The place of a key, or keys.size().
  size_t Find(const PublicKey& key) const;
};

// What the keys of a set with digest `before` sign to make the set with digest `own` the next: kKeySetMessageSize
// bytes.
std::string KeySetMessage(const Digest& before, const Digest& own);

// A device group that a tenant's variants are encrypted for.
struct TenantGroup {
  std::array<uint8_t, kTenantGroupIdSize> id = {};
  PublicKey ephemeral = {};
  std::array<uint8_t, kSecretKeySize + kTagSize> wrapped = {};

  bool operator==(const TenantGroup&) const = default;
};

struct TenantRecord {
  uint8_t flags = 0;  // kTenantSealed
  PublicKey key = {};
  std::array<uint8_t, kTenantContentIdField.size> content_id = {};  // Zeros if its variants are not sealed.
  std::string prefix;
  std::vector<TenantGroup> groups;  // Ascending by id.
  Signature signature = {};

  bool operator==(const TenantRecord&) const = default;

  std::string Encode(bool with_signature) const;
};

// An object's digest and, where it is more than one tile, those of its tiles.
struct ObjectDigests {
  Digest digest = {};
  std::vector<Digest> tiles;

  bool operator==(const ObjectDigests&) const = default;
};

struct SignatureSection {
  VaultId vault_id = {};
  uint64_t version = 1;
  uint64_t not_before = 0;  // Seconds since 1970, UTC; 0: no limit.
  uint64_t not_after = 0;
  uint8_t tile_log2 = 16;
  std::vector<KeySet> key_sets;        // The last one signs.
  std::vector<TenantRecord> tenants;   // Ascending by prefix.
  std::vector<Signature> signatures;   // Of the root, by the last set's keys.
  std::vector<ObjectDigests> objects;  // In the order of the format.

  bool operator==(const SignatureSection&) const = default;

  // Whether anybody has signed the root.
  bool has_signature() const;
};

inline constexpr Signature kNoSignature = {};

inline ByteView ToView(const PublicKey& bytes) { return {bytes.data(), bytes.size()}; }

// The section's bytes. Whoever calls has checked counts and order.
std::string EncodeSignature(const SignatureSection& section);

// The values of a section that was parsed, without its objects.
SignatureSection DecodeSignature(const SignedRoot& root);
// Those of an object.
ObjectDigests DecodeObject(const SignedObject& object);

// BLAKE2s of the bytes.
Digest DigestOf(absl::string_view bytes);

// Reads the `size` bytes at `offset` and digests them in tiles of 2^tile_log2 bytes.
absl::StatusOr<ObjectDigests> DigestObject(
    uint64_t offset, uint64_t size, uint8_t tile_log2,
    absl::FunctionRef<absl::Status(uint64_t offset, absl::Span<uint8_t> out)> read);
ObjectDigests DigestObject(absl::string_view bytes, uint8_t tile_log2);

// The root's message of a vault with this header (kHeaderSize bytes) and SIGNATURE: kRootMessageSize bytes.
std::string RootMessageOf(ByteView header, const SignatureSection& section);

// Signs a root's message with keys of the last key set, which it gives back with their signatures.
using RootSigner =
    std::function<absl::StatusOr<std::vector<std::pair<PublicKey, Signature>>>(absl::string_view message)>;

// Puts the signature of `message` by `key` into `section`. kPermissionDenied, and nothing changes, if the key is not of
// the last set or the signature is not its.
absl::Status PlaceSignature(absl::string_view message, const PublicKey& key, const Signature& signature,
                            SignatureSection* section);
// The same with all that `signer` gives.
absl::Status PlaceSignatures(absl::string_view message, const RootSigner& signer, SignatureSection* section);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_SIGNATURE_SECTION_H_
