// Fits a base and its variants at a given price of bytes.
#ifndef MODELVAULT_TOOLS_FITTING_FITTER_H_
#define MODELVAULT_TOOLS_FITTING_FITTER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/fit/ternary_fit.h"
#include "codec/progress.h"
#include "tools/fitting/fit_input.h"
#include "tools/fitting/fitted_model.h"
#include "tools/fitting/work_folder.h"

namespace modelvault {

// How the steps of the base's grid are chosen, one a row.
enum class GridRule {
  kRowRange,   // Largest weight of the row / 127, times grid_factor.
  kCurvature,  // What the rate-distortion theory of uniform quantisers says, times grid_factor.
};

struct FitOptions {
  GridRule grid = GridRule::kCurvature;
  double grid_factor = 2.5;    // Positive.
  int step_mantissa_bits = 3;  // Of the steps as F32: fewer cost fewer bytes. 0 … 23.
  bool base_rate = true;       // Weigh bytes of the base against its error, rather than round to the nearest.
  bool keep_base = true;       // The base stays what it was given as; else it moves to where the variants are.
  double gain = 1;             // The fine-tunes' differences are multiplied by it before they are fitted. Positive.
  // Scales begin at this or up to 3.4 times this, whichever fits a few variants best, in units of the difference that
  // just pays for its bits; positive.
  double start_scale = 1.6;
  bool refit_scales = true;
  bool side_tensors = true;   // Let small tensors differ where it pays; else they are the base's.
  bool shared_prices = true;  // Prices of symbols by row and column, from the round before.
  int rounds = 3;             // Of base and variants, each with the prices that the one before leaves; at least 1.
  int threads = 0;            // 0: one a core.
  // A variant's errors count so much (1 unless named); positive.
  std::map<std::string, double> weights;
  // A variant's predicted loss, half the form at the error that is left, may be so large, tensor weights apart
  // (UnweightedRemaining); positive.
  std::map<std::string, double> floors;
};

// Thread-compatible.
class Fitter {
 public:
  // `input` and `work` must outlive it. kInvalidArgument for an option out of range; kNotFound for a weight or a floor
  // of a variant that does not exist.
  static absl::StatusOr<Fitter> Create(const FitInput* input, const FitOptions& options, const WorkFolder* work);

  // Everything at `lambda`, the price of a bit in the unit of the curvature's form, positive. The same for any number
  // of threads, and whatever the work folder holds. kResourceExhausted for a floor that no price reaches.
  absl::StatusOr<FittedModels> Fit(double lambda, const ProgressFunction& progress) const;

  // Only the variants, from the base and at the prices of symbols that `models` stand for.
  absl::StatusOr<FittedModels> FitVariants(const FittedModels& models, double lambda,
                                           const ProgressFunction& progress) const;

 private:
  struct Prices;
  struct VariantResult;
  struct Round;

  Fitter(const FitInput* input, const FitOptions& options, const WorkFolder* work);

  const std::vector<float>& Centre(size_t tensor) const;
  double Weight(size_t variant) const;
  absl::StatusOr<FittedTensor> FitBaseTensor(size_t tensor, const std::vector<float>& target, double lambda) const;
  absl::StatusOr<FittedVariant> FitVariant(size_t variant, const std::vector<std::vector<float>>& weights,
                                           const std::vector<FittedTensor>& base, const std::vector<Prices>& prices,
                                           double lambda) const;
  absl::StatusOr<FittedVariant> FitWithFloor(size_t variant, const std::vector<std::vector<float>>& weights,
                                             const std::vector<FittedTensor>& base, const std::vector<Prices>& prices,
                                             double lambda) const;
  absl::StatusOr<TernaryFit> FitLinear(size_t tensor, const std::vector<float>& target, const FittedTensor& base,
                                       const Prices& prices, double lambda) const;
  absl::Status ChooseStartScales(const std::vector<FittedTensor>& base, double lambda,
                                 std::vector<Prices>* prices) const;
  absl::StatusOr<Round> FitAll(const std::vector<FittedTensor>& base, std::vector<Prices> prices, double lambda,
                               const ProgressFunction& progress) const;
  std::vector<Prices> PricesOf(const FittedModels& models) const;
  WorkFolder::Key KeyOfRound(const std::vector<FittedTensor>& base, const std::vector<Prices>& prices,
                             double lambda) const;

  const FitInput* input_;
  FitOptions options_;
  const WorkFolder* work_;
  std::vector<double> mean_own_;  // Of each tensor's curvature, a weight.
  double total_weight_ = 0;       // Of the variants.
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_FITTER_H_
