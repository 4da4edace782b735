#include "tools/packing/work_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/faulty_file_system.h"

namespace modelvault {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(WorkFolderTest, OneFitAtATime) {
  const TempFolder folder;
  const std::string path = folder.File("work");
  absl::StatusOr<WorkFolder> first = WorkFolder::Open(FileSystem::Default(), path, WorkOf::kFit);
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(first->Store(KeyOf("key"), "contents"), IsOk());
  std::optional<WorkFolder> moved(*std::move(first));
  EXPECT_THAT(WorkFolder::Open(FileSystem::Default(), path, WorkOf::kFit),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("work is in use by another fit")));
  EXPECT_EQ(moved->Load(KeyOf("key")), "contents");
  moved.reset();
  const absl::StatusOr<WorkFolder> next = WorkFolder::Open(FileSystem::Default(), path, WorkOf::kFit);
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ(next->Load(KeyOf("key")), "contents");
}

TEST(WorkFolderTest, AHelperJoinsTheFolderOfARunOfItsKind) {
  const TempFolder folder;
  EXPECT_THAT(WorkFolder::Join(FileSystem::Default(), folder.File("work"), WorkOf::kPack),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("work: no work folder of a pack")));
  const absl::StatusOr<WorkFolder> work = WorkFolder::Open(FileSystem::Default(), folder.File("work"), WorkOf::kPack);
  ASSERT_THAT(work, IsOk());
  const absl::StatusOr<WorkFolder> helper = WorkFolder::Join(FileSystem::Default(), folder.File("work"), WorkOf::kPack);
  ASSERT_THAT(helper, IsOk());
  ASSERT_THAT(helper->Store(KeyOf("key"), "contents"), IsOk());
  EXPECT_EQ(work->Load(KeyOf("key")), "contents");
  EXPECT_THAT(WorkFolder::Open(FileSystem::Default(), folder.File("work"), WorkOf::kFit),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("not of an interrupted fit")));
  work->Remove();
  EXPECT_THAT(folder.Names(), IsEmpty());
}

TEST(WorkFolderTest, AfterRemoveTheFolderIsFreeForTheNext) {
  const TempFolder folder;
  const absl::StatusOr<WorkFolder> first = WorkFolder::Open(FileSystem::Default(), folder.File("work"), WorkOf::kFit);
  ASSERT_THAT(first, IsOk());
  first->Remove();
  EXPECT_THAT(folder.Names(), IsEmpty());
  const absl::StatusOr<WorkFolder> next = WorkFolder::Open(FileSystem::Default(), folder.File("work"), WorkOf::kFit);
  ASSERT_THAT(next, IsOk()) << "the first one's lock is on a file that has no name any more";
  EXPECT_THAT(WorkFolder::Open(FileSystem::Default(), folder.File("work"), WorkOf::kFit),
              StatusIs(absl::StatusCode::kAborted));
}

TEST(WorkFolderTest, RemoveTakesOnlyWhatFitsStored) {
  const TempFolder folder;
  const std::string key = "0123456789abcdef0123456789abcdef.fitted";
  {
    const absl::StatusOr<WorkFolder> work = WorkFolder::Open(FileSystem::Default(), folder.path(), WorkOf::kFit);
    ASSERT_THAT(work, IsOk());
    ASSERT_THAT(work->Store(KeyOf("key"), "contents"), IsOk());
    std::filesystem::create_directories(work->scratch() + "/variants");
    folder.Write("scratch/variants/beta.safetensors", "torn");
    folder.Write("." + key + ".7-0.tmp", "torn");
    for (const char* name : {"notes.tmp", "0123.fitted", "7.tmp"}) folder.Write(name, "mine");
    folder.Write("." + key + ".mine.tmp", "mine");
    folder.Write(key + ".bak", "mine");
    folder.Write("." + key, "mine");
    work->Remove();
    EXPECT_THAT(folder.Names(), ElementsAre("." + key, "." + key + ".mine.tmp", "0123.fitted", key + ".bak", "7.tmp",
                                            "mvault-fit-work", "notes.tmp"));
  }
  EXPECT_THAT(WorkFolder::Open(FileSystem::Default(), folder.path(), WorkOf::kFit), IsOk())
      << "it is a work folder still";
  for (const std::string& name : folder.Names()) {
    if (name != "mvault-fit-work") std::filesystem::remove(folder.File(name));
  }
  const absl::StatusOr<WorkFolder> work = WorkFolder::Open(FileSystem::Default(), folder.path(), WorkOf::kFit);
  ASSERT_THAT(work, IsOk());
  work->Remove();
  EXPECT_THAT(folder.Names(), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(folder.path())) << "no fit made it";
}

