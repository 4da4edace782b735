// A fit whose disk fails, whose power is cut, or beside which somebody else writes: the old vault or the new one, and
// of a fit that ended nothing but the work folder it goes on from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/tools/fitting/fitting_files.h"
#include "tests/vault/faulty_file_system.h"
#include "tools/fitting/fit_run.h"
#include "tools/fitting/int8_files.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class FitFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.budget = 1 << 20;
    options_.lambda = 1e-2;
    options_.fit.rounds = 1;
    options_.fit.threads = 1;
    files_.variants.resize(2);
    // Read as the others are.
    files_.curvature.clear();
    files_.importance.clear();
  }

  // What `mvault fit` does, its inputs included.
  absl::Status Fit(FileSystem& files, const std::string& output = "v.mvlt") const {
    const absl::StatusOr<FitInput> input = FitInput::Open(files, files_, {}, 1);
    if (!input.ok()) return input.status();
    return RunFit(files, *input, models_.File(output), options_).status();
  }

  // Of the export folder, as `mvault fit` begins with it.
  absl::Status Trial() const {
    const absl::StatusOr<FitInput> input = FitInput::Open(FileSystem::Default(), files_, {}, 1);
    return input.ok() ? CheckInt8Folder(FileSystem::Default(), *input, options_.export_folder) : input.status();
  }

  void Restart() const {
    for (const std::string& name : models_.folder().Names()) {
      if (std::find(names_.begin(), names_.end(), name) == names_.end()) {
        std::filesystem::remove_all(models_.File(name));
      }
    }
    models_.folder().Write("v.mvlt", "old");
  }
  std::string Now() const { return models_.folder().Read("v.mvlt"); }
  // All names but the work folder's.
  std::vector<std::string> Names() const {
    std::vector<std::string> names = models_.folder().Names();
    names.erase(std::remove(names.begin(), names.end(), "v.mvlt.fit-work"), names.end());
    return names;
  }

  FittingFiles models_;
  FitFiles files_ = models_.files();
  FitRunOptions options_;
  const std::vector<std::string> names_ = [this] {
    models_.folder().Write("v.mvlt", "old");
    return models_.folder().Names();
  }();
};

TEST_F(FitFaultTest, AnyFailingOperationLeavesTheOldVaultOrTheNewOne) {
  FaultyFileSystem disk;
  Restart();
  ASSERT_THAT(Fit(disk), IsOk());
  const std::string fresh = Now();
  const int count = disk.count();
  ASSERT_GT(count, 100);
  EXPECT_EQ(models_.folder().Names(), names_);
  int failures = 0;
  for (int n = 1; n <= count; ++n) {
    SCOPED_TRACE(absl::StrCat("fault at operation ", n, " of ", count));
    Restart();
    disk.FailAt(n, EIO);
    const absl::Status status = Fit(disk);
    disk.Repair();
    ASSERT_EQ(Names(), names_);
    if (status.ok() ||
        absl::IsUnknown(status)) {  // Results that cannot be looked for are made; what is in place stays.
      ASSERT_TRUE(Now() == fresh);
      continue;
    }
    ++failures;
    ASSERT_THAT(status, StatusIs(StatusCode::kUnavailable, HasSubstr(models_.folder().path())));
    ASSERT_EQ(Now(), "old");
    if (n % 10 != 0) continue;
    ASSERT_THAT(Fit(disk), IsOk()) << "nothing that was left is in the way";
    ASSERT_TRUE(Now() == fresh);
    ASSERT_EQ(models_.folder().Names(), names_);
  }
  EXPECT_GT(failures, count * 9 / 10);
}

TEST_F(FitFaultTest, ACutOfThePowerLeavesTheOldVaultOrTheNewOne) {
  FaultyFileSystem disk;
  Restart();
  ASSERT_THAT(Fit(disk), IsOk());
  const std::string fresh = Now();
  const int count = disk.count();
  for (int n = 1; n <= count; n += n < count - 50 ? 5 : 1) {  // The vault is written at the end.
    SCOPED_TRACE(absl::StrCat("power cut at operation ", n, " of ", count));
    Restart();
    disk.PowerCutAt(n);
    Fit(disk).IgnoreError();
    disk.Repair();
    ASSERT_TRUE(Now() == "old" || Now() == fresh);
    if (n % 10 != 0) continue;
    ASSERT_THAT(Fit(disk), IsOk());
    ASSERT_TRUE(Now() == fresh);
  }
}

