#ifndef MODELVAULT_VAULT_DESCRIPTOR_POOL_H_
#define MODELVAULT_VAULT_DESCRIPTOR_POOL_H_

// Files open for reading, as many as a command has inputs, within the number that a process may have open at a time.

#include <sys/stat.h>

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "vault/file_system_calls.h"

namespace modelvault {

// Where the system refuses to open one more, the descriptor that has been idle for longest is closed; its file is
// opened anew once it is read again. Nothing is closed before. Thread-safe.
class DescriptorPool {
 public:
  // A file of the pool. Its members belong to the pool.
  struct File {
    std::string path;
    int fd = -1;  // -1: closed, for others.
    struct stat info = {};
    int users = 0;
    bool kept_open = false;
    std::list<File*>::iterator idle;  // While fd >= 0, users == 0 and not kept_open.
  };

  // `calls` must outlive it.
  explicit DescriptorPool(SystemCalls& calls) : calls_(calls) {}

  // Calls `open`, which gives a descriptor (or anything else that takes one for a moment) or a negative number and
  // errno, until it succeeds or fails for another reason than too many open files.
  int Open(const std::function<int()>& open);

  // Takes over a file that has just been opened.
  void Add(File* file);
  // Closes it. Nobody may use it.
  void Remove(File* file);

  // The descriptor of `file`, which stays open until Release. An error if it had to be opened anew and could not be, or
  // is another file now or has changed (kDataLoss).
  absl::StatusOr<int> Acquire(File* file);
  void Release(File* file);

  // The same, until Remove.
  absl::StatusOr<int> KeepOpen(File* file);

 private:
  absl::StatusOr<int> AcquireLocked(std::unique_lock<std::mutex>* lock, File* file);
  int OpenLocked(std::unique_lock<std::mutex>* lock, const std::function<int()>& open);

  SystemCalls& calls_;
  std::mutex mutex_;  // Guards what follows, and all files.
  std::condition_variable released_;
  std::list<File*> idle_;  // The one used last at the end.
  int users_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_DESCRIPTOR_POOL_H_
