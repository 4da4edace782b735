#include "vault/atomic_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/temp_folder.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

class AtomicFolderTest : public testing::Test {
 protected:
  void Put(AtomicFolder* folder, const std::string& name, const std::string& bytes) {
    ASSERT_OK_AND_ASSIGN(const auto file, folder->CreateFile(name));
    ASSERT_THAT(file->Append({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}), IsOk());
    ASSERT_THAT(file->Commit(), IsOk());
  }

  FileSystem& files_ = FileSystem::Default();
  TempFolder temp_;
};

TEST_F(AtomicFolderTest, AppearsWithAllItsFiles) {
  ASSERT_OK_AND_ASSIGN(const auto folder, AtomicFolder::Create(files_, temp_.File("model/")));
  Put(folder.get(), "a", "1");
  Put(folder.get(), "sub/b", "22");
  EXPECT_THAT(temp_.Names(), ElementsAre(HasSubstr(".tmp")));
  ASSERT_THAT(folder->Commit(), IsOk());
  EXPECT_THAT(temp_.Names(), ElementsAre("model"));
  EXPECT_EQ(temp_.Read("model/a"), "1");
  EXPECT_EQ(temp_.Read("model/sub/b"), "22");
}

TEST_F(AtomicFolderTest, WithoutCommitNothingStays) {
  {
    ASSERT_OK_AND_ASSIGN(const auto folder, AtomicFolder::Create(files_, temp_.File("model")));
    Put(folder.get(), "sub/b", "22");
  }
  EXPECT_THAT(temp_.Names(), ElementsAre());
}

TEST_F(AtomicFolderTest, ReplacesNothingButAnEmptyFolder) {
  const auto taken = StatusIs(StatusCode::kAlreadyExists, HasSubstr("is there already"));
  temp_.Write("file", "x");
  EXPECT_THAT(AtomicFolder::Create(files_, temp_.File("file")), taken);
  ASSERT_THAT(files_.MakeFolders(temp_.File("empty")), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto folder, AtomicFolder::Create(files_, temp_.File("empty")));
  Put(folder.get(), "a", "1");
  ASSERT_THAT(folder->Commit(), IsOk());
  EXPECT_EQ(temp_.Read("empty/a"), "1");
  EXPECT_THAT(AtomicFolder::Create(files_, temp_.File("empty")), taken);
  // Somebody takes the name meanwhile.
  ASSERT_OK_AND_ASSIGN(const auto late, AtomicFolder::Create(files_, temp_.File("late")));
  Put(late.get(), "a", "1");
  ASSERT_THAT(files_.MakeFolders(temp_.File("late")), IsOk());
  temp_.Write("late/theirs", "2");
  EXPECT_THAT(late->Commit(), taken);
  EXPECT_EQ(temp_.Read("late/theirs"), "2");
}

TEST_F(AtomicFolderTest, ItsOwnFolderMustBeThere) {
  EXPECT_THAT(AtomicFolder::Create(files_, temp_.File("none/model")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(temp_.Names(), ElementsAre());
}

// What fails is told, and leaves no trace.
class FailingCalls : public SystemCalls {
 public:
  int SyncDirectory(const std::string& path) override {
    if (--left == 0) {
      errno = EIO;
      return -1;
    }
    return SystemCalls::SyncDirectory(path);
  }
  int left = 0;
};

TEST_F(AtomicFolderTest, AFolderThatIsNotSyncedIsTold) {
  for (const int call : {2, 3}) {
    FailingCalls calls;
    FileSystem files(calls);
    ASSERT_OK_AND_ASSIGN(const auto folder, AtomicFolder::Create(files, temp_.File("model")));
    Put(folder.get(), "a", "1");
    calls.left = call - 1;
    const absl::Status status = folder->Commit();
    EXPECT_THAT(status, StatusIs(call == 2 ? StatusCode::kUnavailable : StatusCode::kUnknown, HasSubstr("sync")));
  }
  EXPECT_THAT(temp_.Names(), ElementsAre("model"));
}

}  // namespace
}  // namespace modelvault
