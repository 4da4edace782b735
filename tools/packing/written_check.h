// Restores what was packed and compares it with the files it came from.
#ifndef MODELVAULT_TOOLS_PACKING_WRITTEN_CHECK_H_
#define MODELVAULT_TOOLS_PACKING_WRITTEN_CHECK_H_

#include <vector>

#include "absl/status/status.h"
#include "restore/model_file.h"
#include "restore/restorer.h"
#include "tools/packing/executor.h"
#include "tools/packing/pack_inputs.h"

namespace modelvault {

// Restores the base and compares it with its file, byte by byte, and so its header. DataLoss where they differ.
absl::Status CheckBase(const Restorer& restorer, const ModelFile& file, int threads);

// Job i: the same of input i. A result is empty. `threads`: of each job. What is handed over must outlive the jobs.
ProduceFunction CheckJobs(const Restorer* restorer, const std::vector<OpenInput>* inputs, int threads);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_WRITTEN_CHECK_H_
