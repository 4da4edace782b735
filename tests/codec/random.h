// Random test data that is the same on every machine.
#ifndef MODELVAULT_TESTS_CODEC_RANDOM_H_
#define MODELVAULT_TESTS_CODEC_RANDOM_H_

#include <cstdint>
#include <vector>

#include "codec/split_mix_64.h"

namespace modelvault {

using Bytes = std::vector<uint8_t>;

class Random : public SplitMix64 {
 public:
  using SplitMix64::SplitMix64;

  // In [low, high].
  int Between(int low, int high) { return low + static_cast<int>(Below(static_cast<uint64_t>(high - low) + 1)); }
  // In [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  bool Chance(double p) { return Unit() < p; }
  // Mean 0, standard deviation 1; a sum of uniforms, so nothing beyond 6.
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Unit();
    return sum;
  }
  uint8_t Byte() { return static_cast<uint8_t>(Next() >> 56); }
  Bytes Uniform(uint64_t size) {
    Bytes bytes(size);
    for (uint8_t& b : bytes) b = Byte();
    return bytes;
  }
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CODEC_RANDOM_H_
