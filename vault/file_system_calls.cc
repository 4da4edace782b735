#include "vault/file_system_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace modelvault {
namespace {

// Runs a call that fills a buffer and, given none, tells how large it must be.
template <typename Fill>
int ReadAll(const Fill& fill, std::string* out) {
  for (;;) {
    const ssize_t size = fill(nullptr, 0);
    if (size < 0) return -1;
    out->resize(static_cast<size_t>(size));
    if (size == 0) return 0;
    const ssize_t got = fill(out->data(), out->size());
    if (got >= 0) {
      out->resize(static_cast<size_t>(got));
      return 0;
    }
    if (errno != ERANGE) return -1;  // Else it grew meanwhile.
  }
}

}  // namespace

SystemCalls& SystemCalls::Posix() {
  static SystemCalls calls;
  return calls;
}

int SystemCalls::Open(const std::string& path, int flags, mode_t mode) { return ::open(path.c_str(), flags, mode); }

int SystemCalls::OpenAt(int folder_fd, const std::string& name, int flags) {
  return ::openat(folder_fd, name.c_str(), flags);
}

int SystemCalls::Close(int fd) { return ::close(fd); }

int SystemCalls::Stat(const std::string& path, struct stat* out) { return ::stat(path.c_str(), out); }

int SystemCalls::StatLink(const std::string& path, struct stat* out) { return ::lstat(path.c_str(), out); }

int SystemCalls::StatOpen(int fd, struct stat* out) { return ::fstat(fd, out); }

int SystemCalls::ChangeMode(int fd, mode_t mode) { return ::fchmod(fd, mode); }

int SystemCalls::ChangeOwner(int fd, uid_t user, gid_t group) { return ::fchown(fd, user, group); }

int SystemCalls::GetFlags(const std::string& path, FileFlags* out) {
  *out = {};
#ifdef STATX_ATTR_MOUNT_ROOT
  struct statx info;
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE, &info) != 0) {
    return errno == ENOSYS || errno == EPERM || errno == EINVAL ? 0 : -1;  // Older kernels and sandboxes do not tell.
  }
  out->mount_point = (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  out->immutable = (info.stx_attributes & STATX_ATTR_IMMUTABLE) != 0;
  out->append_only = (info.stx_attributes & STATX_ATTR_APPEND) != 0;
#else
  static_cast<void>(path);
#endif
  return 0;
}

int SystemCalls::ListAttributes(const std::string& path, std::vector<std::string>* names) {
  names->clear();
  std::string list;
  if (ReadAll([&](char* data, size_t size) { return ::listxattr(path.c_str(), data, size); }, &list) != 0) return -1;
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find('\0', begin), list.size());
    names->push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return 0;
}

int SystemCalls::GetAttribute(const std::string& path, const std::string& name, std::string* value) {
  return ReadAll([&](char* data, size_t size) { return ::getxattr(path.c_str(), name.c_str(), data, size); }, value);
}

int SystemCalls::SetAttribute(int fd, const std::string& name, const std::string& value) {
  return ::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0);
}

int SystemCalls::RemoveAttribute(int fd, const std::string& name) { return ::fremovexattr(fd, name.c_str()); }

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
  off64_t from = from_offset, to = to_offset;
  return ::copy_file_range(from_fd, &from, to_fd, &to, size, 0);
}

int SystemCalls::Sync(int fd) { return ::fsync(fd); }

int SystemCalls::Rename(const std::string& from, const std::string& to) { return ::rename(from.c_str(), to.c_str()); }

int SystemCalls::RenameToNew(const std::string& from, const std::string& to) {
#ifdef RENAME_NOREPLACE
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
#else
  static_cast<void>(from);
  static_cast<void>(to);
  errno = ENOSYS;
  return -1;
#endif
}

int SystemCalls::Unlink(const std::string& path) { return ::unlink(path.c_str()); }

int SystemCalls::SyncDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  const int result = ::fsync(fd);
  const int saved = errno;
  ::close(fd);
  errno = saved;
  return result;
}

int SystemCalls::MakeDirectory(const std::string& path, mode_t mode) { return ::mkdir(path.c_str(), mode); }

int SystemCalls::RemoveDirectory(const std::string& path) { return ::rmdir(path.c_str()); }

int SystemCalls::ListDirectory(const std::string& path, std::vector<std::string>* names) {
  names->clear();
  DIR* const folder = ::opendir(path.c_str());
  if (folder == nullptr) return -1;
  errno = 0;
  while (const dirent* const entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names->push_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(folder);
  errno = error;
  return error == 0 ? 0 : -1;
}

int SystemCalls::TryLock(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB); }

bool SystemCalls::TryMark(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB) == 0; }

void SystemCalls::Unmark(int fd) { static_cast<void>(::flock(fd, LOCK_UN)); }

bool SystemCalls::IsRunning(pid_t process) { return ::kill(process, 0) == 0 || errno != ESRCH; }

void SystemCalls::Pause(int milliseconds) {
  const struct timespec duration = {milliseconds / 1000, (milliseconds % 1000) * 1'000'000L};
  ::nanosleep(&duration, nullptr);
}

}  // namespace modelvault
