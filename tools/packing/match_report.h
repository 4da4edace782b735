// What to tell someone whose fine-tunes do not match their base.
#ifndef MODELVAULT_TOOLS_PACKING_MATCH_REPORT_H_
#define MODELVAULT_TOOLS_PACKING_MATCH_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/model_tensor.h"
#include "tools/packing/name_rules.h"
#include "tools/packing/variant_match.h"

namespace modelvault {

// A variant whose tensors are not all the base's.
struct Mismatch {
  std::string path;
  std::vector<ModelTensor> tensors;
  TensorPairs pairs;
};

// kInvalidArgument with all differences of all of them, those with the same trouble together: which tensors are
// missing, extra, or of another shape, how many of each kind; what the cause seems to be; and the options that would
// make them match. Several lines; text from files is escaped. `mismatches` are not empty, and made with `rules`.
// `variant_count` is that of all variants given.
absl::Status MismatchError(absl::string_view base_path, absl::Span<const ModelTensor> base,
                           absl::Span<const Mismatch> mismatches, size_t variant_count, const NameRules& rules);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_MATCH_REPORT_H_
