#include "codec/fit/side_fit.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace modelvault {
namespace {

// Of the residual coder (docs/format.md §6), once it has adapted to a tensor of which few values move.
constexpr double kZeroBits = 0.15;
constexpr double kMovedBits = 3.5;    // For a move by one unit, its sign included.
constexpr double kPerOctaveBits = 2;  // For each doubling of the move.
constexpr double kTensorBits = 12;    // To say that anything moves at all.
constexpr double kHighBits = 4;       // Of a float's sign and exponent, where they vary little.
constexpr int kMantissaBits = 23;

double MoveBits(int64_t units) {
  const uint64_t size = static_cast<uint64_t>(units < 0 ? -units : units);
  return size == 0 ? kZeroBits : kMovedBits + kPerOctaveBits * static_cast<double>(std::bit_width(size) - 1);
}

// The value `units` steps of the mantissa further on the line of floats; sign changes are not wanted here.
float Move(float value, int64_t units, int mantissa_bits) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const int64_t magnitude =
      static_cast<int64_t>(bits & 0x7FFFFFFFu) + units * (int64_t{1} << (kMantissaBits - mantissa_bits));
  const uint32_t clamped = static_cast<uint32_t>(std::clamp<int64_t>(magnitude, 0, 0x7F7FFFFF));
  return std::bit_cast<float>((bits & 0x80000000u) | clamped);
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
                double lambda, int mantissa_bits) {
  SideFit fit;
  fit.values.assign(base.begin(), base.end());
  double gain = 0;
  fit.bits = kTensorBits;
  for (size_t i = 0; i < base.size(); ++i) {
    const auto form = [&](float value) {
      const double error = static_cast<double>(variant[i]) - static_cast<double>(value);
      return static_cast<double>(own[i]) * error * error / 2;
    };
    const double unit = std::abs(static_cast<double>(Move(base[i], 1, mantissa_bits)) - static_cast<double>(base[i]));
    const double away = static_cast<double>(variant[i]) - static_cast<double>(base[i]);
    const int64_t ideal =
        unit > 0 ? std::llround(std::clamp(away / unit, -1e6, 1e6)) * (std::signbit(base[i]) ? -1 : 1) : 0;
    const double stay = form(base[i]);
    double best = stay + lambda * kZeroBits;
    double bits = kZeroBits;
    double left = stay;
    for (const int64_t units : {ideal, ideal / 2}) {
      const float moved = Move(base[i], units, mantissa_bits);
      const double cost = form(moved) + lambda * MoveBits(units);
      if (units == 0 || cost >= best) continue;
      best = cost;
      bits = MoveBits(units);
      left = form(moved);
      fit.values[i] = moved;
    }
    fit.signal += stay;
    fit.remaining += left;
    fit.bits += bits;
    gain += stay - best;
  }
  if (gain <= lambda * kTensorBits) {
    fit.values.clear();
    fit.remaining = fit.signal;
    fit.bits = 0;
  }
  return fit;
}

}  // namespace modelvault
