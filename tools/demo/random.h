#ifndef MODELVAULT_TOOLS_DEMO_RANDOM_H_
#define MODELVAULT_TOOLS_DEMO_RANDOM_H_

// The demo's random numbers: the same on every machine, which the standard library's distributions are not.

#include <stdint.h>

#include "codec/split_mix_64.h"

namespace modelvault::demo {

class Random {
 public:
  // Different (seed, stream, index) give unrelated sequences.
  explicit Random(uint64_t seed, uint64_t stream = 0, uint64_t index = 0)
      : numbers_(Stirred(Stirred(Stirred(seed) + stream) + index)) {}

  uint64_t Next() { return numbers_.Next(); }

  // Uniform in [0, limit), 0 < limit < 2^32; the bias of the multiplication is below 2^-32 a value.
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>(((Next() >> 32) * limit) >> 32); }

  // Uniform in [0, 1), a multiple of 2^-24.
  float Unit() { return static_cast<float>(Next() >> 40) * 0x1p-24f; }

  // Mean 0, variance 1, bell-shaped: the sum of four 16-bit uniforms. Needs no logarithm, whose last bit differs
  // between C libraries.
  float Normal() {
    const uint64_t bits = Next();
    const auto sum =
        static_cast<int32_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48));
    return static_cast<float>(sum - 2 * 0xffff) * (1.7320508f / 65536.0f);
  }

 private:
  static uint64_t Stirred(uint64_t x) { return SplitMix64(x).Next(); }

  SplitMix64 numbers_;
};

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_RANDOM_H_
