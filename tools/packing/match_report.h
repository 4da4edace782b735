// What to tell someone whose fine-tunes do not match their base.
#ifndef MODELVAULT_TOOLS_PACKING_MATCH_REPORT_H_
#define MODELVAULT_TOOLS_PACKING_MATCH_REPORT_H_

#include <cstddef>
#include <string>
#include <vector>

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

// Whether the file's name is that of one shard of several of a model: "model-00002-of-00003.safetensors".
bool IsShardName(absl::string_view path);

// All differences of `mismatches`, those with the same trouble together: which tensors are missing, extra, or of
// another shape, how many of each kind; what the cause seems to be; and the options that would make them match. A line
// for each, after `heading`; text from files is escaped. `mismatches` were made with `rules`.
std::string DescribeMismatches(absl::string_view heading, absl::string_view base_path,
                               absl::Span<const ModelTensor> base, absl::Span<const Mismatch> mismatches,
                               const NameRules& rules);

// What that begins with where the variants are refused: "2 of 4 variants do not match the base BASE, which has 83
// tensors".
std::string MismatchHeading(size_t mismatches, size_t variants, absl::string_view base_path, size_t base_tensors);

// " --ignore NAME" for each tensor without a match, where these alone keep the variants from a program that stores no
// tensor but the base's: no shard, no wrong base, no other shape of a tensor that both have, no names that a renaming
// explains, and few enough to be told. Otherwise empty.
std::string IgnoreOptions(absl::string_view base_path, absl::Span<const ModelTensor> base,
                          absl::Span<const Mismatch> mismatches, const NameRules& rules);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_MATCH_REPORT_H_
