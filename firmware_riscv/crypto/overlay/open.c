/* ChaCha20-Poly1305 of BearSSL. */
#include <string.h>

#include "firmware_riscv/crypto/overlay/functions.h"
#include "inner.h"

static const uint8_t kNonce[12];

/* BearSSL's Poly1305 decrypts what it has authenticated at once. This cipher gives it its key, which is the first
 * block, and leaves the message alone. */
static uint32_t KeyBlockAlone(const void* key, const void* nonce, uint32_t block, void* data, size_t size) {
  return block == 0 ? br_chacha20_ct_run(key, nonce, block, data, size) : block;
}

bool crypto_open(uint8_t* plain, const uint8_t* cipher, size_t size, const uint8_t tag[16], const uint8_t* associated,
                 size_t associated_size, const uint8_t key[32]) {
  uint8_t expected[16];
  /* Nothing is written there: see above. */
  br_poly1305_ctmul_run(key, kNonce, (void*)(uintptr_t)cipher, size, associated, associated_size, expected,
                        KeyBlockAlone, /*encrypt=*/0);
  uint8_t difference = 0;
  for (size_t i = 0; i < sizeof(expected); ++i) difference |= (uint8_t)(expected[i] ^ tag[i]);
  if (difference != 0) return false;
  if (plain != cipher) memmove(plain, cipher, size);
  br_chacha20_ct_run(key, kNonce, 1, plain, size);
  return true;
}
