// Proves that a vault is what those who are trusted have signed (docs/format.md §12): first the root, ProveRoot, then,
// object by object or tile by tile, what is used. Nothing of a vault is to be believed before what proves it is proven:
// the root, then INDEX, then the blobs, whose places and sizes INDEX tells. Core code: built unchanged for host and
// board.
#ifndef MODELVAULT_VAULT_CORE_VAULT_PROOF_H_
#define MODELVAULT_VAULT_CORE_VAULT_PROOF_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "vault/core/crypto.h"
#include "vault/core/signature_view.h"

namespace modelvault {

inline constexpr size_t kRootMessageSize = kLabelSize + kDigestSize;
inline constexpr size_t kKeySetMessageSize = kLabelSize + 2 * kDigestSize;

// Is called before each signature that is checked, which takes a board a while. Null: nobody.
struct SignatureObserver {
  void (*observe)(void* context) = nullptr;
  void* context = nullptr;

  void Call() const {
    if (observe != nullptr) observe(context);
  }
};

// Whose signature is taken, and what of theirs.
struct TrustedKeys {
  const uint8_t* key_set_digest = nullptr;  // kDigestSize bytes.
  uint64_t least_version = 0;               // Older vaults are not taken.
  uint64_t now = 0;                         // Seconds since 1970; 0: not known, then validity is not looked at.
  SignatureObserver observer = {};
};

// Where ProveRoot found a signature at fault.
struct RootFault {
  bool in_chain = false;  // In key set `key_set`, by a key of the one before; else the root's.
  uint32_t key_set = 0;
  uint32_t signature = 0;  // Which one is wrong; as many as there are keys: they are too few.
};

// Digest of label(`text`) and `parts`. `text` has at most kLabelSize characters.
void LabelledDigest(const char* text, const ByteView* parts, size_t part_count, const Crypto& crypto,
                    uint8_t digest[kDigestSize]);

// Writes label(`text`).
void WriteLabel(const char* text, uint8_t label[kLabelSize]);

void KeySetDigest(const KeySetView& set, const Crypto& crypto, uint8_t digest[kDigestSize]);

// What the keys of a set sign to make another one the next.
void KeySetMessage(const uint8_t before[kDigestSize], const uint8_t own[kDigestSize],
                   uint8_t message[kKeySetMessageSize]);

// What the keys of the last set sign. `header` is the vault's, kHeaderSize bytes, to which `root` belongs.
void RootMessage(ByteView header, const SignedRoot& root, const Crypto& crypto, uint8_t message[kRootMessageSize]);

// Checks `signatures`, one for each of `signer`'s keys, of `message`: all that are there are valid, and they are
// enough. kUnsigned: there are none at all. kBadSignature: one is wrong, `*wrong`, or they are fewer than the
// threshold.
[[nodiscard]] CoreStatus CheckSignatures(const KeySetView& signer, ByteView signatures, ByteView message,
                                         const Crypto& crypto, uint32_t* wrong, const SignatureObserver& observer = {});

// Proves header, SIGNATURE and the digests of all objects: that a key set of the vault is trusted, that each after it
// is signed by the one before, and that the last one has signed the root, in a version and at a time that is taken.
// Then `key_set_digest` is the last set's, from now on the one to trust.
//
// kUntrusted, kUnsigned, kBadSignature, kNotAuthentic (of the list of digests), kRolledBack, kExpired. `*fault`, if
// wanted, says more.
[[nodiscard]] CoreStatus ProveRoot(ByteView header, const SignedRoot& root, const TrustedKeys& trusted,
                                   const Crypto& crypto, uint8_t key_set_digest[kDigestSize],
                                   RootFault* fault = nullptr);

// Proves the digests of an object's tiles; kNotAuthentic if they are not those that were signed. Nothing to do where it
// is one tile.
[[nodiscard]] CoreStatus ProveTileList(const SignedObject& object, const Crypto& crypto);

// Whether `bytes` are tile `tile` of an object whose tile list is proven; kBadArgument if they are not as many as it
// has. An object of one tile has tile 0.
[[nodiscard]] CoreStatus ProveTile(const SignedRoot& root, const SignedObject& object, size_t tile, ByteView bytes,
                                   const Crypto& crypto);

// Proves a whole object and its tile list.
[[nodiscard]] CoreStatus ProveObject(const SignedRoot& root, const SignedObject& object, ByteView bytes,
                                     const Crypto& crypto);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CORE_VAULT_PROOF_H_
