#include "bench/scale_data.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>

#include "codec/core/bytes.h"
#include "codec/split_mix_64.h"

namespace modelvault::bench {
namespace {

constexpr uint64_t kTensorRows = 1024;
constexpr double kDeviation = 0.02;
constexpr double kRowSpread = 0.35;      // Of the logarithm of a row's standard deviation.
constexpr uint64_t kOutlierColumns = 8;  // Of kScaleRow.
constexpr double kOutlierFactor = 6;
constexpr double kLaplaceShare = 0.3;  // Of the tensors; the others move by a normal law.

// Normal draws: each the sum of two of a pool, which costs no logarithm.
class NormalDraws {
 public:
  NormalDraws() {
    SplitMix64 random(0x5CA1E);
    for (size_t i = 0; i < pool_.size(); i += 2) {
      const double radius = std::sqrt(-2 * std::log((static_cast<double>(random.Next() >> 11) + 1) * 0x1p-53));
      const double turn = 2 * std::numbers::pi * static_cast<double>(random.Next() >> 11) * 0x1p-53;
      pool_[i] = static_cast<float>(radius * std::cos(turn) * std::numbers::sqrt2 / 2);
      pool_[i + 1] = static_cast<float>(radius * std::sin(turn) * std::numbers::sqrt2 / 2);
    }
  }
  float From(uint64_t bits) const { return pool_[bits & 0xFFFF] + pool_[bits >> 16 & 0xFFFF]; }

 private:
  std::array<float, 1u << 16> pool_;
};

const NormalDraws& Normal() {
  static const NormalDraws draws;
  return draws;
}

double Unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

uint16_t ToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

SplitMix64 RowRandom(uint64_t seed, uint64_t what, uint64_t row) {
  return SplitMix64(SplitMix64(SplitMix64(seed ^ what << 32).Next() ^ row).Next());
}

float RowDeviation(SplitMix64* random) {
  return static_cast<float>(kDeviation * std::exp(kRowSpread * Normal().From(random->Next())));
}

// Column j of each row of the tensor has large weights.
bool IsOutlier(uint64_t seed, uint64_t row, size_t j) {
  return SplitMix64::Mix(seed ^ (row / kTensorRows) << 20 ^ j) % kScaleRow < kOutlierColumns;
}

float Weight(uint64_t seed, uint64_t row, size_t j, float deviation, SplitMix64* random) {
  const float weight = deviation * Normal().From(random->Next());
  return IsOutlier(seed, row, j) ? weight * static_cast<float>(kOutlierFactor) : weight;
}

}  // namespace

void MakeFineTunedRow(const FineTune& options, uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant) {
  SplitMix64 weights = RowRandom(options.seed, 1, row);
  SplitMix64 moves = RowRandom(options.seed, 2, row);
  SplitMix64 tensor = RowRandom(options.seed, 3, row / kTensorRows);
  const float deviation = RowDeviation(&weights);
  const double strength = options.strength * std::pow(1.5, 2 * Unit(tensor.Next()) - 1);
  const float move = static_cast<float>(deviation * strength * std::sqrt(std::numbers::pi / 2));
  const bool laplace = Unit(tensor.Next()) < kLaplaceShare;
  for (size_t j = 0; j < kScaleRow; ++j) {
    const float weight = Weight(options.seed, row, j, deviation, &weights);
    const uint64_t bits = moves.Next();
    float step = Normal().From(bits);
    // A normal draw times the root of an exponential one: Laplace's law, of the same mean size.
    if (laplace) step *= 1.128f * std::sqrt(-std::log(static_cast<float>(Unit(SplitMix64::Mix(bits)) + 0x1p-54)));
    StoreLe16(&base[2 * j], ToBf16(weight));
    StoreLe16(&variant[2 * j], ToBf16(weight + move * step));
  }
}

void MakeNearlyEqualRow(uint64_t seed, unsigned one_in, uint64_t row, absl::Span<uint8_t> base,
                        absl::Span<uint8_t> variant) {
  SplitMix64 weights = RowRandom(seed, 1, row);
  SplitMix64 moves = RowRandom(seed, 4, row);
  const float deviation = RowDeviation(&weights);
  for (size_t j = 0; j < kScaleRow; ++j) {
    const uint16_t weight = ToBf16(Weight(seed, row, j, deviation, &weights));
    const uint64_t bits = moves.Next();
    int step = 0;
    if ((bits >> 16) % one_in == 0) step = static_cast<int>(1 + (bits >> 8 & 3));
    if ((bits & 1) != 0) step = -step;
    StoreLe16(&base[2 * j], weight);
    StoreLe16(&variant[2 * j], static_cast<uint16_t>(weight + step));
  }
}

void MakeTernaryRow(uint64_t seed, double density, uint64_t row, absl::Span<uint8_t> base,
                    absl::Span<uint8_t> variant) {
  SplitMix64 weights = RowRandom(seed, 1, row);
  SplitMix64 moves = RowRandom(seed, 5, row);
  constexpr float kBell = 16;  // Its entropy is 6.05 bits.
  int scale = 1;
  for (size_t j = 0; j < kScaleRow; ++j) {
    if (j % 128 == 0) scale = static_cast<int>(1 + moves.Below(6));
    const int weight = static_cast<int>(std::lround(std::clamp(kBell * Normal().From(weights.Next()), -127.f, 127.f)));
    const uint64_t bits = moves.Next();
    const int step = Unit(bits) < density ? ((bits & 1) != 0 ? scale : -scale) : 0;
    base[j] = static_cast<uint8_t>(weight);
    variant[j] = static_cast<uint8_t>(std::clamp(weight + step, -128, 127));
  }
}

}  // namespace modelvault::bench
