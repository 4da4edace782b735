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
  std::string dtype_a;    // Empty: there is none in `a`.
  std::string dtype_b;    // Empty: there is none in `b`.
  uint64_t elements = 0;  // A tensor whose dtype is not known has as many as bytes. Of two sizes, the larger.
  // Elements that are not the same: bit for bit in tensors of one dtype, by value in tensors of two. All of them in a
  // tensor that only one model has.
  uint64_t differing = 0;
  // The largest |a - b|. Nothing where no pair of numbers differs, or where the bits are not numbers. Pairs with a NaN
  // in them are left out. 64-bit integers are rounded to a double.
  std::optional<double> max_difference;
};

// For each tensor of `a` the one of `b` that it is compared with, if there is one.
using TensorPartners = std::vector<std::optional<size_t>>;

// Tensors of one name; among those that are left, tensors of one base tensor.
TensorPartners PartnersByName(const NamedModel& a, const NamedModel& b);
// The base tensors that a variant's are coded against.
TensorPartners PartnersInBase(const NamedModel& variant);

// Decodes both in lock-step, a window of each at a time; order and dtypes may differ. The result is in the order of
// `a`; what only `b` has comes last. Errors are those of reading. Progress is shown as `stage`.
absl::StatusOr<std::vector<TensorDifference>> CompareModels(const NamedVault& vault, const NamedModel& a,
                                                            const NamedModel& b, const TensorPartners& partners,
                                                            const std::string& stage, Progress* progress);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_MODEL_DIFF_H_
