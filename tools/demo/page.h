#ifndef MODELVAULT_TOOLS_DEMO_PAGE_H_
#define MODELVAULT_TOOLS_DEMO_PAGE_H_

#include <stdint.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/demo/table.h"
#include "tools/demo/training_record.h"

namespace modelvault::demo {

// Bytes of a vault by what they are for; together they are the file.
struct VaultSections {
  uint64_t tables = 0;    // header, tensor list, decoding tables, chunk list
  uint64_t base = 0;      // the base's weights
  uint64_t variants = 0;  // all variants' deltas
  uint64_t index = 0;     // index, names, file headers, padding

  uint64_t size() const { return tables + base + variants + index; }
};

// Reads what `mvault info VAULT --json` prints; fields that are not needed are ignored. kInvalidArgument for anything
// else, naming the field. `file_name` is for messages.
absl::StatusOr<VaultSections> VaultSectionsFromJson(const std::string& text, absl::string_view file_name);

// An HTML page in one file, nothing fetched from elsewhere: the flash of 1 MiB with what lies in it, each department's
// bytes by name; how often base, fine-tune and vault answer right (`vault_top1`, one for each of the record's
// departments); and all figures.
std::string FormatPage(const TrainingRecord& record, absl::Span<const double> vault_top1, const VaultSections& sections,
                       const StoredSizes& sizes);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_PAGE_H_
