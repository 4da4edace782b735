#include "tools/fitting/fitter.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/delta_statistics.h"
#include "tools/fitting/fitted_model.h"
#include "tools/fitting/packed_size.h"
#include "vault/near_name.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr int kVersion = 6;  // Of the method: results of another are not taken from a work folder.
constexpr size_t kSample = 20;
constexpr size_t kTrialVariants = 3;  // Of which start scales are tried.
constexpr double kFloorFactor = 0.7;  // Of lambda, from one attempt at a variant's floor to the next.
constexpr int kFloorAttempts = 40;

template <typename T>
void AppendBytes(const std::vector<T>& values, std::string* out) {
  absl::StrAppend(out, values.size(), ":");
  out->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// `count` of `size` things, spread evenly.
std::vector<size_t> Spread(size_t count, size_t size) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < count; ++i) chosen.push_back(i * size / count);
  return chosen;
}

}  // namespace

double FitOptions::WeightOf(const std::string& variant) const {
  const auto found = weights.find(variant);
  return found == weights.end() ? 1 : found->second;
}

struct Fitter::VariantResult {
  FittedVariant fit;
  Weights base;  // Of linear tensors: what the base would have to be for the fit to be exact. Only if it may move.
};

struct Fitter::Round {
  std::vector<FittedVariant> variants;
  std::vector<std::vector<double>> base;  // Weighted mean over the variants; only if the base may move.
};

Fitter::Fitter(const FitInput* input, const FitOptions& options, const WorkFolder* work, ModelFit fit,
               double total_weight)
    : input_(input), options_(options), work_(work), fit_(std::move(fit)), total_weight_(total_weight) {
  const size_t count = input->variant_count();
  all_ = Spread(count, count);
  sample_ = Spread(options.keep_base ? std::min(kSample, count) : count, count);
  trials_ = Spread(std::min(kTrialVariants, count), count);
}

absl::StatusOr<Fitter> Fitter::Create(const FitInput* input, const FitOptions& options, const WorkFolder* work) {
  if (options.rounds < 1) return absl::InvalidArgumentError("an option of the fit is out of range");
  for (const auto* named : {&options.weights, &options.floors}) {
    for (const auto& [name, value] : *named) {
      std::vector<std::string> names;
      for (size_t v = 0; v < input->variant_count(); ++v) names.push_back(input->variant_name(v));
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        return absl::NotFoundError(
            absl::StrCat("there is no variant '", name, "' to protect", NearestNameHint(name, names)));
      }
      if (!(value > 0) || !std::isfinite(value)) {
        return absl::InvalidArgumentError(absl::StrCat("variant '", name, "': a weight or floor must be positive"));
      }
    }
  }
  double total = 0;
  for (size_t v = 0; v < input->variant_count(); ++v) total += options.WeightOf(input->variant_name(v));
  absl::StatusOr<ModelFit> fit =
      ModelFit::Create(&input->tensors(), options.keep_base ? nullptr : &input->mean(), options.model, total);
  if (!fit.ok()) return fit.status();
  return Fitter(input, options, work, *std::move(fit), total);
}

