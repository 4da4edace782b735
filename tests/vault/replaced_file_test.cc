// What a file that replaces another keeps of it, on file systems that refuse one thing or another; and what is said
// where a file cannot be replaced at all.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/faulty_file_system.h"
#include "vault/file_system.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kAccessList[] = "system.posix_acl_access";

absl::Status Replace(FileSystem& files, const std::string& path) {
  const absl::StatusOr<std::unique_ptr<AtomicFile>> file = files.CreateAtomic(path);
  if (!file.ok()) return file.status();
  constexpr uint8_t kNew[] = {'n', 'e', 'w'};
  const absl::Status status = (*file)->Append(kNew);
  return status.ok() ? (*file)->Commit() : status;
}

// A file system that keeps owners and attributes in a table, so that neither root nor a disk that has them is needed.
// Of a call in `refused` errno is what is there.
class TableCalls : public SystemCalls {
 public:
  std::map<std::string, std::string> attributes;  // Of the old file.
  std::map<std::string, std::string> given;       // To the new one.
  uid_t user = 1000, new_user = 1000;
  gid_t group = 100, new_group = 100;
  std::map<std::string, int> refused;
  mode_t mode = 0;  // That the new file got last.
  FileFlags flags, folder_flags;

  int Stat(const std::string& path, struct stat* out) override { return Owned(SystemCalls::Stat(path, out), out); }
  int StatOpen(int fd, struct stat* out) override {
    const int result = SystemCalls::StatOpen(fd, out);
    out->st_uid = new_user;
    out->st_gid = new_group;
    return result;
  }
  int GetFlags(const std::string& path, FileFlags* out) override {
    *out = std::filesystem::is_directory(path) ? folder_flags : flags;
    return Refused("GetFlags") ? -1 : 0;
  }
  int ChangeOwner(int, uid_t to_user, gid_t to_group) override {
    if (Refused(to_user == static_cast<uid_t>(-1) ? "ChangeGroup" : "ChangeOwner")) return -1;
    if (to_user != static_cast<uid_t>(-1)) new_user = to_user;
    new_group = to_group;
    return 0;
  }
  int ListAttributes(const std::string&, std::vector<std::string>* names) override {
    names->clear();
    for (const auto& [name, value] : attributes) names->push_back(name);
    return Refused("ListAttributes") ? -1 : 0;
  }
  int GetAttribute(const std::string&, const std::string& name, std::string* value) override {
    *value = attributes.at(name);
    return 0;
  }
  int SetAttribute(int, const std::string& name, const std::string& value) override {
    if (Refused("SetAttribute")) return -1;
    given[name] = value;
    return 0;
  }
  int RemoveAttribute(int, const std::string& name) override {
    if (Refused("RemoveAttribute")) return -1;
    given.erase(name);
    return 0;
  }
  int ChangeMode(int fd, mode_t to) override {
    if (Refused("ChangeMode")) return -1;
    mode = to;
    return SystemCalls::ChangeMode(fd, to);
  }

 private:
  int Owned(int result, struct stat* out) const {
    out->st_uid = user;
    out->st_gid = group;
    return result;
  }
  bool Refused(const std::string& call) const {
    const auto found = refused.find(call);
    if (found == refused.end()) return false;
    errno = found->second;
    return true;
  }
};

class ReplacedFileTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(chmod(path_.c_str(), 0654), 0); }

  void ExpectReplaced() {
    EXPECT_THAT(Replace(files_, path_), IsOk());
    EXPECT_EQ(folder_.Read("f"), "new");
    EXPECT_THAT(folder_.Names(), ElementsAre("f"));
  }

  TempFolder folder_;
  const std::string path_ = folder_.Write("f", "old");
  TableCalls calls_;
  FileSystem files_{calls_};
};

