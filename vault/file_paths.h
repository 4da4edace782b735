// Paths, as vault/file_system.h takes them.
#ifndef MODELVAULT_VAULT_FILE_PATHS_H_
#define MODELVAULT_VAULT_FILE_PATHS_H_

#include <sys/stat.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// Whether `path` begins as a URL does, with a scheme and "://": then it names no file here.
bool IsUrl(absl::string_view path);

// A URL as messages may have it: without user name and password. Any other text as it is.
std::string WithoutUserInfo(absl::string_view url);

// kInvalidArgument for what is no path.
absl::Status CheckPath(absl::string_view path);

// kInvalidArgument for anything but a regular file.
absl::Status CheckRegular(const struct stat& info, absl::string_view path);

// The folder `path` is in.
std::string FolderOf(const std::string& path);

// Where `name` is in `folder`; empty: the current one.
std::string PathIn(const std::string& folder, absl::string_view name);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_FILE_PATHS_H_
