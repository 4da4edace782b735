// A disk that fails, and a vault that somebody else is writing: every command, every operation.
#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/commands/signed_files.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/vault/faulty_file_system.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MvaultFaultTest : public testing::Test {
 protected:
  // Runs the command with each of its disk operations failing in turn. Whatever fails must say so, with the exit code
  // of storage that fails, and leave all files as they were. No operation's failure is harmless: each must end the run.
  void FailEachOperation(const std::vector<std::string>& arguments, int exit_code = 0) {
    const std::string vault = models_.folder().Read("all.mvlt");
    const std::vector<std::string> names = models_.folder().Names();
    FaultyFileSystem disk;
    const ProgramRun good = MvaultOn(disk, arguments);
    ASSERT_EQ(good.exit_code, exit_code) << good;
    const int count = disk.count();
    ASSERT_GT(count, 3);
    const std::string vault_after = models_.folder().Read("all.mvlt");
    const std::vector<std::string> names_after = models_.folder().Names();
    Restore(vault, names);
    for (int n = 1; n <= count; ++n) {
      SCOPED_TRACE(absl::StrCat(arguments[0], ": fault at operation ", n, " of ", count));
      disk.FailAt(n, EIO);
      const ProgramRun run = MvaultOn(disk, arguments);
      const std::optional<DiskOperation> hit = disk.hit();
      disk.Repair();
      EXPECT_TRUE(hit.has_value());
      const bool in_place = hit == DiskOperation::kSyncDirectory;
      EXPECT_TRUE(run.exit_code == (in_place ? 10 : 5) || (arguments[0] == "verify" && run.exit_code == 1)) << run;
      EXPECT_THAT(run.err, StartsWith(in_place ? "mvault: warning: " : "mvault: error: "));
      if (in_place) {
        EXPECT_THAT(run.err, HasSubstr("is in place"));
        EXPECT_EQ(run.out, good.out);
        EXPECT_EQ(models_.folder().Names(), names_after);
        EXPECT_EQ(models_.folder().Read("all.mvlt"), vault_after);
      } else {
        EXPECT_EQ(models_.folder().Names(), names);
        EXPECT_EQ(models_.folder().Read("all.mvlt"), vault);
      }
      Restore(vault, names);
    }
  }

  // Undoes what a run that succeeded has done.
  void Restore(const std::string& vault, const std::vector<std::string>& names) {
    models_.folder().Write("all.mvlt", vault);
    for (const std::string& name : models_.folder().Names()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) std::filesystem::remove(models_.File(name));
    }
  }

  CliModels models_;
  std::string vault_ = models_.Pack();
};

TEST_F(MvaultFaultTest, Restore) {
  FailEachOperation({"restore", vault_, "few", "-o", models_.File("new"), "--threads", "1"});
}

// The whole folder, or none, and a message that names the folder that was asked for.
TEST_F(MvaultFaultTest, RestoreOfAFolder) {
  const FileModel& model = models_.few_model();
  std::filesystem::create_directory(models_.File("sharded"));
  std::string map;
  for (size_t i = 0; i < 2; ++i) {
    FileModel shard;
    for (size_t t = i; t < model.tensors.size(); t += 2) {
      shard.tensors.push_back(model.tensors[t]);
      absl::StrAppend(&map, map.empty() ? "" : ", ", "\"", model.tensors[t].name, "\": \"", i, ".safetensors\"");
    }
    models_.folder().Write(absl::StrCat("sharded/", i, ".safetensors"), Serialize(shard));
  }
  models_.folder().Write("sharded/m.index.json", absl::StrCat("{\"weight_map\": {", map, "}}"));
  ASSERT_EQ(Mvault({"pack", "--base", models_.File("sharded"), "--variant", "v=" + models_.File("sharded"), "-o",
                    models_.File("folders.mvlt")})
                .exit_code,
            0);
  const auto found = [&] {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(models_.File("new"))) {
      const std::string name = entry.path().filename();
      files[name] = models_.folder().Read("new/" + name);
    }
    return files;
  };
  const std::vector<std::string> names = models_.folder().Names();
  const std::vector<std::string> restore = {
      "restore", models_.File("folders.mvlt"), "v", "-o", models_.File("new"), "--threads", "1"};
  FaultyFileSystem disk;
  ASSERT_EQ(MvaultOn(disk, restore).exit_code, 0);
  const int count = disk.count();
  const auto whole = found();
  EXPECT_EQ(whole.size(), 3u);
  for (const auto& [name, bytes] : whole) EXPECT_EQ(bytes, models_.folder().Read("sharded/" + name));
  for (const int error : {EIO, ENOSPC}) {
    for (int n = 1; n <= count; ++n) {
      SCOPED_TRACE(absl::StrCat("errno ", error, " at operation ", n, " of ", count));
      std::filesystem::remove_all(models_.File("new"));
      disk.FailAt(n, error);
      const ProgramRun run = MvaultOn(disk, restore);
      ASSERT_TRUE(disk.hit().has_value());
      EXPECT_EQ(run.exit_code, n == count ? 10 : 5) << run;
      if (n == count) {
        EXPECT_THAT(run.err, HasSubstr(absl::StrCat(models_.File("new"), ": the new folder is in place and complete")));
        EXPECT_EQ(found(), whole);
      } else {
        EXPECT_EQ(models_.folder().Names(), names);
      }
    }
  }
  // A folder that is there already stays whole.
  disk.Repair();
  models_.folder().Write("new/more", "kept");
  const ProgramRun run = MvaultOn(disk, restore);
  EXPECT_EQ(run.exit_code, 8) << run;
  EXPECT_EQ(found().size(), 4u);
}

