// Results of a run that was interrupted, kept for the next one.
#ifndef MODELVAULT_TOOLS_PACKING_WORK_FOLDER_H_
#define MODELVAULT_TOOLS_PACKING_WORK_FOLDER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"

namespace modelvault {

// Whose results a folder has. Runs of one kind do not take another's folder.
enum class WorkOf { kFit, kPack };

// Files in a folder of its own, which a file in it marks as ours, named by a hash of everything their contents depend
// on, each written whole or not at all and with a hash of its contents. So whatever is found there is right, and a run
// never needs to know how far another one came. The folder is locked as long as the object lives. Thread-safe.
class WorkFolder {
 public:
  using Key = std::array<uint8_t, 16>;

  // Makes the folder unless it is there. kAlreadyExists, and nothing is touched, for a folder that is neither empty nor
  // one that Open made: its owner's files must not be taken for ours; kAborted for one that another run uses.
  // `file_system` must outlive the result.
  static absl::StatusOr<WorkFolder> Open(FileSystem& file_system, std::string path, WorkOf of);

  // The folder that another process, which this one works for, has opened, without a lock. kNotFound if it is not
  // there.
  static absl::StatusOr<WorkFolder> Join(FileSystem& file_system, std::string path, WorkOf of);

  // What was stored under `key`; nothing if it is not there or damaged.
  std::optional<std::string> Load(const Key& key) const;
  absl::Status Store(const Key& key, absl::string_view contents) const;

  // A place in it for files that are only needed for a while. Whatever is found there may be removed.
  std::string scratch() const;

  // Removes what runs of its kind stored and scratch(), and if nothing else is in the folder, the mark, and the folder
  // if a run made it.
  void Remove() const;

  // Removes the mark if nothing else is in the folder, and the folder if a run made it.
  void RemoveIfEmpty() const;

 private:
  WorkFolder(FileSystem& file_system, std::string path, WorkOf of, std::unique_ptr<FileLock> lock)
      : file_system_(&file_system), path_(std::move(path)), of_(of), lock_(std::move(lock)) {}
  std::string FileOf(const Key& key) const;

  FileSystem* file_system_;
  std::string path_;
  WorkOf of_;
  std::unique_ptr<FileLock> lock_;  // Of the mark.
};

// XXH3-128.
WorkFolder::Key KeyOf(absl::string_view bytes);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_WORK_FOLDER_H_
