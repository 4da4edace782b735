#include "tools/fitting/fitter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/delta_statistics.h"
#include "codec/fit/base_fit.h"
#include "codec/fit/side_fit.h"
#include "codec/fit/ternary_fit.h"
#include "codec/rans_encoder.h"
#include "tools/fitting/packed_size.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr int kVersion = 5;               // Of the method: results of another are not taken from a work folder.
constexpr double kFirstSymbolBits = 7.2;  // Before anything was fitted: a density of about 4 %, and a sign.
constexpr double kMostLineBits = 12;      // A row or column that never differed may still.
constexpr double kHardlyAnything = 0.8;   // Of a tensor's signal is left: another scale is tried.
constexpr double kHeadroom = 1.1;  // Of a grid as fine as it may be: what deltas may add to a row's largest weight.
// Scales to begin with that are tried on a few variants, times the options'.
constexpr double kStartScales[] = {1, 1.5, 2.25, 3.4};
constexpr uint64_t kTrialVariants = 3;
constexpr double kFloorFactor = 0.7;  // Of lambda, from one attempt at a variant's floor to the next.
constexpr int kFloorAttempts = 40;

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

template <typename T>
void AppendBytes(const std::vector<T>& values, std::string* out) {
  absl::StrAppend(out, values.size(), ":");
  out->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

}  // namespace

struct Fitter::Prices {
  double symbol_bits = kFirstSymbolBits;
  std::vector<float> row_bits, column_bits;  // Empty or one a row (column).
  double start_scale = 1;                    // Times the options'.
};

struct Fitter::VariantResult {
  FittedVariant fit;
  std::vector<std::vector<float>> rest;  // Of linear tensors: what the base would have to be for the fit to be exact.
};

struct Fitter::Round {
  std::vector<FittedVariant> variants;
  std::vector<std::vector<double>> rest;  // Weighted mean over the variants.
};

Fitter::Fitter(const FitInput* input, const FitOptions& options, const WorkFolder* work)
    : input_(input), options_(options), work_(work) {
  for (const FitTensor& tensor : input->tensors()) {
    double sum = 0;
    for (size_t i = 0; i < tensor.base.size(); ++i) sum += static_cast<double>(tensor.curvature.own(i));
    mean_own_.push_back(tensor.base.empty() ? 0 : sum / static_cast<double>(tensor.base.size()));
  }
  for (size_t v = 0; v < input->variant_count(); ++v) total_weight_ += Weight(v);
}

absl::StatusOr<Fitter> Fitter::Create(const FitInput* input, const FitOptions& options, const WorkFolder* work) {
  if (!(options.grid_factor > 0) || !std::isfinite(options.grid_factor) || options.step_mantissa_bits < 0 ||
      options.step_mantissa_bits > 23 || !(options.gain > 0) || !std::isfinite(options.gain) ||
      !(options.start_scale > 0) || !std::isfinite(options.start_scale) || options.rounds < 1) {
    return absl::InvalidArgumentError("an option of the fit is out of range");
  }
  for (const auto* named : {&options.weights, &options.floors}) {
    for (const auto& [name, value] : *named) {
      bool exists = false;
      for (size_t v = 0; v < input->variant_count(); ++v) exists = exists || input->variant_name(v) == name;
      if (!exists) return absl::NotFoundError(absl::StrCat("there is no variant '", name, "' to protect"));
      if (!(value > 0) || !std::isfinite(value)) {
        return absl::InvalidArgumentError(absl::StrCat("variant '", name, "': a weight or floor must be positive"));
      }
    }
  }
  return Fitter(input, options, work);
}

const std::vector<float>& Fitter::Centre(size_t tensor) const {
  return options_.keep_base ? input_->tensors()[tensor].base : input_->mean()[tensor];
}

double Fitter::Weight(size_t variant) const {
  const auto found = options_.weights.find(input_->variant_name(variant));
  return found == options_.weights.end() ? 1 : found->second;
}

