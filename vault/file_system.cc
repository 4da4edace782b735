// All of vault/file_system.h but what writes files, which is in vault/atomic_file.cc.
#include "vault/file_system.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "vault/file_errors.h"
#include "vault/file_paths.h"
#include "vault/file_reading.h"
#include "vault/kept_attributes.h"

namespace modelvault {

// Closes a descriptor unless it was handed on.
class Descriptor {
 public:
  Descriptor(SystemCalls& calls, int fd) : calls_(calls), fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) calls_.Close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : calls_(other.calls_), fd_(other.Release()) {}
  Descriptor& operator=(Descriptor&&) = delete;

  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  void Replace(Descriptor other) { std::swap(fd_, other.fd_); }

 private:
  SystemCalls& calls_;
  int fd_;
};

namespace {

constexpr char kNoLocks[] =
    "this file system gives no locks (a network share?): work on a local disk and copy the result";

class OpenFile : public RandomAccessFile {
 public:
  OpenFile(SystemCalls& calls, DescriptorPool& pool, std::string path, int fd, const struct stat& info)
      : calls_(calls), pool_(pool), size_(static_cast<uint64_t>(info.st_size)) {
    file_.path = std::move(path);
    file_.fd = fd;
    file_.info = info;
    pool_.Add(&file_);
  }
  ~OpenFile() override { pool_.Remove(&file_); }

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (absl::Status status = CheckRange(path(), offset, out.size(), size_); !status.ok()) return status;
    const absl::StatusOr<int> fd = pool_.Acquire(&file_);
    if (!fd.ok()) return fd.status();
    absl::Status status = ReadFully(calls_, *fd, path(), offset, out);
    pool_.Release(&file_);
    return status;
  }
  uint64_t size() const override { return size_; }
  const std::string& path() const override { return file_.path; }
  int descriptor() const override { return pool_.KeepOpen(&file_).value_or(-1); }

 private:
  SystemCalls& calls_;
  DescriptorPool& pool_;
  mutable DescriptorPool::File file_;
  const uint64_t size_;
};

absl::Status LinkNotFollowed(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": is a symbolic link, which is not followed there: copy the folder with files in their places (cp -rL)"));
}

}  // namespace

FileLock::~FileLock() { calls_.Close(fd_); }

