#include "vault/file_system.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/faulty_file_system.h"
#include "tests/vault/memory_file.h"
#include "vault/file_paths.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr LockOptions kOnce = {.attempts = 1};

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return absl::Span<const uint8_t>(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

// `size` bytes without a period that chunk sizes could hide behind.
std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  uint32_t state = 12345;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

absl::StatusOr<std::string> ReadRange(const RandomAccessFile& file, uint64_t offset, size_t size) {
  std::vector<uint8_t> out(size);
  if (absl::Status status = file.ReadAt(offset, absl::MakeSpan(out)); !status.ok()) return status;
  return std::string(out.begin(), out.end());
}

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

// Sets the process's umask for a scope.
class ScopedUmask {
 public:
  explicit ScopedUmask(mode_t mask) : old_(umask(mask)) {}
  ~ScopedUmask() { umask(old_); }

 private:
  const mode_t old_;
};

class FileSystemTest : public testing::Test {
 protected:
  TempFolder folder_;
  FileSystem& files_ = FileSystem::Default();
};

// Reading.

TEST_F(FileSystemTest, ReadsAnyRangeExactly) {
  const std::string path = folder_.Write("f", "abcdef");
  ASSERT_OK_AND_ASSIGN(const auto file, files_.OpenForRead(path));
  EXPECT_EQ(file->size(), 6u);
  EXPECT_EQ(file->path(), path);
  for (size_t begin = 0; begin <= 6; ++begin) {
    for (size_t end = begin; end <= 6; ++end) {
      EXPECT_THAT(ReadRange(*file, begin, end - begin), IsOkAndHolds(std::string("abcdef").substr(begin, end - begin)));
    }
  }
}

TEST_F(FileSystemTest, ARangePastTheEndNamesFileOffsetAndBothLengths) {
  ASSERT_OK_AND_ASSIGN(const auto file, files_.OpenForRead(folder_.Write("f", "abcdef")));
  EXPECT_THAT(ReadRange(*file, 4, 3),
              StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr(folder_.File("f")),
                                                    HasSubstr("expected 3 bytes at offset 4"), HasSubstr("found 2"))));
  EXPECT_THAT(ReadRange(*file, 7, 0), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(ReadRange(*file, ~uint64_t{0}, 2), StatusIs(StatusCode::kDataLoss, HasSubstr("found 0")));
  EXPECT_THAT(ReadRange(*file, ~uint64_t{0} - 1, 4), StatusIs(StatusCode::kDataLoss));
}

TEST_F(FileSystemTest, AFileThatShrankIsReported) {
  const std::string path = folder_.Write("f", "abcdef");
  ASSERT_OK_AND_ASSIGN(const auto file, files_.OpenForRead(path));
  std::filesystem::resize_file(path, 4);
  EXPECT_THAT(ReadRange(*file, 1, 5),
              StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("expected 5 bytes at offset 1"), HasSubstr("found 3"))));
}

