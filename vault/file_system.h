#ifndef MODELVAULT_VAULT_FILE_SYSTEM_H_
#define MODELVAULT_VAULT_FILE_SYSTEM_H_

// Files as the vault needs them: exact positioned reads, outputs that appear complete or not at all, and one writer at
// a time. Every error names the path and what the system said. Codes: a missing file is kNotFound, a path of the wrong
// kind (directory, pipe, device) kInvalidArgument, a file shorter than what is asked for kDataLoss, a lock held by
// another process or a name that another one took (Overwrite::kNever) kAborted, everything else that storage refuses
// (full or read-only disk, I/O error, permissions) kUnavailable. One more: kUnknown from AtomicFile::Commit, the new
// file is in place but may not survive a power cut; FileSystem::OnUnsynced makes a warning of it.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vault/descriptor_pool.h"
#include "vault/file_system_calls.h"

namespace modelvault {

// Bytes [begin, end) of a file.
struct FileRange {
  uint64_t begin = 0;
  uint64_t end = 0;

  uint64_t size() const { return end - begin; }
  bool operator==(const FileRange&) const = default;
};

// A file's bytes, read at any offset. Thread-safe.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;

  // Fills all of `out` with the bytes at `offset`, or fails and leaves `out` unspecified. A range that does not lie
  // within size() is kDataLoss naming offset, expected and available length; so is a file that shrank since.
  virtual absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const = 0;

  // Says that all of `ranges` will be read soon, each from its begin to its end, all of them at the same pace. Storage
  // for which a read is expensive may fetch them together and ahead; what they are read with stays ReadAt. Ranges may
  // overlap, and reach past the end. What fails is told by ReadAt.
  virtual void WillRead(absl::Span<const FileRange> /*ranges*/) const {}

  // Bytes in the file when it was opened.
  virtual uint64_t size() const = 0;

  // As given to OpenForRead; for messages.
  virtual const std::string& path() const = 0;

  // The open file for copies inside the kernel, or -1 where there is none. Stays open, and owned by this object.
  virtual int descriptor() const { return -1; }
};

// Opens what a URL names.
using UrlOpener = std::function<absl::StatusOr<std::unique_ptr<RandomAccessFile>>(const std::string& url)>;

enum class Durability {
  kOnDisk,    // Commit() waits for the disk.
  kContents,  // It waits for the file's bytes, not for its name: for files in a folder that is placed afterwards.
  kNone,      // For files that are made again if the machine loses them.
};

enum class Overwrite {
  kAllowed,  // What has the name is replaced.
  kNever,    // What has the name, or takes it before the commit, stays: kAborted.
};

// Told of a file that is in place, complete, and not known to survive a power cut. What AtomicFile::Commit would
// return.
using UnsyncedHandler = std::function<void(const absl::Status& why)>;

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

  // Appends `length` bytes of `source` from `offset`, inside the kernel where possible, else a chunk at a time. What
  // the kernel copied is read back and compared.
  absl::Status CopyFrom(const RandomAccessFile& source, uint64_t offset, uint64_t length);

  // Bytes so far: the end of the furthest write.
  uint64_t size() const;

  // The destination, as given to CreateAtomic.
  const std::string& path() const { return path_; }

  // The temporary file, until Commit(); another process finds there what ReadAt() has given.
  const std::string& temp_path() const { return temp_path_; }

  // Puts the bytes on the disk, then the name on the bytes, then the folder on the disk. When only the last step fails
  // the new file is in place and the error, kUnknown, says so (see FileSystem::OnUnsynced); where folders cannot be
  // synced at all there is no error.
  // Call once; nothing may be written afterwards.
  absl::Status Commit();

 private:
  friend class FileSystem;
  AtomicFile(SystemCalls& calls, DescriptorPool& pool, const UnsyncedHandler& unsynced, std::string path,
             std::string target, Durability durability, Overwrite overwrite)
      : calls_(calls),
        pool_(pool),
        unsynced_(unsynced),
        path_(std::move(path)),
        target_(std::move(target)),
        durability_(durability),
        overwrite_(overwrite) {}

  absl::Status OpenTemp(mode_t mode);
  absl::Status Probe();
  absl::Status Rename(const std::string& to, Overwrite overwrite);
  absl::StatusOr<bool> SameBytes(const RandomAccessFile& source, uint64_t offset, uint64_t length);
  absl::Status CheckWritableLocked(uint64_t offset, uint64_t length);
  absl::Status FlushLocked();
  absl::Status WriteFully(uint64_t offset, absl::Span<const uint8_t> data);
  absl::Status Fail(absl::Status status);
  absl::Status FailLocked(absl::Status status);

  SystemCalls& calls_;
  DescriptorPool& pool_;
  const UnsyncedHandler& unsynced_;  // the FileSystem's
  const std::string path_;           // as given, for messages
  const std::string target_;         // with symbolic links resolved
  const Durability durability_;
  const Overwrite overwrite_;
  std::string temp_path_;
  int fd_ = -1;

  mutable std::mutex mutex_;  // guards what follows
  absl::Status status_;
  bool temp_exists_ = false;  // until it has been moved
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

