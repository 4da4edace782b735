#include "vault/file_system.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace modelvault {
namespace {

constexpr size_t kAppendBufferSize = 64 * 1024;
constexpr size_t kCopyChunkSize = 256 * 1024;
constexpr uint64_t kMaxOffset = std::numeric_limits<off_t>::max();
// More than enough for leftovers of killed processes that had our process number.
constexpr int kTempNameAttempts = 1000;
// A temporary name is the target's, cut to this, and about 30 bytes more; file systems allow 255.
constexpr size_t kTempNameStemSize = 200;

absl::Status Error(int error_number, absl::string_view path, absl::string_view what) {
  const std::string message = absl::StrCat(path, ": ", what, ": ", std::strerror(error_number));
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

absl::Status OutOfRange(absl::string_view path, uint64_t offset, uint64_t expected, uint64_t actual) {
  return absl::DataLossError(
      absl::StrCat(path, ": file too short: expected ", expected, " bytes at offset ", offset, ", found ", actual));
}

// How many of `length` bytes at `offset` a file of `size` bytes has.
uint64_t Available(uint64_t offset, uint64_t length, uint64_t size) {
  return offset > size ? 0 : std::min(length, size - offset);
}

// An embedded NUL would silently name another file.
absl::Status CheckPath(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("empty file name");
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(path.substr(0, path.find('\0')), ": file name contains a NUL"));
  }
  return absl::OkStatus();
}

absl::Status CheckRegular(const struct stat& info, absl::string_view path) {
  if (S_ISREG(info.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, S_ISDIR(info.st_mode) ? ": is a directory, not a file" : ": is not a regular file"));
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string TempPathFor(const std::string& target) {
  static std::atomic<uint64_t> counter{0};
  const size_t slash = target.rfind('/');
  const size_t name_start = slash == std::string::npos ? 0 : slash + 1;
  return absl::StrCat(target.substr(0, name_start), ".", target.substr(name_start, kTempNameStemSize), ".", ::getpid(),
                      "-", counter.fetch_add(1), ".tmp");
}

absl::Status ReadFully(SystemCalls& calls, int fd, const std::string& path, uint64_t offset, absl::Span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = calls.ReadAt(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0) {
      if (errno == EINTR) continue;
      return Error(errno, path, absl::StrCat("cannot read ", out.size() - done, " bytes at offset ", offset + done));
    }
    if (n == 0) return OutOfRange(path, offset, out.size(), done);
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

// Closes a descriptor unless it was handed on.
class Descriptor {
 public:
  Descriptor(SystemCalls& calls, int fd) : calls_(calls), fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) calls_.Close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  SystemCalls& calls_;
  int fd_;
};

class OpenFile : public RandomAccessFile {
 public:
  OpenFile(SystemCalls& calls, std::string path, int fd, uint64_t size)
      : calls_(calls), path_(std::move(path)), fd_(fd), size_(size) {}
  ~OpenFile() override { calls_.Close(fd_); }

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    const uint64_t available = Available(offset, out.size(), size_);
    if (available < out.size() || offset > size_) return OutOfRange(path_, offset, out.size(), available);
    return ReadFully(calls_, fd_, path_, offset, out);
  }
  uint64_t size() const override { return size_; }
  const std::string& path() const override { return path_; }
  int descriptor() const override { return fd_; }

 private:
  SystemCalls& calls_;
  const std::string path_;
  const int fd_;
  const uint64_t size_;
};

}  // namespace

AtomicFile::AtomicFile(SystemCalls& calls, std::string path, std::string target, std::string temp_path, int fd)
    : calls_(calls), path_(std::move(path)), target_(std::move(target)), temp_path_(std::move(temp_path)), fd_(fd) {}

AtomicFile::~AtomicFile() {
  calls_.Close(fd_);
  if (temp_exists_) calls_.Unlink(temp_path_);
}

absl::Status AtomicFile::Fail(absl::Status status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return FailLocked(std::move(status));
}

absl::Status AtomicFile::FailLocked(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
  return status_;
}

