// What fitted models take in a vault, without writing one.
#ifndef MODELVAULT_TOOLS_FITTING_PACKED_SIZE_H_
#define MODELVAULT_TOOLS_FITTING_PACKED_SIZE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/delta_statistics.h"
#include "codec/model_tensor.h"
#include "codec/shared_tables_builder.h"
#include "tools/fitting/fit_input.h"
#include "tools/fitting/fitted_model.h"

namespace modelvault {

struct PackedSize {
  uint64_t model = 0;              // MODEL: tables and priors.
  uint64_t base = 0;               // Of all chunks, and their directory.
  std::vector<uint64_t> variants;  // Of each one's segments.

  uint64_t total() const;
};

// Codes everything as PackVault would and counts the bytes: all that depends on what was fitted. File headers, the
// index and padding are not in it; they hardly change from one fit of the same models to another.
absl::StatusOr<PackedSize> MeasurePackedSize(const std::vector<FitTensor>& tensors, const FittedModels& models,
                                             BaseProfile profile, int threads);

// Where variants differ, as PackVault counts it. `specs` are the exported files'.
DeltaStatistics CountDifferences(const std::vector<ModelTensor>& specs, const FittedModels& models);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_PACKED_SIZE_H_
