#include "vault/keys/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "vault/file_errors.h"
#include "vault/file_paths.h"
#include "vault/file_reading.h"

namespace modelvault {
namespace {

absl::Status Refuse(const std::string& path, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", message));
}

class OpenFile {
 public:
  OpenFile(SystemCalls& calls, int fd) : calls_(calls), fd_(fd) {}
  ~OpenFile() { calls_.Close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

 private:
  SystemCalls& calls_;
  const int fd_;
};

// What is asked of the file that is open, not of a name that may soon be another file's.
absl::Status CheckPrivate(const std::string& path, const struct stat& info) {
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return Refuse(path, absl::StrCat("a secret key of another user (", info.st_uid, "; this is ", ::geteuid(),
                                     "): it must belong to you or root"));
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Refuse(path, absl::StrFormat("a secret key with mode %04o, which lets others use it: chmod 600 %s",
                                        info.st_mode & 07777, path));
  }
  return absl::OkStatus();
}

// Without `kind` a key of any, from wherever it is.
absl::StatusOr<KeyText> ReadKey(const std::string& path, std::optional<KeyKind> kind, SystemCalls& calls) {
  const bool secret = kind.has_value() && IsSecret(*kind);
  if (absl::Status status = CheckPath(path); !status.ok()) return status;
  // A pipe that nobody writes to would be waited for.
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (secret ? O_NOFOLLOW : 0);
  const int fd = calls.Open(path, flags, 0);
  if (fd < 0 && errno == ELOOP && secret) {
    return Refuse(path, "a symbolic link, which may be turned elsewhere: name the secret key's file itself");
  }
  if (fd < 0) return FileError(errno, path, "cannot open the key");
  const OpenFile file(calls, fd);
  struct stat info = {};
  if (calls.StatOpen(fd, &info) != 0) return FileError(errno, path, "cannot look at the key");
  if (absl::Status status = CheckRegular(info, path); !status.ok()) return status;
  if (static_cast<uint64_t>(info.st_size) > kMaxKeyText) {
    return Refuse(path, absl::StrCat("no key: it has ", info.st_size, " bytes, a key has at most ", kMaxKeyText));
  }
  SecretBytes text(static_cast<size_t>(info.st_size));
  if (absl::Status status = ReadFully(calls, fd, path, 0, text.span()); !status.ok()) return status;
  absl::StatusOr<KeyText> key = ParseKey(text.text());
  if (!key.ok()) return Refuse(path, key.status().message());
  // Before the mode, which is no mistake of a public key.
  if (kind.has_value() && key->kind != *kind) {
    return Refuse(path, absl::StrCat("expected ", DescriptionOf(*kind), ", found ", DescriptionOf(key->kind)));
  }
  if (secret) {
    if (absl::Status status = CheckPrivate(path, info); !status.ok()) return status;
  }
  return key;
}

absl::Status WriteFully(SystemCalls& calls, int fd, const std::string& path, const SecretBytes& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = calls.WriteAt(fd, text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(errno, path, "cannot write the key");
    done += static_cast<size_t>(written);
  }
  if (calls.Sync(fd) != 0 && !IsUnsupported(errno)) return FileError(errno, path, "cannot sync the key");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SecretBytes> ReadSecretKey(const std::string& path, KeyKind kind, SystemCalls& calls) {
  absl::StatusOr<KeyText> key = ReadKey(path, kind, calls);
  if (!key.ok()) return key.status();
  return std::move(key->bytes);
}

absl::StatusOr<KeyKind> KindOfKey(const std::string& path, SystemCalls& calls) {
  const absl::StatusOr<KeyText> key = ReadKey(path, std::nullopt, calls);
  if (!key.ok()) return key.status();
  return key->kind;
}

absl::StatusOr<SigningKey> ReadSigningKey(const std::string& path, SystemCalls& calls) {
  const absl::StatusOr<SecretBytes> seed = ReadSecretKey(path, KeyKind::kSigningSecret, calls);
  if (!seed.ok()) return seed.status();
  return SigningKey(*seed);
}

absl::StatusOr<PublicKey> ReadPublicKey(const std::string& path, KeyKind kind, SystemCalls& calls) {
  const absl::StatusOr<KeyText> key = ReadKey(path, kind, calls);
  if (!key.ok()) return key.status();
  PublicKey bytes;
  std::copy_n(key->bytes.data(), bytes.size(), bytes.begin());
  return bytes;
}

absl::Status WriteKeyFile(const std::string& path, KeyKind kind, absl::Span<const uint8_t> key, SystemCalls& calls) {
  if (absl::Status status = CheckPath(path); !status.ok()) return status;
  const int fd = calls.Open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, IsSecret(kind) ? 0600 : 0644);
  if (fd < 0 && errno == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat(path, ": is there already, and a key is never overwritten"));
  }
  if (fd < 0) return FileError(errno, path, "cannot make the key's file");
  absl::Status status = WriteFully(calls, fd, path, FormatKey(kind, key));
  if (calls.Close(fd) != 0 && status.ok()) status = FileError(errno, path, "cannot close the key's file");
  if (status.ok() && calls.SyncDirectory(FolderOf(path)) != 0 && !IsRefused(errno)) {
    status = FileError(errno, path, "cannot sync the key's folder");
  }
  if (!status.ok()) calls.Unlink(path);
  return status;
}

}  // namespace modelvault
