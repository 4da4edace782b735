// More files than a process may have open.
#include "vault/descriptor_pool.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "vault/file_system.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

// Allows only so many descriptors.
class NarrowCalls : public SystemCalls {
 public:
  int limit = 3;
  int Open(const std::string& path, int flags, mode_t mode) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (open_ >= limit) {
      errno = EMFILE;
      return -1;
    }
    const int fd = SystemCalls::Open(path, flags, mode);
    if (fd >= 0) most_ = std::max(most_, ++open_);
    return fd;
  }
  int Close(int fd) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    --open_;
    return SystemCalls::Close(fd);
  }
  int SyncDirectory(const std::string& path) override {
    if (open_ < limit) return SystemCalls::SyncDirectory(path);
    errno = EMFILE;
    return -1;
  }
  int open() const { return open_; }
  int most() const { return most_; }

 private:
  std::mutex mutex_;
  int open_ = 0;
  int most_ = 0;
};

class DescriptorPoolTest : public testing::Test {
 protected:
  std::string NameOf(int i) const { return "f" + std::to_string(i); }
  std::vector<std::unique_ptr<RandomAccessFile>> OpenAll(int count) {
    std::vector<std::unique_ptr<RandomAccessFile>> opened;
    for (int i = 0; i < count; ++i) {
      auto file = files_.OpenForRead(folder_.Write(NameOf(i), std::to_string(1000 + i)));
      EXPECT_THAT(file, IsOk());
      if (file.ok()) opened.push_back(*std::move(file));
    }
    return opened;
  }
  static absl::StatusOr<std::string> Read(const RandomAccessFile& file) {
    std::string text(4, '\0');
    absl::Status status = file.ReadAt(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
    if (!status.ok()) return status;
    return text;
  }

  TempFolder folder_;
  NarrowCalls calls_;
  FileSystem files_{calls_};
};

TEST_F(DescriptorPoolTest, AnyNumberOfFilesIsReadWithAFew) {
  {
    const auto opened = OpenAll(50);
    ASSERT_EQ(opened.size(), 50u);
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 50; ++i)
        EXPECT_THAT(Read(*opened[static_cast<size_t>(i)]), IsOkAndHolds(std::to_string(1000 + i)));
    }
    EXPECT_EQ(calls_.most(), 3);
  }
  EXPECT_EQ(calls_.open(), 0);
}

TEST_F(DescriptorPoolTest, NothingIsClosedBeforeItMustBe) {
  calls_.limit = 100;
  const auto opened = OpenAll(50);
  EXPECT_EQ(calls_.open(), 50);
}

TEST_F(DescriptorPoolTest, ThreadsWaitForOneAnothersDescriptors) {
  calls_.limit = 1;
  const auto opened = OpenAll(20);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto text = Read(*opened[static_cast<size_t>(i * 7 % 20)]);
        if (!text.ok() || *text != std::to_string(1000 + i * 7 % 20)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(calls_.most(), 1);
}

TEST_F(DescriptorPoolTest, OutputsAndLocksAndFoldersMakeRoom) {
  const auto opened = OpenAll(10);
  {
    ASSERT_OK_AND_ASSIGN(const auto lock, files_.Lock(folder_.File("f0")));
    ASSERT_OK_AND_ASSIGN(const auto file, files_.CreateAtomic(folder_.File("f0")));
    EXPECT_THAT(Read(*opened[1]), IsOkAndHolds("1001"));
    EXPECT_THAT(file->CopyFrom(*opened[2], 0, 4), IsOk());
    EXPECT_THAT(files_.List(folder_.path()), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const auto file, files_.CreateAtomic(folder_.File("new")));
  EXPECT_THAT(Read(*opened[3]), IsOkAndHolds("1003"));
  EXPECT_THAT(file->Commit(), IsOk()) << "whose folder is opened after the rename";
}

TEST_F(DescriptorPoolTest, WithoutAnyToSpareTheLimitIsNamed) {
  calls_.limit = 1;
  ASSERT_OK_AND_ASSIGN(const auto file, files_.CreateAtomic(folder_.File("new")));
  const std::string path = folder_.Write("f", "1234");
  EXPECT_THAT(files_.OpenForRead(path),
              StatusIs(StatusCode::kUnavailable, AllOf(HasSubstr(path), HasSubstr("Too many open files"),
                                                       HasSubstr("the limit is"), HasSubstr("ulimit -n"))));
}

TEST_F(DescriptorPoolTest, AFileThatWasReplacedWhileItWasClosedIsNotTakenForTheOldOne) {
  calls_.limit = 1;
  const auto opened = OpenAll(2);
  folder_.Write("other", "1000");
  std::filesystem::rename(folder_.File("other"), folder_.File("f0"));
  EXPECT_THAT(Read(*opened[0]),
              StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("f0"), HasSubstr("while it was being read"))));
  EXPECT_THAT(Read(*opened[1]), IsOkAndHolds("1001"));
  std::filesystem::remove(folder_.File("f0"));
  EXPECT_THAT(Read(*opened[0]), StatusIs(StatusCode::kNotFound, HasSubstr("f0")));
  EXPECT_EQ(calls_.open(), 0) << "the other one made room, and none is lost";
}

}  // namespace
}  // namespace modelvault