TEST_F(FitFaultTest, ASymbolicLinkIsFollowedAndTheFoldersAreSynced) {
  std::filesystem::create_directory(models_.File("far"));
  models_.folder().Write("far/real.mvlt", "old");
  std::filesystem::create_symlink("far/real.mvlt", models_.File("link.mvlt"));
  FaultyFileSystem disk;
  ASSERT_THAT(Fit(disk, "link.mvlt"), IsOk());
  EXPECT_TRUE(std::filesystem::is_symlink(models_.File("link.mvlt")));
  EXPECT_GT(models_.folder().Read("far/real.mvlt").size(), 1000u);
  disk.FailAt(DiskOperation::kSyncDirectory, disk.count(DiskOperation::kSyncDirectory), EIO);
  EXPECT_THAT(Fit(disk, "link.mvlt"), StatusIs(StatusCode::kUnknown, HasSubstr("link.mvlt: the new file is in place")));
}

// Asks for the vault's lock when the fit makes its first result, and when it writes the vault.
TEST_F(FitFaultTest, TheVaultIsLockedFromTheFirstToTheLast) {
  Restart();
  int tried = 0;
  options_.progress = [&](absl::string_view, uint64_t, uint64_t) {
    ++tried;
    EXPECT_THAT(FileSystem::Default().Lock(models_.File("v.mvlt"), {.attempts = 1}), StatusIs(StatusCode::kAborted));
  };
  ASSERT_THAT(Fit(FileSystem::Default()), IsOk());
  EXPECT_GT(tried, 3);
  EXPECT_THAT(FileSystem::Default().Lock(models_.File("v.mvlt"), {.attempts = 1}), IsOk());
}

TEST_F(FitFaultTest, AVaultThatSomebodyWritesIsLeftToThem) {
  Restart();
  const auto lock = FileSystem::Default().Lock(models_.File("v.mvlt"));
  ASSERT_THAT(lock, IsOk());
  FaultyFileSystem disk;  // Its pauses take no time.
  EXPECT_THAT(Fit(disk), StatusIs(StatusCode::kAborted, HasSubstr("v.mvlt is being written")));
  EXPECT_EQ(models_.folder().Names(), names_) << "no work folder without work";
}

TEST_F(FitFaultTest, AVaultThatSomebodyMadeMeanwhileIsNotLost) {
  Restart();
  std::filesystem::remove(models_.File("v.mvlt"));
  options_.progress = [&](absl::string_view, uint64_t, uint64_t) { models_.folder().Write("v.mvlt", "theirs"); };
  EXPECT_THAT(Fit(FileSystem::Default()), StatusIs(StatusCode::kAborted, HasSubstr("another program made it")));
  EXPECT_EQ(Now(), "theirs");
  EXPECT_THAT(Fit(FileSystem::Default()), StatusIs(StatusCode::kOk));
  EXPECT_EQ(models_.folder().Names(), names_);
}

TEST_F(FitFaultTest, TheUsersFoldersAndLinksForTheExportStay) {
  namespace fs = std::filesystem;
  Restart();
  options_.export_folder = models_.File("int8");
  options_.budget = 100;  // Too little: it ends before it exports.
  fs::create_directories(models_.File("int8"));
  fs::permissions(models_.File("int8"), fs::perms(02770));
  const auto refused = [] { return StatusIs(StatusCode::kResourceExhausted, HasSubstr("the budget is 100")); };
  EXPECT_THAT(Fit(FileSystem::Default(), "int8/v.mvlt"), refused()) << "the output in that folder";
  fs::remove_all(models_.File("int8/v.mvlt.fit-work"));
  EXPECT_TRUE(fs::is_empty(models_.File("int8")));
  EXPECT_EQ(fs::status(models_.File("int8")).permissions(), fs::perms(02770));
  fs::create_directory(models_.File("far"));
  fs::create_directory_symlink("../far", models_.File("int8/variants"));
  fs::create_directory_symlink("int8", models_.File("link"));
  options_.export_folder = models_.File("link");
  EXPECT_THAT(Fit(FileSystem::Default()), refused());
  EXPECT_TRUE(fs::is_symlink(models_.File("link")));
  EXPECT_TRUE(fs::is_symlink(models_.File("int8/variants")));
  options_.export_folder = models_.File("new/int8");
  EXPECT_THAT(Fit(FileSystem::Default()), refused());
  EXPECT_FALSE(fs::exists(models_.File("new"))) << "what the trial made";
}