absl::StatusOr<FittedTensor> Fitter::FitBaseTensor(size_t t, const std::vector<float>& target, double lambda) const {
  const FitTensor& tensor = input_->tensors()[t];
  FittedTensor result;
  if (!tensor.linear) {
    std::vector<float> own;
    for (size_t i = 0; i < target.size(); ++i) own.push_back(tensor.curvature.own(i));
    const int mantissa = ChooseMantissa(target, own, total_weight_, lambda);
    for (const float value : target) result.floats.push_back(RoundMantissa(value, mantissa));
    return result;
  }
  // The grid is the centre's, whatever the target of this round: prices of symbols stay meaningful.
  const std::vector<float>& centre = Centre(t);
  for (size_t row = 0; row < tensor.rows(); ++row) {
    double range = 0;
    double own = 0;
    for (size_t i = row * tensor.cols(); i < (row + 1) * tensor.cols(); ++i) {
      range = std::max({range, std::abs(static_cast<double>(centre[i])), std::abs(static_cast<double>(target[i]))});
      own += static_cast<double>(tensor.curvature.own(i));
    }
    own /= static_cast<double>(tensor.cols());
    // A uniform quantiser of step s has an error of s²/12 and saves log2(s) bits: with `own` / 2 times the square of
    // the error counted once a variant, the sum is the least at s² = 12 lambda / (variants * own * ln 2).
    const double step = options_.grid == GridRule::kRowRange
                            ? range / 127 * options_.grid_factor
                            : std::sqrt(12 * lambda / (total_weight_ * own * std::log(2.0))) * options_.grid_factor;
    // Every weight must fit the grid, and so must what a delta moves it to; a row of zeros needs a step, too.
    const double least = std::max(range / 127 * kHeadroom, 1e-12);
    result.steps.push_back(RoundUpMantissa(static_cast<float>(std::max(step, least)), options_.step_mantissa_bits));
  }
  BaseFitOptions options;
  options.lambda = options_.base_rate ? lambda : 0;
  options.variants = total_weight_;
  if (!options_.base_rate) options.sweeps = 0;
  absl::StatusOr<BaseFit> fit = FitBase(tensor.name, target, result.steps, tensor.curvature, options);
  if (!fit.ok()) return fit.status();
  result.values = std::move(fit->values);
  return result;
}

