#ifndef MODELVAULT_TESTS_VAULT_FAULTY_FILE_SYSTEM_H_
#define MODELVAULT_TESTS_VAULT_FAULTY_FILE_SYSTEM_H_

// A file system whose disk fails on demand: any single operation, or all from some point on, or the power. It works on
// real files, and faults come in below the shipping code, so its reactions (errors, cleaning up) are the real ones:
//
//   FaultyFileSystem disk;
//   Write(disk, path);                                 // a first run counts
//   const int count = disk.count();
//   for (int n = 1; n <= count; ++n) {
//     disk.PowerCutAt(n);
//     EXPECT_THAT(Write(disk, path), Not(IsOk()));
//     disk.Repair();                                   // power is back; look at what is on the disk
//     ...
//   }

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vault/file_system.h"

namespace modelvault {

enum class DiskOperation {
  kOpen,        // of an existing file
  kCreate,      // of a temporary file or a folder
  kStat,        // looking at a path, an open file, a folder or their attributes, resolving links
  kChangeMode,  // or owner, or an attribute
  kRead,
  kWrite,
  kCopy,  // copy inside the kernel
  kSync,
  kRename,
  kSyncDirectory,
  kLock,
  kUnlink,  // of a file or a folder; its failures go unreported (there is nothing left to try), so count() leaves it
            // out
};
inline constexpr int kDiskOperationCount = 12;

class FaultyCalls : public SystemCalls {
 public:
  // Makes the n-th `operation` from now on (1 is the next) fail with `error_number`, and with `lasting` all after it.
  void FailAt(DiskOperation operation, int n, int error_number, bool lasting = false) {
    Arm({.fault = Fault::kError,
         .any = false,
         .operation = operation,
         .n = n,
         .error = error_number,
         .lasting = lasting});
  }
  // The same for the n-th operation of any kind but kUnlink.
  void FailAt(int n, int error_number, bool lasting = false) {
    Arm({.fault = Fault::kError, .n = n, .error = error_number, .lasting = lasting});
  }
  // Makes the n-th read, write or copy transfer only half of what it was asked for (at least a byte), which is no
  // error.
  void ShortenAt(DiskOperation operation, int n, bool lasting = false) {
    Arm({.fault = Fault::kShort, .any = false, .operation = operation, .n = n, .lasting = lasting});
  }
  // Makes the n-th read and all after it meet the end of the file.
  void EndFileAtRead(int n) {
    Arm({.fault = Fault::kEnd, .any = false, .operation = DiskOperation::kRead, .n = n, .lasting = true});
  }
  // From the n-th operation of any kind on, nothing is carried out any more. What was written but never synced is lost:
  // such files are empty afterwards. Temporary files stay behind.
  void PowerCutAt(int n) { Arm({.fault = Fault::kPowerCut, .n = n, .lasting = true}); }

  // Ends all faults and starts counting anew.
  void Repair() { Arm({}); }