TEST_F(MvaultFaultTest, Verify) { FailEachOperation({"verify", vault_, "--threads", "1"}); }

TEST_F(MvaultFaultTest, Rename) { FailEachOperation({"rename", vault_, "few", "fewer"}); }

TEST_F(MvaultFaultTest, Rm) { FailEachOperation({"rm", vault_, "few"}); }

TEST_F(MvaultFaultTest, Info) { FailEachOperation({"info", vault_, "--threads", "1"}); }

TEST_F(MvaultFaultTest, InfoOfAVariant) { FailEachOperation({"info", vault_, "few", "--threads", "1"}); }

TEST_F(MvaultFaultTest, Diff) { FailEachOperation({"diff", vault_, "few", "many"}, /*exit_code=*/1); }

TEST_F(MvaultFaultTest, Add) {
  FailEachOperation({"add", vault_, "--variant", "new=" + models_.variant("few"), "--threads", "1"});
}

TEST_F(MvaultFaultTest, AFullDiskLeavesNoOutput) {
  FaultyFileSystem disk;
  const std::vector<std::string> names = models_.folder().Names();
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"pack", "--base", models_.base(), "--variants", models_.variants(), "-o",
                                 models_.File("new.mvlt")},
        {"restore", vault_, "few", "-o", models_.File("new")},
        {"compact", vault_}}) {
    disk.FailAt(DiskOperation::kWrite, 1, ENOSPC, /*lasting=*/true);
    const ProgramRun run = MvaultOn(disk, arguments);
    EXPECT_EQ(run.exit_code, 5) << arguments[0] << run.err;
    EXPECT_THAT(run.err, HasSubstr("No space left")) << arguments[0];
    EXPECT_EQ(models_.folder().Names(), names) << arguments[0];
  }
}

TEST_F(MvaultFaultTest, AVaultThatSomebodyElseWritesIsLocked) {
  FaultyFileSystem disk;  // Its pauses take no time.
  const auto lock = FileSystem::Default().Lock(vault_);
  ASSERT_TRUE(lock.ok());
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"rename", vault_, "few", "fewer"},
        {"rm", vault_, "few"},
        {"compact", vault_},
        {"add", vault_, "--variant", "new=" + models_.variant("few")},
        {"replace", vault_, "--variant", "few=" + models_.variant("many")}}) {
    const ProgramRun run = MvaultOn(disk, arguments);
    EXPECT_EQ(run.exit_code, 6) << arguments[0] << run.err;
    EXPECT_THAT(run.err, HasSubstr(vault_)) << arguments[0];
  }
  EXPECT_EQ(MvaultOn(disk, {"verify", vault_}).exit_code, 0) << "reading needs no lock";
}

TEST_F(MvaultFaultTest, AFileSystemWithoutLocksIsNoOtherProgram) {
  FaultyFileSystem disk;
  disk.FailAt(DiskOperation::kLock, 1, ENOLCK, /*lasting=*/true);
  const ProgramRun run = MvaultOn(disk, {"add", vault_, "--variant", "new=" + models_.variant("few")});
  EXPECT_EQ(run.exit_code, 5) << run.err;
  EXPECT_THAT(run.err, HasSubstr("work on a local disk and copy the result"));
}

