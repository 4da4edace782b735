// Fits a base and its variants at a given price of bytes.
#ifndef MODELVAULT_TOOLS_FITTING_FITTER_H_
#define MODELVAULT_TOOLS_FITTING_FITTER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/fit/search/model_fit.h"
#include "codec/progress_function.h"
#include "tools/fitting/fit_input.h"
#include "tools/packing/work_folder.h"

namespace modelvault {

struct FitOptions {
  ModelFitOptions model;
  bool keep_base = true;      // The base stays what it was given as; else it moves to where the variants are.
  bool shared_prices = true;  // Prices of symbols by row and column, from the round before.
  int rounds = 3;             // Of variants, each with the prices that the one before leaves; at least 1.
  int threads = 0;            // 0: one a core.
  // A variant's errors count so much (1 unless named); positive.
  std::map<std::string, double> weights;
  // A variant's predicted loss, half the form at the error that is left, may be so large, tensor weights apart
  // (UnweightedRemaining); positive.
  std::map<std::string, double> floors;

  double WeightOf(const std::string& variant) const;
};

// Thread-compatible.
class Fitter {
 public:
  // `input` and `work` must outlive it. kInvalidArgument for an option out of range; kNotFound for a weight or a floor
  // of a variant that does not exist.
  static absl::StatusOr<Fitter> Create(const FitInput* input, const FitOptions& options, const WorkFolder* work);

  // A few variants that stand for all, spread evenly; all of them if they are few, or if the base moves to where all
  // are. Ascending.
  const std::vector<size_t>& sample() const { return sample_; }

  // Everything at `lambda`, the price of a bit in the unit of the curvature's form, positive. The same for any number
  // of threads, and whatever the work folder holds. kResourceExhausted for a floor that no price reaches.
  absl::StatusOr<FittedModels> Fit(double lambda, const ProgressFunction& progress) const;

  // The same of the sample alone: what Fit gives is about like these.
  absl::StatusOr<FittedModels> FitSample(double lambda, const ProgressFunction& progress) const;

  // Only variants, all or the sample, from the base and at the prices of symbols that `models` stand for.
  absl::StatusOr<FittedModels> FitVariants(const FittedModels& models, double lambda,
                                           const ProgressFunction& progress) const;
  absl::StatusOr<FittedModels> FitSampleVariants(const FittedModels& models, double lambda,
                                                 const ProgressFunction& progress) const;

 private:
  struct VariantResult;
  struct Round;

  Fitter(const FitInput* input, const FitOptions& options, const WorkFolder* work, ModelFit fit, double total_weight);

  absl::StatusOr<FittedModels> FitRounds(double lambda, const std::vector<size_t>& variants,
                                         const ProgressFunction& progress) const;
  absl::StatusOr<FittedModels> FitFrom(const FittedModels& models, double lambda, const std::vector<size_t>& variants,
                                       const ProgressFunction& progress) const;
  absl::StatusOr<std::vector<FittedTensor>> FitBase(const Weights& targets, double lambda) const;
  absl::StatusOr<std::vector<double>> StartScaleCosts(size_t t, const FittedTensor& base,
                                                      const std::vector<Weights>& trials, double lambda) const;
  absl::StatusOr<std::vector<double>> ChooseStartScales(const std::vector<FittedTensor>& base, double lambda) const;
  absl::StatusOr<FittedVariant> FitWithFloor(size_t variant, const Weights& weights,
                                             const std::vector<FittedTensor>& base,
                                             const std::vector<SymbolPrices>& prices, double lambda) const;
  absl::StatusOr<VariantResult> FitOrLoad(size_t variant, const WorkFolder::Key& round_key,
                                          const std::vector<FittedTensor>& base,
                                          const std::vector<SymbolPrices>& prices, double lambda) const;
  absl::StatusOr<Round> FitAll(const std::vector<size_t>& variants, const std::vector<FittedTensor>& base,
                               const std::vector<SymbolPrices>& prices, double lambda,
                               const ProgressFunction& progress) const;
  std::vector<SymbolPrices> PricesAfter(const FittedModels& models) const;
  WorkFolder::Key KeyOfRound(const std::vector<FittedTensor>& base, const std::vector<SymbolPrices>& prices,
                             double lambda) const;

  double Weight(size_t variant) const { return options_.WeightOf(input_->variant_name(variant)); }

  const FitInput* input_;
  FitOptions options_;
  const WorkFolder* work_;
  ModelFit fit_;
  double total_weight_;  // Of the variants.
  std::vector<size_t> all_, sample_;
  std::vector<size_t> trials_;  // Variants on which start scales are tried.
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_FITTER_H_