TEST(WorkFolderTest, FoldersAndLinksOfTheUserStay) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.File("real"));
  std::filesystem::permissions(folder.File("real"), std::filesystem::perms(02770));
  std::filesystem::create_symlink("real", folder.File("link"));
  for (const bool stored : {false, true}) {
    const absl::StatusOr<WorkFolder> work = WorkFolder::Open(FileSystem::Default(), folder.File("link"), WorkOf::kFit);
    ASSERT_THAT(work, IsOk());
    if (stored) {
      ASSERT_THAT(work->Store(KeyOf("key"), "contents"), IsOk());
    }
    work->RemoveIfEmpty();  // Does nothing where something is stored.
    if (stored) work->Remove();
    EXPECT_THAT(folder.Names(), ElementsAre("link", "real"));
    EXPECT_TRUE(std::filesystem::is_symlink(folder.File("link")));
    EXPECT_TRUE(std::filesystem::is_empty(folder.File("real")));
    EXPECT_EQ(std::filesystem::status(folder.File("real")).permissions(), std::filesystem::perms(02770));
  }
}

TEST(WorkFolderTest, AFolderThatAnEarlierFitMadeIsRemovedByTheOneThatEnds) {
  const TempFolder folder;
  ASSERT_THAT(WorkFolder::Open(FileSystem::Default(), folder.File("work"), WorkOf::kFit), IsOk());
  std::filesystem::remove(folder.File("work/mvault-fit-work"));  // As a kill before the mark leaves it.
  const absl::StatusOr<WorkFolder> next = WorkFolder::Open(FileSystem::Default(), folder.File("work"), WorkOf::kFit);
  ASSERT_THAT(next, IsOk());
  next->Remove();
  EXPECT_THAT(folder.Names(), IsEmpty());
}

TEST(WorkFolderTest, AFileSystemWithoutLocksIsNamedWithAWayOut) {
  const TempFolder folder;
  FaultyFileSystem disk;
  disk.FailAt(DiskOperation::kLock, 1, ENOLCK, /*lasting=*/true);
  EXPECT_THAT(WorkFolder::Open(disk, folder.File("work"), WorkOf::kFit),
              StatusIs(absl::StatusCode::kUnavailable,
                       testing::AllOf(HasSubstr("gives no locks"), HasSubstr("--work names another"))));
  EXPECT_THAT(folder.Names(), IsEmpty()) << "nothing is left of the attempt";
  std::filesystem::create_directory(folder.File("work"));
  EXPECT_THAT(WorkFolder::Open(disk, folder.File("work"), WorkOf::kFit), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(std::filesystem::is_empty(folder.File("work"))) << "the user's";
  folder.Write("work/mvault-fit-work", "");
  EXPECT_THAT(WorkFolder::Open(disk, folder.File("work"), WorkOf::kFit), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(std::filesystem::exists(folder.File("work/mvault-fit-work"))) << "another fit's";
}

TEST(WorkFolderTest, RemoveIfEmptyKeepsResults) {
  const TempFolder folder;
  const absl::StatusOr<WorkFolder> work = WorkFolder::Open(FileSystem::Default(), folder.File("work"), WorkOf::kFit);
  ASSERT_THAT(work, IsOk());
  ASSERT_THAT(work->Store(KeyOf("key"), "contents"), IsOk());
  work->RemoveIfEmpty();
  EXPECT_EQ(work->Load(KeyOf("key")), "contents");
  work->Remove();
  EXPECT_THAT(folder.Names(), IsEmpty());
}

}  // namespace
}  // namespace modelvault
