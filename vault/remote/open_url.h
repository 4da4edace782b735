// Vaults behind URLs: http and https by ranges, file as what it is.
#ifndef MODELVAULT_VAULT_REMOTE_OPEN_URL_H_
#define MODELVAULT_VAULT_REMOTE_OPEN_URL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"
#include "vault/remote/remote_options.h"

namespace modelvault {

// Opens what `url` names; IsUrl(url). A file's path() is its path; else it is the URL. kInvalidArgument: a URL that has
// a user name or password (they belong in ~/.netrc), is malformed, or has a query of file:; kUnimplemented: another
// scheme, or http where this was built without (MODELVAULT_HTTP). Other errors are RemoteFile::Open's. `file_system`
// must outlive the result.
absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenUrl(FileSystem& file_system, const std::string& url,
                                                          const RemoteOptions& options);

// A vault's file, which may be a URL's, with the options of the environment.
absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenFileOrUrl(FileSystem& file_system, const std::string& path);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_OPEN_URL_H_