absl::Status AtomicFile::CheckWritableLocked(uint64_t offset, uint64_t length) {
  if (!status_.ok()) return status_;
  if (committed_) return FailLocked(absl::FailedPreconditionError(absl::StrCat(path_, ": written after its commit")));
  if (offset > kMaxOffset || length > kMaxOffset - offset) {
    return FailLocked(absl::InvalidArgumentError(
        absl::StrCat(path_, ": ", length, " bytes at offset ", offset, " exceed the largest file")));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::WriteFully(uint64_t offset, absl::Span<const uint8_t> data) {
  while (!data.empty()) {
    const ssize_t n = calls_.WriteAt(fd_, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return Error(n < 0 ? errno : EIO, path_, absl::StrCat("cannot write ", data.size(), " bytes at offset ", offset));
    }
    offset += static_cast<uint64_t>(n);
    data.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::FlushLocked() {
  if (!status_.ok()) return status_;
  absl::Status status = WriteFully(size_ - pending_.size(), pending_);
  pending_.clear();
  return status.ok() ? status : FailLocked(std::move(status));
}

absl::Status AtomicFile::Append(absl::Span<const uint8_t> data) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (absl::Status status = CheckWritableLocked(size_, data.size()); !status.ok()) return status;
  if (pending_.size() + data.size() > kAppendBufferSize) {
    if (absl::Status status = FlushLocked(); !status.ok()) return status;
  }
  if (data.size() >= kAppendBufferSize) {
    if (absl::Status status = WriteFully(size_, data); !status.ok()) return FailLocked(std::move(status));
  } else {
    pending_.insert(pending_.end(), data.begin(), data.end());
  }
  size_ += data.size();
  return absl::OkStatus();
}

absl::Status AtomicFile::WriteAt(uint64_t offset, absl::Span<const uint8_t> data) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (absl::Status status = CheckWritableLocked(offset, data.size()); !status.ok()) return status;
    if (absl::Status status = FlushLocked(); !status.ok()) return status;
    if (data.empty()) return absl::OkStatus();
    size_ = std::max<uint64_t>(size_, offset + data.size());
  }
  // Without the mutex, so that threads write side by side.
  absl::Status status = WriteFully(offset, data);
  return status.ok() ? status : Fail(std::move(status));
}

absl::Status AtomicFile::ReadAt(uint64_t offset, absl::Span<uint8_t> out) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (absl::Status status = FlushLocked(); !status.ok()) return status;
    const uint64_t available = Available(offset, out.size(), size_);
    if (available < out.size() || offset > size_) return OutOfRange(path_, offset, out.size(), available);
  }
  absl::Status status = ReadFully(calls_, fd_, path_, offset, out);
  return status.ok() ? status : Fail(std::move(status));
}

absl::Status AtomicFile::CopyFrom(const RandomAccessFile& source, uint64_t offset, uint64_t length) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (absl::Status status = CheckWritableLocked(size_, length); !status.ok()) return status;
  if (const uint64_t available = Available(offset, length, source.size()); available < length) {
    return FailLocked(OutOfRange(source.path(), offset, length, available));
  }
  if (absl::Status status = FlushLocked(); !status.ok()) return status;

  bool in_kernel = source.descriptor() >= 0;
  std::vector<uint8_t> chunk;
  while (length > 0) {
    if (in_kernel) {
      const size_t wanted = static_cast<size_t>(std::min<uint64_t>(length, uint64_t{1} << 30));
      const ssize_t n =
          calls_.CopyRange(source.descriptor(), static_cast<off_t>(offset), fd_, static_cast<off_t>(size_), wanted);
      if (n > 0) {
        offset += static_cast<uint64_t>(n);
        length -= static_cast<uint64_t>(n);
        size_ += static_cast<uint64_t>(n);
      } else if (n < 0 && errno == EINTR) {
        continue;
      } else if (n < 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
        return FailLocked(Error(errno, path_,
                                absl::StrCat("cannot copy ", length, " bytes of ", source.path(), " from offset ",
                                             offset, " to offset ", size_)));
      } else {
        // Not between these two files, on this kernel, or in this sandbox (the errors for that vary), or at the end of
        // a file that shrank: plain reads and writes do the rest or say what is wrong.
        in_kernel = false;
      }
      continue;
    }
    chunk.resize(static_cast<size_t>(std::min<uint64_t>(length, kCopyChunkSize)));
    absl::Status status = source.ReadAt(offset, absl::MakeSpan(chunk));
    if (status.ok()) status = WriteFully(size_, chunk);
    if (!status.ok()) return FailLocked(std::move(status));
    offset += chunk.size();
    length -= chunk.size();
    size_ += chunk.size();
  }
  return absl::OkStatus();
}

uint64_t AtomicFile::size() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return size_;
}

