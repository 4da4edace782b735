#include "vault/file_paths.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace modelvault {

bool IsUrl(absl::string_view path) {
  const size_t colon = path.find("://");
  if (colon == absl::string_view::npos || colon == 0 || !absl::ascii_isalpha(path[0])) return false;
  return std::all_of(path.begin(), path.begin() + colon,
                     [](char c) { return absl::ascii_isalnum(c) || c == '+' || c == '-' || c == '.'; });
}

std::string WithoutUserInfo(absl::string_view url) {
  if (!IsUrl(url)) return std::string(url);
  const size_t authority = url.find("://") + 3;
  const size_t end = std::min(url.find_first_of("/?#\\", authority), url.size());
  const size_t at = url.substr(0, end).rfind('@');
  if (at == absl::string_view::npos || at < authority) return std::string(url);
  return absl::StrCat(url.substr(0, authority), url.substr(at + 1));
}

absl::Status CheckPath(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("empty file name");
  if (IsUrl(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(WithoutUserInfo(path), ": a URL, where a file's name is expected: only vaults are read from one"));
  }
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
