// The part of vault/file_system.h that writes.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "vault/file_errors.h"
#include "vault/file_paths.h"
#include "vault/file_reading.h"
#include "vault/file_system.h"

namespace modelvault {
namespace {

constexpr size_t kAppendBufferSize = 64 * 1024;
constexpr size_t kCopyChunkSize = 256 * 1024;
constexpr uint64_t kKernelCopySize = uint64_t{1} << 30;
constexpr uint64_t kMaxOffset = std::numeric_limits<off_t>::max();
// More than enough for leftovers of killed processes that had our process number.
constexpr int kTempNameAttempts = 1000;
// A temporary name is the target's, cut to this, and about 30 bytes more; file systems allow 255.
constexpr size_t kTempNameStemSize = 200;

constexpr char kElsewhere[] =
    "a file cannot be written whole or not at all here (a bucket, a share?): write to another file system and copy the "
    "result";

constexpr char kTempSuffix[] = ".tmp";

size_t NameStart(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? 0 : slash + 1;
}

// What the names of a target's temporary files begin with; a process's number follows.
std::string TempNamePrefix(const std::string& target) {
  std::string stem = target.substr(NameStart(target), kTempNameStemSize + 1);
  if (stem.size() > kTempNameStemSize) {
    // Not within a character of UTF-8, of at most 4 bytes: some file systems take nothing else.
    size_t size = kTempNameStemSize;
    while (size > kTempNameStemSize - 3 && (static_cast<uint8_t>(stem[size]) & 0xC0) == 0x80) --size;
    stem.resize(size);
  }
  return absl::StrCat(".", stem, ".");
}

std::string TempPathFor(const std::string& target) {
  static std::atomic<uint64_t> counter{0};
  return absl::StrCat(target.substr(0, NameStart(target)), TempNamePrefix(target), ::getpid(), "-",
                      counter.fetch_add(1), kTempSuffix);
}

// The number of the process that made a temporary file of that name; 0: it is none.
pid_t WriterOf(absl::string_view name, absl::string_view prefix) {
  if (!absl::ConsumePrefix(&name, prefix) || !absl::ConsumeSuffix(&name, kTempSuffix)) return 0;
  const std::pair<absl::string_view, absl::string_view> numbers = absl::StrSplit(name, absl::MaxSplits('-', 1));
  pid_t process = 0;
  uint64_t counter = 0;
  const bool is_ours = absl::SimpleAtoi(numbers.first, &process) && absl::SimpleAtoi(numbers.second, &counter);
  return is_ours && process > 0 ? process : 0;
}

}  // namespace

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) calls_.Close(fd_);
  if (temp_exists_) calls_.Unlink(temp_path_);
}

absl::Status AtomicFile::OpenTemp(mode_t mode) {
  for (int attempt = 0;; ++attempt) {
    temp_path_ = TempPathFor(target_);
    fd_ = pool_.Open([&] { return calls_.Open(temp_path_, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode); });
    if (fd_ >= 0) break;
    if (errno == EEXIST && attempt < kTempNameAttempts) continue;
    return FileError(errno, path_, absl::StrCat("cannot create the temporary file ", temp_path_),
                     errno == EINVAL || errno == EILSEQ                         ? kBadNameHint
                     : errno == EPERM || errno == ENOSYS || errno == EOPNOTSUPP ? kElsewhere
                                                                                : "");
  }
  temp_exists_ = true;
  static_cast<void>(calls_.TryMark(fd_));
  return absl::OkStatus();
}

// Those whose process is gone, and whose lock nobody has: processes of other machines and containers have numbers of
// their own.
absl::Status FileSystem::RemoveLeftovers(const std::string& path) {
  std::string target;
  if (calls_.RealPath(path, &target) != 0) return FileError(errno, path, "cannot resolve");
  const std::string folder = FolderOf(target);
  std::vector<std::string> names;
  if (pool_.Open([&] { return calls_.ListDirectory(folder, &names); }) != 0) {
    // Who may write in a folder need not be allowed to look into it.
    return IsRefused(errno) ? absl::OkStatus() : FileError(errno, path, "cannot list its folder");
  }
  const std::string prefix = TempNamePrefix(target);
  for (const std::string& name : names) {
    const pid_t writer = WriterOf(name, prefix);
    if (writer == 0 || writer == ::getpid() || calls_.IsRunning(writer)) continue;
    const std::string leftover = absl::StrCat(target.substr(0, NameStart(target)), name);
    const int fd = pool_.Open([&] { return calls_.Open(leftover, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0); });
    if (fd < 0) continue;
    struct stat info;
    if (calls_.StatOpen(fd, &info) == 0 && S_ISREG(info.st_mode) && calls_.TryMark(fd)) calls_.Unlink(leftover);
    calls_.Close(fd);
  }
  return absl::OkStatus();
}

// Writes where nothing is, then before it, and moves the file over another one.
absl::Status AtomicFile::Probe() {
  constexpr uint8_t kByte[1] = {0};
  for (const uint64_t offset : {1, 0}) {
    if (absl::Status status = WriteAt(offset, kByte); !status.ok()) return status;
  }
  AtomicFile other(calls_, pool_, unsynced_, path_, target_, Durability::kNone, Overwrite::kAllowed);
  if (absl::Status status = other.OpenTemp(0600); !status.ok()) return status;
  return Rename(other.temp_path_, Overwrite::kAllowed);
}

