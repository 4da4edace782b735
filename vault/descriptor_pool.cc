#include "vault/descriptor_pool.h"

#include <fcntl.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "vault/file_errors.h"

namespace modelvault {
namespace {

bool SameContents(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

int DescriptorPool::Open(const std::function<int()>& open) {
  // Without the mutex: it may take long.
  const int result = open();
  if (result >= 0 || (errno != EMFILE && errno != ENFILE)) return result;
  std::unique_lock<std::mutex> lock(mutex_);
  return OpenLocked(&lock, open);
}

int DescriptorPool::OpenLocked(std::unique_lock<std::mutex>* lock, const std::function<int()>& open) {
  for (;;) {
    const int result = open();
    if (result >= 0 || (errno != EMFILE && errno != ENFILE)) return result;
    if (!idle_.empty()) {
      File* const file = idle_.front();
      idle_.pop_front();
      calls_.Close(file->fd);
      file->fd = -1;
    } else if (users_ > 0) {
      released_.wait(*lock);
    } else {
      return result;
    }
  }
}

void DescriptorPool::Add(File* file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  file->idle = idle_.insert(idle_.end(), file);
}

void DescriptorPool::Remove(File* file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (file->fd < 0) return;
  if (!file->kept_open) idle_.erase(file->idle);
  calls_.Close(file->fd);
  file->fd = -1;
}

absl::StatusOr<int> DescriptorPool::AcquireLocked(std::unique_lock<std::mutex>* lock, File* file) {
  while (file->fd < 0) {
    // O_NONBLOCK: what has the name now may be a pipe.
    const int fd = OpenLocked(lock, [&] { return calls_.Open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0); });
    if (fd < 0) return FileError(errno, file->path, "cannot open it again");
    struct stat info;
    const bool looked = calls_.StatOpen(fd, &info) == 0;
    const int error = errno;
    // Another thread may have opened it while this one waited for a descriptor.
    if (looked && SameContents(info, file->info) && file->fd < 0) {
      file->fd = fd;
      if (!file->kept_open && file->users == 0) file->idle = idle_.insert(idle_.end(), file);
      continue;
    }
    calls_.Close(fd);
    if (!looked) return FileError(error, file->path, "cannot look at the file");
    if (!SameContents(info, file->info)) {
      return absl::DataLossError(absl::StrCat(file->path, ": changed, or was replaced, while it was being read"));
    }
  }
  return file->fd;
}

absl::StatusOr<int> DescriptorPool::Acquire(File* file) {
  std::unique_lock<std::mutex> lock(mutex_);
  const absl::StatusOr<int> fd = AcquireLocked(&lock, file);
  if (!fd.ok()) return fd;
  ++users_;
  if (file->users++ == 0 && !file->kept_open) idle_.erase(file->idle);
  return fd;
}

void DescriptorPool::Release(File* file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  --users_;
  if (--file->users == 0 && !file->kept_open) file->idle = idle_.insert(idle_.end(), file);
  released_.notify_all();
}

absl::StatusOr<int> DescriptorPool::KeepOpen(File* file) {
  std::unique_lock<std::mutex> lock(mutex_);
  const absl::StatusOr<int> fd = AcquireLocked(&lock, file);
  if (!fd.ok() || file->kept_open) return fd;
  if (file->users == 0) idle_.erase(file->idle);
  file->kept_open = true;
  return fd;
}

}  // namespace modelvault
