// Random test data that is the same on every machine.
#ifndef MODELVAULT_TESTS_CODEC_RANDOM_H_
#define MODELVAULT_TESTS_CODEC_RANDOM_H_

#include <cstdint>
#include <vector>

namespace modelvault {

using Bytes = std::vector<uint8_t>;

// SplitMix64: unlike the standard library's distributions, its values are the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // In [0, bound); `bound` is not 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
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

 private:
  uint64_t state_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_CODEC_RANDOM_H_
