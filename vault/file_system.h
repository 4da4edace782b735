#ifndef MODELVAULT_VAULT_FILE_SYSTEM_H_
#define MODELVAULT_VAULT_FILE_SYSTEM_H_

// Files as the vault needs them: exact positioned reads, outputs that appear complete or not at all, and one writer at
// a time. Every error names the path and what the system said. Codes: a missing file is kNotFound, a path of the wrong
// kind (directory, pipe, device) kInvalidArgument, a file shorter than what is asked for kDataLoss, a lock held by
// another process kAborted, everything else that storage refuses (full or read-only disk, I/O error, permissions)
// kUnavailable.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/file_system_calls.h"

namespace modelvault {

// A file's bytes, read at any offset. Thread-safe.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;

  // Fills all of `out` with the bytes at `offset`, or fails and leaves `out` unspecified. A range that does not lie
  // within size() is kDataLoss naming offset, expected and available length; so is a file that shrank since.
  virtual absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const = 0;

  // Bytes in the file when it was opened.
  virtual uint64_t size() const = 0;

  // As given to OpenForRead; for messages.
  virtual const std::string& path() const = 0;

  // The open file for copies inside the kernel, or -1 where there is none. Stays owned by this object.
  virtual int descriptor() const { return -1; }
};

// A file being written that takes its name only once it is complete: the bytes go to a temporary file in the
// destination's folder, and Commit() moves it over the destination in one step. Destruction without a successful move
// removes the temporary file and leaves the destination as it was.
//
// The first failure sticks: every later call, Commit() included, returns it again. WriteAt, ReadAt and CopyFrom may be
// called from several threads at once on ranges that do not overlap; everything else needs outside synchronisation.
// Must not outlive the FileSystem it came from.
class AtomicFile {
 public:
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Writes at size(). Small pieces are gathered before they reach the system.
  absl::Status Append(absl::Span<const uint8_t> data);

  // Writes at `offset`, over what is there or past the end; bytes skipped that way read as zero.
  absl::Status WriteAt(uint64_t offset, absl::Span<const uint8_t> data);

  // Fills all of `out` from what was written so far; outside [0, size()) kDataLoss, which does not stick.
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out);

  // Appends `length` bytes of `source` from `offset`, inside the kernel where possible, else a chunk at a time.
  absl::Status CopyFrom(const RandomAccessFile& source, uint64_t offset, uint64_t length);

  // Bytes so far: the end of the furthest write.
  uint64_t size() const;

  // The destination, as given to CreateAtomic.
  const std::string& path() const { return path_; }

  // Puts the bytes on the disk, then the name on the bytes, then the folder on the disk. When only the last step fails
  // the new file is in place and the error says so. Call once; nothing may be written afterwards.
  absl::Status Commit();

 private:
  friend class FileSystem;
  AtomicFile(SystemCalls& calls, std::string path, std::string target, std::string temp_path, int fd);

  absl::Status CheckWritableLocked(uint64_t offset, uint64_t length);
  absl::Status FlushLocked();
  absl::Status WriteFully(uint64_t offset, absl::Span<const uint8_t> data);
  absl::Status Fail(absl::Status status);
  absl::Status FailLocked(absl::Status status);

  SystemCalls& calls_;
  const std::string path_;    // as given, for messages
  const std::string target_;  // with symbolic links resolved
  const std::string temp_path_;
  const int fd_;

  mutable std::mutex mutex_;  // guards what follows
  absl::Status status_;
  bool temp_exists_ = true;  // cleared once it has been moved
  bool committed_ = false;
  uint64_t size_ = 0;
  std::vector<uint8_t> pending_;  // appended but not yet written: the last bytes before size_
};

// The right to write one file, exclusive among processes (and among locks within one). It is an advisory lock on the
// file itself, so nothing is ever left behind, and it ends with the process. Must not outlive its FileSystem.
//
// A Commit() over the locked path replaces the file, and with it ends the protection: others may then lock the new
// file. Take a fresh lock, and read the file anew, for the next change.
class FileLock {
 public:
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  friend class FileSystem;
  FileLock(SystemCalls& calls, int fd) : calls_(calls), fd_(fd) {}

  SystemCalls& calls_;
  const int fd_;
};

struct LockOptions {
  int attempts = 100;     // tries before giving up with kAborted; at least 1
  int interval_ms = 100;  // pause between two tries
};

// Where files come from. Thread-safe; objects it hands out must not outlive it.
class FileSystem {
 public:
  // The machine's own.
  static FileSystem& Default();

  // `calls` must outlive this object. Tests pass calls that fail.
  explicit FileSystem(SystemCalls& calls) : calls_(calls) {}
  virtual ~FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  // Opens a regular file.
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForRead(absl::string_view path);

  // Starts a file that will replace or become `path`; a symbolic link is followed, its target replaced. The folder must
  // exist; `path` must be a regular file or nothing. The new file has the permissions of the one it replaces, else
  // those of any fresh file.
  absl::StatusOr<std::unique_ptr<AtomicFile>> CreateAtomic(absl::string_view path);

  // Locks the existing file `path` and returns once whoever opens `path` now meets this lock. Files opened earlier may
  // have been replaced meanwhile: open what is to be changed after locking. Held elsewhere for all attempts: kAborted.
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(absl::string_view path, const LockOptions& options = {});

  // Whether `path` names anything. A dangling symbolic link does not.
  absl::StatusOr<bool> Exists(absl::string_view path);

 private:
  SystemCalls& calls_;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_FILE_SYSTEM_H_
