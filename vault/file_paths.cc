#include "vault/file_paths.h"

#include "absl/strings/str_cat.h"

namespace modelvault {

absl::Status CheckPath(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("empty file name");
  // It would silently name another file.
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(path.substr(0, path.find('\0')), ": file name contains a NUL"));
  }
  return absl::OkStatus();
}

absl::Status CheckRegular(const struct stat& info, absl::string_view path) {
  if (S_ISREG(info.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, S_ISDIR(info.st_mode) ? ": is a directory, not a file" : ": is not a regular file"));
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string PathIn(const std::string& folder, absl::string_view name) {
  const bool apart = folder.empty() || folder.back() == '/';
  return absl::StrCat(folder, apart ? "" : "/", name);
}

}  // namespace modelvault
