#include "vault/file_errors.h"

#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

// Whatever the number of models, no command of one thread needs more at a time: the three standard streams, the output
// and its lock, a model, a folder, and what the libraries open for a moment.
constexpr int kEnoughFiles = 16;

std::string HintFor(int error_number) {
  if (error_number == EMFILE) {
    struct rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return absl::StrCat("the limit is ", limit.rlim_cur, " files at a time, ", kEnoughFiles, " are enough (ulimit -n ",
                        kEnoughFiles, ")");
  }
  if (error_number == ENFILE) return "the whole machine has no more; end other programs";
  return "";
}

}  // namespace

absl::Status FileError(int error_number, absl::string_view path, absl::string_view what, absl::string_view hint) {
  std::string message = absl::StrCat(path, ": ", what, ": ", std::strerror(error_number));
  for (const std::string& more : {HintFor(error_number), std::string(hint)}) {
    if (!more.empty()) absl::StrAppend(&message, "; ", more);
  }
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(message);
    default:
      return absl::UnavailableError(message);
  }
}

absl::Status NameTaken(absl::string_view path) {
  return absl::AbortedError(absl::StrCat(path, ": another program made it meanwhile; it is left as it is"));
}

absl::Status FileTooShort(absl::string_view path, uint64_t offset, uint64_t expected, uint64_t actual) {
  return absl::DataLossError(
      absl::StrCat(path, ": file too short: expected ", expected, " bytes at offset ", offset, ", found ", actual));
}

bool IsUnsupported(int error_number) {
  switch (error_number) {
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case EBADF:  // Some network file systems, of a descriptor that is open.
    case ENOTTY:
      return true;
    default:
      return false;
  }
}

bool IsRefused(int error_number) {
  return IsUnsupported(error_number) || error_number == EPERM || error_number == EACCES;
}

}  // namespace modelvault
