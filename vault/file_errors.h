// Refusals of the system, as statuses. For the parts of vault/file_system.h.
#ifndef MODELVAULT_VAULT_FILE_ERRORS_H_
#define MODELVAULT_VAULT_FILE_ERRORS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// "PATH: WHAT: what the system calls `error_number`", with the code that vault/file_system.h promises, and where there
// is a way out, that. `hint` is one more, empty or a clause.
absl::Status FileError(int error_number, absl::string_view path, absl::string_view what, absl::string_view hint = "");

// Another program took the name of a new file, kAborted.
absl::Status NameTaken(absl::string_view path);

// "file too short", kDataLoss.
absl::Status FileTooShort(absl::string_view path, uint64_t offset, uint64_t expected, uint64_t actual);

// The way out where a file that is a mount would have to be replaced.
inline constexpr char kMountPointHint[] =
    "it is a mount point: mount its folder instead, or write to another name and copy";

// Where a file cannot be made: EINVAL, EILSEQ.
inline constexpr char kBadNameHint[] = "this file system may not allow such a name";

// Whether `error_number` says that this file system, its mount or this sandbox does not have the operation at all, as
// opposed to one that was tried and failed.
bool IsUnsupported(int error_number);

// The same, or that this user may not.
bool IsRefused(int error_number);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_FILE_ERRORS_H_
