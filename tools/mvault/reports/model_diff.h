// Where two models of a vault differ, tensor by tensor.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_MODEL_DIFF_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_MODEL_DIFF_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "restore/named_vault.h"
#include "tools/mvault/cli/progress.h"

namespace modelvault {

struct TensorDifference {
  std::string name;
  std::string dtype_a;
  std::string dtype_b;
  uint64_t elements = 0;  // Bytes, where a dtype is not known: those of the longer one.
  // Elements that are not the same: bit for bit in tensors of one dtype, by value in tensors of two.
  uint64_t differing = 0;
  // The largest |a - b|. Nothing where no pair of numbers differs, or where the bits are not numbers. Pairs with a NaN
  // in them are left out. 64-bit integers are rounded to a double.
  std::optional<double> max_difference;
};

// Decodes both in lock-step, a window of each at a time; order and dtypes may differ. The result is in the order of
// `a`. Errors are those of reading. Progress is shown as `stage`.
absl::StatusOr<std::vector<TensorDifference>> CompareModels(const NamedVault& vault, const NamedModel& a,
                                                            const NamedModel& b, const std::string& stage,
                                                            Progress* progress);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_MODEL_DIFF_H_
