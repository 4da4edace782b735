// Made-up weights, fast and the same on every machine: integers only, no standard distributions.
#ifndef MODELVAULT_BENCH_RANDOM_WEIGHTS_H_
#define MODELVAULT_BENCH_RANDOM_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace modelvault::bench {

// SplitMix64.
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
  uint16_t Bits16() { return static_cast<uint16_t>(Next() >> 48); }

 private:
  uint64_t state_;
};

// Bell-shaped INT8 values. kNarrow: standard deviation 9, 5.2 bits at order 0; kWide: 23, 6.5 bits.
enum class Bell { kNarrow, kWide };

// Fills `out` with INT8 weights.
void FillBell(Bell bell, Random* random, absl::Span<uint8_t> out);

// Passes over independent weights of which each is hit with chance 1 / `one_in`: how many weights lie before the next
// hit. Gaps beyond its 65,536 quantiles are cut, which no benchmark notices.
class GapSampler {
 public:
  explicit GapSampler(uint32_t one_in);
  uint32_t Next(Random* random) const { return quantiles_[random->Bits16()]; }

 private:
  std::vector<uint32_t> quantiles_;
};

// variant = base with a trit on some weights, times a scale for each kGroupSize weights: `gaps` says which weights,
// scales are 1 to `max_scale`. `base` begins at a group's first weight.
void ApplyRandomTrits(const GapSampler& gaps, uint8_t max_scale, Random* random, absl::Span<const uint8_t> base,
                      absl::Span<uint8_t> variant);

// F32 values near `middle`, little-endian, `out.size() / 4` of them: 7 random low bits above 16 zero ones, as norms and
// scales that were rounded once.
void FillFloats(float middle, Random* random, absl::Span<uint8_t> out);

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_RANDOM_WEIGHTS_H_
