// The packer's jobs as bytes, from which another process that reads the same files runs them.
#ifndef MODELVAULT_TOOLS_PACKING_PACK_TASK_H_
#define MODELVAULT_TOOLS_PACKING_PACK_TASK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/packing/executor.h"
#include "tools/packing/pack.h"
#include "tools/packing/pack_inputs.h"
#include "tools/packing/pack_jobs.h"
#include "vault/file_system.h"

namespace modelvault {

// Writes the tasks of one vault.
class PackTasks {
 public:
  // The files and options that PackVault has. Paths become absolute, as seen from here.
  PackTasks(absl::string_view base_path, absl::Span<const VariantInput> variants, const PackOptions& options);

  // Of AnalyzeJobs.
  std::string Analyze(bool statistics) const;
  // Of BaseBatches: chunks, or with `sizes` what they take.
  std::string Base(const CodedWith& with, uint32_t chunk_size, uint64_t raw_size, bool sizes) const;
  // Of SegmentJobs of all of them, which are laid out.
  std::string Segments(const CodedWith& with, const std::vector<OpenInput>& inputs, bool bill) const;
  // Of CheckJobs; `written` is the vault's temporary file.
  std::string Check(absl::string_view written, int threads) const;

 private:
  std::string files_;  // A PackTask with nothing else.
};

struct HelperFiles;

// Runs tasks of another process. What it opened for a task serves the next with the same files. Not thread-safe; what
// it makes is, and outlives it.
class PackHelper {
 public:
  // `file_system` must outlive the results.
  explicit PackHelper(FileSystem& file_system) : file_system_(file_system) {}

  // Errors: as PackVault's, where files are not what the other process found; kInternal for bytes that are no task.
  absl::StatusOr<ProduceFunction> Prepare(absl::string_view task);

 private:
  FileSystem& file_system_;
  std::string opened_;  // The PackFiles of `files_`.
  std::shared_ptr<HelperFiles> files_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_PACK_TASK_H_
