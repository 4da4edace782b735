#include "vault/file_system_calls.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace modelvault {

SystemCalls& SystemCalls::Posix() {
  static SystemCalls calls;
  return calls;
}

int SystemCalls::Open(const std::string& path, int flags, mode_t mode) { return ::open(path.c_str(), flags, mode); }

int SystemCalls::Close(int fd) { return ::close(fd); }

int SystemCalls::Stat(const std::string& path, struct stat* out) { return ::stat(path.c_str(), out); }

int SystemCalls::StatLink(const std::string& path, struct stat* out) { return ::lstat(path.c_str(), out); }

int SystemCalls::StatOpen(int fd, struct stat* out) { return ::fstat(fd, out); }

int SystemCalls::ChangeMode(int fd, mode_t mode) { return ::fchmod(fd, mode); }

int SystemCalls::RealPath(const std::string& path, std::string* out) {
  char* const resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return -1;
  *out = resolved;
  ::free(resolved);
  return 0;
}

ssize_t SystemCalls::ReadAt(int fd, void* data, size_t size, off_t offset) { return ::pread(fd, data, size, offset); }

ssize_t SystemCalls::WriteAt(int fd, const void* data, size_t size, off_t offset) {
  return ::pwrite(fd, data, size, offset);
}

ssize_t SystemCalls::CopyRange(int from_fd, off_t from_offset, int to_fd, off_t to_offset, size_t size) {
  return ::copy_file_range(from_fd, &from_offset, to_fd, &to_offset, size, 0);
}

int SystemCalls::Sync(int fd) { return ::fsync(fd); }

int SystemCalls::Rename(const std::string& from, const std::string& to) { return ::rename(from.c_str(), to.c_str()); }

int SystemCalls::Unlink(const std::string& path) { return ::unlink(path.c_str()); }

int SystemCalls::SyncDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = ::fsync(fd);
  // Some network file systems cannot sync a folder and say so this way; their renames are as durable as they get.
  if (result != 0 && errno == EINVAL) result = 0;
  const int saved = errno;
  ::close(fd);
  errno = saved;
  return result;
}

int SystemCalls::TryLock(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB); }

void SystemCalls::Pause(int milliseconds) {
  const struct timespec duration = {milliseconds / 1000, (milliseconds % 1000) * 1'000'000L};
  ::nanosleep(&duration, nullptr);
}

}  // namespace modelvault
