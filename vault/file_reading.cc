#include "vault/file_reading.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "vault/file_errors.h"

namespace modelvault {

absl::Status ReadFully(SystemCalls& calls, int fd, const std::string& path, uint64_t offset, absl::Span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = calls.ReadAt(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0) {
      if (errno == EINTR) continue;
      return FileError(errno, path,
                       absl::StrCat("cannot read ", out.size() - done, " bytes at offset ", offset + done));
    }
    if (n == 0) return FileTooShort(path, offset, out.size(), done);
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::Status CheckRange(const std::string& path, uint64_t offset, uint64_t length, uint64_t size) {
  const uint64_t available = offset > size ? 0 : std::min(length, size - offset);
  if (available == length && offset <= size) return absl::OkStatus();
  return FileTooShort(path, offset, length, available);
}

}  // namespace modelvault
