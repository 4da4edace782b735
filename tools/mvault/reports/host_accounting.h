// Where the bytes of a vault with host codings go (docs/format.md §16): every block is one tensor's, so nothing is
// shared out.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_HOST_ACCOUNTING_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_HOST_ACCOUNTING_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "codec/core/bytes.h"
#include "codec/core/variant_layout.h"
#include "restore/named_vault.h"
#include "vault/vault_reader.h"

namespace modelvault {

// What the blocks of a tensor take, with their sizes.
struct BlockBytes {
  uint64_t bytes = 0;
  uint64_t blocks = 0;
};

// Of base chunks [begin, end), added to `*tensors`, one a tensor of the base.
absl::Status AddHostChunks(const NamedVault& vault, uint64_t begin, uint64_t end, std::vector<BlockBytes>* tensors);

// Of a variant, one a tensor of it. Nothing is decoded.
absl::StatusOr<std::vector<BlockBytes>> HostVariantBytes(const VaultModel& model, const NamedVault& vault,
                                                         const VaultBlob& blob);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_HOST_ACCOUNTING_H_
