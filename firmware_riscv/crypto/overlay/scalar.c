/* Numbers modulo the order of Ed25519's group, by BearSSL's integers. */
#include "inner.h"

void sc25519_reduce(unsigned char s[64]);

static const unsigned char kOrder[32] = {0x10, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
                                         0,    0,    0,    0,    0,    0x14, 0xde, 0xf9, 0xde, 0xa2, 0xf7,
                                         0x9c, 0xd6, 0x58, 0x12, 0x63, 0x1a, 0x5c, 0xf5, 0xd3, 0xed};

static void Reverse(unsigned char* to, const unsigned char* from, size_t size) {
  for (size_t i = 0; i < size; ++i) to[i] = from[size - 1 - i];
}

/* As libsodium has it: 64 bytes in, the first 32 of them out, little-endian. */
void sc25519_reduce(unsigned char s[64]) {
  /* Limbs of 31 bits behind a word with their number. */
  uint32_t order[1 + 9], number[1 + 9];
  unsigned char bytes[64];
  br_i31_decode(order, kOrder, sizeof(kOrder));
  Reverse(bytes, s, 64);
  br_i31_decode_reduce(number, bytes, 64, order);
  br_i31_encode(bytes, 32, number);
  Reverse(s, bytes, 32);
}