TEST_F(MvaultFaultTest, AFolderThatCannotBeSyncedHasAnExitCodeOfItsOwn) {
  FaultyFileSystem disk;
  disk.FailAt(DiskOperation::kSyncDirectory, 1, EIO);
  const ProgramRun run = MvaultOn(disk, {"rm", vault_, "few"});
  EXPECT_EQ(run.exit_code, 10) << run.err;
  EXPECT_THAT(run.out, HasSubstr(" variants (before: "));
  EXPECT_THAT(run.err,
              AllOf(StartsWith("mvault: warning: "), HasSubstr("in place and complete"), Not(HasSubstr("more\n"))));
  EXPECT_EQ(MvaultOn(disk, {"verify", vault_, "few"}).exit_code, 7) << "it is gone";
}

// A kernel that copies zeros, in the middle of a vault whose other variants are added to.
class ZeroCopyCalls : public SystemCalls {
 public:
  ssize_t CopyRange(int, off_t, int to_fd, off_t to_offset, size_t size) override {
    return ftruncate(to_fd, to_offset + static_cast<off_t>(size)) == 0 ? static_cast<ssize_t>(size) : -1;
  }
};

TEST_F(MvaultFaultTest, AKernelThatCopiesZerosDamagesNoVault) {
  ZeroCopyCalls calls;
  FileSystem files(calls);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"add", vault_, "--variant", "new=" + models_.variant("few"), "--threads", "1"},
        {"replace", vault_, "--variant", "new=" + models_.variant("many"), "--threads", "1"},
        {"rm", vault_, "many"},
        {"compact", vault_}}) {
    ASSERT_EQ(MvaultOn(files, arguments).exit_code, 0) << arguments[0];
    EXPECT_EQ(MvaultOn(FileSystem::Default(), {"verify", vault_}).exit_code, 0) << arguments[0];
  }
}

// Only what is wrong with a file itself is mended by leaving its variant out.
TEST_F(MvaultFaultTest, AFailingSystemIsNoFaultOfAVariant) {
  const std::vector<std::string> pack = {"pack",
                                         "--threads",
                                         "1",
                                         "--base",
                                         models_.base(),
                                         "--variants",
                                         models_.variants(),
                                         "-o",
                                         models_.File("new.mvlt")};
  int about_a_variant = 0;
  for (const auto& [operation, error] :
       {std::pair{DiskOperation::kOpen, EACCES}, {DiskOperation::kOpen, ENOENT}, {DiskOperation::kRead, EIO}}) {
    FaultyFileSystem disk;
    ASSERT_EQ(MvaultOn(disk, pack).exit_code, 0);
    const int count = disk.count(operation);
    for (int n = 1; n <= count; ++n) {
      disk.FailAt(operation, n, error, /*lasting=*/true);
      const ProgramRun run = MvaultOn(disk, pack);
      if (run.err.find(models_.variants()) == std::string::npos) continue;
      ++about_a_variant;
      EXPECT_EQ(run.err.find("--without") != std::string::npos, error == ENOENT) << n << ": " << run.err;
    }
  }
  EXPECT_GT(about_a_variant, 3);
}

// Commands that sign. What they write differs from run to run, by its time and new vaults' ids.
class SignedFaultTest : public testing::Test {
 protected:
  const TempFolder& folder() const { return files_.models().folder(); }
  std::string List() const { return folder().ReadIfThere("all.mvrl"); }
  Arguments Revoke(const std::string& name) const {
    return Arguments{"revoke", files_.vault(), name, "--list", list_} + files_.Secrets({"ann"});
  }