TEST_F(ReplacedFileTest, OwnerGroupAttributesAndPermissionsAreKept) {
  calls_.attributes = {{"user.note", "mine"}, {kAccessList, "list"}, {"security.selinux", "label"}};
  calls_.new_user = 0;
  calls_.new_group = 0;
  ExpectReplaced();
  EXPECT_EQ(calls_.new_user, 1000u);
  EXPECT_EQ(calls_.new_group, 100u);
  EXPECT_EQ(calls_.given, calls_.attributes);
  EXPECT_EQ(calls_.mode, 0654u);
}

TEST_F(ReplacedFileTest, WhatSpeaksOfTheOldBytesIsNotKept) {
  calls_.attributes = {{"security.ima", "hash"}, {"security.evm", "x"}, {"security.capability", "y"}};
  ExpectReplaced();
  EXPECT_TRUE(calls_.given.empty());
}

TEST_F(ReplacedFileTest, AListThatTheFolderGaveGoesWhereTheOldFileHadNone) {
  calls_.given = {{kAccessList, "of the folder"}};
  ExpectReplaced();
  EXPECT_TRUE(calls_.given.empty());
}

TEST_F(ReplacedFileTest, WithoutTheOldOwnerTheGroupIsKept) {
  calls_.new_user = 7;
  calls_.new_group = 8;
  calls_.refused = {{"ChangeOwner", EPERM}};
  ExpectReplaced();
  EXPECT_EQ(calls_.new_user, 7u);
  EXPECT_EQ(calls_.new_group, 100u);
  EXPECT_EQ(calls_.mode, 0654u);
}

TEST_F(ReplacedFileTest, WithoutTheOldGroupNobodyGainsRights) {
  calls_.new_group = 8;
  calls_.refused = {{"ChangeOwner", EPERM}, {"ChangeGroup", EPERM}};
  ExpectReplaced();
  EXPECT_EQ(calls_.mode, 0644u) << "both get what group (5) and others (4) both had";
}

TEST_F(ReplacedFileTest, WithoutTheOldGroupAListIsNotKept) {
  calls_.attributes = {{kAccessList, "list"}, {"user.note", "mine"}};
  calls_.new_group = 8;
  calls_.refused = {{"ChangeOwner", EPERM}, {"ChangeGroup", EPERM}};
  ExpectReplaced();
  EXPECT_EQ(calls_.given, (std::map<std::string, std::string>{{"user.note", "mine"}}));
  EXPECT_EQ(calls_.mode, 0600u);
}

TEST_F(ReplacedFileTest, WhereAttributesCannotBeListedNobodyButTheOwnerHasRights) {
  for (const int error : {E2BIG, EPERM, EACCES}) {
    calls_.given = {{kAccessList, "of the folder"}};
    calls_.refused = {{"ListAttributes", error}};
    ExpectReplaced();
    EXPECT_TRUE(calls_.given.empty()) << error;
    EXPECT_EQ(calls_.mode, 0600u) << error;
    ASSERT_EQ(chmod(path_.c_str(), 0654), 0);
  }
  calls_.refused = {{"ListAttributes", EOPNOTSUPP}};
  ExpectReplaced();
  EXPECT_EQ(calls_.mode, 0654u) << "there are none";
}

TEST_F(ReplacedFileTest, AListOfTheFolderThatCannotBeTakenOffGivesNobodyRights) {
  for (const auto& [error, mode] : std::map<int, mode_t>{{EPERM, 0600}, {ENODATA, 0654}, {EOPNOTSUPP, 0654}}) {
    calls_.refused = {{"RemoveAttribute", error}};
    ExpectReplaced();
    EXPECT_EQ(calls_.mode, mode) << error;
    ASSERT_EQ(chmod(path_.c_str(), 0654), 0);
  }
  calls_.refused = {{"RemoveAttribute", EIO}};
  EXPECT_THAT(Replace(files_, path_), StatusIs(StatusCode::kUnavailable, HasSubstr("access control list")));
}

