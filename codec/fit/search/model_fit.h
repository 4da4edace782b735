// Fits the tensors of a base and of one variant at a given price of a bit.
#ifndef MODELVAULT_CODEC_FIT_SEARCH_MODEL_FIT_H_
#define MODELVAULT_CODEC_FIT_SEARCH_MODEL_FIT_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/delta_statistics.h"
#include "codec/fit/quantiser/side_fit.h"
#include "codec/fit/quantiser/ternary_fit.h"
#include "codec/fit/search/fit_tensor.h"
#include "codec/fit/search/fitted_models.h"

namespace modelvault {

// How the steps of the base's grid are chosen, one a row.
enum class GridRule {
  kRowRange,   // Largest weight of the row / 127, times grid_factor.
  kCurvature,  // What the rate-distortion theory of uniform quantisers says, times grid_factor.
};

struct ModelFitOptions {
  GridRule grid = GridRule::kCurvature;
  double grid_factor = 2.5;    // Positive.
  int step_mantissa_bits = 3;  // Of the steps as F32: fewer cost fewer bytes. 0 … 23.
  bool base_rate = true;       // Weigh bytes of the base against its error, rather than round to the nearest.
  double gain = 1;             // The fine-tunes' differences are multiplied by it before they are fitted. Positive.
  // Scales begin at this or up to 3.4 times this, whichever fits a few variants best, in units of the difference that
  // just pays for its bits; positive.
  double start_scale = 1.6;
  bool refit_scales = true;
  bool side_tensors = true;  // Let small tensors differ where it pays; else they are the base's.
};

// What a variant's differences in one tensor cost, and what their scales begin with.
struct SymbolPrices {
  double symbol_bits = 7.2;                  // Before anything was fitted: a density of about 4 %, and a sign.
  std::vector<float> row_bits, column_bits;  // More than that; empty or one a row (column).
  double start_scale = 1;                    // Times the options'.
};

// As the vault's prior says of a tensor.
SymbolPrices PricesOf(const DeltaStatistics::Prior& prior);

// Factors of ModelFitOptions::start_scale that are tried.
inline constexpr double kStartScales[] = {1, 1.5, 2.25, 3.4};

// Immutable and thread-safe.
class ModelFit {
 public:
  // `tensors` and `centre` must outlive it. `centre` is what differences are counted from and the base's grid is made
  // for; null: the tensors' base. `variants` is how often an error of the base counts. kInvalidArgument for an option
  // out of range.
  static absl::StatusOr<ModelFit> Create(const std::vector<FitTensor>* tensors, const Weights* centre,
                                         const ModelFitOptions& options, double variants);

  // The base's tensor t, as near to `target` as its bytes are worth; its grid is the centre's. `lambda`, here and
  // below: the price of a bit in the unit of the curvature's form, positive.
  absl::StatusOr<FittedTensor> FitBaseTensor(size_t t, const std::vector<float>& target, double lambda) const;

  // A variant of these weights. `prices`: of each tensor.
  absl::StatusOr<FittedVariant> FitVariant(const Weights& weights, const std::vector<FittedTensor>& base,
                                           const std::vector<SymbolPrices>& prices, double lambda) const;

  // Its linear tensor t alone.
  absl::StatusOr<TernaryFit> FitLinear(size_t t, const std::vector<float>& target, const FittedTensor& base,
                                       const SymbolPrices& prices, double lambda) const;

  // What the base's tensor t would have to be for `fit` to leave nothing of `target`; empty unless it is linear.
  std::vector<float> BaseFor(size_t t, const std::vector<float>& target, const FittedTensor& base,
                             const VariantTensorFit& fit) const;

  const std::vector<float>& centre(size_t t) const { return centre_ != nullptr ? (*centre_)[t] : (*tensors_)[t].base; }

 private:
  ModelFit(const std::vector<FitTensor>* tensors, const Weights* centre, const ModelFitOptions& options,
           double variants);

  std::vector<float> Steps(const FitTensor& tensor, const std::vector<float>& centre, const std::vector<float>& target,
                           double lambda) const;
  VariantTensorFit FitSideTensor(size_t t, const std::vector<float>& target, const FittedTensor& base, double lambda,
                                 SideContexts* contexts) const;

  const std::vector<FitTensor>* tensors_;
  const Weights* centre_;
  ModelFitOptions options_;
  double variants_;
  std::vector<double> mean_own_;  // Of each tensor's curvature, a weight.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_SEARCH_MODEL_FIT_H_
