// Builds MODEL (docs/format.md §3) from a base and the differences of its variants.
#ifndef MODELVAULT_CODEC_SHARED_TABLES_BUILDER_H_
#define MODELVAULT_CODEC_SHARED_TABLES_BUILDER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/core/shared_tables.h"
#include "codec/data_source.h"
#include "codec/delta_statistics.h"
#include "codec/model_tensor.h"

namespace modelvault {

// How the base is stored.
enum class BaseProfile {
  kSmall,  // Coded: the fewest bytes.
  kFast,   // As it is, a byte more a chunk: read by copying.
  kHost,   // In blocks, and the variants, too (docs/format.md §16): for hosts and large models.
};

// Decides for each tensor of the base: the table of each byte plane (shared where sharing is cheaper than another
// table) or raw bytes, a dictionary of repeated rows, the priors of its variants. Reads `data` at most twice, in blocks
// of about 1 MiB, and only for kSmall: the others have neither tables nor dictionaries. `data` holds the tensors
// without holes. The same input gives the same bytes.
absl::StatusOr<std::string> BuildSharedTables(absl::Span<const ModelTensor> base, DataSource* data,
                                              const DeltaStatistics& deltas, BaseProfile profile = BaseProfile::kSmall);

// The profile of a MODEL of a vault without host codings: kFast where every byte of the base is stored as it is.
inline BaseProfile ProfileOf(const SharedTables& shared) {
  return shared.all_raw() ? BaseProfile::kFast : BaseProfile::kSmall;
}

// A MODEL with the memory it needs on the host. Immutable, thread-safe.
class ParsedSharedTables {
 public:
  // DataLoss if the section is malformed.
  static absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> Parse(std::string section);

  const SharedTables& tables() const { return tables_; }
  const std::string& section() const { return section_; }

 private:
  ParsedSharedTables() = default;

  std::string section_;
  std::vector<TensorRecord> records_;
  SharedTables tables_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_SHARED_TABLES_BUILDER_H_
