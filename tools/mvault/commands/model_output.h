// Where a restored model goes: a file, or a folder of files.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_MODEL_OUTPUT_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_MODEL_OUTPUT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "restore/model_structure.h"
#include "vault/atomic_folder.h"
#include "vault/file_system.h"

namespace modelvault {

// Takes a model's bytes in order, and gives them their names all at once. What is not committed leaves no trace.
class ModelOutput {
 public:
  // Without `files` the output is a file, which may replace another; else a folder, which replaces nothing.
  static absl::StatusOr<ModelOutput> Create(FileSystem& file_system, const std::string& path,
                                            std::vector<FilePart> files);

  absl::Status Append(absl::Span<const uint8_t> bytes);
  absl::Status Commit();
  // Bytes so far.
  uint64_t size() const { return size_; }

 private:
  ModelOutput() = default;

  absl::Status StartFiles();

  std::unique_ptr<AtomicFolder> folder_;  // Null: a file.
  std::vector<FilePart> files_;
  size_t started_ = 0;  // Of files_.
  uint64_t left_ = 0;   // Bytes that the file which was started last still lacks.
  std::unique_ptr<AtomicFile> file_;
  uint64_t size_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_MODEL_OUTPUT_H_
