// SIGNATURE (docs/format.md §12, §13): the keys that sign a vault, their signatures, and the digests of all that is
// stored. Structure alone; vault/core/vault_proof.h says whether any of it is true. Works on bytes in memory, which
// must outlive every view of them. Core code: built unchanged for host and board.
#ifndef MODELVAULT_VAULT_CORE_SIGNATURE_VIEW_H_
#define MODELVAULT_VAULT_CORE_SIGNATURE_VIEW_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "vault/core/crypto.h"
#include "vault/core/vault_view.h"
#include "vault/format.h"

namespace modelvault {

// Who may sign together: at least `threshold` of the keys.
struct KeySetView {
  uint32_t number = 0;
  uint8_t threshold = 0;  // 1 … key_count
  uint8_t key_count = 0;  // 1 … kMaxKeys
  ByteView own;           // All before `signatures`.
  ByteView signatures;    // By the keys of the set before, one each; empty for the first set.

  ByteView key(size_t i) const { return own.Sub(kKeySetHeadSize + i * kPublicKeySize, kPublicKeySize); }
};

// Whose variants begin with a prefix.
struct TenantView {
  uint8_t flags = 0;
  uint8_t group_count = 0;
  ByteView key;
  ByteView content_id;  // Of its content key; zeros if its variants are not sealed.
  ByteView prefix;
  ByteView groups;     // kTenantGroupSize bytes each.
  ByteView own;        // All before `signature`.
  ByteView signature;  // Zeros where the tenant has not signed.
};

// A signature's bytes are all zero: there is none.
bool IsNoSignature(ByteView signature);

// SIGNATURE, with its structure checked.
struct SignedRoot {
  ByteView head;
  ByteView key_sets;
  ByteView tenants;
  ByteView signatures;  // Of the root, by the keys of the last set.
  ByteView objects;     // Digests.
  ByteView tiles;       // Digests: first those of sections, then those of blobs.

  uint64_t version = 0;     // Of the vault.
  uint64_t not_before = 0;  // Seconds since 1970; 0: no limit.
  uint64_t not_after = 0;
  uint32_t key_set_count = 0;
  uint32_t tenant_count = 0;
  uint8_t tile_log2 = kMinTileLog2;
  KeySetView last_key_set;

  ByteView vault_id() const { return head.Sub(kVaultIdField.offset, kVaultIdField.size); }
  ByteView objects_digest() const { return head.Sub(kObjectsDigestField.offset, kObjectsDigestField.size); }
  // Key set `i` < key_set_count, tenant `i` < tenant_count.
  KeySetView KeySetAt(uint32_t i) const;
  TenantView TenantAt(uint32_t i) const;
  // Signature `i` < last_key_set.key_count, or zeros.
  ByteView Signature(size_t i) const { return signatures.Sub(i * kSignatureSize, kSignatureSize); }
  size_t object_count() const { return objects.size / kDigestSize; }

  size_t tile_size() const { return size_t{1} << tile_log2; }
  // How many digests of tiles an object of `size` bytes has: none if it is one tile.
  uint64_t TileCount(uint64_t size) const {
    return size <= tile_size() ? 0 : (size >> tile_log2) + ((size & (tile_size() - 1)) != 0 ? 1 : 0);
  }
};

// Parses `section`, which is all of SIGNATURE of the vault with this header, except for what INDEX alone can tell: how
// many tiles the blobs have (SignedBlobs). kBadRoot: malformed, and `*bad_offset`, if wanted, is where in the section.
[[nodiscard]] CoreStatus ParseSignature(ByteView section, const VaultHeader& header, SignedRoot* root,
                                        uint32_t* bad_offset = nullptr);

// A stored object and what proves it.
struct SignedObject {
  size_t number = 0;  // In the order of the format.
  size_t offset = 0;  // In the file.
  size_t size = 0;
  ByteView digest;
  ByteView tiles;  // Digests; none if the object is one tile.
};

// A section but SIGNATURE, of the header that `root` was parsed with. Of no bytes where the vault has none.
SignedObject SectionObject(const SignedRoot& root, const VaultHeader& header, Section section);

// The blobs, in the order of INDEX. Both must outlive it.
class SignedBlobs {
 public:
  SignedBlobs(const SignedRoot& root, const VaultHeader& header, const IndexView& index);

  // Gives the next one. kNotFound after the last; kBadRoot: blobs have more tiles than there are digests, or fewer.
  [[nodiscard]] CoreStatus Next(VariantEntry* entry, SignedObject* object);

 private:
  const SignedRoot& root_;
  const IndexView& index_;
  IndexView::Cursor cursor_;
  size_t tile_;  // The next blob's first, in root_.tiles.
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_CORE_SIGNATURE_VIEW_H_
