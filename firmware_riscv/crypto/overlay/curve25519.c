/* Ed25519 and X25519 of libsodium. One file, since both have the arithmetic of the field in headers. */
#include "private/ed25519_ref10.h"

/* Its 2f^2, of 1.8 KB for one call in a doubling, as f * 2f: f is a product or 1 there, and 2f within what
 * fe25519_mul() takes. */
static void SquareTwice(fe25519 h, const fe25519 f) {
  fe25519 twice;
  fe25519_add(twice, f, f);
  fe25519_mul(h, f, twice);
}
#define fe25519_sq2 SquareTwice
/* And its f^2, of 1.7 KB; verify takes a fifth longer without it. */
#define fe25519_sq(h, f) fe25519_mul(h, f, f)

/* What reduces the hash is 5.8 KB; scalar.c does with BearSSL's integers. */
#define sc25519_reduce libsodium_sc25519_reduce
#include "crypto_core/ed25519/ref10/ed25519_ref10.c"
#undef sc25519_reduce

#include "crypto_scalarmult/curve25519/ref10/x25519_ref10.c"
#include "crypto_sign/ed25519/ref10/open.c"
#include "firmware_riscv/crypto/overlay/functions.h"

bool crypto_verify(const uint8_t signature[64], const uint8_t* message, size_t size, const uint8_t key[32]) {
  return crypto_sign_ed25519_verify_detached(signature, message, size, key) == 0;
}

/* Not libsodium's crypto_scalarmult_curve25519(), whose table of functions has another with 30 KB of constants. */
bool crypto_agree(uint8_t shared[32], const uint8_t secret[32], const uint8_t key[32]) {
  return crypto_scalarmult_curve25519_ref10(shared, secret, key) == 0 && sodium_is_zero(shared, 32) == 0;
}
