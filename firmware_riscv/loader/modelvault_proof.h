/* Whether a vault is by those a board trusts (docs/format.md §12 to §14), in C. What is not proven is not opened, and
 * of a variant not a byte is decoded before its bytes are:
 *
 *   mv_proof proof;
 *   const mv_crypto* crypto = mv_crypto_begin(room, room_size);            (modelvault_crypto.h)
 *   mv_error error = mv_prove_vault(vault, vault_size, &trust, crypto, NULL, &proof, NULL);
 *   if (error == MV_OK) error = mv_open(vault, vault_size, memory, memory_size, NULL, &loader, NULL);
 *   if (error == MV_OK) error = mv_find(loader, "radiology", 9, &variant);
 *   if (error == MV_OK) error = mv_prove_variant(&proof, &variant, crypto, NULL);
 *   mv_crypto_end(room);
 *   ... mv_start() and so on, as modelvault_loader.h has it ...
 *
 * MANIFEST is for hosts: no board reads it, and none proves it. */
#ifndef MODELVAULT_FIRMWARE_RISCV_LOADER_MODELVAULT_PROOF_H_
#define MODELVAULT_FIRMWARE_RISCV_LOADER_MODELVAULT_PROOF_H_

#include "firmware_riscv/loader/modelvault_loader.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MV_DIGEST_SIZE 32u
#define MV_DEVICE_KEY_SIZE 32u
#define MV_VAULT_ID_SIZE 16u

/* The cryptographic functions: struct Crypto of vault/core/crypto.h. */
typedef struct mv_crypto mv_crypto;

/* Whose vaults a board takes, and what of theirs. */
typedef struct mv_trust {
  const uint8_t* key_set; /* The digest of the key set that is trusted, MV_DIGEST_SIZE bytes; a vault's own may be one
                           * that it was followed by. */
  uint64_t least_version; /* Older vaults are refused. */
  uint64_t now;           /* Seconds since 1970, UTC; 0: not known, then validity is not looked at. */
  const uint8_t* revocations; /* The sector that the list begins; erased: there is none. NULL: there is no sector. */
  size_t revocations_size;
  uint64_t least_revocation; /* A list of a lower number is refused, and so is none; 0: there need not be one. */
} mv_trust;

/* What is proven of a vault. Filled by mv_prove_vault(); read only. What it points to, the trust's among it, must stay
 * as it is. */
typedef struct mv_proof {
  const uint8_t* vault;
  size_t vault_size;
  mv_watchdog watchdog;
  const uint8_t* revocations; /* NULL: none. */
  size_t revocations_size;
  uint64_t version;                           /* Of the vault: the least to be taken from now on. */
  uint64_t revocation;                        /* The list's number; 0: there is none. */
  uint8_t revocations_digest[MV_DIGEST_SIZE]; /* Of what is signed of it: it is read again for each variant. */
  uint8_t key_set[MV_DIGEST_SIZE];            /* The key set that has signed: the one to trust from now on. */
  uint8_t vault_id[MV_VAULT_ID_SIZE];
  uint32_t base;     /* MV_VERIFIED: header, MODEL, CHUNKS, BASE and NETWORK are proven. */
  uint32_t variants; /* MV_VERIFIED: INDEX and the revocation list are, too. */
} mv_proof;

/* Proves the vault that begins at `vault`, a multiple of 4, as mv_open() takes it: the signatures of SIGNATURE, then,
 * section by section, MODEL, CHUNKS, BASE, NETWORK and INDEX, then the revocation list. `crypto` NULL: MV_NO_CRYPTO.
 * `watchdog` (may be NULL) is copied, and fed before each signature and every 4 KiB that are hashed. After a failure
 * *fault (if not NULL) tells where. Where that is MV_PLACE_INDEX or MV_PLACE_REVOCATIONS the base is proven, and may be
 * opened with mv_open_base().
 *
 * MV_UNSIGNED, MV_BAD_SIGNATURE, MV_UNTRUSTED, MV_ROLLED_BACK (the vault's version, or the list's number), MV_EXPIRED,
 * MV_NOT_AUTHENTIC, MV_BAD_ROOT, and what mv_open() says of a header. */
mv_error mv_prove_vault(const uint8_t* vault, size_t vault_size, const mv_trust* trust, const mv_crypto* crypto,
                        const mv_watchdog* watchdog, mv_proof* proof, mv_fault* fault);

/* Proves a variant of the vault: that nothing revokes it, that the tenant it belongs to has signed it, and its stored
 * bytes. Of the base nothing is left to prove. MV_REVOKED, MV_UNSIGNED, MV_BAD_SIGNATURE, MV_NOT_AUTHENTIC, MV_SEALED;
 * MV_BAD_INDEX where the vault's variants are not proven; MV_BAD_ARGUMENT for one that is not as INDEX has it. */
mv_error mv_prove_variant(const mv_proof* proof, const mv_variant* variant, const mv_crypto* crypto, mv_fault* fault);

/* Proves a list that may take the place of the vault's: that it is signed for this vault, by its last key set, and has
 * at least `least_number`. Afterwards *number is its own, and it has *list_size of the `size` bytes. A vault will do
 * whose base alone is proven. Errors are those of mv_prove_vault() at MV_PLACE_REVOCATIONS. */
mv_error mv_prove_revocations(const mv_proof* proof, const uint8_t* list, size_t size, uint64_t least_number,
                              const mv_crypto* crypto, uint64_t* number, size_t* list_size);

/* Opens a sealed variant that mv_prove_variant() has just proven and refused with MV_SEALED, with a device group's
 * secret key (X25519, MV_DEVICE_KEY_SIZE bytes). `memory`, at a multiple of MV_MEMORY_ALIGNMENT, has room for the
 * variant->blob_size bytes that are stored; *variant is in it from then on, and takes the place of what mv_find() gave.
 * MV_SEALED: not for this group; MV_NOT_AUTHENTIC: not what the tenant has sealed; MV_WORKSPACE_TOO_SMALL;
 * MV_BAD_ARGUMENT for one that is not sealed, or open already. */
mv_error mv_unseal_variant(const mv_proof* proof, const uint8_t* device_key, const mv_crypto* crypto, void* memory,
                           size_t size, mv_variant* variant);

#ifdef __cplusplus
}
#endif

#endif /* MODELVAULT_FIRMWARE_RISCV_LOADER_MODELVAULT_PROOF_H_ */
