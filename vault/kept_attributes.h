#ifndef MODELVAULT_VAULT_KEPT_ATTRIBUTES_H_
#define MODELVAULT_VAULT_KEPT_ATTRIBUTES_H_

#include <sys/stat.h>

#include <string>

#include "absl/status/status.h"
#include "vault/file_system_calls.h"

namespace modelvault {

// Gives the new file `fd` what a user had set on the file `old_path` (`old_info`) that it is going to replace: owner
// and group, extended attributes with the access control list, permissions. What the file system does not have or this
// user may not set is left out, and never lets anybody read or write the new file who could not the old one.
// kUnavailable for a disk that fails, naming `shown_path`.
absl::Status KeepAttributes(SystemCalls& calls, const std::string& old_path, const struct stat& old_info, int fd,
                            const std::string& shown_path);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_KEPT_ATTRIBUTES_H_