FileSystem& FileSystem::Default() {
  // Never destroyed: what it hands out may be closed while the process ends.
  static auto* const file_system = new FileSystem(SystemCalls::Posix());
  return *file_system;
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> FileSystem::OpenForRead(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  std::string path(path_view);
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  Descriptor file(calls_, pool_.Open([&] { return calls_.Open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0); }));
  if (file.get() < 0) return FileError(errno, path, "cannot open");
  return Adopt(std::move(file), std::move(path));
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> FileSystem::OpenVault(absl::string_view path) {
  if (!IsUrl(path)) return OpenForRead(path);
  if (url_opener_ != nullptr) return url_opener_(std::string(path));
  return absl::UnimplementedError(absl::StrCat(WithoutUserInfo(path), ": URLs are not opened here"));
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> FileSystem::Adopt(Descriptor file, std::string path) {
  struct stat info;
  if (calls_.StatOpen(file.get(), &info) != 0) return FileError(errno, path, "cannot look at the file");
  if (absl::Status status = CheckRegular(info, path); !status.ok()) return status;
  return std::make_unique<OpenFile>(calls_, pool_, std::move(path), file.Release(), info);
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> FileSystem::OpenBelow(const std::string& folder,
                                                                        absl::string_view relative) {
  std::string path = PathIn(folder, relative);
  for (const absl::string_view checked : {absl::string_view(folder), absl::string_view(path)}) {
    if (absl::Status status = CheckPath(checked); !status.ok()) return status;
  }
  const std::vector<std::string> names = absl::StrSplit(relative, '/');
  if (std::any_of(names.begin(), names.end(), [](const auto& n) { return n.empty() || n == "." || n == ".."; })) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no file below ", folder));
  }
  Descriptor at(calls_, pool_.Open([&] { return calls_.Open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0); }));
  if (at.get() < 0) return FileError(errno, folder, "cannot open the folder");
  std::string reached = folder;
  for (size_t i = 0;; ++i) {
    const bool last = i + 1 == names.size();
    // Without O_NONBLOCK, opening a pipe would wait for a writer.
    const int flags = (last ? O_RDONLY | O_NONBLOCK : O_PATH) | O_NOFOLLOW | O_CLOEXEC;
    reached = PathIn(reached, names[i]);
    Descriptor next(calls_, pool_.Open([&] { return calls_.OpenAt(at.get(), names[i], flags); }));
    if (next.get() < 0) return errno == ELOOP ? LinkNotFollowed(reached) : FileError(errno, path, "cannot open");
    if (last) return Adopt(std::move(next), std::move(path));
    struct stat info;
    if (calls_.StatOpen(next.get(), &info) != 0) return FileError(errno, reached, "cannot look at the folder");
    if (S_ISLNK(info.st_mode)) return LinkNotFollowed(reached);
    if (!S_ISDIR(info.st_mode)) return FileError(ENOTDIR, path, "cannot open");
    at.Replace(std::move(next));
  }
}

absl::StatusOr<std::string> FileSystem::ResolveTarget(const std::string& path, std::optional<struct stat>* replaced) {
  if (path.back() == '/') return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory, not a file"));
  struct stat info;
  if (calls_.Stat(path, &info) == 0) {
    if (absl::Status status = CheckRegular(info, path); !status.ok()) return status;
    std::string target;
    if (calls_.RealPath(path, &target) != 0) return FileError(errno, path, "cannot resolve");
    *replaced = info;
    return target;
  }
  if (errno != ENOENT) return FileError(errno, path, "cannot look at the file to be replaced");
  if (calls_.StatLink(path, &info) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a symbolic link that leads nowhere"));
  }
  if (errno != ENOENT) return FileError(errno, path, "cannot look at the file to be replaced");
  return path;
}

absl::Status FileSystem::CheckFolder(const std::string& path, const std::string& target) {
  FileFlags flags;
  if (calls_.GetFlags(FolderOf(target), &flags) != 0) {
    // What is wrong with the folder tells the attempt to make a file in it, unless the disk fails.
    if (errno == ENOENT || errno == ENOTDIR || IsRefused(errno)) return absl::OkStatus();
    return FileError(errno, path, "cannot look at the file's folder");
  }
  if (!flags.immutable && !flags.append_only) return absl::OkStatus();
  // In an append-only one the temporary file could be made, but neither renamed nor removed.
  return absl::UnavailableError(
      absl::StrCat(path, ": cannot be written: its folder is marked immutable or append-only (chattr -i, chattr -a)"));
}

absl::Status FileSystem::CheckReplaceable(const std::string& path, const std::string& target,
                                          const struct stat& replaced) {
  FileFlags flags;
  if (calls_.GetFlags(target, &flags) != 0) return FileError(errno, path, "cannot look at the file to be replaced");
  const std::string folder = FolderOf(target);
  struct stat folder_info;
  if (calls_.Stat(folder, &folder_info) != 0) {
    return FileError(errno, path, "cannot look at the folder of the file to be replaced");
  }
  const auto refuse = [&](absl::string_view what) { return absl::UnavailableError(absl::StrCat(path, ": ", what)); };
  if (flags.mount_point) return refuse(absl::StrCat("cannot be replaced: ", kMountPointHint));
  if (flags.immutable || flags.append_only) {
    return refuse("cannot be replaced: it is marked immutable or append-only (chattr -i, chattr -a)");
  }
  const uid_t user = ::geteuid();
  if ((folder_info.st_mode & S_ISVTX) != 0 && user != 0 && user != folder_info.st_uid && user != replaced.st_uid) {
    return refuse("cannot be replaced: it is another user's, in a folder where each may replace only their own");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AtomicFile>> FileSystem::CreateAtomic(absl::string_view path_view, Durability durability,
                                                                     Overwrite overwrite) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  std::optional<struct stat> replaced;
  absl::StatusOr<std::string> target = ResolveTarget(path, &replaced);
  if (!target.ok()) return target.status();
  if (absl::Status status = CheckFolder(path, *target); !status.ok()) return status;
  if (replaced.has_value()) {
    if (overwrite == Overwrite::kNever) return NameTaken(path);
    if (absl::Status status = CheckReplaceable(path, *target, *replaced); !status.ok()) return status;
  }
  std::unique_ptr<AtomicFile> file(new AtomicFile(calls_, pool_, unsynced_, path, *target, durability, overwrite));
  // What the old file had comes last: until then nobody else may open the new one.
  if (absl::Status status = file->OpenTemp(replaced.has_value() ? 0600 : 0666); !status.ok()) {
    return status;
  }
  if (!replaced.has_value()) return file;
  if (absl::Status status = KeepAttributes(calls_, *target, *replaced, file->fd_, path); !status.ok()) return status;
  return file;
}

absl::Status FileSystem::TryOutput(absl::string_view path) {
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = CreateAtomic(path, Durability::kNone);
  return file.ok() ? (*file)->Probe() : file.status();
}

absl::StatusOr<std::unique_ptr<FileLock>> FileSystem::Lock(absl::string_view path_view, const LockOptions& options) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  const auto open = [&](int flags) {
    return pool_.Open([&] { return calls_.Open(path, flags | O_CLOEXEC | O_NONBLOCK, 0); });
  };
  for (int attempt = 1;; ++attempt) {
    // Writable where possible: network file systems lock nothing else.
    int fd = open(O_RDWR);
    if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) fd = open(O_RDONLY);
    if (fd < 0) return FileError(errno, path, "cannot open to lock");
    Descriptor file(calls_, fd);
    struct stat held;
    if (calls_.StatOpen(fd, &held) != 0) return FileError(errno, path, "cannot look at the file to lock");
    if (absl::Status status = CheckRegular(held, path); !status.ok()) return status;

    if (calls_.TryLock(fd) == 0) {
      struct stat named;
      if (calls_.Stat(path, &named) != 0) {
        if (errno != ENOENT) return FileError(errno, path, "cannot look at the locked file");
      } else if (held.st_dev == named.st_dev && held.st_ino == named.st_ino) {
        if (absl::Status status = RemoveLeftovers(path); !status.ok()) return status;
        return std::unique_ptr<FileLock>(new FileLock(calls_, file.Release()));
      }
      // What we locked was replaced or removed between opening and locking. Go for what the path names now.
    } else if (errno != EWOULDBLOCK && errno != EINTR) {
      return FileError(errno, path, "cannot lock", IsRefused(errno) || errno == ENOLCK ? kNoLocks : "");
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
  return FileError(errno, path, "cannot look at the file");
}

absl::Status FileSystem::Copy(absl::string_view from, absl::string_view to, Overwrite overwrite) {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> source = OpenForRead(from);
  if (!source.ok()) return source.status();
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = CreateAtomic(to, Durability::kOnDisk, overwrite);
  if (!file.ok()) return file.status();
  const absl::Status status = (*file)->CopyFrom(**source, 0, (*source)->size());
  return status.ok() ? (*file)->Commit() : status;
}

absl::Status FileSystem::Move(absl::string_view from, absl::string_view to) {
  for (const absl::string_view path : {from, to}) {
    if (absl::Status status = CheckPath(path); !status.ok()) return status;
  }
  if (calls_.Rename(std::string(from), std::string(to)) == 0) return absl::OkStatus();
  return FileError(errno, to, absl::StrCat("cannot rename ", from, " to it"));
}

absl::StatusOr<bool> FileSystem::IsFolder(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  struct stat info;
  if (calls_.Stat(path, &info) == 0) return S_ISDIR(info.st_mode);
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return FileError(errno, path, "cannot look at the file");
}

absl::Status FileSystem::PlaceFolder(const std::string& from, const std::string& to,
                                     const std::set<std::string>& inner) {
  for (const std::string& path : {from, to}) {
    if (absl::Status status = CheckPath(path); !status.ok()) return status;
  }
  const auto sync = [&](const std::string& folder) {
    return pool_.Open([&] { return calls_.SyncDirectory(folder); }) == 0 || IsRefused(errno);
  };
  if (!std::all_of(inner.begin(), inner.end(), sync) || !sync(from)) {
    return FileError(errno, to, "cannot sync the new folder to disk");
  }
  if (calls_.Rename(from, to) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
      return absl::AlreadyExistsError(absl::StrCat(to, ": is there already"));
    }
    return FileError(errno, to, absl::StrCat("cannot rename ", from, " to it"));
  }
  if (sync(FolderOf(to))) return absl::OkStatus();
  absl::Status why = absl::UnknownError(
      absl::StrCat(to, ": the new folder is in place and complete, but the one it is in could not be synced to disk: ",
                   std::strerror(errno)));
  if (!unsynced_) return why;
  unsynced_(why);
  return absl::OkStatus();
}

absl::Status FileSystem::CreateEmpty(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  const int fd = pool_.Open([&] { return calls_.Open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
  if (fd >= 0) {
    calls_.Close(fd);
    return absl::OkStatus();
  }
  if (errno == EEXIST) return absl::AlreadyExistsError(absl::StrCat(path, ": is there already"));
  return FileError(errno, path, "cannot create", errno == EINVAL || errno == EILSEQ ? kBadNameHint : "");
}

absl::Status FileSystem::MakeFolders(absl::string_view path_view, std::vector<std::string>* made) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  std::string path(path_view);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const auto make = [&] {
    if (calls_.MakeDirectory(path, 0777) != 0) return false;
    if (made != nullptr) made->push_back(path);
    return true;
  };
  if (make()) return absl::OkStatus();
  if (errno == ENOENT && FolderOf(path) != path && FolderOf(path) != ".") {
    if (absl::Status status = MakeFolders(FolderOf(path), made); !status.ok()) return status;
    if (make()) return absl::OkStatus();
  }
  const int error = errno;
  // Also where the folders above are read-only.
  struct stat info;
  if (calls_.Stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return absl::OkStatus();
  const absl::Status status = FileError(error, path, "cannot make the folder");
  return error == ENOTDIR ? absl::UnavailableError(status.message()) : status;
}

absl::StatusOr<std::vector<std::string>> FileSystem::List(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  std::vector<std::string> names;
  if (pool_.Open([&] { return calls_.ListDirectory(path, &names); }) != 0) {
    return FileError(errno, path, "cannot list the folder");
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status FileSystem::Remove(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  struct stat info;
  const int looked = calls_.StatLink(path, &info);
  if (looked != 0 && (errno == ENOENT || errno == ENOTDIR)) return absl::OkStatus();
  if (looked != 0) return FileError(errno, path, "cannot look at the file");
  const int removed = S_ISDIR(info.st_mode) ? calls_.RemoveDirectory(path) : calls_.Unlink(path);
  if (removed == 0 || errno == ENOENT) return absl::OkStatus();
  return FileError(errno, path, "cannot remove");
}

absl::Status FileSystem::RemoveFolder(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  if (calls_.RemoveDirectory(path) == 0 || errno == ENOENT) return absl::OkStatus();
  return FileError(errno, path, "cannot remove the folder");
}

absl::Status FileSystem::RemoveTree(absl::string_view path_view) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  const std::string path(path_view);
  struct stat info;
  if (calls_.StatLink(path, &info) == 0 && S_ISDIR(info.st_mode)) {
    const absl::StatusOr<std::vector<std::string>> names = List(path);
    if (!names.ok()) return absl::IsNotFound(names.status()) ? absl::OkStatus() : names.status();
    for (const std::string& name : *names) {
      if (absl::Status status = RemoveTree(absl::StrCat(path, "/", name)); !status.ok()) return status;
    }
  }
  return Remove(path);
}

}  // namespace modelvault