TEST_F(ReplacedFileTest, WithoutRoomForAttributesTheFileIsWrittenAllTheSame) {
  for (const int error : {ENOSPC, EDQUOT}) {
    calls_.attributes = {{"user.note", "mine"}};
    calls_.refused = {{"SetAttribute", error}};
    ExpectReplaced();
    EXPECT_EQ(calls_.mode, 0654u);
    calls_.attributes = {{kAccessList, "list"}};
    ExpectReplaced();
    EXPECT_EQ(calls_.mode, 0600u) << "as without a list that cannot be kept";
    ASSERT_EQ(chmod(path_.c_str(), 0654), 0);
  }
}

TEST_F(ReplacedFileTest, WithoutTheOldListNobodyButTheOwnerHasRights) {
  calls_.attributes = {{kAccessList, "list"}};
  for (const int error : {EOPNOTSUPP, EPERM}) {
    calls_.refused = {{"SetAttribute", error}};
    ExpectReplaced();
    EXPECT_EQ(calls_.mode, 0600u) << error;
  }
}

TEST_F(ReplacedFileTest, FileSystemsWithoutModesOwnersOrAttributesAreWrittenAllTheSame) {
  calls_.new_group = 8;
  for (const int error : {EPERM, EOPNOTSUPP, ENOSYS, EINVAL}) {
    calls_.refused = {{"ChangeMode", error}, {"ChangeOwner", error}, {"ChangeGroup", error}, {"ListAttributes", error}};
    ExpectReplaced();
  }
}

TEST_F(ReplacedFileTest, ADiskThatFailsIsNoSuchFileSystem) {
  calls_.attributes = {{"user.note", "mine"}};
  for (const char* call : {"ChangeMode", "ChangeOwner", "ListAttributes", "SetAttribute", "GetFlags"}) {
    calls_.refused = {{call, EIO}};
    calls_.new_group = 8;
    EXPECT_THAT(Replace(files_, path_), StatusIs(StatusCode::kUnavailable, HasSubstr(path_))) << call;
    EXPECT_EQ(folder_.Read("f"), "old");
    EXPECT_THAT(folder_.Names(), ElementsAre("f"));
  }
}

TEST_F(ReplacedFileTest, WhatCannotBeReplacedIsRefusedAtOnce) {
  calls_.flags.mount_point = true;
  EXPECT_THAT(files_.CreateAtomic(path_), StatusIs(StatusCode::kUnavailable, HasSubstr("mount its folder")));
  calls_.flags = {.immutable = true};
  EXPECT_THAT(files_.CreateAtomic(path_), StatusIs(StatusCode::kUnavailable, HasSubstr("chattr -i")));
  calls_.flags = {.append_only = true};
  EXPECT_THAT(files_.CreateAtomic(path_), StatusIs(StatusCode::kUnavailable, HasSubstr("chattr -a")));
  calls_.flags = {};
  for (const FileFlags& flags : {FileFlags{.append_only = true}, FileFlags{.immutable = true}}) {
    calls_.folder_flags = flags;
    for (const std::string& path : {path_, folder_.File("fresh")}) {
      const auto refused = StatusIs(StatusCode::kUnavailable, AllOf(HasSubstr(path + ": cannot be written: its folder"),
                                                                    HasSubstr("chattr -i, chattr -a")));
      EXPECT_THAT(files_.CreateAtomic(path), refused);
      EXPECT_THAT(files_.TryOutput(path), refused);
    }
  }
  EXPECT_THAT(folder_.Names(), ElementsAre("f"));
}

TEST_F(ReplacedFileTest, AFolderThatCannotBeLookedAtIsNoReason) {
  for (const int error : {EACCES, ENOSYS}) {
    calls_.refused = {{"GetFlags", error}};
    EXPECT_THAT(Replace(files_, folder_.File("fresh" + std::to_string(error))), IsOk()) << error;
  }
  calls_.refused = {{"GetFlags", EIO}};
  EXPECT_THAT(Replace(files_, folder_.File("other")), StatusIs(StatusCode::kUnavailable, HasSubstr("folder")));
}