absl::StatusOr<std::vector<FittedTensor>> Fitter::FitBase(const Weights& targets, double lambda) const {
  std::vector<FittedTensor> base;
  const absl::Status status = OrderedParallel<FittedTensor>(
      targets.size(), ThreadCount(options_.threads),
      [&](uint64_t t) { return fit_.FitBaseTensor(t, targets[t], lambda); },
      [&](uint64_t, FittedTensor tensor) {
        base.push_back(std::move(tensor));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return base;
}

// What tensor t of a few variants costs with each of the start scales.
absl::StatusOr<std::vector<double>> Fitter::StartScaleCosts(size_t t, const FittedTensor& base,
                                                            const std::vector<Weights>& trials, double lambda) const {
  std::vector<double> costs;
  for (const double start_scale : kStartScales) {
    SymbolPrices tried;
    tried.start_scale = start_scale;
    costs.push_back(0);
    for (size_t i = 0; i < trials.size() && input_->tensors()[t].linear; ++i) {
      const double weight = Weight(trials_[i]);
      const absl::StatusOr<TernaryFit> fit = fit_.FitLinear(t, trials[i][t], base, tried, lambda / weight);
      if (!fit.ok()) return fit.status();
      costs.back() += weight * fit->remaining + lambda * fit->bits;
    }
  }
  return costs;
}

// Differences that are few and large want larger scales than what just pays. Which ones do is seen on a few variants.
absl::StatusOr<std::vector<double>> Fitter::ChooseStartScales(const std::vector<FittedTensor>& base,
                                                              double lambda) const {
  std::vector<Weights> trials;
  for (const size_t v : trials_) {
    absl::StatusOr<Weights> weights = input_->ReadVariant(v);
    if (!weights.ok()) return weights.status();
    trials.push_back(*std::move(weights));
  }
  std::vector<double> chosen;
  const absl::Status status = OrderedParallel<std::vector<double>>(
      base.size(), ThreadCount(options_.threads),
      [&](uint64_t t) { return StartScaleCosts(t, base[t], trials, lambda); },
      [&](uint64_t, const std::vector<double>& costs) {
        chosen.push_back(kStartScales[std::min_element(costs.begin(), costs.end()) - costs.begin()]);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return chosen;
}

absl::StatusOr<FittedVariant> Fitter::FitWithFloor(size_t variant, const Weights& weights,
                                                   const std::vector<FittedTensor>& base,
                                                   const std::vector<SymbolPrices>& prices, double lambda) const {
  const std::string& name = input_->variant_name(variant);
  const auto floor = options_.floors.find(name);
  double price = lambda / Weight(variant);
  for (int attempt = 0; attempt < kFloorAttempts; ++attempt, price *= kFloorFactor) {
    absl::StatusOr<FittedVariant> fit = fit_.FitVariant(weights, base, prices, price);
    if (!fit.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("variant '", name, "': ", fit.status().message()));
    }
    if (floor == options_.floors.end() || UnweightedRemaining(*fit, input_->tensors()) <= floor->second) return fit;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("variant '", name, "': no ternary delta loses as little as ", floor->second));
}

WorkFolder::Key Fitter::KeyOfRound(const std::vector<FittedTensor>& base, const std::vector<SymbolPrices>& prices,
                                   double lambda) const {
  const ModelFitOptions& options = options_.model;
  std::string text =
      absl::StrCat("fit ", kVersion, ";", options.refit_scales, ";", options.side_tensors, ";", total_weight_, ";");
  AppendBytes(std::vector<double>{lambda, options.gain, options.start_scale}, &text);
  text.append(reinterpret_cast<const char*>(input_->digest().data()), input_->digest().size());
  for (size_t t = 0; t < base.size(); ++t) {
    AppendBytes(fit_.centre(t), &text);
    AppendBytes(base[t].steps, &text);
    AppendBytes(base[t].values, &text);
    AppendBytes(base[t].floats, &text);
    AppendBytes(std::vector<double>{prices[t].symbol_bits, prices[t].start_scale}, &text);
    AppendBytes(prices[t].row_bits, &text);
    AppendBytes(prices[t].column_bits, &text);
  }
  return KeyOf(text);
}

absl::StatusOr<Fitter::VariantResult> Fitter::FitOrLoad(size_t v, const WorkFolder::Key& round_key,
                                                        const std::vector<FittedTensor>& base,
                                                        const std::vector<SymbolPrices>& prices, double lambda) const {
  const auto floor = options_.floors.find(input_->variant_name(v));
  std::string text(reinterpret_cast<const char*>(round_key.data()), round_key.size());
  text.append(reinterpret_cast<const char*>(input_->variant_digest(v).data()), round_key.size());
  AppendBytes(std::vector<double>{Weight(v), floor == options_.floors.end() ? 0 : floor->second}, &text);
  const WorkFolder::Key key = KeyOf(text);
  VariantResult result;
  const std::optional<std::string> kept = work_->Load(key);
  const bool loaded = kept.has_value() && ParseVariant(*kept, input_->tensors(), &result.fit);
  if (loaded && options_.keep_base) return result;
  const absl::StatusOr<Weights> weights = input_->ReadVariant(v);
  if (!weights.ok()) return weights.status();
  if (!loaded) {
    absl::StatusOr<FittedVariant> fit = FitWithFloor(v, *weights, base, prices, lambda);
    if (!fit.ok()) return fit.status();
    result.fit = *std::move(fit);
    if (absl::Status stored = work_->Store(key, SerializeVariant(result.fit)); !stored.ok()) return stored;
  }
  if (options_.keep_base) return result;
  for (size_t t = 0; t < base.size(); ++t) {
    result.base.push_back(fit_.BaseFor(t, (*weights)[t], base[t], result.fit.tensors[t]));
  }
  return result;
}

absl::StatusOr<Fitter::Round> Fitter::FitAll(const std::vector<size_t>& variants, const std::vector<FittedTensor>& base,
                                             const std::vector<SymbolPrices>& prices, double lambda,
                                             const ProgressFunction& progress) const {
  const WorkFolder::Key round_key = KeyOfRound(base, prices, lambda);
  Round round;
  if (!options_.keep_base) {
    for (const FittedTensor& tensor : base) round.base.emplace_back(tensor.values.size());
  }
  const absl::Status status = OrderedParallel<VariantResult>(
      variants.size(), ThreadCount(options_.threads),
      [&](uint64_t i) { return FitOrLoad(variants[i], round_key, base, prices, lambda); },
      [&](uint64_t i, VariantResult result) {
        const double share = Weight(variants[i]) / total_weight_;
        for (size_t t = 0; t < result.base.size(); ++t) {
          for (size_t k = 0; k < result.base[t].size(); ++k) {
            round.base[t][k] += share * static_cast<double>(result.base[t][k]);
          }
        }
        round.variants.push_back(std::move(result.fit));
        ReportProgress(progress, "variants", i + 1, variants.size());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return round;
}

std::vector<SymbolPrices> Fitter::PricesAfter(const FittedModels& models) const {
  std::vector<SymbolPrices> prices(models.base.size());
  for (size_t t = 0; t < prices.size(); ++t) prices[t].start_scale = models.start_scales[t];
  if (!options_.shared_prices) return prices;
  const std::vector<ModelTensor> specs = ExportedTensors(input_->tensors());
  const DeltaStatistics statistics = CountDifferences(specs, models);
  size_t spec = 0;
  for (size_t t = 0; t < models.base.size(); ++t) {
    const FitTensor& tensor = input_->tensors()[t];
    if (tensor.linear && statistics.Counts(spec)) {
      prices[t] = PricesOf(statistics.MakePrior(spec));
      prices[t].start_scale = models.start_scales[t];
    }
    spec += tensor.linear ? 2 : 1;
  }
  return prices;
}

absl::StatusOr<FittedModels> Fitter::FitRounds(double lambda, const std::vector<size_t>& variants,
                                               const ProgressFunction& progress) const {
  if (!(lambda > 0) || !std::isfinite(lambda)) return absl::InvalidArgumentError("lambda must be positive");
  std::vector<SymbolPrices> prices(input_->tensors().size());
  Weights targets;
  for (size_t t = 0; t < prices.size(); ++t) targets.push_back(fit_.centre(t));
  FittedModels models;
  const uint64_t total = static_cast<uint64_t>(options_.rounds) * variants.size();
  for (int r = 0; r < options_.rounds; ++r) {
    if (r == 0 || !options_.keep_base) {
      absl::StatusOr<std::vector<FittedTensor>> base = FitBase(targets, lambda);
      if (!base.ok()) return base.status();
      models.base = *std::move(base);
    }
    if (r == 0) {
      absl::StatusOr<std::vector<double>> start_scales = ChooseStartScales(models.base, lambda);
      if (!start_scales.ok()) return start_scales.status();
      models.start_scales = *std::move(start_scales);
      for (size_t t = 0; t < prices.size(); ++t) prices[t].start_scale = models.start_scales[t];
    } else {
      prices = PricesAfter(models);
    }
    const uint64_t before = static_cast<uint64_t>(r) * variants.size();
    absl::StatusOr<Round> round =
        FitAll(variants, models.base, prices, lambda, [&](absl::string_view stage, uint64_t done, uint64_t) {
          ReportProgress(progress, stage, before + done, total);
        });
    if (!round.ok()) return round.status();
    models.variants = std::move(round->variants);
    for (size_t t = 0; t < round->base.size(); ++t) {
      for (size_t i = 0; i < round->base[t].size(); ++i) targets[t][i] = static_cast<float>(round->base[t][i]);
    }
  }
  return models;
}

absl::StatusOr<FittedModels> Fitter::Fit(double lambda, const ProgressFunction& progress) const {
  return FitRounds(lambda, all_, progress);
}

absl::StatusOr<FittedModels> Fitter::FitSample(double lambda, const ProgressFunction& progress) const {
  return FitRounds(lambda, sample_, progress);
}

absl::StatusOr<FittedModels> Fitter::FitFrom(const FittedModels& models, double lambda,
                                             const std::vector<size_t>& variants,
                                             const ProgressFunction& progress) const {
  absl::StatusOr<Round> round = FitAll(variants, models.base, PricesAfter(models), lambda, progress);
  if (!round.ok()) return round.status();
  return FittedModels{models.base, std::move(round->variants), models.start_scales};
}

absl::StatusOr<FittedModels> Fitter::FitVariants(const FittedModels& models, double lambda,
                                                 const ProgressFunction& progress) const {
  return FitFrom(models, lambda, all_, progress);
}

absl::StatusOr<FittedModels> Fitter::FitSampleVariants(const FittedModels& models, double lambda,
                                                       const ProgressFunction& progress) const {
  return FitFrom(models, lambda, sample_, progress);
}

}  // namespace modelvault
