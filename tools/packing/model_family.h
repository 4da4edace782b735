// Models that may share a base: what each would take alone and as a variant of another, estimated from samples.
#ifndef MODELVAULT_TOOLS_PACKING_MODEL_FAMILY_H_
#define MODELVAULT_TOOLS_PACKING_MODEL_FAMILY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codec/progress_function.h"
#include "tools/packing/model_sample.h"
#include "tools/packing/pack.h"
#include "vault/file_system.h"

namespace modelvault {

// What a model would take on its own, as a vault's base.
struct AloneEstimate {
  uint64_t bytes = 0;
  double element_bits = 0;  // The mean of all its elements.
};
absl::StatusOr<AloneEstimate> EstimateAlone(const ModelSample& model);

// What it would take beside a base.
struct VariantEstimate {
  uint64_t bytes = 0;
  double differing_bits = 0;  // The share of the bits that differ, of tensors that the base's predict.
  double element_bits = 0;    // The mean of all its elements.
};
// Nothing if it is not of this base: of another format, or IsOfBase() says no.
std::optional<VariantEstimate> EstimateVariant(const ModelSample& base, const ModelSample& variant);

struct FamilyOptions {
  uint64_t sample_size = kDefaultSampleSize;  // Bytes of each model.
  int threads = 0;                            // 0: one a core. The results do not depend on it.
  ProgressFunction progress;
};

// Samples of all, in their order.
absl::StatusOr<std::vector<ModelSample>> SampleModels(FileSystem& file_system, absl::Span<const VariantInput> models,
                                                      const FamilyOptions& options);

struct FamilyMember {
  size_t model = 0;  // Its place among the models.
  AloneEstimate alone;
  VariantEstimate as_variant;  // Of a variant.
};
struct ModelFamily {
  FamilyMember base;
  std::vector<FamilyMember> variants;  // Empty: the model is on its own. In the models' order.

  uint64_t bytes() const;
  uint64_t bytes_apart() const;  // Each model in a vault of its own.
};
struct ModelFamilies {
  std::vector<ModelFamily> families;  // Those with most to save first, those without variants last, by their base.
  uint64_t sampled_size = 0;          // Bytes, of all models.
  uint64_t file_size = 0;
};

// A variant must take less than this share of what it takes alone: all models of one shape have something in common.
inline constexpr double kMostOfAlone = 0.98;

// Which models share which base, so that all together take the fewest bytes, as far as ChooseBases() finds it. `models`
// are sorted by name.
absl::StatusOr<ModelFamilies> FindFamilies(FileSystem& file_system, absl::Span<const VariantInput> models,
                                           const FamilyOptions& options);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_MODEL_FAMILY_H_
