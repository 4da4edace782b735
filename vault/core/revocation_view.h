// A revocation list (docs/format.md §14): variants and tenants of a vault that are not to be used any more. Works on
// bytes in memory, which must outlive every view of them, and believes nothing that is not proven. A sector whose
// writing was cut off may read differently each time: what is believed of a list was copied, and the copy hashed. Core
// code: built unchanged for host and board.
#ifndef MODELVAULT_VAULT_CORE_REVOCATION_VIEW_H_
#define MODELVAULT_VAULT_CORE_REVOCATION_VIEW_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "vault/core/crypto.h"
#include "vault/core/signature_view.h"
#include "vault/core/vault_proof.h"
#include "vault/format.h"

namespace modelvault {

// A list with its structure checked.
struct RevocationView {
  uint64_t number = 0;  // The later list has the higher.
  uint32_t count = 0;
  ByteView vault_id;
  ByteView key_set;      // Digest of the set that signs.
  ByteView entries;      // kRevocationEntrySize bytes each.
  ByteView signed_part;  // All before the signatures.
  ByteView signatures;   // kSignatureSize bytes each.
  // Of the signed part, when it was proven.
  uint8_t digest[kDigestSize] = {};

  // All of the list.
  size_t size() const { return signed_part.size + signatures.size; }
  // Entry `i` < count.
  RevocationKind kind(uint32_t i) const;
  uint64_t below(uint32_t i) const;
  ByteView what(uint32_t i) const;
};

// Parses the list that `bytes` begin with; what follows it, the rest of a sector, is not looked at. kTruncated: there
// are fewer bytes than it says; kBadMagic: no list; kBadRoot: malformed, and `*bad_offset`, if wanted, is where.
[[nodiscard]] CoreStatus ParseRevocations(ByteView bytes, RevocationView* list, uint32_t* bad_offset = nullptr);

// What the keys sign; behind the label it is the digest of the signed part.
inline constexpr size_t kRevocationMessageSize = kLabelSize + kDigestSize;
void RevocationMessage(const RevocationView& list, const Crypto& crypto, uint8_t message[kRevocationMessageSize]);

// Proves a list for the vault with this root, which is proven itself: that it is of this vault, signed by the last key
// set, and has at least `least_number`. Sets number and digest to what was signed. kUntrusted: of another vault or key
// set; kUnsigned, kBadSignature: as CheckSignatures, with `*wrong` if wanted; kRolledBack: an older list.
[[nodiscard]] CoreStatus ProveRevocations(RevocationView* list, const SignedRoot& root, uint64_t least_number,
                                          const Crypto& crypto, uint32_t* wrong = nullptr,
                                          const SignatureObserver& observer = {});

// What a list calls a variant: a digest of its name in INDEX.
void RevokedNameDigest(ByteView name, const Crypto& crypto, uint8_t digest[kDigestSize]);

// Whether a proven list revokes the variant `name` of the vault with this proven root, itself or by its tenant:
// kRevoked, and `*entry`, if wanted, is which entry does. kNotAuthentic: the signed part has another digest now. Else
// kOk.
[[nodiscard]] CoreStatus CheckRevoked(const RevocationView& list, const SignedRoot& root, ByteView name,
                                      const Crypto& crypto, uint32_t* entry = nullptr);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CORE_REVOCATION_VIEW_H_
