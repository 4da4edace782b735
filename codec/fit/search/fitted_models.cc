#include "codec/fit/search/fitted_models.h"

namespace modelvault {

double FittedVariant::signal() const {
  double sum = 0;
  for (const VariantTensorFit& t : tensors) sum += t.signal;
  return sum;
}

double FittedVariant::remaining() const {
  double sum = 0;
  for (const VariantTensorFit& t : tensors) sum += t.remaining;
  return sum;
}

uint64_t FittedVariant::nonzeros() const {
  uint64_t sum = 0;
  for (const VariantTensorFit& t : tensors) sum += t.nonzeros;
  return sum;
}

double UnweightedRemaining(const FittedVariant& variant, const std::vector<FitTensor>& tensors) {
  double sum = 0;
  for (size_t t = 0; t < tensors.size(); ++t) sum += variant.tensors[t].remaining / tensors[t].weight;
  return sum;
}

}  // namespace modelvault
