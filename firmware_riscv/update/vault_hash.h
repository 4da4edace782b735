// Whether bytes are the new vault that a patch's header tells of: by XXH64 and, where there are functions for it,
// BLAKE2s.
#ifndef MODELVAULT_FIRMWARE_RISCV_UPDATE_VAULT_HASH_H_
#define MODELVAULT_FIRMWARE_RISCV_UPDATE_VAULT_HASH_H_

#include "codec/core/xxh64.h"
#include "firmware_riscv/update/patch_reader.h"
#include "vault/core/crypto.h"

namespace modelvault {

static_assert(kPatchVaultDigestSize == kDigestSize);

class VaultHash {
 public:
  // `crypto` may be null, and must outlive this.
  explicit VaultHash(const Crypto* crypto) : crypto_(crypto) {
    if (crypto_ != nullptr) crypto_->hash_begin(&state_, nullptr);
  }

  void Update(ByteView bytes) {
    xxh64_.Update(bytes);
    if (crypto_ != nullptr) crypto_->hash_add(&state_, bytes.data, bytes.size);
  }

  // Of all that was added; once.
  [[nodiscard]] mv_error Compare(const PatchHeader& header) {
    bool same = xxh64_.Digest() == header.new_digest;
    if (crypto_ != nullptr) {
      uint8_t digest[kDigestSize];
      crypto_->hash_end(&state_, digest);
      same = same && memcmp(digest, header.vault_digest, sizeof(digest)) == 0;
    }
    return same ? MV_OK : MV_DIGEST_MISMATCH;
  }

 private:
  const Crypto* crypto_;
  Xxh64 xxh64_;
  HashState state_;
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_UPDATE_VAULT_HASH_H_
