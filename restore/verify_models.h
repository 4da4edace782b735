// Proves models of a vault: many small ones side by side, or each large one on all threads.
#ifndef MODELVAULT_RESTORE_VERIFY_MODELS_H_
#define MODELVAULT_RESTORE_VERIFY_MODELS_H_

#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "restore/named_vault.h"

namespace modelvault {

// Restores each of `names` and compares its digests and its file header, on `threads` threads (0: one a core). `told`
// is called for each, in order and on this thread, with its number and what became of it; an error that it returns ends
// the work and is returned.
absl::Status VerifyModels(const NamedVault& vault, absl::Span<const std::string> names, int threads,
                          const std::function<absl::Status(size_t i, const absl::Status& verdict)>& told);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_VERIFY_MODELS_H_
