// What packing a family will take, from samples: bytes of the vault and of traffic, and time.
#ifndef MODELVAULT_TOOLS_PACKING_FAMILY_PLAN_H_
#define MODELVAULT_TOOLS_PACKING_FAMILY_PLAN_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/packing/model_family.h"
#include "tools/packing/pack.h"
#include "vault/file_system.h"

namespace modelvault {

struct FamilyPlan {
  uint64_t file_size = 0;     // Of all models.
  uint64_t sampled_size = 0;  // Bytes read for this plan.
  // Of the vault, estimated.
  uint64_t base_bytes = 0;
  uint64_t variant_bytes = 0;
  uint64_t vault_bytes = 0;  // All of it.
  // While packing. Nothing but the new vault is written, under another name at first, so that it is all the room that
  // is needed; an old vault of its name stays until then.
  uint64_t disk_bytes = 0;
  uint64_t read_bytes = 0;  // Most of it from the system's cache where memory holds the base.
  uint64_t write_bytes = 0;
  // Bytes of models a second that one thread codes, measured on the samples; 0 where there was nothing to measure.
  double base_rate = 0;
  double variant_rate = 0;
  int threads = 1;
  double seconds = 0;  // Of coding with so many threads; reading, checking and the disk come on top.
};

// `seconds` is a clock that never goes back. kInvalidArgument, naming the file, for a model that is no variant of this
// base; errors as SampleModels'.
absl::StatusOr<FamilyPlan> PlanFamily(FileSystem& file_system, const std::string& base_path,
                                      absl::Span<const VariantInput> variants, const FamilyOptions& options,
                                      const std::function<double()>& seconds);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_FAMILY_PLAN_H_