class Descriptor;

// Where files come from. Thread-safe; objects it hands out must not outlive it.
class FileSystem {
 public:
  // The machine's own.
  static FileSystem& Default();

  // `calls` must outlive this object. Tests pass calls that fail.
  explicit FileSystem(SystemCalls& calls) : calls_(calls), pool_(calls) {}
  virtual ~FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  // From now on AtomicFile::Commit tells `handler` of folders that could not be synced, and is OK, so that whoever has
  // more to do goes on; with an empty one, as at first, it returns the error. Not while others use this object;
  // `handler` is called by the threads that commit.
  void OnUnsynced(UnsyncedHandler handler) { unsynced_ = std::move(handler); }

  // Opens a regular file.
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForRead(absl::string_view path);

  // Opens what is read a range at a time, a vault: the same, or, where `path` is a URL, what the opener gives; without
  // one a URL is kUnimplemented.
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenVault(absl::string_view path);

  // From now on OpenVault calls `opener` for URLs. Not while others use this object.
  void OnUrl(UrlOpener opener) { url_opener_ = std::move(opener); }

  // Opens a regular file below `folder`, which may be reached by symbolic links. `relative` is names joined by '/',
  // none of them empty, "." or "..". Whatever is swapped in the folder meanwhile, nothing outside it is opened: a
  // symbolic link below it is not followed, but kInvalidArgument.
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenBelow(const std::string& folder, absl::string_view relative);

  // Starts a file that will replace or become `path`; a symbolic link is followed, its target replaced. The folder must
  // exist; `path` must be a regular file or nothing. The new file has the permissions, owner, group and extended
  // attributes of the one it replaces, as far as this user and the file system allow (docs/cli.md, "What replacing a
  // file keeps"); else it is like any fresh file. kUnavailable at once for a file that cannot be replaced (a mount
  // point, one marked immutable) and in a folder that is marked so.
  absl::StatusOr<std::unique_ptr<AtomicFile>> CreateAtomic(absl::string_view path,
                                                           Durability durability = Durability::kOnDisk,
                                                           Overwrite overwrite = Overwrite::kAllowed);

  // Whether a file at `path` could be written and get its name there, tried with a file that is removed again: what
  // CreateAtomic and Commit() would find, to be known before work that takes long.
  absl::Status TryOutput(absl::string_view path);

  // Locks the existing file `path` and returns once whoever opens `path` now meets this lock. Files opened earlier may
  // have been replaced meanwhile: open what is to be changed after locking. Held elsewhere for all attempts: kAborted.
  // Removes what writers of `path` that were killed have left beside it.
  // A file system without locks is kUnavailable.
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(absl::string_view path, const LockOptions& options = {});

  // Whether `path` names anything. A dangling symbolic link does not.
  absl::StatusOr<bool> Exists(absl::string_view path);

  // Writes the bytes of `from` as an AtomicFile at `to`.
  absl::Status Copy(absl::string_view from, absl::string_view to, Overwrite overwrite = Overwrite::kAllowed);
  // Gives a file of ours another name in its folder; what had it is gone. Not waited for.
  absl::Status Move(absl::string_view from, absl::string_view to);

  // Whether `path` is a folder, or a symbolic link to one.
  absl::StatusOr<bool> IsFolder(absl::string_view path);
  // Gives a folder of ours the name `to`, beside it, in one step, and waits for the disk: first for the names in it and
  // in the folders `inner` below it, then for its own. kAlreadyExists if anything but an empty folder has that name;
  // kUnknown as AtomicFile::Commit.
  absl::Status PlaceFolder(const std::string& from, const std::string& to, const std::set<std::string>& inner = {});

  // Makes an empty file; kAlreadyExists if anything has the name.
  absl::Status CreateEmpty(absl::string_view path);

  // Makes the folder `path` and those above it, unless they are there. Appends to `made` the folders that were not, the
  // outermost first; on an error, too.
  absl::Status MakeFolders(absl::string_view path, std::vector<std::string>* made = nullptr);
  // The names in a folder, sorted.
  absl::StatusOr<std::vector<std::string>> List(absl::string_view path);
  // Removes a file (a symbolic link, not its target), or an empty folder. What is not there is no error.
  absl::Status Remove(absl::string_view path);
  // Removes an empty folder and nothing else: a symbolic link to one is an error, and stays.
  absl::Status RemoveFolder(absl::string_view path);
  // Removes a folder and all that is in it.
  absl::Status RemoveTree(absl::string_view path);

 private:
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> Adopt(Descriptor file, std::string path);
  absl::Status RemoveLeftovers(const std::string& path);
  absl::StatusOr<std::string> ResolveTarget(const std::string& path, std::optional<struct stat>* replaced);
  absl::Status CheckFolder(const std::string& path, const std::string& target);
  absl::Status CheckReplaceable(const std::string& path, const std::string& target, const struct stat& replaced);

  SystemCalls& calls_;
  DescriptorPool pool_;
  UnsyncedHandler unsynced_;
  UrlOpener url_opener_;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_FILE_SYSTEM_H_