TEST_F(ReplacedFileTest, AMountPointThatNothingToldOfIsNamedAtTheRename) {
  FaultyFileSystem disk;
  disk.FailAt(DiskOperation::kRename, 1, EBUSY);
  EXPECT_THAT(Replace(disk, path_), StatusIs(StatusCode::kUnavailable, HasSubstr("mount its folder")));
  EXPECT_THAT(folder_.Names(), ElementsAre("f"));
  EXPECT_EQ(folder_.Read("f"), "old");
}

TEST_F(ReplacedFileTest, OtherNamesOfTheOldFileKeepItsBytes) {
  std::filesystem::create_hard_link(path_, folder_.File("hard"));
  std::filesystem::create_symlink("f", folder_.File("one"));
  std::filesystem::create_symlink(folder_.File("one"), folder_.File("two"));
  FileSystem& files = FileSystem::Default();
  EXPECT_THAT(Replace(files, folder_.File("two")), IsOk()) << "through a chain of links";
  EXPECT_EQ(folder_.Read("f"), "new");
  EXPECT_EQ(folder_.Read("hard"), "old");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_.File("one")));
  EXPECT_TRUE(std::filesystem::is_symlink(folder_.File("two")));
  EXPECT_EQ(std::filesystem::hard_link_count(path_), 1u);
}

TEST_F(ReplacedFileTest, WhoHasItOpenKeepsTheOldBytesAndItsTimesAreNew) {
  const int fd = open(path_.c_str(), O_RDONLY);
  ASSERT_GE(fd, 0);
  const timespec old_times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(futimens(fd, old_times), 0);
  EXPECT_THAT(Replace(FileSystem::Default(), path_), IsOk());
  char bytes[3];
  EXPECT_EQ(pread(fd, bytes, 3, 0), 3);
  EXPECT_EQ(std::string(bytes, 3), "old");
  close(fd);
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_GT(info.st_mtim.tv_sec, 1);
}

// Folders that cannot be synced.

TEST_F(ReplacedFileTest, AFolderThatCannotBeSyncedAtAllIsNoError) {
  for (const int error : {EINVAL, EOPNOTSUPP, ENOSYS, EBADF, EACCES, EPERM}) {
    FaultyFileSystem disk;
    disk.FailAt(DiskOperation::kSyncDirectory, 1, error);
    EXPECT_THAT(Replace(disk, path_), IsOk()) << error;
    EXPECT_EQ(folder_.Read("f"), "new");
  }
}

TEST_F(ReplacedFileTest, AFolderWhoseSyncFailsHasTheNewFileAndTheErrorSaysSo) {
  for (const int error : {EIO, ENOSPC, EROFS}) {
    folder_.Write("f", "old");
    FaultyFileSystem disk;
    disk.FailAt(DiskOperation::kSyncDirectory, 1, error);
    EXPECT_THAT(Replace(disk, path_), StatusIs(StatusCode::kUnknown, HasSubstr("in place and complete"))) << error;
    EXPECT_EQ(folder_.Read("f"), "new");
    EXPECT_THAT(folder_.Names(), ElementsAre("f"));
  }
}

// Buckets and shares.

class BucketCalls : public SystemCalls {
 public:
  bool renames = false, writes_within = false, opens_to_change = false;
  int Rename(const std::string& from, const std::string& to) override {
    errno = ENOSYS;
    return renames ? SystemCalls::Rename(from, to) : -1;
  }
  ssize_t WriteAt(int fd, const void* data, size_t size, off_t offset) override {
    struct stat info;
    if (!writes_within && fstat(fd, &info) == 0 && offset != info.st_size) {
      errno = EINVAL;
      return -1;
    }
    return SystemCalls::WriteAt(fd, data, size, offset);
  }
  int Open(const std::string& path, int flags, mode_t mode) override {
    errno = EPERM;
    return (flags & O_ACCMODE) != O_RDWR || opens_to_change ? SystemCalls::Open(path, flags, mode) : -1;
  }
};

