#include "vault/atomic_folder.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "vault/file_paths.h"

namespace modelvault {

absl::StatusOr<std::unique_ptr<AtomicFolder>> AtomicFolder::Create(FileSystem& file_system,
                                                                   absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  std::string path(path_view);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const absl::StatusOr<bool> exists = file_system.Exists(path);
  if (!exists.ok()) return exists.status();
  if (*exists) {
    const absl::StatusOr<bool> folder = file_system.IsFolder(path);
    if (!folder.ok()) return folder.status();
    absl::StatusOr<std::vector<std::string>> names = std::vector<std::string>();
    if (*folder) names = file_system.List(path);
    if (!names.ok()) return names.status();
    if (!*folder || !names->empty()) {
      return absl::AlreadyExistsError(absl::StrCat(path,
                                                   ": is there already; this model is a folder, which replaces "
                                                   "nothing"));
    }
  }
  const std::string folder = FolderOf(path);
  const std::string name = path.substr(path.rfind('/') + 1);
  // What a killed process of the same number left behind is not ours to use.
  for (int attempt = 0;; ++attempt) {
    constexpr int kMostAttempts = 1000;
    const std::string temp = PathIn(folder, absl::StrCat(".", name, ".", ::getpid(), "-", attempt, ".tmp"));
    std::vector<std::string> made;
    const absl::Status status = file_system.MakeFolders(temp, &made);
    if (!status.ok()) return status;
    if (made.size() == 1) return std::unique_ptr<AtomicFolder>(new AtomicFolder(file_system, path, temp));
    if (made.size() > 1) {  // The folder above was not there; for a file that is an error, too.
      for (; !made.empty(); made.pop_back()) static_cast<void>(file_system.RemoveFolder(made.back()));
      return absl::NotFoundError(absl::StrCat(path, ": its folder does not exist"));
    }
    if (attempt == kMostAttempts) return absl::UnavailableError(absl::StrCat(temp, ": is there already"));
  }
}

AtomicFolder::~AtomicFolder() {
  if (temp_exists_) static_cast<void>(file_system_.RemoveTree(temp_));
}

absl::StatusOr<std::unique_ptr<AtomicFile>> AtomicFolder::CreateFile(absl::string_view relative) {
  const std::string path = PathIn(temp_, relative);
  const std::string folder = FolderOf(path);
  if (folder != temp_ && changed_.insert(folder).second) {
    std::vector<std::string> made;
    if (absl::Status status = file_system_.MakeFolders(folder, &made); !status.ok()) return status;
    for (const std::string& inner : made) {
      if (FolderOf(inner) != temp_) changed_.insert(FolderOf(inner));
    }
  }
  return file_system_.CreateAtomic(path, Durability::kContents);
}

absl::Status AtomicFolder::Commit() {
  const absl::Status status = file_system_.PlaceFolder(temp_, path_, changed_);
  temp_exists_ = !status.ok() && !absl::IsUnknown(status);
  return status;
}

}  // namespace modelvault
