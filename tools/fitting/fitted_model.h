// What a fit decides: the base on its grid, and each variant's differences from it.
#ifndef MODELVAULT_TOOLS_FITTING_FITTED_MODEL_H_
#define MODELVAULT_TOOLS_FITTING_FITTED_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/model_tensor.h"
#include "tools/fitting/fit_input.h"

namespace modelvault {

// A tensor of the base. Linear ones have steps and values, the others floats.
struct FittedTensor {
  std::vector<float> steps;    // One a row.
  std::vector<int8_t> values;  // Steps.
  std::vector<float> floats;
};

// A variant's tensor. Linear: the weight is step * (value + scale * symbol). Others: floats, empty where the base's do.
struct VariantTensorFit {
  std::vector<int8_t> symbols;  // -1, 0, +1; empty: all 0.
  std::vector<uint8_t> scales;  // A group of 128 each.
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

// All of it; tensors are in the order of FitInput::tensors().
struct FittedModels {
  std::vector<FittedTensor> base;
  std::vector<FittedVariant> variants;
};

// For the cache. Parse gives nothing for bytes that are not exactly a variant of `tensors`.
std::string SerializeVariant(const FittedVariant& variant);
bool ParseVariant(absl::string_view bytes, const std::vector<FitTensor>& tensors, FittedVariant* variant);

// Tensors of the exported files: each linear tensor as I8, its steps as F32 NAME.scale after it, all others F32.
std::vector<ModelTensor> ExportedTensors(const std::vector<FitTensor>& tensors);

// The data section of an exported file, laid out as ExportedTensors says: of the base, or of a variant.
std::vector<uint8_t> ExportedBase(const FittedModels& models);
std::vector<uint8_t> ExportedVariant(const FittedModels& models, const FittedVariant& variant);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_FITTED_MODEL_H_