TEST_F(ReplacedFileTest, ABucketIsReadAndRefusesOutputsAtOnce) {
  for (int step = 0; step < 3; ++step) {
    BucketCalls calls;
    calls.opens_to_change = step > 0;
    calls.writes_within = step > 1;
    FileSystem files(calls);
    for (const std::string& name : {std::string("f"), std::string("fresh")}) {
      EXPECT_THAT(files.TryOutput(folder_.File(name)),
                  StatusIs(StatusCode::kUnavailable,
                           AllOf(HasSubstr(name), HasSubstr("write to another file system and copy the result"))));
    }
    EXPECT_THAT(folder_.Names(), ElementsAre("f"));
    EXPECT_EQ(folder_.Read("f"), "old");
    EXPECT_THAT(files.OpenForRead(path_), IsOk());
  }
}

TEST_F(ReplacedFileTest, TryOutputLeavesNothing) {
  for (const std::string& name : {std::string("f"), std::string("fresh")}) {
    EXPECT_THAT(FileSystem::Default().TryOutput(folder_.File(name)), IsOk());
    EXPECT_THAT(folder_.Names(), ElementsAre("f"));
    EXPECT_EQ(folder_.Read("f"), "old");
  }
  EXPECT_THAT(FileSystem::Default().TryOutput(folder_.File("none/f")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(FileSystem::Default().TryOutput(folder_.path()), StatusIs(StatusCode::kInvalidArgument));
  FaultyFileSystem disk;
  ASSERT_THAT(disk.TryOutput(path_), IsOk());
  const int count = disk.count();
  for (int n = 1; n <= count; ++n) {
    disk.FailAt(n, EIO);
    EXPECT_THAT(disk.TryOutput(path_), StatusIs(StatusCode::kUnavailable, HasSubstr(path_))) << n;
    EXPECT_THAT(folder_.Names(), ElementsAre("f"));
  }
}

// Locks.

TEST_F(ReplacedFileTest, AFileSystemWithoutLocksIsNamedAndNobodyElseIsBlamed) {
  for (const int error : {ENOLCK, EBADF, ENOSYS, EOPNOTSUPP, EINVAL}) {
    FaultyFileSystem disk;
    disk.FailAt(DiskOperation::kLock, 1, error, /*lasting=*/true);
    EXPECT_THAT(disk.Lock(path_),
                StatusIs(StatusCode::kUnavailable, AllOf(HasSubstr("gives no locks"), HasSubstr("local disk"),
                                                         Not(HasSubstr("another process")))));
    EXPECT_EQ(disk.pauses(), 0);
  }
}

// Copies inside the kernel.

class LyingCopyCalls : public SystemCalls {
 public:
  explicit LyingCopyCalls(std::function<ssize_t(int fd, off_t offset, size_t size)> copy) : copy_(std::move(copy)) {}
  ssize_t CopyRange(int, off_t, int to_fd, off_t to_offset, size_t size) override {
    return copy_(to_fd, to_offset, size);
  }

 private:
  const std::function<ssize_t(int fd, off_t offset, size_t size)> copy_;
};

TEST_F(ReplacedFileTest, ACopyThatLeavesZerosStopsShortOrCopiesNothingIsDoneByHand) {
  const std::vector<std::function<ssize_t(int, off_t, size_t)>> lies = {
      [](int fd, off_t offset, size_t size) {
        return ftruncate(fd, offset + static_cast<off_t>(size)) == 0 ? static_cast<ssize_t>(size) : -1;
      },
      [](int, off_t, size_t) { return ssize_t{0}; },
      [](int, off_t, size_t) {
        errno = EINVAL;
        return ssize_t{-1};
      },
      [](int fd, off_t offset, size_t) { return pwrite(fd, "x", 1, offset); },
  };
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += std::to_string(i);
  folder_.Write("source", bytes);
  for (const auto& lie : lies) {
    LyingCopyCalls calls(lie);
    FileSystem files(calls);
    EXPECT_THAT(files.Copy(folder_.File("source"), path_), IsOk());
    EXPECT_TRUE(folder_.Read("f") == bytes);
  }
}

}  // namespace
}  // namespace modelvault
