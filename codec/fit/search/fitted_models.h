// What a fit decides: the base on its grid, and each variant's differences from it.
#ifndef MODELVAULT_CODEC_FIT_SEARCH_FITTED_MODELS_H_
#define MODELVAULT_CODEC_FIT_SEARCH_FITTED_MODELS_H_

#include <cstdint>
#include <vector>

#include "codec/fit/search/fit_tensor.h"

namespace modelvault {

// Values of all tensors of a float model, in their order.
using Weights = std::vector<std::vector<float>>;

// A tensor of the base. Linear ones have steps and values, the others floats.
struct FittedTensor {
  std::vector<float> steps;    // One a row.
  std::vector<int8_t> values;  // Steps.
  std::vector<float> floats;
};

// A variant's tensor. Linear: the weight is step * (value + change). Others: floats, empty where the base's do.
struct VariantTensorFit {
  std::vector<int16_t> changes;  // Steps; empty: all 0.
  std::vector<float> floats;
  double signal = 0;     // Half the curvature's form at the difference from the base: what dropping it would cost.
  double remaining = 0;  // The same at what the fit leaves.
  uint64_t nonzeros = 0;
};

struct FittedVariant {
  std::vector<VariantTensorFit> tensors;
  double lambda = 0;  // That was used for it.

  double signal() const;
  double remaining() const;
  uint64_t nonzeros() const;
};

// What `variant` loses with all tensors of weight 1: in the curvature's own unit.
double UnweightedRemaining(const FittedVariant& variant, const std::vector<FitTensor>& tensors);

// All of it, or some of the variants; tensors are in the order of the FitTensors.
struct FittedModels {
  std::vector<FittedTensor> base;
  std::vector<FittedVariant> variants;
  std::vector<double> start_scales;  // Of each tensor: SymbolPrices::start_scale of the fit.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_FIT_SEARCH_FITTED_MODELS_H_
