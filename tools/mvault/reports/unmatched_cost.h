// What tensors without a match in the base cost a vault.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_UNMATCHED_COST_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_UNMATCHED_COST_H_

#include <string>

#include "absl/status/status.h"
#include "tools/packing/pack.h"
#include "vault/file_system.h"

namespace modelvault {

// Adds to the report's note, if it has one, how many bytes of the vault at `path`, just written, the variants' tensors
// without a match take. Restores those variants once more; `keys` open those that were sealed.
absl::Status TellUnmatchedCost(FileSystem& file_system, const std::string& path, const TenantKeys& keys,
                               PackReport* report);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_UNMATCHED_COST_H_
