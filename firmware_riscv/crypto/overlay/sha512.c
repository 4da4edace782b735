/* SHA-512 of BearSSL by the names that libsodium's Ed25519 calls; libsodium's own is 10.6 KB. */
#include "crypto_hash_sha512.h"
#include "hash/sha2big.c"

_Static_assert(sizeof(br_sha512_context) <= sizeof(crypto_hash_sha512_state), "a state of libsodium's holds BearSSL's");

void _crypto_sign_ed25519_ref10_hinit(crypto_hash_sha512_state* state, int prehashed);

/* Not br_sha512_init(): that keeps a table of functions, whose addresses would tie the overlay to a place. */
void _crypto_sign_ed25519_ref10_hinit(crypto_hash_sha512_state* state, int prehashed) {
  br_sha512_context* context = (br_sha512_context*)state;
  (void)prehashed; /* Ed25519ph is not used. */
  memcpy(context->val, IV512, sizeof(IV512));
  context->count = 0;
}

int crypto_hash_sha512_update(crypto_hash_sha512_state* state, const unsigned char* bytes, unsigned long long size) {
  sha2big_update((br_sha512_context*)state, bytes, (size_t)size);
  return 0;
}

int crypto_hash_sha512_final(crypto_hash_sha512_state* state, unsigned char* digest) {
  sha2big_out((br_sha512_context*)state, digest, 8);
  return 0;
}
