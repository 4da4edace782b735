// The first look at a variant: its digests, and where it differs from the base.
#ifndef MODELVAULT_TOOLS_PACKING_VARIANT_ANALYSIS_H_
#define MODELVAULT_TOOLS_PACKING_VARIANT_ANALYSIS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "codec/data_source.h"
#include "codec/delta_statistics.h"
#include "restore/model_file.h"
#include "tools/packing/variant_match.h"
#include "vault/vault_types.h"

namespace modelvault {

// Digests of a whole data section, read in blocks.
absl::StatusOr<ModelDigests> DigestSource(DataSource* source);

// Reads the variant once, in blocks: its digests, and its differences counted into `*statistics` (null: not wanted).
// The files must outlive the call only.
absl::StatusOr<ModelDigests> AnalyzeVariant(const std::vector<ModelTensor>& base_tensors, DataSource* base,
                                            const VariantMatch& match, const ModelFile& variant,
                                            DeltaStatistics* statistics);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_VARIANT_ANALYSIS_H_