absl::Status AtomicFile::Rename(const std::string& to, Overwrite overwrite) {
  int result = -1;
  if (overwrite == Overwrite::kNever) {
    result = calls_.RenameToNew(temp_path_, to);
    if (result != 0 && errno == EEXIST) return NameTaken(path_);
  }
  // Not every file system and sandbox has that call. Then the look just before has to do.
  if (overwrite == Overwrite::kAllowed || (result != 0 && (IsUnsupported(errno) || errno == EPERM))) {
    result = calls_.Rename(temp_path_, to);
  }
  if (result != 0) {
    const int error = errno;
    return FileError(error, path_, absl::StrCat("cannot rename ", temp_path_, " to ", to == target_ ? "it" : to),
                     error == EBUSY                           ? kMountPointHint
                     : IsUnsupported(error) || error == EXDEV ? kElsewhere
                                                              : "");
  }
  temp_exists_ = false;
  return absl::OkStatus();
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
      const int error = n < 0 ? errno : EIO;
      return FileError(error, path_, absl::StrCat("cannot write ", data.size(), " bytes at offset ", offset),
                       IsUnsupported(error) || error == ESPIPE ? kElsewhere : "");
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
    if (absl::Status range = CheckRange(path_, offset, out.size(), size_); !range.ok()) return range;
  }
  absl::Status status = ReadFully(calls_, fd_, path_, offset, out);
  return status.ok() ? status : Fail(std::move(status));
}

absl::Status AtomicFile::CopyFrom(const RandomAccessFile& source, uint64_t offset, uint64_t length) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (absl::Status status = CheckWritableLocked(size_, length); !status.ok()) return status;
  if (absl::Status range = CheckRange(source.path(), offset, length, source.size()); !range.ok()) {
    return FailLocked(std::move(range));
  }
  if (absl::Status status = FlushLocked(); !status.ok()) return status;

  bool in_kernel = source.descriptor() >= 0;
  std::vector<uint8_t> chunk;
  while (length > 0) {
    if (in_kernel) {
      const size_t wanted = static_cast<size_t>(std::min<uint64_t>(length, kKernelCopySize));
      const ssize_t n =
          calls_.CopyRange(source.descriptor(), static_cast<off_t>(offset), fd_, static_cast<off_t>(size_), wanted);
      if (n > 0) {
        const absl::StatusOr<bool> same = SameBytes(source, offset, static_cast<uint64_t>(n));
        if (!same.ok()) return FailLocked(same.status());
        // Some file systems copy, and say so, but leave zeros.
        in_kernel = *same;
        if (!in_kernel) continue;
        offset += static_cast<uint64_t>(n);
        length -= static_cast<uint64_t>(n);
        size_ += static_cast<uint64_t>(n);
      } else if (n < 0 && errno == EINTR) {
        continue;
      } else if (n < 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
        return FailLocked(FileError(errno, path_,
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

absl::StatusOr<bool> AtomicFile::SameBytes(const RandomAccessFile& source, uint64_t offset, uint64_t length) {
  std::vector<uint8_t> theirs, ours;
  for (uint64_t done = 0; done < length; done += ours.size()) {
    theirs.resize(static_cast<size_t>(std::min<uint64_t>(length - done, kCopyChunkSize)));
    ours.resize(theirs.size());
    if (absl::Status status = source.ReadAt(offset + done, absl::MakeSpan(theirs)); !status.ok()) return status;
    absl::Status status = ReadFully(calls_, fd_, path_, size_ + done, absl::MakeSpan(ours));
    if (!status.ok()) return status;
    if (theirs != ours) return false;
  }
  return true;
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
  if (durability_ != Durability::kNone && calls_.Sync(fd_) != 0) {
    return FailLocked(FileError(errno, path_, "cannot sync the new file to disk"));
  }

  // A rename would quietly replace a pipe or a device that took the name meanwhile.
  struct stat info;
  if (calls_.StatLink(target_, &info) == 0) {
    if (absl::Status status = CheckRegular(info, path_); !status.ok()) return FailLocked(std::move(status));
    if (overwrite_ == Overwrite::kNever) return FailLocked(NameTaken(path_));
  } else if (errno != ENOENT) {
    return FailLocked(FileError(errno, path_, "cannot look at the file to be replaced"));
  }
  calls_.Unmark(fd_);  // Under its new name the lock would be in the next writer's way.
  if (absl::Status status = Rename(target_, overwrite_); !status.ok()) return FailLocked(std::move(status));
  committed_ = true;
  if (durability_ != Durability::kOnDisk) return absl::OkStatus();
  // Where a folder cannot be synced, or not by one who may not read it, the rename is as durable as it gets.
  if (pool_.Open([&] { return calls_.SyncDirectory(FolderOf(target_)); }) != 0 && !IsRefused(errno)) {
    absl::Status why = absl::UnknownError(
        absl::StrCat(path_, ": the new file is in place and complete, but its folder could not be synced to disk: ",
                     std::strerror(errno), "; a power cut now might bring the old one back"));
    if (!unsynced_) return FailLocked(std::move(why));
    unsynced_(why);
  }
  return absl::OkStatus();
}

}  // namespace modelvault
