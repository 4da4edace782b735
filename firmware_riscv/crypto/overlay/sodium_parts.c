/* What libsodium's Ed25519 and X25519 call of the rest of it, which needs an operating system. */
#include "crypto_verify_32.h"
#include "utils.h"

/* Whether any byte of a differs from b's, without a branch on it: 0 or -1. */
int sodium_memcmp(const void* a, const void* b, size_t size) {
  const volatile unsigned char* const left = a;
  const volatile unsigned char* const right = b;
  unsigned difference = 0;
  for (size_t i = 0; i < size; ++i) difference |= left[i] ^ right[i];
  return (int)(1 & ((difference - 1) >> 8)) - 1;
}

int crypto_verify_32(const unsigned char* a, const unsigned char* b) { return sodium_memcmp(a, b, 32); }

int sodium_is_zero(const unsigned char* bytes, const size_t size) {
  const volatile unsigned char* const p = bytes;
  unsigned any = 0;
  for (size_t i = 0; i < size; ++i) any |= p[i];
  return (int)(1 & ((any - 1) >> 8));
}
