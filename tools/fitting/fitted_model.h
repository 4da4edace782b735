// Fitted models as bytes: for the cache, and of exported files.
#ifndef MODELVAULT_TOOLS_FITTING_FITTED_MODEL_H_
#define MODELVAULT_TOOLS_FITTING_FITTED_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/fit/search/fit_tensor.h"
#include "codec/fit/search/fitted_models.h"
#include "codec/model_tensor.h"
#include "tools/fitting/model_weights.h"

namespace modelvault {

// For the cache. Parse gives nothing for bytes that are not exactly a variant of `tensors`.
std::string SerializeVariant(const FittedVariant& variant);
bool ParseVariant(absl::string_view bytes, const std::vector<FitTensor>& tensors, FittedVariant* variant);

// Of the tensor with the steps of linear tensor `name` in the exported files.
std::string ScaleName(absl::string_view name);

// Tensors of the exported files: each linear tensor as I8, its steps as F32 ScaleName after it, all others F32; then
// those that are carried over.
std::vector<ModelTensor> ExportedTensors(const std::vector<FitTensor>& tensors,
                                         const std::vector<CarriedTensor>& carried = {});

// The data section of an exported file, laid out as ExportedTensors says, up to what is carried over: of the base, or
// of a variant.
std::vector<uint8_t> ExportedBase(const FittedModels& models);
std::vector<uint8_t> ExportedVariant(const FittedModels& models, const FittedVariant& variant);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_FITTED_MODEL_H_