absl::Status AtomicFile::Commit() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (absl::Status status = CheckWritableLocked(size_, 0); !status.ok()) return status;
  if (absl::Status status = FlushLocked(); !status.ok()) return status;
  // Once only: after a failed fsync the kernel may have dropped the bytes, and a second one would claim success.
  if (calls_.Sync(fd_) != 0) return FailLocked(Error(errno, path_, "cannot sync the new file to disk"));

  // A rename would quietly replace a pipe or a device that took the name meanwhile.
  struct stat info;
  if (calls_.StatLink(target_, &info) == 0) {
    if (absl::Status status = CheckRegular(info, path_); !status.ok()) return FailLocked(std::move(status));
  } else if (errno != ENOENT) {
    return FailLocked(Error(errno, path_, "cannot look at the file to be replaced"));
  }
  if (calls_.Rename(temp_path_, target_) != 0) {
    return FailLocked(Error(errno, path_, absl::StrCat("cannot rename ", temp_path_, " to it")));
  }
  temp_exists_ = false;
  committed_ = true;
  if (calls_.SyncDirectory(FolderOf(target_)) != 0) {
    return FailLocked(Error(errno, path_, "the new file is in place, but its folder could not be synced to disk"));
  }
  return absl::OkStatus();
}

FileLock::~FileLock() { calls_.Close(fd_); }

FileSystem& FileSystem::Default() {
  static FileSystem file_system(SystemCalls::Posix());
  return file_system;
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> FileSystem::OpenForRead(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  std::string path(path_view);
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  Descriptor file(calls_, calls_.Open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0));
  if (file.get() < 0) return Error(errno, path, "cannot open");
  struct stat info;
  if (calls_.StatOpen(file.get(), &info) != 0) return Error(errno, path, "cannot look at the file");
  if (absl::Status status = CheckRegular(info, path); !status.ok()) return status;
  return std::make_unique<OpenFile>(calls_, std::move(path), file.Release(), static_cast<uint64_t>(info.st_size));
}

absl::StatusOr<std::unique_ptr<AtomicFile>> FileSystem::CreateAtomic(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  std::string path(path_view);
  if (path.back() == '/') return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory, not a file"));

  std::string target = path;
  struct stat info;
  const bool replaces = calls_.Stat(path, &info) == 0;
  if (replaces) {
    if (absl::Status status = CheckRegular(info, path); !status.ok()) return status;
    if (calls_.RealPath(path, &target) != 0) return Error(errno, path, "cannot resolve");
  } else if (errno != ENOENT) {
    return Error(errno, path, "cannot look at the file to be replaced");
  } else if (calls_.StatLink(path, &info) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a symbolic link that leads nowhere"));
  } else if (errno != ENOENT) {
    return Error(errno, path, "cannot look at the file to be replaced");
  }

  for (int attempt = 0;; ++attempt) {
    std::string temp_path = TempPathFor(target);
    const mode_t mode = replaces ? info.st_mode & 0777 : 0666;
    const int fd = calls_.Open(temp_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
      if (errno == EEXIST && attempt < kTempNameAttempts) continue;
      return Error(errno, path, absl::StrCat("cannot create the temporary file ", temp_path));
    }
    // From here on the temporary file has an owner that removes it.
    std::unique_ptr<AtomicFile> file(new AtomicFile(calls_, path, target, std::move(temp_path), fd));
    // Open() narrowed the mode by the umask, which must not change a file that is only replaced.
    if (replaces && calls_.ChangeMode(fd, info.st_mode & 0777) != 0) {
      return Error(errno, path, "cannot give the new file the old one's permissions");
    }
    return file;
  }
}

absl::StatusOr<std::unique_ptr<FileLock>> FileSystem::Lock(absl::string_view path_view, const LockOptions& options) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  for (int attempt = 1;; ++attempt) {
    // Writable where possible: network file systems lock nothing else.
    int fd = calls_.Open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0 && (errno == EACCES || errno == EROFS)) fd = calls_.Open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) return Error(errno, path, "cannot open to lock");
    Descriptor file(calls_, fd);
    struct stat held;
    if (calls_.StatOpen(fd, &held) != 0) return Error(errno, path, "cannot look at the file to lock");
    if (absl::Status status = CheckRegular(held, path); !status.ok()) return status;

    if (calls_.TryLock(fd) == 0) {
      struct stat named;
      if (calls_.Stat(path, &named) != 0) {
        if (errno != ENOENT) return Error(errno, path, "cannot look at the locked file");
      } else if (held.st_dev == named.st_dev && held.st_ino == named.st_ino) {
        return std::unique_ptr<FileLock>(new FileLock(calls_, file.Release()));
      }
      // What we locked was replaced or removed between opening and locking. Go for what the path names now.
    } else if (errno != EWOULDBLOCK && errno != EINTR) {
      return Error(errno, path, "cannot lock");
    }
    if (attempt >= options.attempts) {
      return absl::AbortedError(absl::StrCat(path, " is being written by another process"));
    }
    calls_.Pause(options.interval_ms);
  }
}

absl::StatusOr<bool> FileSystem::Exists(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  struct stat info;
  if (calls_.Stat(path, &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return Error(errno, path, "cannot look at the file");
}

}  // namespace modelvault
