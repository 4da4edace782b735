#include "vault/kept_attributes.h"

#include <cerrno>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "vault/file_errors.h"

namespace modelvault {
namespace {

constexpr char kAccessList[] = "system.posix_acl_access";
constexpr mode_t kPermissions = 0777;

// Attributes that speak of the old bytes; the system makes them anew.
bool IsOfTheBytes(const std::string& name) {
  return name == "security.ima" || name == "security.evm" || name == "security.capability";
}

// Whether an attribute that could not be read or removed is to be done without: not for a disk that fails.
bool CanDoWithout(int error_number) {
  return IsRefused(error_number) || error_number == ENODATA || error_number == E2BIG || error_number == ERANGE;
}

// The same of one that could not be set. A disk may have no room left for attributes, but for the file's bytes.
bool CanDoWithoutSetting(int error_number) {
  return CanDoWithout(error_number) || error_number == ENOSPC || error_number == EDQUOT;
}

// Sets `*kept` if the new file belongs to the old one's group.
absl::Status KeepOwner(SystemCalls& calls, const struct stat& old_info, int fd, const std::string& shown_path,
                       bool* kept) {
  struct stat info;
  if (calls.StatOpen(fd, &info) != 0) return FileError(errno, shown_path, "cannot look at the new file");
  *kept = info.st_gid == old_info.st_gid;
  if (*kept && info.st_uid == old_info.st_uid) return absl::OkStatus();
  if (calls.ChangeOwner(fd, old_info.st_uid, old_info.st_gid) == 0) {
    *kept = true;
    return absl::OkStatus();
  }
  // Only root may give files away, but a user may belong to the group.
  if (IsRefused(errno) && !*kept) *kept = calls.ChangeOwner(fd, static_cast<uid_t>(-1), old_info.st_gid) == 0;
  if (*kept || IsRefused(errno)) return absl::OkStatus();
  return FileError(errno, shown_path, "cannot give the new file the old one's owner");
}

// Sets `*list_kept` if the new file has the access control list of the old one, or neither has one. Without the old
// group the list is not kept: its entry for the group would be the new one's.
absl::Status CopyAttributes(SystemCalls& calls, const std::string& old_path, bool group_kept, int fd,
                            const std::string& shown_path, bool* list_kept) {
  *list_kept = true;
  // The folder may have given the new file a list. First, so that whatever fails below, it is gone.
  if (calls.RemoveAttribute(fd, kAccessList) != 0 && !IsUnsupported(errno) && errno != ENODATA) {
    if (!CanDoWithout(errno)) {
      return FileError(errno, shown_path, "cannot take the folder's access control list off the new file");
    }
    *list_kept = false;
  }
  std::vector<std::string> names;
  if (calls.ListAttributes(old_path, &names) != 0) {
    if (!CanDoWithout(errno)) return FileError(errno, shown_path, "cannot list the old file's attributes");
    if (!IsUnsupported(errno)) *list_kept = false;  // It may have had one.
    return absl::OkStatus();
  }
  for (const std::string& name : names) {
    if (IsOfTheBytes(name)) continue;
    if (name == kAccessList && !group_kept) {
      *list_kept = false;
      continue;
    }
    std::string value;
    const bool read = calls.GetAttribute(old_path, name, &value) == 0;
    if (read && calls.SetAttribute(fd, name, value) == 0) continue;
    if (read ? !CanDoWithoutSetting(errno) : !CanDoWithout(errno)) {
      return FileError(errno, shown_path, absl::StrCat("cannot give the new file the old one's attribute ", name));
    }
    if (name == kAccessList) *list_kept = false;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status KeepAttributes(SystemCalls& calls, const std::string& old_path, const struct stat& old_info, int fd,
                            const std::string& shown_path) {
  bool group_kept = false;
  bool list_kept = false;
  if (absl::Status status = KeepOwner(calls, old_info, fd, shown_path, &group_kept); !status.ok()) return status;
  if (absl::Status status = CopyAttributes(calls, old_path, group_kept, fd, shown_path, &list_kept); !status.ok()) {
    return status;
  }
  mode_t mode = old_info.st_mode & kPermissions;
  if (!list_kept) {
    mode &= 0700;  // Whom the list kept out nothing else tells.
  } else if (!group_kept) {
    // The old group's members are others now, and others may be members of the new one: both get what both had.
    const mode_t both = (mode >> 3) & mode & 07;
    mode = (mode & 0700) | both << 3 | both;
  }
  // Last: the umask narrowed the mode, and the list's mask is part of it. Where it is refused there are no modes to
  // keep, and what the file was made with is narrower.
  if (calls.ChangeMode(fd, mode) == 0 || IsRefused(errno)) return absl::OkStatus();
  return FileError(errno, shown_path, "cannot give the new file the old one's permissions");
}

}  // namespace modelvault
