#include "codec/fit/quantiser/base_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/fit/quantiser/error_product.h"

namespace modelvault {
namespace {

constexpr int kMost = 127;

// Bits of each value, -127 … 127, by how often it occurs; one that does not occur counts half.
std::array<double, 2 * kMost + 1> Prices(const std::vector<int8_t>& values) {
  std::array<double, 2 * kMost + 1> counts{};
  for (const int8_t v : values) counts[static_cast<size_t>(v + kMost)] += 1;
  for (double& count : counts) {
    count = -std::log2(std::max(count, 0.5) / (static_cast<double>(values.size()) + 1));
  }
  return counts;
}

int Round(float weight, float step) {
  const float most = kMost;
  return static_cast<int>(std::lround(std::clamp(weight / step, -most, most)));
}

}  // namespace

absl::StatusOr<BaseFit> FitBase(absl::string_view tensor, absl::Span<const float> weights,
                                absl::Span<const float> steps, const Curvature& curvature,
                                const BaseFitOptions& options) {
  const auto error = [&](absl::string_view problem) {
    return absl::InvalidArgumentError(absl::StrCat("base of ", tensor, ": ", problem));
  };
  const size_t cols = curvature.cols();
  if (weights.size() != curvature.rows() * cols || steps.size() != curvature.rows()) {
    return error(absl::StrCat(weights.size(), " weights and ", steps.size(), " steps; the curvature is of ",
                              curvature.rows(), " times ", cols));
  }
  if (!std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); })) {
    return error("a weight is not a finite number");
  }
  if (!std::all_of(steps.begin(), steps.end(), [](float s) { return std::isfinite(s) && s > 0; })) {
    return error("a step of the grid is not a positive number");
  }
  if (!(options.lambda >= 0) || !std::isfinite(options.lambda) || !(options.variants > 0) ||
      !std::isfinite(options.variants) || options.sweeps < 0) {
    return error("an option is out of range");
  }
  BaseFit fit;
  fit.values.resize(weights.size());
  std::vector<float> left(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    fit.values[i] = static_cast<int8_t>(Round(weights[i], steps[i / cols]));
    left[i] = weights[i] - steps[i / cols] * static_cast<float>(fit.values[i]);
  }
  ErrorProduct product(curvature, std::move(left));
  for (int sweep = 0; sweep < options.sweeps; ++sweep) {
    const std::array<double, 2 * kMost + 1> prices = Prices(fit.values);
    bool changed = false;
    for (size_t begin = 0; begin < cols; begin += ErrorProduct::kBlock) {
      const size_t end = std::min(cols, begin + ErrorProduct::kBlock);
      product.EnterColumns(begin, end);
      for (size_t row = 0; row < curvature.rows(); ++row) {
        const double step = static_cast<double>(steps[row]);
        for (size_t column = begin; column < end; ++column) {
          const size_t i = row * cols + column;
          const int now = fit.values[i];
          double best_gain = 0;
          int best = now;
          for (const int to : {now - 1, now + 1}) {
            if (to < -kMost || to > kMost) continue;
            const double by = (now - to) * step;
            const double form =
                by * product.gradient(row, column) + by * by * static_cast<double>(curvature.own(row, column)) / 2;
            const double bits = prices[static_cast<size_t>(to + kMost)] - prices[static_cast<size_t>(now + kMost)];
            const double gain = -(options.variants * form + options.lambda * bits);
            if (gain > best_gain) {
              best_gain = gain;
              best = to;
            }
          }
          if (best == now) continue;
          fit.values[i] = static_cast<int8_t>(best);
          product.Grow(row, column, (now - best) * step);
          changed = true;
        }
      }
      product.Leave();
    }
    if (!changed) break;
  }
  product.Renew();
  fit.remaining = product.Form();
  const std::array<double, 2 * kMost + 1> prices = Prices(fit.values);
  for (const int8_t v : fit.values) fit.bits += prices[static_cast<size_t>(v + kMost)];
  return fit;
}

}  // namespace modelvault
