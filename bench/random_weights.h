// Made-up weights, fast and the same on every machine: integers only, no standard distributions.
#ifndef MODELVAULT_BENCH_RANDOM_WEIGHTS_H_
#define MODELVAULT_BENCH_RANDOM_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "codec/split_mix_64.h"

namespace modelvault::bench {

class Random : public SplitMix64 {
 public:
  using SplitMix64::SplitMix64;
  uint16_t Bits16() { return static_cast<uint16_t>(Next() >> 48); }
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
