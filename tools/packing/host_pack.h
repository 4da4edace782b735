// The packer's stages for a vault with host codings (docs/format.md §16): models are read once, and digests are taken
// on the way.
#ifndef MODELVAULT_TOOLS_PACKING_HOST_PACK_H_
#define MODELVAULT_TOOLS_PACKING_HOST_PACK_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "codec/core/shared_tables.h"
#include "codec/core/variant_layout.h"
#include "tools/packing/executor.h"
#include "tools/packing/host_coder.h"
#include "tools/packing/pack.h"
#include "tools/packing/pack_inputs.h"
#include "tools/packing/pack_jobs.h"
#include "vault/vault_types.h"
#include "vault/vault_writer.h"

namespace modelvault {

// What is handed over to make jobs must outlive them.

// Job c: base chunk c, as HostUnitIn() takes it. `layout` is the base's.
ProduceFunction HostChunkJobs(HostCoder* coder, const VariantLayout* layout, uint32_t chunk_size);
// Job i: the digests of input i if it is the base, else nothing.
ProduceFunction HostTwinJobs(HostCoder* coder, const std::vector<OpenInput>* inputs, uint32_t segment_size);
// Job j: segment j of `segments`, as HostUnitIn() takes it.
ProduceFunction HostSegmentJobs(HostCoder* coder, const std::vector<SegmentJob>* segments,
                                const std::vector<OpenInput>* inputs, uint32_t segment_size);

// Codes all of the base into the writer; its digests.
absl::StatusOr<ModelDigests> WriteHostBase(Executor& executor, HostCoder* coder, const SharedTables& shared,
                                           uint32_t chunk_size, const PackOptions& options, VaultWriter* writer);

// Codes all inputs, which are laid out, into the writer, and notes their digests. One that is the base takes no bytes.
absl::Status WriteHostVariants(Executor& executor, HostCoder* coder, uint32_t segment_size, const PackOptions& options,
                               std::vector<OpenInput>* inputs, VaultWriter* writer);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_HOST_PACK_H_