absl::StatusOr<TernaryFit> Fitter::FitLinear(size_t t, const std::vector<float>& target, const FittedTensor& base,
                                             const Prices& prices, double lambda) const {
  const FitTensor& tensor = input_->tensors()[t];
  const std::vector<float>& centre = Centre(t);
  const float gain = static_cast<float>(options_.gain);
  std::vector<float> delta(target.size());
  double mean_step = 0;
  for (const float step : base.steps) mean_step += static_cast<double>(step) / static_cast<double>(tensor.rows());
  for (size_t i = 0; i < target.size(); ++i) {
    delta[i] =
        centre[i] + gain * (target[i] - centre[i]) - base.steps[i / tensor.cols()] * static_cast<float>(base.values[i]);
  }
  TernaryFitOptions options;
  options.lambda = lambda;
  options.symbol_bits = prices.symbol_bits;
  options.row_bits = prices.row_bits;
  options.column_bits = prices.column_bits;
  options.least_symbol_bits = 2;
  options.scale_bits = options_.refit_scales ? 6 : 1e9;
  options.most_scale = 100;
  // A weight's difference d pays where own * d² / 2 is more than lambda times its bits.
  const double pays = std::sqrt(2 * lambda * kFirstSymbolBits / mean_own_[t]);
  options.start_scale = static_cast<int>(
      std::lround(std::clamp(options_.start_scale * prices.start_scale * pays / mean_step, 1.0, 100.0)));
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

// Differences that are few and large want larger scales than what just pays. Which ones do is seen on a few variants.
absl::Status Fitter::ChooseStartScales(const std::vector<FittedTensor>& base, double lambda,
                                       std::vector<Prices>* prices) const {
  const uint64_t trials = std::min<uint64_t>(kTrialVariants, input_->variant_count());
  std::vector<std::array<double, std::size(kStartScales)>> costs(base.size());
  const absl::Status status = OrderedParallel<decltype(costs)>(
      trials, ThreadCount(options_.threads),
      [&](uint64_t trial) -> absl::StatusOr<decltype(costs)> {
        const uint64_t v = trial * input_->variant_count() / trials;
        const absl::StatusOr<std::vector<std::vector<float>>> weights = input_->ReadVariant(v);
        if (!weights.ok()) return weights.status();
        decltype(costs) own(base.size());
        for (size_t t = 0; t < base.size(); ++t) {
          if (!input_->tensors()[t].linear) continue;
          for (size_t k = 0; k < std::size(kStartScales); ++k) {
            Prices tried = (*prices)[t];
            tried.start_scale = kStartScales[k];
            const double price = lambda / Weight(v);
            const absl::StatusOr<TernaryFit> fit = FitLinear(t, (*weights)[t], base[t], tried, price);
            if (!fit.ok()) return fit.status();
            own[t][k] = Weight(v) * (fit->remaining + price * fit->bits);
          }
        }
        return own;
      },
      [&](uint64_t, const decltype(costs)& own) {
        for (size_t t = 0; t < base.size(); ++t) {
          for (size_t k = 0; k < std::size(kStartScales); ++k) costs[t][k] += own[t][k];
        }
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  for (size_t t = 0; t < base.size(); ++t) {
    const size_t best = static_cast<size_t>(std::min_element(costs[t].begin(), costs[t].end()) - costs[t].begin());
    (*prices)[t].start_scale = kStartScales[best];
  }
  return absl::OkStatus();
}

absl::StatusOr<FittedVariant> Fitter::FitVariant(size_t variant, const std::vector<std::vector<float>>& weights,
                                                 const std::vector<FittedTensor>& base,
                                                 const std::vector<Prices>& prices, double lambda) const {
  FittedVariant result;
  result.lambda = lambda;
  SideContexts contexts;
  for (size_t t = 0; t < base.size(); ++t) {
    const FitTensor& tensor = input_->tensors()[t];
    const std::vector<float>& target = weights[t];
    VariantTensorFit fit;
    if (!tensor.linear) {
      std::vector<float> own;
      for (size_t i = 0; i < target.size(); ++i) own.push_back(tensor.curvature.own(i));
      SideFit side = FitSide(base[t].floats, target, own, lambda,
                             ChooseMantissa(base[t].floats, own, total_weight_, lambda), &contexts);
      fit.signal = side.signal;
      fit.remaining = options_.side_tensors ? side.remaining : side.signal;
      if (options_.side_tensors) fit.floats = std::move(side.values);
      result.tensors.push_back(std::move(fit));
      continue;
    }
    const absl::StatusOr<TernaryFit> ternary = FitLinear(t, target, base[t], prices[t], lambda);
    if (!ternary.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("variant '", input_->variant_name(variant), "': ", ternary.status().message()));
    }
    fit.signal = ternary->signal;
    fit.remaining = ternary->remaining;
    fit.nonzeros = ternary->nonzeros;
    if (ternary->nonzeros > 0) {
      fit.symbols = ternary->symbols;
      for (const int scale : ternary->scales) fit.scales.push_back(static_cast<uint8_t>(scale));
    }
    result.tensors.push_back(std::move(fit));
  }
  return result;
}

absl::StatusOr<FittedVariant> Fitter::FitWithFloor(size_t variant, const std::vector<std::vector<float>>& weights,
                                                   const std::vector<FittedTensor>& base,
                                                   const std::vector<Prices>& prices, double lambda) const {
  const std::string& name = input_->variant_name(variant);
  const auto floor = options_.floors.find(name);
  double price = lambda / Weight(variant);
  for (int attempt = 0; attempt < kFloorAttempts; ++attempt, price *= kFloorFactor) {
    absl::StatusOr<FittedVariant> fit = FitVariant(variant, weights, base, prices, price);
    if (!fit.ok() || floor == options_.floors.end() || UnweightedRemaining(*fit, input_->tensors()) <= floor->second) {
      return fit;
    }
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("variant '", name, "': no ternary delta loses as little as ", floor->second));
}

WorkFolder::Key Fitter::KeyOfRound(const std::vector<FittedTensor>& base, const std::vector<Prices>& prices,
                                   double lambda) const {
  std::string text =
      absl::StrCat("fit ", kVersion, ";", options_.refit_scales, ";", options_.side_tensors, ";", total_weight_, ";");
  AppendBytes(std::vector<double>{lambda, options_.gain, options_.start_scale}, &text);
  text.append(reinterpret_cast<const char*>(input_->digest().data()), input_->digest().size());
  for (size_t t = 0; t < base.size(); ++t) {
    AppendBytes(Centre(t), &text);
    AppendBytes(base[t].steps, &text);
    AppendBytes(base[t].values, &text);
    AppendBytes(base[t].floats, &text);
    AppendBytes(std::vector<double>{prices[t].symbol_bits, prices[t].start_scale, mean_own_[t]}, &text);
    AppendBytes(prices[t].row_bits, &text);
    AppendBytes(prices[t].column_bits, &text);
  }
  return KeyOf(text);
}

absl::StatusOr<Fitter::Round> Fitter::FitAll(const std::vector<FittedTensor>& base, std::vector<Prices> prices,
                                             double lambda, const ProgressFunction& progress) const {
  if (absl::Status chosen = ChooseStartScales(base, lambda, &prices); !chosen.ok()) return chosen;
  const WorkFolder::Key round_key = KeyOfRound(base, prices, lambda);
  Round round;
  for (const FittedTensor& tensor : base) round.rest.emplace_back(tensor.values.size());
  const absl::Status status = OrderedParallel<VariantResult>(
      input_->variant_count(), ThreadCount(options_.threads),
      [&](uint64_t v) -> absl::StatusOr<VariantResult> {
        const absl::StatusOr<std::vector<std::vector<float>>> weights = input_->ReadVariant(v);
        if (!weights.ok()) return weights.status();
        const auto floor = options_.floors.find(input_->variant_name(v));
        std::string text(reinterpret_cast<const char*>(round_key.data()), round_key.size());
        text.append(reinterpret_cast<const char*>(input_->variant_digest(v).data()), round_key.size());
        AppendBytes(std::vector<double>{Weight(v), floor == options_.floors.end() ? 0 : floor->second}, &text);
        const WorkFolder::Key key = KeyOf(text);
        VariantResult result;
        const std::optional<std::string> kept = work_->Load(key);
        if (!kept.has_value() || !ParseVariant(*kept, input_->tensors(), &result.fit)) {
          absl::StatusOr<FittedVariant> fit = FitWithFloor(v, *weights, base, prices, lambda);
          if (!fit.ok()) return fit.status();
          result.fit = *std::move(fit);
          if (absl::Status stored = work_->Store(key, SerializeVariant(result.fit)); !stored.ok()) return stored;
        }
        for (size_t t = 0; t < base.size(); ++t) {
          const FitTensor& tensor = input_->tensors()[t];
          std::vector<float> rest;
          if (tensor.linear) {
            rest = (*weights)[t];
            const std::vector<float>& centre = Centre(t);
            const VariantTensorFit& fit = result.fit.tensors[t];
            for (size_t i = 0; i < rest.size(); ++i) {
              rest[i] = centre[i] + static_cast<float>(options_.gain) * (rest[i] - centre[i]);
              if (fit.symbols.empty() || fit.symbols[i] == 0) continue;
              rest[i] -= base[t].steps[i / tensor.cols()] *
                         static_cast<float>(fit.symbols[i] * static_cast<int>(fit.scales[i / kGroupSize]));
            }
          }
          result.rest.push_back(std::move(rest));
        }
        return result;
      },
      [&](uint64_t v, VariantResult result) {
        const double share = Weight(v) / total_weight_;
        for (size_t t = 0; t < result.rest.size(); ++t) {
          for (size_t i = 0; i < result.rest[t].size(); ++i) {
            round.rest[t][i] += share * static_cast<double>(result.rest[t][i]);
          }
        }
        round.variants.push_back(std::move(result.fit));
        ReportProgress(progress, "variants", v + 1, input_->variant_count());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return round;
}

std::vector<Fitter::Prices> Fitter::PricesOf(const FittedModels& models) const {
  std::vector<Prices> prices(models.base.size());
  if (!options_.shared_prices) return prices;
  const std::vector<ModelTensor> specs = ExportedTensors(input_->tensors());
  const DeltaStatistics statistics = CountDifferences(specs, models);
  size_t spec = 0;
  for (size_t t = 0; t < models.base.size(); ++t) {
    const FitTensor& tensor = input_->tensors()[t];
    if (tensor.linear && statistics.Counts(spec)) {
      const DeltaStatistics::Prior prior = statistics.MakePrior(spec);
      prices[t].symbol_bits = SymbolBits(prior.level);
      prices[t].row_bits = LineBits(prior.row_classes);
      prices[t].column_bits = LineBits(prior.column_classes);
    }
    spec += tensor.linear ? 2 : 1;
  }
  return prices;
}

absl::StatusOr<FittedModels> Fitter::Fit(double lambda, const ProgressFunction& progress) const {
  if (!(lambda > 0) || !std::isfinite(lambda)) return absl::InvalidArgumentError("lambda must be positive");
  const size_t count = input_->tensors().size();
  std::vector<Prices> prices(count);
  std::vector<std::vector<float>> targets;
  for (size_t t = 0; t < count; ++t) targets.push_back(Centre(t));
  FittedModels models;
  for (int r = 0; r < options_.rounds; ++r) {
    std::vector<FittedTensor> base;
    const absl::Status status = OrderedParallel<FittedTensor>(
        count, ThreadCount(options_.threads), [&](uint64_t t) { return FitBaseTensor(t, targets[t], lambda); },
        [&](uint64_t, FittedTensor tensor) {
          base.push_back(std::move(tensor));
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
    const uint64_t before = static_cast<uint64_t>(r) * input_->variant_count();
    absl::StatusOr<Round> round =
        FitAll(base, prices, lambda, [&](absl::string_view stage, uint64_t done, uint64_t total) {
          ReportProgress(progress, stage, before + done, total * static_cast<uint64_t>(options_.rounds));
        });
    if (!round.ok()) return round.status();
    models.base = std::move(base);
    models.variants = std::move(round->variants);
    if (r + 1 == options_.rounds) break;
    prices = PricesOf(models);
    if (options_.keep_base) continue;
    for (size_t t = 0; t < count; ++t) {
      for (size_t i = 0; i < round->rest[t].size(); ++i) targets[t][i] = static_cast<float>(round->rest[t][i]);
    }
  }
  return models;
}

absl::StatusOr<FittedModels> Fitter::FitVariants(const FittedModels& models, double lambda,
                                                 const ProgressFunction& progress) const {
  absl::StatusOr<Round> round = FitAll(models.base, PricesOf(models), lambda, progress);
  if (!round.ok()) return round.status();
  return FittedModels{models.base, std::move(round->variants)};
}

}  // namespace modelvault