TEST_F(FitFaultTest, WhatKilledTrialsLeftIsRemovedByTheNext) {
  Restart();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(0);
  int result = 0;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  options_.export_folder = models_.File("int8");
  const std::string variants = "int8/variants/";
  const std::string dead = absl::StrCat(variants, ".names.", child);
  const std::string alive = absl::StrCat(variants, ".names.", getppid());
  for (const std::string& folder : {dead, alive, variants + ".names.mine"}) {
    std::filesystem::create_directories(models_.File(folder));
    models_.folder().Write(folder + "/alpha.safetensors", "");
  }
  EXPECT_THAT(Trial(), IsOk());
  EXPECT_FALSE(std::filesystem::exists(models_.File(dead)));
  EXPECT_TRUE(std::filesystem::exists(models_.File(alive))) << "another's, at work";
  EXPECT_TRUE(std::filesystem::exists(models_.File(variants + ".names.mine")));
}

// A file system on which some things are refused, and which knows names without regard to case.
class FoldingCalls : public SystemCalls {
 public:
  std::string refused;   // In names.
  bool all_one = false;  // Takes any name for any other.
  std::function<void()> at_trial;
  int Open(const std::string& path, int flags, mode_t mode) override {
    if (!refused.empty() && path.find(refused) != std::string::npos) {
      errno = EINVAL;
      return -1;
    }
    if (at_trial && path.find("/.names") != std::string::npos) at_trial();
    return SystemCalls::Open(Folded(path), flags, mode);
  }
  int Unlink(const std::string& path) override { return SystemCalls::Unlink(Folded(path)); }

 private:
  std::string Folded(const std::string& path) const {
    const size_t slash = path.rfind('/');
    if (path.find("/.names.") == std::string::npos) return path;
    return path.substr(0, slash) + (all_one ? "/one" : absl::AsciiStrToLower(path.substr(slash)));
  }
};

TEST_F(FitFaultTest, ExportsFindOutFirstWhetherTheirFolderTellsAllNamesApart) {
  Restart();
  options_.export_folder = models_.File("int8");
  files_.variants[0].name = "Radiology";
  files_.variants[1].name = "radiology";
  FoldingCalls calls;
  FileSystem files(calls);
  EXPECT_THAT(Fit(files), StatusIs(StatusCode::kAlreadyExists,
                                   AllOf(HasSubstr("'radiology' and 'Radiology' would be one"), HasSubstr("int8"))));
  EXPECT_EQ(models_.folder().Names(), names_) << "and nothing is left of that";
  calls.all_one = true;
  files_.variants[0].name = "Cardiology and all the rest";
  EXPECT_THAT(Fit(files), StatusIs(StatusCode::kAlreadyExists, HasSubstr("and another would be one there")));
  EXPECT_EQ(models_.folder().Names(), names_);
  calls.all_one = false;
  files_.variants[0].name = "v1:beta";
  calls.refused = ":";
  EXPECT_THAT(Fit(files),
              StatusIs(StatusCode::kUnavailable, AllOf(HasSubstr("v1:beta"), HasSubstr("may not allow such a name"))));
  EXPECT_EQ(models_.folder().Names(), names_);
  calls.refused.clear();
  files_.variants[0].name = "beta";
  calls.at_trial = [&] {
    calls.at_trial = nullptr;
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(Trial().ok() ? 0 : 1);
    int result = 0;
    ASSERT_EQ(waitpid(child, &result, 0), child);
    EXPECT_EQ(result, 0);
  };
  const absl::StatusOr<FitInput> input = FitInput::Open(files, files_, {}, 1);
  ASSERT_THAT(input, IsOk());
  EXPECT_THAT(CheckInt8Folder(files, *input, options_.export_folder), IsOk()) << "amid another process's trial";
  EXPECT_EQ(models_.folder().Names(), names_);
  files_.variants[0].name = "v1:beta";
  calls.refused = ":";
  options_.export_folder.clear();
  EXPECT_THAT(Fit(files), IsOk()) << "what nobody sees has other names";
  EXPECT_EQ(models_.folder().Names(), names_);
}

}  // namespace
}  // namespace modelvault
