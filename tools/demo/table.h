#ifndef MODELVAULT_TOOLS_DEMO_TABLE_H_
#define MODELVAULT_TOOLS_DEMO_TABLE_H_

#include <stdint.h>

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/demo/training_record.h"

namespace modelvault::demo {

// Bytes each variant takes in a vault, by name.
using StoredSizes = std::map<std::string, uint64_t>;

// Reads {"variants": [{"name": ..., "stored_bytes": ...}, ...]}; other fields are ignored. kInvalidArgument for
// anything else. `file_name` is for messages.
absl::StatusOr<StoredSizes> StoredSizesFromJson(const std::string& text, absl::string_view file_name);

// What a newcomer wants to see: bytes of the models one by one and in a vault of `vault_size` bytes (above 0), and the
// accuracy of about ten departments and of all, before fine-tuning, after it, and in the vault (`vault_top1`, one for
// each of the record's departments). Shows the bytes of the departments that are in `sizes`.
std::string FormatTable(const TrainingRecord& record, absl::Span<const double> vault_top1, uint64_t vault_size,
                        const StoredSizes& sizes);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_TABLE_H_
