// XXH64 (Yann Collet's xxHash specification, doc/xxhash_spec.md), streaming, seed 0. Our own because the board has no C
// library for xxhash.h; tests hold it against the library. Finds accidents, does not authenticate.
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_XXH64_H_
#define MODELVAULT_CODEC_CORE_XXH64_H_

#include "codec/core/bytes.h"

namespace modelvault {

class Xxh64 {
 public:
  Xxh64() { Reset(); }

  void Reset();
  void Update(ByteView bytes);
  // The hash of everything so far; more may follow.
  uint64_t Digest() const;

  static uint64_t Of(ByteView bytes);

 private:
  uint64_t lanes_[4];
  uint64_t total_;
  uint8_t buffer_[32];  // Bytes not yet in a full stripe: total_ % 32 of them.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_XXH64_H_
