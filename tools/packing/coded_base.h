// What a base takes in a vault, without writing one.
#ifndef MODELVAULT_TOOLS_PACKING_CODED_BASE_H_
#define MODELVAULT_TOOLS_PACKING_CODED_BASE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "codec/progress_function.h"
#include "restore/model_file.h"
#include "tools/packing/executor.h"
#include "tools/packing/pack_jobs.h"
#include "tools/packing/pack_task.h"

namespace modelvault {

// BASE's bytes: of all chunks as BaseEncoder codes them. `with` is of this very file; `tasks` is null where no other
// process can help. `threads`: 0 for one a core.
absl::StatusOr<uint64_t> CodedBaseSize(Executor& executor, const PackTasks* tasks, const ModelFile& file,
                                       const CodedWith& with, uint32_t chunk_size, int threads,
                                       const ProgressFunction& progress);

// CHUNKS' bytes.
uint64_t ChunksSize(uint64_t data_size, uint32_t chunk_size);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_CODED_BASE_H_
