// Where a restored model goes: a file, or a folder of files.
#ifndef MODELVAULT_RESTORE_MODEL_OUTPUT_H_
#define MODELVAULT_RESTORE_MODEL_OUTPUT_H_

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

// Takes a model's bytes, in order unless they are written to their places, and gives them their names all at once. What
// is not committed leaves no trace.
class ModelOutput {
 public:
  // Without `files` the output is a file, which may replace another; else a folder, which replaces nothing.
  static absl::StatusOr<ModelOutput> Create(FileSystem& file_system, const std::string& path,
                                            std::vector<FilePart> files);

  absl::Status Append(absl::Span<const uint8_t> bytes);
  // Instead of Append(), for bytes that come in any order: StartAll() first, then all of them; WriteAt() is
  // thread-safe. Not for more files than CanStartAll() takes, which are all open at once.
  bool CanStartAll() const;
  absl::Status StartAll();
  absl::Status WriteAt(uint64_t offset, absl::Span<const uint8_t> bytes) const;
  absl::Status Commit();
  // Bytes that were appended so far.
  uint64_t size() const { return size_; }

 private:
  ModelOutput() = default;

  absl::Status StartFiles();

  std::unique_ptr<AtomicFolder> folder_;  // Null: a file.
  std::vector<FilePart> files_;
  size_t started_ = 0;  // Of files_.
  uint64_t left_ = 0;   // Bytes that the file which was started last still lacks.
  std::unique_ptr<AtomicFile> file_;
  std::vector<std::unique_ptr<AtomicFile>> all_;  // With StartAll(): one for each of files_, or the one,
  std::vector<uint64_t> ends_;                    // and where they end among all bytes.
  uint64_t size_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_MODEL_OUTPUT_H_
