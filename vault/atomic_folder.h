// A folder of files that appears complete or not at all.
#ifndef MODELVAULT_VAULT_ATOMIC_FOLDER_H_
#define MODELVAULT_VAULT_ATOMIC_FOLDER_H_

#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault {

// Files are written into a temporary folder beside the destination, which Commit() gives its name in one step.
// Destruction without that removes it. Nothing is ever replaced. Must not outlive its FileSystem; not thread-safe.
class AtomicFolder {
 public:
  // kAlreadyExists if `path` is there, and no empty folder.
  static absl::StatusOr<std::unique_ptr<AtomicFolder>> Create(FileSystem& file_system, absl::string_view path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  // A file at `relative` in it, in folders that are made. The caller commits it, before Commit().
  absl::StatusOr<std::unique_ptr<AtomicFile>> CreateFile(absl::string_view relative);

  // As FileSystem::PlaceFolder. Call once.
  absl::Status Commit();

 private:
  AtomicFolder(FileSystem& file_system, std::string path, std::string temp)
      : file_system_(file_system), path_(std::move(path)), temp_(std::move(temp)) {}

  FileSystem& file_system_;
  const std::string path_;
  const std::string temp_;
  std::set<std::string> changed_;  // Folders below temp_ that got names, for which Commit() waits.
  bool temp_exists_ = true;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_ATOMIC_FOLDER_H_
