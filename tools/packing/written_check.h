// Restores what was packed and compares it with the files it came from.
#ifndef MODELVAULT_TOOLS_PACKING_WRITTEN_CHECK_H_
#define MODELVAULT_TOOLS_PACKING_WRITTEN_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "restore/model_file.h"
#include "restore/restorer.h"
#include "tools/packing/executor.h"
#include "tools/packing/pack_inputs.h"

namespace modelvault {

// The models of a vault and what they must be restored to. All must outlive the jobs.
struct CheckedModels {
  const Restorer* restorer = nullptr;
  const ModelFile* base = nullptr;  // Null: the base has no file.
  const std::vector<OpenInput>* inputs = nullptr;

  size_t count() const { return inputs->size() + (base != nullptr ? 1 : 0); }
  // The input of job i; null: the base.
  const OpenInput* input(uint64_t i) const {
    if (base == nullptr) return &(*inputs)[static_cast<size_t>(i)];
    return i == 0 ? nullptr : &(*inputs)[static_cast<size_t>(i) - 1];
  }
};

// Job i restores a model and compares it with its file, byte by byte, and so its header: the base, if it has a file,
// then each input. A result is empty; models that differ are DataLoss. `threads`: of each job.
ProduceFunction CheckJobs(const CheckedModels& models, int threads);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_WRITTEN_CHECK_H_
