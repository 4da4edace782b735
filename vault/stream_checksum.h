// What proves a base chunk, and a segment that is in a directory (docs/format.md §10).
#ifndef MODELVAULT_VAULT_STREAM_CHECKSUM_H_
#define MODELVAULT_VAULT_STREAM_CHECKSUM_H_

#include <cstdint>

#include "absl/types/span.h"
#include "vault/core/vault_view.h"
#include "vault/xxh3.h"

namespace modelvault {

// Of the stored bytes: checksum32, or, in a vault with host codings, what is quicker on hosts.
inline uint32_t StreamChecksum32(const VaultHeader& header, absl::Span<const uint8_t> stored) {
  return header.has_host_codings() ? static_cast<uint32_t>(Xxh3Of64(stored))
                                   : Checksum32({stored.data(), stored.size()});
}

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_STREAM_CHECKSUM_H_
