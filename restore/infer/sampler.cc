#include "restore/infer/sampler.h"

#include "restore/infer/fixed_point.h"
#include "restore/infer/functions.h"

namespace modelvault {
namespace {

constexpr uint32_t kMostTemperature = 0x7FFFFFFF;

struct Candidate {
  int32_t score;
  uint16_t id;
};

// The `count` best, best first. Returns how many there are.
size_t FindBest(const NetworkScores& scores, size_t count, Candidate* best) {
  size_t found = 0;
  for (size_t id = 0; id < scores.count; ++id) {
    const int32_t score = scores.values[id];
    if (found == count && score <= best[found - 1].score) continue;
    size_t at = found < count ? found++ : count - 1;
    for (; at > 0 && best[at - 1].score < score; --at) best[at] = best[at - 1];
    best[at] = {score, static_cast<uint16_t>(id)};
  }
  return found;
}

}  // namespace

uint16_t BestToken(const NetworkScores& scores) {
  size_t best = 0;
  for (size_t id = 1; id < scores.count; ++id) {
    if (scores.values[id] > scores.values[best]) best = id;
  }
  return static_cast<uint16_t>(best);
}

Sampler::Sampler(uint64_t seed, uint32_t temperature, size_t top_k)
    : state_(seed),
      temperature_(temperature < kMostTemperature ? temperature : kMostTemperature),
      top_k_(top_k < kMaxTopK ? top_k : kMaxTopK) {}

// SplitMix64 (G. Steele, D. Lea and C. Flood, "Fast Splittable Pseudorandom Number Generators", 2014), its upper half.
uint32_t Sampler::Random() {
  state_ += 0x9E3779B97F4A7C15u;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<uint32_t>((z ^ (z >> 31)) >> 32);
}

uint16_t Sampler::Pick(const NetworkScores& scores) {
  if (temperature_ == 0 || top_k_ <= 1) return BestToken(scores);
  Candidate best[kMaxTopK];
  const size_t count = FindBest(scores, top_k_, best);
  // log2(e) / temperature times 2^(44 - up), of 30 bits or 31; what multiplies a difference of scores.
  constexpr uint32_t kLog2E = 1549082005u;  // Times 2^30.
  const int up = 31 - BitCount(temperature_);
  const uint32_t factor = kLog2E / ((temperature_ << up) >> 15) << 15;
  const int shift = scores.exponent + up + 4;
  const int32_t most = best[0].score;
  uint32_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t behind = static_cast<uint32_t>(most) - static_cast<uint32_t>(best[i].score);
    const int32_t z = SaturatingShift(static_cast<int32_t>(MulHighUnsigned(behind, factor)), shift);
    best[i].score = static_cast<int32_t>(Exp2Negative(static_cast<uint32_t>(z)));
    sum += static_cast<uint32_t>(best[i].score);
  }
  uint32_t left = MulHighUnsigned(Random(), sum);
  for (size_t i = 0; i + 1 < count; ++i) {
    if (left < static_cast<uint32_t>(best[i].score)) return best[i].id;
    left -= static_cast<uint32_t>(best[i].score);
  }
  return best[count - 1].id;
}

}  // namespace modelvault
