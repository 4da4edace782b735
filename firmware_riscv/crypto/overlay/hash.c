/* BLAKE2s of libb2. */
#include "blake2-impl.h"

/* What it loads words from is at multiples of 4 here, which it cannot know: its state, and what is below. */
static uint32_t LoadAligned(const void* p) {
  uint32_t word;
  memcpy(&word, __builtin_assume_aligned(p, 4), sizeof(word));
  return word;
}
#define load32 LoadAligned
#include "blake2s-ref.c"
#undef load32

#include "firmware_riscv/crypto/overlay/functions.h"

_Static_assert(sizeof(blake2s_state) <= 256, "kHashStateSize");
_Static_assert(offsetof(blake2s_state, buf) % 4 == 0, "LoadAligned()");

/* As blake2s_init() and blake2s_init_key() do it. */
void crypto_hash_begin(void* state, const uint8_t* key) {
  _Alignas(4) const blake2s_param parameters = {
      .digest_length = BLAKE2S_OUTBYTES, .key_length = key == NULL ? 0 : BLAKE2S_KEYBYTES, .fanout = 1, .depth = 1};
  blake2s_init_param(state, &parameters);
  if (key == NULL) return;
  uint8_t block[BLAKE2S_BLOCKBYTES] = {0};
  memcpy(block, key, BLAKE2S_KEYBYTES);
  blake2s_update(state, block, sizeof(block));
}

static void HashBlock(blake2s_state* state, const uint8_t* block) {
  blake2s_increment_counter(state, BLAKE2S_BLOCKBYTES);
  blake2s_compress(state, block);
}

/* As blake2s_update() does it, which copies each byte twice; but whole blocks at multiples of 4 are read where they
 * are. The last block is always left over for blake2s_final(). */
void crypto_hash_add(void* state, const uint8_t* bytes, size_t size) {
  blake2s_state* const s = state;
  if (((uintptr_t)bytes & 3) == 0 && size > 0) {
    if (s->buflen == BLAKE2S_BLOCKBYTES) {
      HashBlock(s, s->buf);
      s->buflen = 0;
    }
    for (; s->buflen == 0 && size > BLAKE2S_BLOCKBYTES; size -= BLAKE2S_BLOCKBYTES, bytes += BLAKE2S_BLOCKBYTES) {
      HashBlock(s, bytes);
    }
  }
  blake2s_update(s, bytes, size);
}

void crypto_hash_end(void* state, uint8_t digest[32]) { blake2s_final(state, digest, BLAKE2S_OUTBYTES); }
