#include "vault/remote/open_url.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "vault/file_paths.h"
#ifdef MODELVAULT_HTTP
#include "vault/remote/remote_file.h"
#endif

namespace modelvault {
namespace {

constexpr absl::string_view kFilePrefix = "file://";

absl::Status BadUrl(absl::string_view url, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(WithoutUserInfo(url), ": ", what));
}

// The path of file:///path or file://localhost/path.
absl::StatusOr<std::string> PathOfFileUrl(absl::string_view url) {
  absl::string_view rest = url.substr(kFilePrefix.size());
  if (absl::StartsWithIgnoreCase(rest, "localhost/")) rest.remove_prefix(std::string("localhost").size());
  if (rest.empty() || rest[0] != '/') return BadUrl(url, "a file of another machine; expected file:///PATH");
  if (rest.find_first_of("?#") != absl::string_view::npos) return BadUrl(url, "a file's URL with a query or fragment");
  std::string path;
  for (size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '%') {
      path += rest[i];
      continue;
    }
    const absl::string_view digits = rest.substr(i + 1, 2);
    int value = 0;
    if (digits.size() != 2 || !absl::ascii_isxdigit(digits[0]) || !absl::ascii_isxdigit(digits[1]) ||
        !absl::SimpleHexAtoi(digits, &value)) {
      return BadUrl(url, "'%' without two hexadecimal digits");
    }
    path += static_cast<char>(value);
    i += 2;
  }
  return path;
}

}  // namespace

absl::StatusOr<RemoteOptions> RemoteOptions::FromEnvironment() {
  RemoteOptions options;
  if (const char* const folder = std::getenv("MODELVAULT_CACHE"); folder != nullptr) options.cache_folder = folder;
  const char* const size = std::getenv("MODELVAULT_CACHE_SIZE");
  if (size != nullptr && *size != '\0' && !absl::SimpleAtoi(size, &options.cache_limit)) {
    return absl::InvalidArgumentError(absl::StrCat("MODELVAULT_CACHE_SIZE: expected a number of bytes, found ", size));
  }
  return options;
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenUrl(FileSystem& file_system, const std::string& url,
                                                          const RemoteOptions& options) {
  if (WithoutUserInfo(url) != url) return BadUrl(url, "a URL with a user name or password: put them into ~/.netrc");
  if (absl::StartsWithIgnoreCase(url, kFilePrefix)) {
    const absl::StatusOr<std::string> path = PathOfFileUrl(url);
    return path.ok() ? file_system.OpenForRead(*path) : path.status();
  }
  if (!absl::StartsWithIgnoreCase(url, "http://") && !absl::StartsWithIgnoreCase(url, "https://")) {
    return absl::UnimplementedError(absl::StrCat(url, ": unknown kind of URL; expected http, https or file"));
  }
#ifdef MODELVAULT_HTTP
  return RemoteFile::Open(file_system, url, options);
#else
  static_cast<void>(options);
  return absl::UnimplementedError(absl::StrCat(url, ": this program was built without HTTP (MODELVAULT_HTTP=OFF)"));
#endif
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenFileOrUrl(FileSystem& file_system, const std::string& path) {
  if (!IsUrl(path)) return file_system.OpenForRead(path);
  const absl::StatusOr<RemoteOptions> options = RemoteOptions::FromEnvironment();
  return options.ok() ? OpenUrl(file_system, path, *options) : options.status();
}

}  // namespace modelvault