TEST_F(FileSystemTest, OpensRegularFilesOnly) {
  ASSERT_EQ(mkfifo(folder_.File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(files_.OpenForRead(folder_.File("none")),
              StatusIs(StatusCode::kNotFound, AllOf(HasSubstr(folder_.File("none")), HasSubstr("No such file"))));
  EXPECT_THAT(files_.OpenForRead(folder_.path()), StatusIs(StatusCode::kInvalidArgument, HasSubstr("is a directory")));
  EXPECT_THAT(files_.OpenForRead(folder_.File("pipe")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  EXPECT_THAT(files_.OpenForRead("/dev/zero"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  EXPECT_THAT(files_.OpenForRead(""), StatusIs(StatusCode::kInvalidArgument));
  folder_.Write("f", "x");
  EXPECT_THAT(files_.OpenForRead(absl::string_view((folder_.File("f") + std::string("\0.bak", 5)))),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("NUL")));
}

// Files below a folder.

TEST_F(FileSystemTest, OpensFilesBelowAFolder) {
  std::filesystem::create_directories(folder_.File("model/data/more"));
  folder_.Write("model/a", "1");
  folder_.Write("model/data/more/b", "22");
  std::filesystem::create_directory_symlink("model", folder_.File("link"));
  for (const std::string& folder : {folder_.File("model"), folder_.File("model/"), folder_.File("link")}) {
    ASSERT_OK_AND_ASSIGN(const auto near, files_.OpenBelow(folder, "a"));
    EXPECT_THAT(ReadRange(*near, 0, 1), IsOkAndHolds("1"));
    ASSERT_OK_AND_ASSIGN(const auto far, files_.OpenBelow(folder, "data/more/b"));
    EXPECT_THAT(ReadRange(*far, 0, 2), IsOkAndHolds("22"));
    EXPECT_EQ(far->path(), folder + (folder.back() == '/' ? "" : "/") + "data/more/b");
  }
}

TEST_F(FileSystemTest, NothingButRegularFilesBelowAFolderIsOpened) {
  std::filesystem::create_directories(folder_.File("model/data"));
  std::filesystem::create_directory(folder_.File("other"));
  folder_.Write("secret", "s");
  folder_.Write("other/secret", "s");
  folder_.Write("model/a", "1");
  folder_.Write("model/data/b", "2");
  const auto refused = [&](const std::string& relative, const std::string& why) {
    EXPECT_THAT(files_.OpenBelow(folder_.File("model"), relative),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)))
        << relative;
  };
  for (const std::string relative :
       {"", ".", "..", "../secret", "data/../../secret", "data/..", "data/./b", "data//b", "/data/b", "data/", "./a"}) {
    refused(relative, "is no file below");
  }
  refused(folder_.File("secret"), "is no file below");
  refused(std::string("a\0", 2), "NUL");

  std::filesystem::create_symlink(folder_.File("secret"), folder_.File("model/out"));
  std::filesystem::create_symlink("a", folder_.File("model/in"));
  std::filesystem::create_symlink("none", folder_.File("model/dangling"));
  for (const std::string link : {"out", "in", "dangling"}) refused(link, "model/" + link + ": is a symbolic link");
  std::filesystem::create_directory_symlink(folder_.File("other"), folder_.File("model/data/out"));
  std::filesystem::create_directory_symlink(".", folder_.File("model/data/in"));
  refused("data/out/secret", "model/data/out: is a symbolic link");
  refused("data/in/b", "model/data/in: is a symbolic link");

  ASSERT_EQ(mkfifo(folder_.File("model/pipe").c_str(), 0600), 0);
  refused("pipe", "model/pipe: is not a regular file");
  refused("data", "model/data: is a directory");
  for (const std::string relative : {"none", "none/a", "a/b"}) {
    EXPECT_THAT(files_.OpenBelow(folder_.File("model"), relative), StatusIs(StatusCode::kNotFound)) << relative;
  }
  EXPECT_THAT(files_.OpenBelow(folder_.File("none"), "a"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(files_.OpenBelow(folder_.File("secret"), "a"), StatusIs(StatusCode::kNotFound));
}

// Somebody who swaps what is in the folder between two steps of opening a file there.
class SwappingCalls : public SystemCalls {
 public:
  int OpenAt(int folder_fd, const std::string& name, int flags) override {
    if (name == swap_before) swap();
    return SystemCalls::OpenAt(folder_fd, name, flags);
  }
  std::string swap_before;
  std::function<void()> swap;
};

TEST_F(FileSystemTest, WhatIsSwappedMeanwhileLeadsNowhereElse) {
  std::filesystem::create_directory(folder_.File("other"));
  folder_.Write("other/file", "secret");
  const auto open = [&](const std::string& before, const std::function<void()>& swap) {
    std::filesystem::remove_all(folder_.File("model"));
    std::filesystem::remove_all(folder_.File("moved"));
    std::filesystem::create_directories(folder_.File("model/data"));
    folder_.Write("model/data/file", "public");
    SwappingCalls calls;
    calls.swap_before = before;
    calls.swap = swap;
    FileSystem files(calls);
    const auto file = files.OpenBelow(folder_.File("model"), "data/file");
    return file.ok() ? ReadRange(**file, 0, 6) : file.status();
  };
  const std::string model = folder_.File("model"), data = folder_.File("model/data");
  const std::string other = folder_.File("other"), moved = folder_.File("moved");
  EXPECT_THAT(open("file",
                   [&] {
                     std::filesystem::remove(data + "/file");
                     std::filesystem::create_symlink(other + "/file", data + "/file");
                   }),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("data/file: is a symbolic link")));
  EXPECT_THAT(open("data",
                   [&] {
                     std::filesystem::rename(data, moved);
                     std::filesystem::create_directory_symlink(other, data);
                   }),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("model/data: is a symbolic link")));
  // Too late: the folders are open.
  EXPECT_THAT(open("file",
                   [&] {
                     std::filesystem::rename(data, moved);
                     std::filesystem::create_directory_symlink(other, data);
                   }),
              IsOkAndHolds("public"));
  EXPECT_THAT(open("data",
                   [&] {
                     std::filesystem::rename(model, moved);
                     std::filesystem::create_directory(model);
                     std::filesystem::create_directory_symlink(other, data);
                   }),
              IsOkAndHolds("public"));
}

TEST_F(FileSystemTest, OpeningBelowAFolderLeavesNoDescriptors) {
  std::filesystem::create_directories(folder_.File("model/data"));
  folder_.Write("model/data/file", "x");
  const auto open_now = [] {
    const std::filesystem::directory_iterator descriptors("/proc/self/fd");
    return std::distance(begin(descriptors), end(descriptors));
  };
  const auto before = open_now();
  FaultyFileSystem disk;
  EXPECT_THAT(disk.OpenBelow(folder_.File("model"), "data/file"), IsOk());
  const int count = disk.count();
  EXPECT_EQ(count, 5) << "three opened, two looked at";
  for (int n = 1; n <= count; ++n) {
    disk.FailAt(n, EIO);
    EXPECT_THAT(disk.OpenBelow(folder_.File("model"), "data/file"), StatusIs(StatusCode::kUnavailable)) << n;
  }
  EXPECT_EQ(open_now(), before);
}

TEST_F(FileSystemTest, Exists) {
  EXPECT_THAT(files_.Exists(folder_.Write("f", "")), IsOkAndHolds(true));
  EXPECT_THAT(files_.Exists(folder_.path()), IsOkAndHolds(true));
  EXPECT_THAT(files_.Exists(folder_.File("none")), IsOkAndHolds(false));
  EXPECT_THAT(files_.Exists(folder_.File("f/below")), IsOkAndHolds(false));
}

// Atomic files.

TEST_F(FileSystemTest, ANewFileAppearsWithTheCommitOnly) {
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("new")));
  EXPECT_THAT(file->Append(Bytes("hello ")), IsOk());
  EXPECT_THAT(file->Append(Bytes("world")), IsOk());
  EXPECT_EQ(file->size(), 11u);
  EXPECT_THAT(files_.Exists(folder_.File("new")), IsOkAndHolds(false));
  EXPECT_THAT(file->Commit(), IsOk());
  EXPECT_THAT(folder_.Names(), ElementsAre("new"));
  EXPECT_EQ(folder_.Read("new"), "hello world");
  file.reset();
  EXPECT_EQ(folder_.Read("new"), "hello world");
}

TEST_F(FileSystemTest, WithoutCommitNothingChangesAndNothingIsLeft) {
  folder_.Write("f", "old");
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(file->Append(Bytes(Pattern(100'000))), IsOk());
  EXPECT_EQ(folder_.Names().size(), 2u);
  file.reset();
  EXPECT_THAT(folder_.Names(), ElementsAre("f"));
  EXPECT_EQ(folder_.Read("f"), "old");
}

TEST_F(FileSystemTest, AnEmptyFileCanBeCommitted) {
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(file->Commit(), IsOk());
  EXPECT_THAT(folder_.Names(), ElementsAre("f"));
}

TEST_F(FileSystemTest, AppendsOfAllSizesArriveInOrder) {
  const std::string expected = Pattern(1'000'000);
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  // Around the buffer's size: smaller, equal, larger, and one byte to either side.
  const std::vector<size_t> pieces = {1, 65535, 0, 65536, 65537, 3, 200'000, 65535, 1, 1, 30'000};
  size_t done = 0;
  for (size_t i = 0; done < expected.size(); ++i) {
    const size_t size = std::min(pieces[i % pieces.size()], expected.size() - done);
    ASSERT_THAT(file->Append(Bytes(expected.substr(done, size))), IsOk());
    done += size;
    ASSERT_EQ(file->size(), done);
  }
  EXPECT_THAT(file->Commit(), IsOk());
  EXPECT_TRUE(folder_.Read("f") == expected);
}

TEST_F(FileSystemTest, SmallAppendsAreGatheredAndLargeOnesNotHeld) {
  FaultyFileSystem disk;
  ASSERT_OK_AND_ASSIGN(auto file, disk.CreateAtomic(folder_.File("f")));
  for (int i = 0; i < 1000; ++i) EXPECT_THAT(file->Append(Bytes("x")), IsOk());
  EXPECT_EQ(disk.count(DiskOperation::kWrite), 0);
  EXPECT_THAT(file->Append(Bytes(Pattern(1'000'000))), IsOk());
  EXPECT_EQ(disk.count(DiskOperation::kWrite), 2);
}

TEST_F(FileSystemTest, NothingStaysOpen) {
  const auto open_count = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const std::string path = folder_.Write("v", "x");
  const auto before = open_count();
  {
    ASSERT_OK_AND_ASSIGN(const auto lock, files_.Lock(path, kOnce));
    ASSERT_OK_AND_ASSIGN(const auto source, files_.OpenForRead(path));
    ASSERT_OK_AND_ASSIGN(const auto dropped, files_.CreateAtomic(path));
    ASSERT_OK_AND_ASSIGN(const auto kept, files_.CreateAtomic(path));
    EXPECT_THAT(kept->Commit(), IsOk());
    EXPECT_THAT(files_.OpenForRead(folder_.path()), Not(IsOk()));
    EXPECT_THAT(files_.Lock(path, kOnce), IsOk());  // the file that took the name
  }
  EXPECT_EQ(open_count(), before);
}

TEST_F(FileSystemTest, WritesAndReadsAnywhereWhileOpen) {
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(file->Append(Bytes("0123456789")), IsOk());
  EXPECT_THAT(file->WriteAt(2, Bytes("ab")), IsOk());
  EXPECT_THAT(file->WriteAt(12, Bytes("xy")), IsOk());
  EXPECT_THAT(file->WriteAt(5, {}), IsOk());
  EXPECT_THAT(file->WriteAt(50, {}), IsOk());
  EXPECT_EQ(file->size(), 14u);
  EXPECT_THAT(file->Append(Bytes("!")), IsOk());
  std::vector<uint8_t> out(15);
  EXPECT_THAT(file->ReadAt(0, absl::MakeSpan(out)), IsOk());
  const std::string expected("01ab456789\0\0xy!", 15);
  EXPECT_EQ(std::string(out.begin(), out.end()), expected);
  EXPECT_THAT(file->ReadAt(1, absl::MakeSpan(out)), StatusIs(StatusCode::kDataLoss, HasSubstr("found 14")));
  EXPECT_THAT(file->Commit(), IsOk());  // the failed read did not stick
  EXPECT_EQ(folder_.Read("f"), expected);
}

TEST_F(FileSystemTest, OffsetsBeyondFourGibibytes) {
  constexpr uint64_t kFar = (uint64_t{5} << 30) + 3;
  {
    ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
    EXPECT_THAT(file->WriteAt(kFar, Bytes("far")), IsOk());  // sparse
    EXPECT_THAT(file->Append(Bytes("ther")), IsOk());
    EXPECT_THAT(file->Commit(), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const auto source, files_.OpenForRead(folder_.File("f")));
  EXPECT_EQ(source->size(), kFar + 7);
  EXPECT_THAT(ReadRange(*source, kFar - 1, 8), IsOkAndHolds(std::string("\0farther", 8)));
  ASSERT_OK_AND_ASSIGN(auto copy, files_.CreateAtomic(folder_.File("g")));
  EXPECT_THAT(copy->CopyFrom(*source, kFar, 7), IsOk());
  EXPECT_THAT(copy->Commit(), IsOk());
  EXPECT_EQ(folder_.Read("g"), "farther");
}

TEST_F(FileSystemTest, OffsetsNoFileHasAreRefused) {
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(file->WriteAt(uint64_t{1} << 63, Bytes("x")), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(file->Commit(), StatusIs(StatusCode::kInvalidArgument));  // sticks
  file.reset();
  EXPECT_THAT(folder_.Names(), IsEmpty());
}

TEST_F(FileSystemTest, CopiesRangesOfAnotherFile) {
  const std::string bytes = Pattern(700'001);
  ASSERT_OK_AND_ASSIGN(const auto source, files_.OpenForRead(folder_.Write("source", bytes)));
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(file->Append(Bytes("head")), IsOk());
  EXPECT_THAT(file->CopyFrom(*source, 5, 600'000), IsOk());
  EXPECT_THAT(file->CopyFrom(*source, 700'001, 0), IsOk());
  EXPECT_THAT(file->Append(Bytes("mid")), IsOk());
  EXPECT_THAT(file->CopyFrom(*source, 700'000, 1), IsOk());
  EXPECT_THAT(file->CopyFrom(MemoryFile({1, 2, 3}), 1, 2), IsOk());
  EXPECT_THAT(file->Commit(), IsOk());
  EXPECT_TRUE(folder_.Read("f") == "head" + bytes.substr(5, 600'000) + "mid" + bytes.substr(700'000) + "\x02\x03");
}

TEST_F(FileSystemTest, CopyingMoreThanTheSourceHasIsDataLossNamingTheSource) {
  ASSERT_OK_AND_ASSIGN(const auto source, files_.OpenForRead(folder_.Write("source", "abc")));
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(
      file->CopyFrom(*source, 1, 3),
      StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("source"), HasSubstr("expected 3"), HasSubstr("found 2"))));
}

TEST_F(FileSystemTest, CopyingASourceThatShrankIsDataLossNamingTheSource) {
  const std::string path = folder_.Write("source", "abcdef");
  ASSERT_OK_AND_ASSIGN(const auto source, files_.OpenForRead(path));
  std::filesystem::resize_file(path, 2);
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(file->CopyFrom(*source, 0, 6), StatusIs(StatusCode::kDataLoss, HasSubstr("source")));
}

TEST_F(FileSystemTest, ThreadsWriteTheirOwnRanges) {
  constexpr size_t kPiece = 10'000;
  const std::string expected = Pattern(8 * kPiece);
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < kPiece; i += 100) {
        const size_t offset = t * kPiece + i;
        EXPECT_THAT(file->WriteAt(offset, Bytes(expected.substr(offset, 100))), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(file->Commit(), IsOk());
  EXPECT_TRUE(folder_.Read("f") == expected);
}

TEST_F(FileSystemTest, NothingMayBeWrittenAfterTheCommit) {
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(file->Append(Bytes("x")), IsOk());
  EXPECT_THAT(file->Commit(), IsOk());
  EXPECT_THAT(file->Append(Bytes("y")), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(file->Commit(), StatusIs(StatusCode::kFailedPrecondition));
  file.reset();
  EXPECT_EQ(folder_.Read("f"), "x");
}

TEST_F(FileSystemTest, FreshFilesFollowTheUmaskAndReplacementsTheirPredecessor) {
  const ScopedUmask mask(027);
  const auto write = [&](const std::string& name) {
    ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File(name)));
    ASSERT_THAT(file->Commit(), IsOk());
  };
  write("fresh");
  EXPECT_EQ(ModeOf(folder_.File("fresh")), 0640u);
  for (const mode_t mode : {0600, 0666, 0444, 0755}) {
    ASSERT_EQ(chmod(folder_.File("fresh").c_str(), mode), 0);
    write("fresh");
    EXPECT_EQ(ModeOf(folder_.File("fresh")), mode);
  }
}

// Looks at the permissions a temporary file is born with.
class ModeRecordingCalls : public SystemCalls {
 public:
  int Open(const std::string& path, int flags, mode_t mode) override {
    if ((flags & O_CREAT) != 0) created_with = mode;
    return SystemCalls::Open(path, flags, mode);
  }
  mode_t created_with = 0;
};

TEST_F(FileSystemTest, AReplacementIsNobodyElsesUntilItHasWhatTheOldFileHad) {
  for (const mode_t mode : {0600, 0666}) {
    ASSERT_EQ(chmod(folder_.Write("f", "secret").c_str(), mode), 0);
    ModeRecordingCalls calls;
    FileSystem files(calls);
    EXPECT_THAT(files.CreateAtomic(folder_.File("f")), IsOk());
    EXPECT_EQ(calls.created_with, 0600u);
  }
}

TEST_F(FileSystemTest, TargetsThatAreNotFilesAreRefused) {
  ASSERT_EQ(mkfifo(folder_.File("pipe").c_str(), 0600), 0);
  ASSERT_EQ(symlink("nowhere", folder_.File("dangling").c_str()), 0);
  folder_.Write("file", "x");
  const std::vector<std::string> before = folder_.Names();
  EXPECT_THAT(files_.CreateAtomic(folder_.path()), StatusIs(StatusCode::kInvalidArgument, HasSubstr("is a directory")));
  EXPECT_THAT(files_.CreateAtomic(folder_.File("new/")), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(files_.CreateAtomic(folder_.File("pipe")), StatusIs(StatusCode::kInvalidArgument, HasSubstr("pipe")));
  EXPECT_THAT(files_.CreateAtomic("/dev/null"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("/dev/null")));
  EXPECT_THAT(files_.CreateAtomic(folder_.File("dangling")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("symbolic link")));
  EXPECT_THAT(files_.CreateAtomic(folder_.File("none/f")), StatusIs(StatusCode::kNotFound, HasSubstr("none/f")));
  EXPECT_THAT(files_.CreateAtomic(folder_.File("file/f")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(files_.CreateAtomic(folder_.File(std::string(300, 'n'))), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(files_.CreateAtomic(""), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_EQ(folder_.Names(), before);
}

TEST_F(FileSystemTest, ATargetThatBecomesADirectoryOrAPipeMeanwhileIsNotReplaced) {
  ASSERT_OK_AND_ASSIGN(auto to_folder, files_.CreateAtomic(folder_.File("a")));
  ASSERT_OK_AND_ASSIGN(auto to_pipe, files_.CreateAtomic(folder_.File("b")));
  ASSERT_EQ(mkdir(folder_.File("a").c_str(), 0700), 0);
  ASSERT_EQ(mkfifo(folder_.File("b").c_str(), 0600), 0);
  EXPECT_THAT(to_folder->Commit(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("is a directory")));
  EXPECT_THAT(to_pipe->Commit(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  to_folder.reset();
  to_pipe.reset();
  EXPECT_THAT(folder_.Names(), ElementsAre("a", "b"));
}

TEST_F(FileSystemTest, TheTargetOfASymbolicLinkIsReplacedNotTheLink) {
  ASSERT_EQ(mkdir(folder_.File("d").c_str(), 0700), 0);
  folder_.Write("d/real", "old");
  ASSERT_EQ(symlink("d/real", folder_.File("link").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("link")));
  EXPECT_THAT(file->Append(Bytes("new")), IsOk());
  EXPECT_THAT(file->Commit(), IsOk());
  EXPECT_TRUE(std::filesystem::is_symlink(folder_.File("link")));
  EXPECT_EQ(folder_.Read("d/real"), "new");
  EXPECT_THAT(folder_.Names(), ElementsAre("d", "link"));
}

TEST_F(FileSystemTest, RelativePathsAndTheLongestNameWork) {
  const std::string old = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  const std::string longest(255, 'n');
  for (const std::string& name : {std::string("plain"), std::string("./dotted"), longest}) {
    SCOPED_TRACE(name);
    for (int round = 0; round < 2; ++round) {
      const auto file = files_.CreateAtomic(name);
      ASSERT_THAT(file, IsOk());
      EXPECT_THAT((*file)->Commit(), IsOk());
    }
  }
  std::filesystem::current_path(old);
  EXPECT_THAT(folder_.Names(), ElementsAre("dotted", longest, "plain"));
}

TEST_F(FileSystemTest, LongTemporaryNamesEndWithAWholeCharacter) {
  std::string accented = "n";
  while (accented.size() < 250) accented += "\xC3\xA4";
  const std::pair<std::string, size_t> cases[] = {{std::string(200, 'n'), 200},
                                                  {std::string(201, 'n'), 200},
                                                  {accented, 199},
                                                  {std::string(255, '\x80'), 197}};  // No UTF-8.
  for (const auto& [name, size] : cases) {
    ASSERT_OK_AND_ASSIGN(const auto file, files_.CreateAtomic(folder_.File(name)));
    ASSERT_EQ(folder_.Names().size(), 1u);
    const std::string temporary = folder_.Names()[0];
    EXPECT_EQ(temporary.substr(1, temporary.rfind('.', temporary.size() - 5) - 1), name.substr(0, size));
  }
}

TEST_F(FileSystemTest, TwoOutputsForOneNameDoNotMix) {
  ASSERT_OK_AND_ASSIGN(auto first, files_.CreateAtomic(folder_.File("f")));
  ASSERT_OK_AND_ASSIGN(auto second, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(first->Append(Bytes("first")), IsOk());
  EXPECT_THAT(second->Append(Bytes("second")), IsOk());
  EXPECT_THAT(second->Commit(), IsOk());
  EXPECT_EQ(folder_.Read("f"), "second");
  EXPECT_THAT(first->Commit(), IsOk());
  EXPECT_EQ(folder_.Read("f"), "first");
  EXPECT_THAT(folder_.Names(), ElementsAre("f"));
}

// Once armed, gives the name to somebody else just before the last look at it, or just after.
class NameTakingCalls : public SystemCalls {
 public:
  explicit NameTakingCalls(std::string path) : path_(std::move(path)) {}
  int unsupported = 0;  // What the call for new names is refused with; 0: it is not.
  bool after_look = true;
  int StatLink(const std::string& path, struct stat* out) override {
    if (!after_look && path == path_) Take();
    const int result = SystemCalls::StatLink(path, out);
    const int error = errno;
    if (after_look && path == path_) Take();
    errno = error;
    return result;
  }
  int RenameToNew(const std::string& from, const std::string& to) override {
    errno = unsupported;
    return unsupported != 0 ? -1 : SystemCalls::RenameToNew(from, to);
  }
  void Arm() { armed_ = true; }

 private:
  void Take() {
    if (!armed_) return;
    const int fd = SystemCalls::Open(path_, O_CREAT | O_RDWR, 0600);
    EXPECT_EQ(SystemCalls::WriteAt(fd, "theirs", 6, 0), 6);
    EXPECT_EQ(SystemCalls::Close(fd), 0);
  }
  const std::string path_;
  bool armed_ = false;
};

TEST_F(FileSystemTest, ANewFileNeverTakesTheNameOfOneMadeMeanwhile) {
  const std::string path = folder_.File("f");
  const auto taken = [&] {
    return StatusIs(StatusCode::kAborted, AllOf(HasSubstr(path), HasSubstr("another program made it meanwhile")));
  };
  for (const bool after_look : {true, false}) {
    NameTakingCalls calls(path);
    calls.after_look = after_look;
    if (!after_look) calls.unsupported = ENOSYS;
    FileSystem files(calls);
    ASSERT_OK_AND_ASSIGN(auto file, files.CreateAtomic(path, Durability::kOnDisk, Overwrite::kNever));
    EXPECT_THAT(file->Append(Bytes("ours")), IsOk());
    calls.Arm();
    EXPECT_THAT(file->Commit(), taken());
    EXPECT_EQ(folder_.Read("f"), "theirs");
    EXPECT_THAT(files.CreateAtomic(path, Durability::kOnDisk, Overwrite::kNever), taken());
    file.reset();
    EXPECT_THAT(folder_.Names(), ElementsAre("f"));
    std::filesystem::remove(path);
  }
}

TEST_F(FileSystemTest, WhereTheSystemHasNoRenameToNewNamesAFreshFileGetsItsNameAllTheSame) {
  for (const int error : {0, EINVAL, ENOSYS, EOPNOTSUPP, EPERM}) {
    NameTakingCalls calls(folder_.File("f"));
    calls.unsupported = error;
    FileSystem files(calls);
    ASSERT_OK_AND_ASSIGN(auto file, files.CreateAtomic(folder_.File("f"), Durability::kOnDisk, Overwrite::kNever));
    EXPECT_THAT(file->Append(Bytes("ours")), IsOk());
    EXPECT_THAT(file->Commit(), IsOk()) << error;
    EXPECT_EQ(folder_.Read("f"), "ours");
    EXPECT_THAT(folder_.Names(), ElementsAre("f"));
    std::filesystem::remove(folder_.File("f"));
  }
}

// A fresh process's number comes round again, and with it the names a killed process left behind.
TEST_F(FileSystemTest, LeftoversWithTheSameNameAreSteppedOver) {
  ASSERT_OK_AND_ASSIGN(auto probe, files_.CreateAtomic(folder_.File("f")));
  const std::string taken = folder_.Names()[0];
  probe.reset();
  const size_t dash = taken.rfind('-');
  const int next = std::stoi(taken.substr(dash + 1)) + 1;
  const std::string leftover = absl::StrCat(taken.substr(0, dash + 1), next, ".tmp");
  folder_.Write(leftover, "precious");
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("f")));
  EXPECT_THAT(file->Commit(), IsOk());
  EXPECT_THAT(folder_.Names(), ElementsAre(leftover, "f"));
  EXPECT_EQ(folder_.Read(leftover), "precious");
}

class LeftoverTest : public FileSystemTest {
 protected:
  // A process that writes a temporary file of "v" until it is killed; its number.
  pid_t StartWriter() {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto file = files_.CreateAtomic(folder_.File("v"));
      const char answer = file.ok() ? 'y' : 'n';
      if (write(ready[1], &answer, 1) != 1) _exit(1);
      pause();
      _exit(1);
    }
    char answer = 0;
    EXPECT_EQ(read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    close(ready[0]);
    close(ready[1]);
    return child;
  }
  static void Kill(pid_t child) {
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
  }
  void LockAndRelease() { EXPECT_THAT(files_.Lock(folder_.File("v"), kOnce), IsOk()); }
};

TEST_F(LeftoverTest, WhatAKilledWriterLeftIsRemovedByTheNextAndNoLiveOnes) {
  folder_.Write("v", "x");
  const pid_t dead = StartWriter(), live = StartWriter();
  EXPECT_EQ(folder_.Names().size(), 3u);
  LockAndRelease();
  EXPECT_EQ(folder_.Names().size(), 3u);
  Kill(dead);
  LockAndRelease();
  EXPECT_THAT(folder_.Names(), ElementsAre(StartsWith(absl::StrCat(".v.", live, "-")), "v"));
  Kill(live);
  LockAndRelease();
  EXPECT_THAT(folder_.Names(), ElementsAre("v"));
  EXPECT_EQ(folder_.Read("v"), "x");
}

TEST_F(LeftoverTest, WhatSomebodyHasLockedOrIsNoLeftoverStays) {
  folder_.Write("v", "x");
  const pid_t gone = StartWriter();
  Kill(gone);
  const std::string name = folder_.Names()[0];
  const std::string number = absl::StrCat(gone);
  std::vector<std::string> others = {".v.tmp",
                                     ".v." + number + ".tmp",
                                     ".v." + number + "-0.tmp~",
                                     ".v.x-0.tmp",
                                     ".v." + number + "-x.tmp",
                                     ".w." + number + "-0.tmp",
                                     ".v.0-0.tmp",
                                     ".v.-" + number + "-0.tmp",
                                     "v." + number + "-0.tmp",
                                     ".v.w." + number + "-0.tmp"};
  for (const std::string& other : others) folder_.Write(other, "precious");
  // Something else has such a name.
  std::filesystem::create_directory(folder_.File(".v." + number + "-7.tmp"));
  std::filesystem::create_symlink("v", folder_.File(".v." + number + "-8.tmp"));
  const int fd = open(folder_.File(name).c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);  // By a process of another machine, say.
  const std::vector<std::string> before = folder_.Names();
  LockAndRelease();
  EXPECT_EQ(folder_.Names(), before);
  close(fd);
  LockAndRelease();
  EXPECT_EQ(folder_.Names().size(), before.size() - 1);
  EXPECT_EQ(folder_.ReadIfThere(name), "");
  EXPECT_EQ(folder_.Read("v"), "x");
}

// A new file is not locked any more when it has its name.
TEST_F(LeftoverTest, AFileThatWasCommittedCanBeLocked) {
  ASSERT_OK_AND_ASSIGN(auto file, files_.CreateAtomic(folder_.File("v")));
  EXPECT_THAT(file->Commit(), IsOk());
  LockAndRelease();
}

// Locks.

TEST_F(FileSystemTest, ASecondLockOfTheSameFileIsRefusedUntilTheFirstEnds) {
  const std::string path = folder_.Write("v", "x");
  ASSERT_OK_AND_ASSIGN(auto lock, files_.Lock(path, kOnce));
  EXPECT_THAT(files_.Lock(path, kOnce),
              StatusIs(StatusCode::kAborted, AllOf(HasSubstr(path), HasSubstr("being written by another process"))));
  EXPECT_THAT(files_.Lock(folder_.Write("other", "x"), kOnce), IsOk());
  lock.reset();
  EXPECT_THAT(files_.Lock(path, kOnce), IsOk());
  EXPECT_THAT(folder_.Names(), ElementsAre("other", "v"));
}

TEST_F(FileSystemTest, ALockOfAnotherProcessCountsAndEndsWithIt) {
  const std::string path = folder_.Write("v", "x");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = files_.Lock(path, kOnce);
    const char answer = lock.ok() ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    pause();  // until killed: the lock must not outlive the process
    _exit(1);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_THAT(files_.Lock(path, {.attempts = 3, .interval_ms = 0}), StatusIs(StatusCode::kAborted, HasSubstr(path)));
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_THAT(files_.Lock(path, kOnce), IsOk());
  EXPECT_THAT(folder_.Names(), ElementsAre("v"));
  close(ready[0]);
  close(ready[1]);
}

TEST_F(FileSystemTest, ALockWaitsForAsManyAttemptsAsAsked) {
  const std::string path = folder_.Write("v", "x");
  ASSERT_OK_AND_ASSIGN(const auto lock, files_.Lock(path, kOnce));
  FaultyFileSystem disk;
  EXPECT_THAT(disk.Lock(path, {.attempts = 7}), StatusIs(StatusCode::kAborted));
  EXPECT_EQ(disk.count(DiskOperation::kLock), 7);
  EXPECT_EQ(disk.pauses(), 6);
}

// Replaces the file between the opening and the locking, as a writer that finishes just then does.
class ReplacingCalls : public SystemCalls {
 public:
  ReplacingCalls(std::string path, int times) : path_(std::move(path)), left_(times) {}
  int TryLock(int fd) override {
    if (left_ > 0) {
      --left_;
      const std::string fresh = path_ + ".fresh";
      EXPECT_GE(SystemCalls::Close(SystemCalls::Open(fresh, O_CREAT | O_RDWR, 0600)), 0);
      EXPECT_EQ(SystemCalls::Rename(fresh, path_), 0);
    }
    return SystemCalls::TryLock(fd);
  }
  void Pause(int) override {}

 private:
  const std::string path_;
  int left_;
};

TEST_F(FileSystemTest, AFileReplacedWhileItIsBeingLockedIsLockedAnew) {
  const std::string path = folder_.Write("v", "x");
  ReplacingCalls calls(path, 3);
  FileSystem files(calls);
  ASSERT_OK_AND_ASSIGN(const auto lock, files.Lock(path, {.attempts = 4}));
  // Whoever opens the path now must meet the lock.
  EXPECT_THAT(files_.Lock(path, kOnce), StatusIs(StatusCode::kAborted));
}

TEST_F(FileSystemTest, AFileReplacedAtEveryAttemptIsAborted) {
  const std::string path = folder_.Write("v", "x");
  ReplacingCalls calls(path, 4);
  FileSystem files(calls);
  EXPECT_THAT(files.Lock(path, {.attempts = 4}), StatusIs(StatusCode::kAborted));
}

TEST_F(FileSystemTest, LockRefusesWhatIsNoFile) {
  EXPECT_THAT(files_.Lock(folder_.File("none"), kOnce), StatusIs(StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_THAT(files_.Lock(folder_.path(), kOnce), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(folder_.Names(), IsEmpty());
  ASSERT_EQ(mkfifo(folder_.File("pipe").c_str(), 0600), 0);
  EXPECT_THAT(files_.Lock(folder_.File("pipe"), kOnce), StatusIs(StatusCode::kInvalidArgument, HasSubstr("pipe")));
}

// A disk that fails.

constexpr size_t kOldSize = 200'000;

// Every operation there is, on one vault-like file: lock it, keep parts of the old one, add to it, read back, replace
// it.
absl::Status Rewrite(FileSystem& files, const std::string& path) {
  absl::StatusOr<bool> exists = files.Exists(path);
  if (!exists.ok()) return exists.status();
  absl::StatusOr<std::unique_ptr<FileLock>> lock = files.Lock(path, kOnce);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> old = files.OpenForRead(path);
  if (!old.ok()) return old.status();
  std::vector<uint8_t> head(1000);
  if (absl::Status status = (*old)->ReadAt(0, absl::MakeSpan(head)); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = files.CreateAtomic(path);
  if (!file.ok()) return file.status();
  if (absl::Status status = (*file)->CopyFrom(**old, 0, kOldSize); !status.ok()) return status;
  if (absl::Status status = (*file)->Append(head); !status.ok()) return status;
  if (absl::Status status = (*file)->WriteAt(0, Bytes("new")); !status.ok()) return status;
  if (absl::Status status = (*file)->ReadAt(0, absl::MakeSpan(head)); !status.ok()) return status;
  return (*file)->Commit();
}

TEST(UrlTest, AUrlIsToldByItsSchemeAndNoFilesName) {
  for (const char* url : {"http://h/v", "HTTPS://h/v", "file:///v", "a+b-c.1://x"}) EXPECT_TRUE(IsUrl(url)) << url;
  for (const char* path : {"", "v", "/v", "./http://h/v", "://h", "1a://h", "a b://h", "http:/h/v", "c:\\v"}) {
    EXPECT_FALSE(IsUrl(path)) << path;
  }
  FileSystem disk(SystemCalls::Posix());
  const std::string url = "http://me:secret@host/v";
  const auto refused =
      StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("http://host/v"), Not(HasSubstr("secret"))));
  EXPECT_THAT(disk.OpenForRead(url), refused);
  EXPECT_THAT(disk.CreateAtomic(url), refused);
  EXPECT_THAT(disk.Lock(url), refused);
  EXPECT_THAT(disk.OpenVault(url), StatusIs(StatusCode::kUnimplemented, Not(HasSubstr("secret"))));
  disk.OnUrl([](const std::string& opened) -> absl::StatusOr<std::unique_ptr<RandomAccessFile>> {
    return std::make_unique<MemoryFile>(std::vector<uint8_t>(7), opened);
  });
  ASSERT_OK_AND_ASSIGN(const auto file, disk.OpenVault(url));
  EXPECT_EQ(file->path(), url);
  EXPECT_THAT(disk.OpenVault("/"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("directory")));
}

TEST(UrlTest, UserAndPasswordAreLeftOut) {
  for (const auto& [url, shown] :
       std::vector<std::pair<std::string, std::string>>{{"http://h/v", "http://h/v"},
                                                        {"http://u@h/v", "http://h/v"},
                                                        {"http://u:p@ss@h:1/v@2", "http://h:1/v@2"},
                                                        {"http://u:p@h?q=a@b", "http://h?q=a@b"},
                                                        {"http://h/u:p@v", "http://h/u:p@v"},
                                                        {"http://u:p@", "http://"},
                                                        {"u:p@h/v", "u:p@h/v"}}) {
    EXPECT_EQ(WithoutUserInfo(url), shown);
  }
}

class FaultyDiskTest : public testing::Test {
 protected:
  FaultyDiskTest() : old_(Pattern(kOldSize)), new_("new" + old_.substr(3) + old_.substr(0, 1000)) {
    path_ = folder_.Write("v", old_);
  }

  // Puts the old file back and ends all faults.
  void StartAnew() {
    for (const std::string& name : folder_.Names()) std::filesystem::remove(folder_.File(name));
    folder_.Write("v", old_);
    disk_.Repair();
  }

  const std::string old_;
  const std::string new_;
  TempFolder folder_;
  std::string path_;
  FaultyFileSystem disk_;
};

TEST_F(FaultyDiskTest, WithoutFaultsEveryKindOfOperationHappens) {
  EXPECT_THAT(Rewrite(disk_, path_), IsOk());
  EXPECT_TRUE(folder_.Read("v") == new_);
  for (const DiskOperation operation :
       {DiskOperation::kOpen, DiskOperation::kCreate, DiskOperation::kStat, DiskOperation::kChangeMode,
        DiskOperation::kRead, DiskOperation::kWrite, DiskOperation::kCopy, DiskOperation::kSync, DiskOperation::kRename,
        DiskOperation::kSyncDirectory, DiskOperation::kLock}) {
    EXPECT_GT(disk_.count(operation), 0) << static_cast<int>(operation);
  }
  EXPECT_EQ(disk_.count(DiskOperation::kUnlink), 0);
}

TEST_F(FaultyDiskTest, AnyFailingOperationIsReportedNamesTheFileAndLeavesNothing) {
  ASSERT_THAT(Rewrite(disk_, path_), IsOk());
  const int count = disk_.count();
  ASSERT_GT(count, 10);
  for (const int error : {EIO, ENOSPC, EROFS, EACCES}) {
    for (int n = 1; n <= count; ++n) {
      SCOPED_TRACE(absl::StrCat("error ", error, " at operation ", n, " of ", count));
      StartAnew();
      disk_.FailAt(n, error);
      const absl::Status status = Rewrite(disk_, path_);
      ASSERT_TRUE(disk_.hit().has_value());
      if (status.ok()) {
        EXPECT_TRUE(HasAnotherWay(*disk_.hit(), error)) << static_cast<int>(*disk_.hit());
      } else {
        const bool in_place = disk_.hit() == DiskOperation::kSyncDirectory;
        ASSERT_THAT(status, StatusIs(in_place ? StatusCode::kUnknown : StatusCode::kUnavailable,
                                     AllOf(HasSubstr(path_), HasSubstr(strerror(error)))));
      }
      EXPECT_THAT(folder_.Names(), ElementsAre("v"));
      const std::string now = folder_.Read("v");
      EXPECT_TRUE(now == old_ || now == new_);
      // The same file system works again as soon as its disk does.
      StartAnew();
      EXPECT_THAT(Rewrite(disk_, path_), IsOk());
      EXPECT_TRUE(folder_.Read("v") == new_);
    }
  }
}

TEST_F(FaultyDiskTest, AFullDiskLeavesTheOldFileAlone) {
  for (int n = 1; n <= 2; ++n) {
    StartAnew();
    disk_.FailAt(DiskOperation::kWrite, n, ENOSPC, /*lasting=*/true);
    EXPECT_THAT(Rewrite(disk_, path_),
                StatusIs(StatusCode::kUnavailable, AllOf(HasSubstr("No space left"), HasSubstr("cannot write"))));
    EXPECT_THAT(folder_.Names(), ElementsAre("v"));
    EXPECT_TRUE(folder_.Read("v") == old_);
  }
}

TEST_F(FaultyDiskTest, AReadOnlyDiskIsNamed) {
  disk_.FailAt(DiskOperation::kCreate, 1, EROFS, /*lasting=*/true);
  EXPECT_THAT(disk_.CreateAtomic(path_),
              StatusIs(StatusCode::kUnavailable, AllOf(HasSubstr(path_), HasSubstr("Read-only"))));
}

TEST_F(FaultyDiskTest, AFileThatMayOnlyBeReadCanStillBeLocked) {
  disk_.FailAt(DiskOperation::kOpen, 1, EACCES);
  ASSERT_OK_AND_ASSIGN(const auto lock, disk_.Lock(path_, kOnce));
  EXPECT_THAT(FileSystem::Default().Lock(path_, kOnce), StatusIs(StatusCode::kAborted));
}

TEST_F(FaultyDiskTest, AFailedSyncIsNotTriedAgain) {
  ASSERT_OK_AND_ASSIGN(auto file, disk_.CreateAtomic(path_));
  EXPECT_THAT(file->Append(Bytes("x")), IsOk());
  disk_.FailAt(DiskOperation::kSync, 1, EIO);
  EXPECT_THAT(file->Commit(), StatusIs(StatusCode::kUnavailable, HasSubstr("sync")));
  EXPECT_THAT(file->Commit(), StatusIs(StatusCode::kUnavailable, HasSubstr("sync")));
  EXPECT_EQ(disk_.count(DiskOperation::kSync), 1);
  EXPECT_EQ(disk_.count(DiskOperation::kRename), 0);
}

TEST_F(FaultyDiskTest, TheFirstFailureSticks) {
  ASSERT_OK_AND_ASSIGN(auto file, disk_.CreateAtomic(path_));
  disk_.FailAt(DiskOperation::kWrite, 1, EIO);
  EXPECT_THAT(file->WriteAt(0, Bytes("x")), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(file->WriteAt(0, Bytes("x")), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(file->Append(Bytes("x")), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(file->CopyFrom(MemoryFile({1}), 0, 1), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(file->Commit(), StatusIs(StatusCode::kUnavailable, HasSubstr("cannot write")));
  file.reset();
  EXPECT_TRUE(folder_.Read("v") == old_);
  EXPECT_THAT(folder_.Names(), ElementsAre("v"));
}

TEST_F(FaultyDiskTest, AFailureOfTheLastStepSaysThatTheNewFileIsInPlace) {
  disk_.FailAt(DiskOperation::kSyncDirectory, 1, EIO);
  EXPECT_THAT(Rewrite(disk_, path_), StatusIs(StatusCode::kUnknown, HasSubstr("the new file is in place")));
  EXPECT_TRUE(folder_.Read("v") == new_);
}

TEST_F(FaultyDiskTest, ShortTransfersAreContinued) {
  for (const DiskOperation operation : {DiskOperation::kRead, DiskOperation::kWrite, DiskOperation::kCopy}) {
    SCOPED_TRACE(static_cast<int>(operation));
    StartAnew();
    disk_.ShortenAt(operation, 1, /*lasting=*/true);
    EXPECT_THAT(Rewrite(disk_, path_), IsOk());
    EXPECT_TRUE(folder_.Read("v") == new_);
    EXPECT_GT(disk_.count(operation), 5);
  }
}

TEST_F(FaultyDiskTest, InterruptedCallsAreRepeated) {
  for (const DiskOperation operation : {DiskOperation::kRead, DiskOperation::kWrite, DiskOperation::kCopy}) {
    SCOPED_TRACE(static_cast<int>(operation));
    StartAnew();
    disk_.FailAt(operation, 1, EINTR);
    EXPECT_THAT(Rewrite(disk_, path_), IsOk());
    EXPECT_TRUE(folder_.Read("v") == new_);
    EXPECT_EQ(disk_.count(DiskOperation::kCopy), operation == DiskOperation::kCopy ? 2 : 1);
  }
}

TEST_F(FaultyDiskTest, AReadThatMeetsTheEndEarlyIsDataLoss) {
  disk_.EndFileAtRead(1);
  EXPECT_THAT(Rewrite(disk_, path_),
              StatusIs(StatusCode::kDataLoss,
                       AllOf(HasSubstr(path_), HasSubstr("expected 1000 bytes at offset 0"), HasSubstr("found 0"))));
}

TEST_F(FaultyDiskTest, WhereTheKernelCannotCopyBytesAreReadAndWritten) {
  for (const int error : {EXDEV, ENOSYS, EINVAL, EOPNOTSUPP, EPERM}) {
    SCOPED_TRACE(error);
    StartAnew();
    disk_.FailAt(DiskOperation::kCopy, 1, error, /*lasting=*/true);
    EXPECT_THAT(Rewrite(disk_, path_), IsOk());
    EXPECT_TRUE(folder_.Read("v") == new_);
    EXPECT_EQ(disk_.count(DiskOperation::kCopy), 1);
  }
}

TEST_F(FaultyDiskTest, APowerCutAnywhereLeavesTheOldFileOrTheNewOne) {
  ASSERT_THAT(Rewrite(disk_, path_), IsOk());
  const int count = disk_.count();
  bool saw_old = false;
  bool saw_new = false;
  bool saw_leftover = false;
  for (int n = 1; n <= count + 1; ++n) {
    SCOPED_TRACE(absl::StrCat("power cut at operation ", n, " of ", count));
    StartAnew();
    disk_.PowerCutAt(n);
    EXPECT_EQ(Rewrite(disk_, path_).ok(), n > count);
    const std::string now = folder_.Read("v");
    ASSERT_TRUE(now == old_ || now == new_);
    saw_old = saw_old || now == old_;
    saw_new = saw_new || now == new_;
    saw_leftover = saw_leftover || folder_.Names().size() > 1;
    // What the cut left behind must not stand in the way of the next run.
    disk_.Repair();
    EXPECT_THAT(disk_.Lock(path_, kOnce), IsOk());
  }
  EXPECT_TRUE(saw_old && saw_new && saw_leftover);
}

// The fault the power cut is there to find: a file that gets its name before its bytes are on the disk.
TEST_F(FaultyDiskTest, APowerCutEmptiesWhatWasNeverSynced) {
  const int fd = disk_.Open(folder_.File("unsynced"), O_CREAT | O_RDWR, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(disk_.WriteAt(fd, "abc", 3, 0), 3);
  ASSERT_EQ(disk_.Rename(folder_.File("unsynced"), path_), 0);
  disk_.PowerCutAt(1);
  EXPECT_LT(disk_.Sync(fd), 0);
  EXPECT_EQ(folder_.Read("v"), "");
  disk_.Close(fd);
}

}  // namespace
}  // namespace modelvault
