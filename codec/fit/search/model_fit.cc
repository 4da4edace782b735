#include "codec/fit/search/model_fit.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/fit/quantiser/base_fit.h"
#include "codec/rans_encoder.h"

namespace modelvault {
namespace {

constexpr double kMostLineBits = 12;     // A row or column that never differed may still.
constexpr double kHardlyAnything = 0.8;  // Of a tensor's signal is left: another scale is tried.
constexpr double kHeadroom = 1.1;   // Of a grid as fine as it may be: what deltas may add to a row's largest weight.
constexpr double kFineChange = 16;  // Steps that a row's largest differences should have, where the base allows it.
constexpr double kMostSteps = 127;
constexpr double kLeastStep = 1e-12;  // A row of zeros that no variant changes needs a step, too.
constexpr float kEnd = 127;           // Steps.
constexpr double kMostOfUsual = 8;    // Of the median step counts a row's in the mean.
constexpr int kMostScale = 100;

// Bits a weight at `level` that differs takes more than one that does not, its sign included. Densities that halve the
// cost of differing are the least the levels' table has; beyond it goes on by a quarter of a bit a level.
double SymbolBits(unsigned level) {
  constexpr unsigned kDense = 12;
  const double bits =
      (static_cast<double>(HitCost(std::max(level, kDense))) - static_cast<double>(MissCost(std::max(level, kDense)))) /
      static_cast<double>(kBitCost);
  return std::max(0.0, bits + 1 - (level < kDense ? (kDense - level) / 4.0 : 0.0));
}

std::vector<float> LineBits(const std::vector<uint8_t>& classes) {
  std::vector<float> bits;
  for (const uint8_t c : classes) bits.push_back(static_cast<float>(std::min(kMostLineBits, ClassStep(c) / 4.0)));
  return bits;
}

// The middle one; `none` if there are none.
double Median(std::vector<double> values, double none) {
  if (values.empty()) return none;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<float> Owns(const FitTensor& tensor) {
  std::vector<float> own;
  for (size_t i = 0; i < tensor.base.size(); ++i) own.push_back(tensor.curvature.own(i));
  return own;
}

}  // namespace

SymbolPrices PricesOf(const DeltaStatistics::Prior& prior) {
  SymbolPrices prices;
  prices.symbol_bits = SymbolBits(prior.level);
  prices.row_bits = LineBits(prior.row_classes);
  prices.column_bits = LineBits(prior.column_classes);
  return prices;
}

absl::StatusOr<ModelFit> ModelFit::Create(const std::vector<FitTensor>* tensors, const Weights* centre,
                                          const ModelFitOptions& options, double variants) {
  if (!(options.grid_factor > 0) || !std::isfinite(options.grid_factor) || options.step_mantissa_bits < 0 ||
      options.step_mantissa_bits > 23 || !(options.gain > 0) || !std::isfinite(options.gain) ||
      !(options.start_scale > 0) || !std::isfinite(options.start_scale)) {
    return absl::InvalidArgumentError("an option of the fit is out of range");
  }
  return ModelFit(tensors, centre, options, variants);
}

ModelFit::ModelFit(const std::vector<FitTensor>* tensors, const Weights* centre, const ModelFitOptions& options,
                   double variants)
    : tensors_(tensors), centre_(centre), options_(options), variants_(variants) {
  for (const FitTensor& tensor : *tensors) {
    double sum = 0;
    for (size_t i = 0; i < tensor.base.size(); ++i) sum += static_cast<double>(tensor.curvature.own(i));
    mean_own_.push_back(tensor.base.empty() ? 0 : sum / static_cast<double>(tensor.base.size()));
  }
}

std::vector<float> ModelFit::Steps(const FitTensor& tensor, const std::vector<float>& centre,
                                   const std::vector<float>& target, double lambda) const {
  const size_t rows = static_cast<size_t>(tensor.rows()), cols = static_cast<size_t>(tensor.cols());
  std::vector<double> ranges, owns, others;
  for (size_t row = 0; row < rows; ++row) {
    double range = 0;
    double own = 0;
    for (size_t i = row * cols; i < (row + 1) * cols; ++i) {
      range = std::max({range, std::abs(static_cast<double>(centre[i])), std::abs(static_cast<double>(target[i]))});
      own += static_cast<double>(tensor.curvature.own(i));
    }
    ranges.push_back(range);
    owns.push_back(own / static_cast<double>(cols));
    if (range > 0) others.push_back(range);
  }
  const double usual = Median(std::move(others), INFINITY);
  std::vector<float> steps;
  for (size_t row = 0; row < rows; ++row) {
    // A uniform quantiser of step s has an error of s²/12 and saves log2(s) bits: with `own` / 2 times the square of
    // the error counted once a variant, the sum is the least at s² = 12 lambda / (variants * own * ln 2).
    const double step = options_.grid == GridRule::kRowRange
                            ? ranges[row] / kMostSteps * options_.grid_factor
                            : std::sqrt(12 * lambda / (variants_ * owns[row] * std::log(2.0))) * options_.grid_factor;
    // Every weight must fit the grid, and so must what a delta moves it to. A row that is nothing or next to it in the
    // base and not in a variant has the grid of its neighbours, or a finer one where that will do.
    const double changes = static_cast<double>(tensor.row_changes[row]) / kFineChange;
    const double least =
        std::max({ranges[row] / kMostSteps * kHeadroom, std::min(changes, usual / kMostSteps * kHeadroom), kLeastStep});
    steps.push_back(RoundUpMantissa(static_cast<float>(std::max(step, least)), options_.step_mantissa_bits));
  }
  return steps;
}

absl::StatusOr<FittedTensor> ModelFit::FitBaseTensor(size_t t, const std::vector<float>& target, double lambda) const {
  const FitTensor& tensor = (*tensors_)[t];
  FittedTensor result;
  if (!tensor.linear) {
    const int mantissa = ChooseMantissa(target, Owns(tensor), variants_, lambda);
    for (const float value : target) result.floats.push_back(RoundMantissa(value, mantissa));
    return result;
  }
  // The grid is the centre's, whatever the target of this round: prices of symbols stay meaningful.
  result.steps = Steps(tensor, centre(t), target, lambda);
  BaseFitOptions options;
  options.lambda = options_.base_rate ? lambda : 0;
  options.variants = variants_;
  if (!options_.base_rate) options.sweeps = 0;
  absl::StatusOr<BaseFit> fit = FitBase(tensor.name, target, result.steps, tensor.curvature, options);
  if (!fit.ok()) return fit.status();
  result.values = std::move(fit->values);
  return result;
}

absl::StatusOr<TernaryFit> ModelFit::FitLinear(size_t t, const std::vector<float>& target, const FittedTensor& base,
                                               const SymbolPrices& prices, double lambda) const {
  const FitTensor& tensor = (*tensors_)[t];
  const std::vector<float>& from = centre(t);
  const float gain = static_cast<float>(options_.gain);
  const size_t cols = static_cast<size_t>(tensor.cols());
  std::vector<float> delta(target.size());
  for (size_t i = 0; i < target.size(); ++i) {
    const float grid_step = base.steps[i / cols];
    // What lies beyond the grid cannot be met, and must not keep others from what can be.
    const float wanted = std::clamp(from[i] + gain * (target[i] - from[i]), -kEnd * grid_step, kEnd * grid_step);
    delta[i] = wanted - grid_step * static_cast<float>(base.values[i]);
  }
  TernaryFitOptions options;
  options.lambda = lambda;
  options.symbol_bits = prices.symbol_bits;
  options.row_bits = prices.row_bits;
  options.column_bits = prices.column_bits;
  options.least_symbol_bits = 2;
  options.scale_bits = options_.refit_scales ? 6 : 1e9;
  options.escapes = options_.refit_scales;
  options.most_scale = kMostScale;
  // A weight's difference d pays where own * d² / 2 is more than lambda times its bits.
  const double pays = std::sqrt(2 * lambda * SymbolPrices().symbol_bits / mean_own_[t]);
  // Rows with a far larger step, as one value makes them, are not to decide for the others.
  const double usual = Median({base.steps.begin(), base.steps.end()}, 1);
  double step = 0;
  for (const float s : base.steps) {
    step += std::min(static_cast<double>(s), kMostOfUsual * usual) / static_cast<double>(base.steps.size());
  }
  options.start_scale = static_cast<int>(std::lround(
      std::clamp(options_.start_scale * prices.start_scale * pays / step, 1.0, static_cast<double>(kMostScale))));
  absl::StatusOr<TernaryFit> fit = FitTernary(tensor.name, delta, base.steps, base.values, tensor.curvature, options);
  // Differences that are all small, or where weights of a row matter very differently, want a smaller scale.
  while (fit.ok() && options.start_scale > 1 && fit->remaining > kHardlyAnything * fit->signal) {
    options.start_scale = std::max(1, options.start_scale / 2);
    absl::StatusOr<TernaryFit> smaller =
        FitTernary(tensor.name, delta, base.steps, base.values, tensor.curvature, options);
    if (smaller.ok() && smaller->remaining + lambda * smaller->bits >= fit->remaining + lambda * fit->bits) break;
    fit = std::move(smaller);
  }
  return fit;
}

VariantTensorFit ModelFit::FitSideTensor(size_t t, const std::vector<float>& target, const FittedTensor& base,
                                         double lambda, SideContexts* contexts) const {
  const std::vector<float> own = Owns((*tensors_)[t]);
  SideFit side =
      FitSide(base.floats, target, own, lambda, ChooseMantissa(base.floats, own, variants_, lambda), contexts);
  VariantTensorFit fit;
  fit.signal = side.signal;
  fit.remaining = options_.side_tensors ? side.remaining : side.signal;
  if (options_.side_tensors) fit.floats = std::move(side.values);
  return fit;
}

absl::StatusOr<FittedVariant> ModelFit::FitVariant(const Weights& weights, const std::vector<FittedTensor>& base,
                                                   const std::vector<SymbolPrices>& prices, double lambda) const {
  FittedVariant result;
  result.lambda = lambda;
  SideContexts contexts;
  for (size_t t = 0; t < base.size(); ++t) {
    if (!(*tensors_)[t].linear) {
      result.tensors.push_back(FitSideTensor(t, weights[t], base[t], lambda, &contexts));
      continue;
    }
    absl::StatusOr<TernaryFit> ternary = FitLinear(t, weights[t], base[t], prices[t], lambda);
    if (!ternary.ok()) return ternary.status();
    VariantTensorFit fit;
    fit.signal = ternary->signal;
    fit.remaining = ternary->remaining;
    fit.nonzeros = ternary->nonzeros;
    if (ternary->nonzeros > 0) fit.changes = std::move(ternary->changes);
    result.tensors.push_back(std::move(fit));
  }
  return result;
}

std::vector<float> ModelFit::BaseFor(size_t t, const std::vector<float>& target, const FittedTensor& base,
                                     const VariantTensorFit& fit) const {
  const FitTensor& tensor = (*tensors_)[t];
  if (!tensor.linear) return {};
  const std::vector<float>& from = centre(t);
  const size_t cols = static_cast<size_t>(tensor.cols());
  std::vector<float> rest = target;
  for (size_t i = 0; i < rest.size(); ++i) {
    rest[i] = from[i] + static_cast<float>(options_.gain) * (rest[i] - from[i]);
    if (fit.changes.empty() || fit.changes[i] == 0) continue;
    rest[i] -= base.steps[i / cols] * static_cast<float>(fit.changes[i]);
  }
  return rest;
}

}  // namespace modelvault
