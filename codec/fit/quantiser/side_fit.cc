#include "codec/fit/quantiser/side_fit.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "codec/core/prediction.h"
#include "codec/rans_encoder.h"

namespace modelvault {
namespace {

constexpr double kTensorBits = 12;  // To say that anything moves at all, and the shift.
constexpr double kHighBits = 4;     // Of a float's sign and exponent, where they vary little.
constexpr int kMantissaBits = 23;
constexpr unsigned kWidth = 32;  // Of a float.
constexpr int kPasses = 2;       // Over the values, with prices as the pass before leaves them.

// Bits of a residual by its length in bits, its sign included.
using Prices = std::array<double, kWidth + 1>;

unsigned Length(int64_t residual) {
  return static_cast<unsigned>(std::bit_width(static_cast<uint64_t>(residual < 0 ? -residual : residual)));
}

// Once the coder has adapted to a tensor of which few values move, and by little.
Prices FewMove() {
  Prices prices;
  prices[0] = 0.15;
  for (unsigned length = 1; length <= kWidth; ++length) prices[length] = 3.5 + 2 * (length - 1);
  return prices;
}

// Once it has adapted to these.
Prices PricesOf(const std::vector<int64_t>& residuals) {
  std::array<double, kWidth + 1> counts{};
  for (const int64_t r : residuals) counts[Length(r)] += 1;
  Prices prices;
  for (unsigned length = 0; length <= kWidth; ++length) {
    const double share = std::max(counts[length], 0.5) / (static_cast<double>(residuals.size()) + 1);
    prices[length] = (length > 0 ? length : 0) - std::log2(share);  // The sign, and all bits but the leading one.
  }
  return prices;
}

int64_t Ordered(float value, unsigned shift) {
  return ElementToOrdered(std::bit_cast<uint32_t>(value), kWidth, true, shift);
}

float FromOrdered(int64_t ordered, unsigned shift) {
  return std::bit_cast<float>(static_cast<uint32_t>(OrderedToElement(ordered, kWidth, true, shift)));
}

double Form(float own, float left) {
  return static_cast<double>(own) * static_cast<double>(left) * static_cast<double>(left) / 2;
}

// Residuals, each the least by `prices`; `ideal` are those that leave nothing but rounding.
std::vector<int64_t> Choose(absl::Span<const float> base, absl::Span<const float> variant, absl::Span<const float> own,
                            const std::vector<int64_t>& ideal, double lambda, unsigned shift, const Prices& prices) {
  std::vector<int64_t> residuals(ideal.size());
  for (size_t i = 0; i < ideal.size(); ++i) {
    double best = INFINITY;
    for (const int64_t r : {int64_t{0}, ideal[i], ideal[i] / 2}) {
      const float value = FromOrdered(Ordered(base[i], shift) + r, shift);
      const double cost = Form(own[i], variant[i] - value) + lambda * prices[Length(r)];
      if (cost >= best) continue;
      best = cost;
      residuals[i] = r;
    }
  }
  return residuals;
}

}  // namespace

float RoundMantissa(float value, int bits) {
  int exponent;
  const float fraction = std::frexp(value, &exponent);
  const float unit = std::ldexp(1.0f, bits + 1);
  return std::ldexp(std::round(fraction * unit) / unit, exponent);
}

float RoundUpMantissa(float value, int bits) {
  int exponent;
  const float fraction = std::frexp(value, &exponent);
  const float unit = std::ldexp(1.0f, bits + 1);
  return std::ldexp(std::ceil(fraction * unit) / unit, exponent);
}

int ChooseMantissa(absl::Span<const float> base, absl::Span<const float> own, double variants, double lambda) {
  int best = kMantissaBits;
  double best_cost = INFINITY;
  for (int bits = 0; bits <= kMantissaBits; ++bits) {
    double cost = lambda * (bits + kHighBits) * static_cast<double>(base.size());
    for (size_t i = 0; i < base.size(); ++i) {
      const double error = static_cast<double>(base[i]) - static_cast<double>(RoundMantissa(base[i], bits));
      cost += variants * static_cast<double>(own[i]) * error * error / 2;
    }
    if (cost < best_cost) {
      best_cost = cost;
      best = bits;
    }
  }
  return best;
}

SideFit FitSide(absl::Span<const float> base, absl::Span<const float> variant, absl::Span<const float> own,
                double lambda, int mantissa_bits, SideContexts* contexts) {
  SideFit best;
  for (size_t i = 0; i < base.size(); ++i) best.signal += Form(own[i], variant[i] - base[i]);
  best.remaining = best.signal;
  SideContexts best_contexts = *contexts;
  for (const int mantissa : {mantissa_bits, ChooseMantissa(variant, own, 1, lambda)}) {
    const unsigned shift = static_cast<unsigned>(kMantissaBits - mantissa);
    std::vector<int64_t> ideal;
    for (size_t i = 0; i < base.size(); ++i) {
      ideal.push_back(Ordered(RoundMantissa(variant[i], mantissa), shift) - Ordered(base[i], shift));
    }
    for (Prices prices : {FewMove(), PricesOf(ideal)}) {
      for (int pass = 0; pass < kPasses; ++pass) {
        const std::vector<int64_t> residuals = Choose(base, variant, own, ideal, lambda, shift, prices);
        SideFit fit;
        fit.signal = best.signal;
        CostCounter counter;
        SideContexts learning = *contexts;
        for (size_t i = 0; i < base.size(); ++i) {
          fit.values.push_back(FromOrdered(Ordered(base[i], shift) + residuals[i], shift));
          fit.remaining += Form(own[i], variant[i] - fit.values[i]);
          EncodeGamma(&counter, &learning, static_cast<uint64_t>(std::abs(residuals[i])));
          if (residuals[i] != 0) counter.Raw(0, 1);
        }
        fit.bits = kTensorBits + static_cast<double>(counter.cost()) / static_cast<double>(kBitCost);
        if (fit.remaining + lambda * fit.bits < best.remaining + lambda * best.bits) {
          best = std::move(fit);
          best_contexts = learning;
        }
        prices = PricesOf(residuals);
      }
    }
  }
  *contexts = best_contexts;
  return best;
}

}  // namespace modelvault
