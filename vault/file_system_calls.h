#ifndef MODELVAULT_VAULT_FILE_SYSTEM_CALLS_H_
#define MODELVAULT_VAULT_FILE_SYSTEM_CALLS_H_

// The operating system's part of vault/file_system.h, apart so that tests can make any single call fail and the code
// that cleans up afterwards is the code that ships. Each member behaves like the POSIX call of its name: a negative
// result means failure and sets errno. Thread-safe.

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace modelvault {

// What stands in the way of replacing a file, where the system tells.
struct FileFlags {
  bool mount_point = false;
  bool immutable = false;
  bool append_only = false;
};

class SystemCalls {
 public:
  static SystemCalls& Posix();

  virtual ~SystemCalls() = default;
  virtual int Open(const std::string& path, int flags, mode_t mode);
  virtual int OpenAt(int folder_fd, const std::string& name, int flags);
  virtual int Close(int fd);
  virtual int Stat(const std::string& path, struct stat* out);      // follows symbolic links
  virtual int StatLink(const std::string& path, struct stat* out);  // does not
  virtual int StatOpen(int fd, struct stat* out);
  virtual int ChangeMode(int fd, mode_t mode);
  virtual int ChangeOwner(int fd, uid_t user, gid_t group);  // -1: leave it
  virtual int GetFlags(const std::string& path, FileFlags* out);
  // Extended attributes, access control lists among them.
  virtual int ListAttributes(const std::string& path, std::vector<std::string>* names);
  virtual int GetAttribute(const std::string& path, const std::string& name, std::string* value);
  virtual int SetAttribute(int fd, const std::string& name, const std::string& value);
  virtual int RemoveAttribute(int fd, const std::string& name);
  virtual int RealPath(const std::string& path, std::string* out);
  virtual ssize_t ReadAt(int fd, void* data, size_t size, off_t offset);
  virtual ssize_t WriteAt(int fd, const void* data, size_t size, off_t offset);
  virtual ssize_t CopyRange(int from_fd, off_t from_offset, int to_fd, off_t to_offset, size_t size);
  virtual int Sync(int fd);
  virtual int Rename(const std::string& from, const std::string& to);
  virtual int RenameToNew(const std::string& from, const std::string& to);  // EEXIST: something has that name
  virtual int Unlink(const std::string& path);
  virtual int SyncDirectory(const std::string& path);
  virtual int MakeDirectory(const std::string& path, mode_t mode);
  virtual int RemoveDirectory(const std::string& path);
  virtual int ListDirectory(const std::string& path, std::vector<std::string>* names);  // without . and ..
  virtual int TryLock(int fd);                                                          // EWOULDBLOCK: held elsewhere
  // The same for a temporary file, whose lock tells others that its writer lives; and its end. Nobody waits for them,
  // and where there are no locks nothing depends on them.
  virtual bool TryMark(int fd);
  virtual void Unmark(int fd);
  virtual bool IsRunning(pid_t process);
  virtual void Pause(int milliseconds);
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_FILE_SYSTEM_CALLS_H_
