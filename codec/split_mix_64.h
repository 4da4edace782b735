// Random numbers that are the same everywhere, which those of the standard library's distributions are not.
#ifndef MODELVAULT_CODEC_SPLIT_MIX_64_H_
#define MODELVAULT_CODEC_SPLIT_MIX_64_H_

#include <cstdint>

namespace modelvault {

// G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators" (2014). For draws and test data, not
// for secrets.
class SplitMix64 {
 public:
  // What two of its states differ by.
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15u;

  // The finaliser alone: a bijection of which every output bit depends on every input bit.
  static constexpr uint64_t Mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }

  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t Next() { return Mix(state_ += kStep); }
  // In [0, bound); `bound` is not 0 and far below 2^64, for smaller values are a little more frequent.
  uint64_t Below(uint64_t bound) { return Next() % bound; }

 private:
  uint64_t state_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_SPLIT_MIX_64_H_