  // Runs the command with each of its disk operations failing in turn. It ends with the exit code of storage that
  // fails, and leaves the vault and the list as they were, or whole as they should be, and nothing else.
  void FailEachOperation(const Arguments& arguments, const Arguments& verify) {
    SCOPED_TRACE(arguments[0]);
    const std::string vault = files_.Bytes(), list = List();
    const std::vector<std::string> names = folder().Names();
    const auto restore = [&] {
      files_.SetBytes(vault);
      std::filesystem::remove(list_);
      if (!list.empty()) folder().Write("all.mvrl", list);
    };
    FaultyFileSystem disk;
    ASSERT_THAT(MvaultOn(disk, arguments), Succeeds());
    const int count = disk.count();
    ASSERT_GT(count, 10);
    int old_left = 0, new_left = 0;
    for (int n = 1; n <= count; ++n) {
      const int error = n % 2 == 0 ? EIO : ENOSPC;
      SCOPED_TRACE(absl::StrCat("errno ", error, " at operation ", n, " of ", count));
      restore();
      disk.FailAt(n, error);
      const ProgramRun run = MvaultOn(disk, arguments);
      ASSERT_TRUE(disk.hit().has_value());
      EXPECT_EQ(run.exit_code, disk.hit() == DiskOperation::kSyncDirectory ? 10 : 5) << run;
      disk.Repair();
      std::vector<std::string> now = folder().Names();
      if (list.empty()) now.erase(std::remove(now.begin(), now.end(), "all.mvrl"), now.end());
      EXPECT_EQ(now, names);
      if (files_.Bytes() == vault && List() == list) {
        ++old_left;
      } else {
        ++new_left;
        EXPECT_THAT(Mvault(verify), Succeeds());
      }
    }
    EXPECT_GT(old_left, 10);
    EXPECT_GT(new_left, 0);
    for (const auto& [operation, error] :
         {std::pair{DiskOperation::kWrite, ENOSPC}, {DiskOperation::kSync, EIO}, {DiskOperation::kRename, EACCES}}) {
      restore();
      disk.FailAt(operation, 1, error, /*lasting=*/true);
      EXPECT_THAT(MvaultOn(disk, arguments), Fails(5, strerror(error)));
      EXPECT_TRUE(files_.Bytes() == vault && List() == list);
      EXPECT_EQ(folder().Names(), names);
    }
    disk.Repair();
    restore();
  }

  const SignedFiles files_;
  const std::string list_ = files_.File("all.mvrl");
  const Arguments verify_ = Arguments{"verify", files_.vault()} + files_.Publics({"ann"});
};

TEST_F(SignedFaultTest, Sign) {
  const Arguments sign = Arguments{"sign", files_.vault()} + files_.Secrets({"ann"});
  FailEachOperation(sign, verify_);
  ASSERT_THAT(Mvault(sign), Succeeds());
  FailEachOperation(sign + Arguments{"--not-after", "2100-01-01"}, verify_);
}

TEST_F(SignedFaultTest, Rotate) {
  ASSERT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
  FailEachOperation(Arguments{"rotate", files_.vault(), "--to", files_.Public("bob")} + files_.Secrets({"ann"}),
                    Arguments{"sign", files_.vault()} + files_.Secrets({"bob"}));
}

// A new vault in the place of a signed one is signed before it takes its name.
TEST_F(SignedFaultTest, Pack) {
  ASSERT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
  FailEachOperation(
      Arguments{"pack", "--base-only", "--base", files_.models().base(), "--threads", "1", "-o", files_.vault()} +
          files_.Secrets({"ann"}),
      verify_);
}

TEST_F(SignedFaultTest, Revoke) {
  ASSERT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
  const Arguments trusting = verify_ + Arguments{"many", "--revocations", list_};
  FailEachOperation(Revoke("few"), trusting);
  ASSERT_THAT(Mvault(Revoke("free")), Succeeds());
  FailEachOperation(Revoke("few"), trusting);
}

TEST_F(MvaultFaultTest, NotFoundOffersTheNearestName) {
  const ProgramRun run = Mvault({"restore", vault_, "Many", "-o", models_.File("new")});
  EXPECT_EQ(run.exit_code, 7);
  EXPECT_THAT(run.err, HasSubstr("no variant 'Many'; there is 'many'"));
  const std::string name = models_.few_model().tensors.front().name;
  const ProgramRun tensor = Mvault({"restore", vault_, "many", "--tensor", name + "x", "-o", models_.File("new")});
  EXPECT_EQ(tensor.exit_code, 7);
  EXPECT_THAT(tensor.err, HasSubstr(absl::StrCat("has no tensor '", name, "x'; there is '", name, "'")));
  const ProgramRun without = Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "--without",
                                     "Many", "-o", models_.File("new.mvlt")});
  EXPECT_EQ(without.exit_code, 7);
  EXPECT_THAT(without.err, HasSubstr("--without Many: no such variant is given; there is 'many'"));
}

}  // namespace
}  // namespace modelvault