  // Operations since the last Repair or order to fail, those that failed included.
  int count(DiskOperation operation) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return counts_[static_cast<size_t>(operation)];
  }
  int count() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return total_;
  }
  int pauses() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return pauses_;
  }
  // What the last fault hit, since the last Repair or order to fail.
  std::optional<DiskOperation> hit() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return hit_;
  }

  int Open(const std::string& path, int flags, mode_t mode) override {
    if (Begin((flags & O_CREAT) != 0 ? DiskOperation::kCreate : DiskOperation::kOpen) != Outcome::kGo) return -1;
    return SystemCalls::Open(path, flags, mode);
  }
  int OpenAt(int folder_fd, const std::string& name, int flags) override {
    return Begin(DiskOperation::kOpen) == Outcome::kGo ? SystemCalls::OpenAt(folder_fd, name, flags) : -1;
  }
  int Close(int fd) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    unsynced_.erase(fd);
    return SystemCalls::Close(fd);
  }
  int Stat(const std::string& path, struct stat* out) override {
    return Begin(DiskOperation::kStat) == Outcome::kGo ? SystemCalls::Stat(path, out) : -1;
  }
  int StatLink(const std::string& path, struct stat* out) override {
    return Begin(DiskOperation::kStat) == Outcome::kGo ? SystemCalls::StatLink(path, out) : -1;
  }
  int StatOpen(int fd, struct stat* out) override {
    return Begin(DiskOperation::kStat) == Outcome::kGo ? SystemCalls::StatOpen(fd, out) : -1;
  }
  int ChangeMode(int fd, mode_t mode) override {
    return Begin(DiskOperation::kChangeMode) == Outcome::kGo ? SystemCalls::ChangeMode(fd, mode) : -1;
  }
  int ChangeOwner(int fd, uid_t user, gid_t group) override {
    return Begin(DiskOperation::kChangeMode) == Outcome::kGo ? SystemCalls::ChangeOwner(fd, user, group) : -1;
  }
  int GetFlags(const std::string& path, FileFlags* out) override {
    return Begin(DiskOperation::kStat) == Outcome::kGo ? SystemCalls::GetFlags(path, out) : -1;
  }
  int ListAttributes(const std::string& path, std::vector<std::string>* names) override {
    return Begin(DiskOperation::kStat) == Outcome::kGo ? SystemCalls::ListAttributes(path, names) : -1;
  }
  int GetAttribute(const std::string& path, const std::string& name, std::string* value) override {
    return Begin(DiskOperation::kStat) == Outcome::kGo ? SystemCalls::GetAttribute(path, name, value) : -1;
  }
  int SetAttribute(int fd, const std::string& name, const std::string& value) override {
    return Begin(DiskOperation::kChangeMode) == Outcome::kGo ? SystemCalls::SetAttribute(fd, name, value) : -1;
  }
  int RemoveAttribute(int fd, const std::string& name) override {
    return Begin(DiskOperation::kChangeMode) == Outcome::kGo ? SystemCalls::RemoveAttribute(fd, name) : -1;
  }
  int RealPath(const std::string& path, std::string* out) override {
    return Begin(DiskOperation::kStat) == Outcome::kGo ? SystemCalls::RealPath(path, out) : -1;
  }
  ssize_t ReadAt(int fd, void* data, size_t size, off_t offset) override {
    const Outcome outcome = Begin(DiskOperation::kRead);
    if (outcome == Outcome::kFail) return -1;
    if (outcome == Outcome::kEnd) return 0;
    return SystemCalls::ReadAt(fd, data, Length(outcome, size), offset);
  }
  ssize_t WriteAt(int fd, const void* data, size_t size, off_t offset) override {
    const Outcome outcome = Begin(DiskOperation::kWrite);
    if (outcome == Outcome::kFail) return -1;
    MarkUnsynced(fd);
    return SystemCalls::WriteAt(fd, data, Length(outcome, size), offset);
  }
  ssize_t CopyRange(int from_fd, off_t from_offset, int to_fd, off_t to_offset, size_t size) override {
    const Outcome outcome = Begin(DiskOperation::kCopy);
    if (outcome == Outcome::kFail) return -1;
    MarkUnsynced(to_fd);
    return SystemCalls::CopyRange(from_fd, from_offset, to_fd, to_offset, Length(outcome, size));
  }
  int Sync(int fd) override {
    if (Begin(DiskOperation::kSync) != Outcome::kGo) return -1;
    const std::lock_guard<std::mutex> lock(mutex_);
    unsynced_.erase(fd);
    return SystemCalls::Sync(fd);
  }
  int Rename(const std::string& from, const std::string& to) override {
    return Begin(DiskOperation::kRename) == Outcome::kGo ? SystemCalls::Rename(from, to) : -1;
  }
  int RenameToNew(const std::string& from, const std::string& to) override {
    return Begin(DiskOperation::kRename) == Outcome::kGo ? SystemCalls::RenameToNew(from, to) : -1;
  }
  int Unlink(const std::string& path) override {
    return Begin(DiskOperation::kUnlink) == Outcome::kGo ? SystemCalls::Unlink(path) : -1;
  }
  int SyncDirectory(const std::string& path) override {
    return Begin(DiskOperation::kSyncDirectory) == Outcome::kGo ? SystemCalls::SyncDirectory(path) : -1;
  }
  int MakeDirectory(const std::string& path, mode_t mode) override {
    return Begin(DiskOperation::kCreate) == Outcome::kGo ? SystemCalls::MakeDirectory(path, mode) : -1;
  }
  int RemoveDirectory(const std::string& path) override {
    return Begin(DiskOperation::kUnlink) == Outcome::kGo ? SystemCalls::RemoveDirectory(path) : -1;
  }
  int ListDirectory(const std::string& path, std::vector<std::string>* names) override {
    return Begin(DiskOperation::kStat) == Outcome::kGo ? SystemCalls::ListDirectory(path, names) : -1;
  }
  int TryLock(int fd) override { return Begin(DiskOperation::kLock) == Outcome::kGo ? SystemCalls::TryLock(fd) : -1; }
  // Tests do not wait.
  void Pause(int) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++pauses_;
  }

 private:
  enum class Fault { kNone, kError, kShort, kEnd, kPowerCut };
  enum class Outcome { kGo, kFail, kShort, kEnd };
  struct Plan {
    Fault fault = Fault::kNone;
    bool any = true;  // else only `operation` counts
    DiskOperation operation = DiskOperation::kOpen;
    int n = 0;
    int error = EIO;
    bool lasting = false;
  };

  static size_t Length(Outcome outcome, size_t size) {
    return outcome == Outcome::kShort ? std::max<size_t>(1, size / 2) : size;
  }

  void Arm(const Plan& plan) {
    const std::lock_guard<std::mutex> lock(mutex_);
    plan_ = plan;
    counts_ = {};
    total_ = 0;
    pauses_ = 0;
    power_off_ = false;
    hit_.reset();
  }

  void MarkUnsynced(int fd) {
    const std::lock_guard<std::mutex> lock(mutex_);
    unsynced_.insert(fd);
  }

  // Counts an operation and decides its fate.
  Outcome Begin(DiskOperation operation) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int number = ++counts_[static_cast<size_t>(operation)];
    if (operation != DiskOperation::kUnlink) ++total_;
    if (power_off_) {
      errno = EIO;
      return Outcome::kFail;
    }
    if (plan_.fault == Fault::kNone) return Outcome::kGo;
    if (plan_.any ? operation == DiskOperation::kUnlink : operation != plan_.operation) return Outcome::kGo;
    const int position = plan_.any ? total_ : number;
    if (position < plan_.n || (position > plan_.n && !plan_.lasting)) return Outcome::kGo;
    hit_ = operation;
    switch (plan_.fault) {
      case Fault::kShort:
        return Outcome::kShort;
      case Fault::kEnd:
        return Outcome::kEnd;
      case Fault::kPowerCut:
        power_off_ = true;
        for (const int fd : unsynced_) {
          if (::ftruncate(fd, 0) != 0) std::abort();  // the test would prove nothing
        }
        break;
      default:
        break;
    }
    errno = plan_.error;
    return Outcome::kFail;
  }

  mutable std::mutex mutex_;
  Plan plan_;
  std::array<int, kDiskOperationCount> counts_ = {};
  int total_ = 0;
  int pauses_ = 0;
  bool power_off_ = false;
  std::optional<DiskOperation> hit_;
  std::set<int> unsynced_;  // open files with bytes that only the page cache has
};

// Whether a program may end well although this operation failed once: a copy inside the kernel is made by reading and
// writing instead, a file that cannot be opened for writing can be locked all the same, and what this user may not do
// to permissions, attributes and folders is left out. Nothing of that helps against a disk that fails or is full.
inline bool HasAnotherWay(DiskOperation operation, int error_number) {
  if (error_number == EACCES && (operation == DiskOperation::kStat || operation == DiskOperation::kChangeMode ||
                                 operation == DiskOperation::kSyncDirectory)) {
    return true;
  }
  return (error_number == EROFS || error_number == EACCES) &&
         (operation == DiskOperation::kCopy || operation == DiskOperation::kOpen);
}

// The calls come first among the bases: FileSystem keeps a reference to them.
class FaultyFileSystem : public FaultyCalls, public FileSystem {
 public:
  FaultyFileSystem() : FileSystem(static_cast<FaultyCalls&>(*this)) {}
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_FAULTY_FILE_SYSTEM_H_
