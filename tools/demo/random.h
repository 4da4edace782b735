#ifndef MODELVAULT_TOOLS_DEMO_RANDOM_H_
#define MODELVAULT_TOOLS_DEMO_RANDOM_H_

// The demo's random numbers: the same on every machine, which the standard library's distributions are not.

#include <stdint.h>

namespace modelvault::demo {

// SplitMix64's finaliser: every output bit depends on every input bit.
inline uint64_t MixBits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class Random {
 public:
  // Different (seed, stream, index) give unrelated sequences.
  explicit Random(uint64_t seed, uint64_t stream = 0, uint64_t index = 0)
      : state_(MixBits(MixBits(MixBits(seed + kStep) + stream + kStep) + index + kStep)) {}

  uint64_t Next() { return MixBits(state_ += kStep); }

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
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;

  uint64_t state_;
};

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_RANDOM_H_
