// What a failing disk, a cut of the power or a killed process leaves of a vault that is packed, added to or changed:
// the old one or the new one, whole, and of a failure nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tests/vault/faulty_file_system.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AnyOf;
using testing::HasSubstr;

PackOptions Options() {
  PackOptions options;
  options.chunk_size = 1024;
  options.segment_size = 4096;
  options.threads = 1;  // So that the operations come in the same order each time.
  return options;
}

// Something that turns one vault into another.
struct Job {
  const char* name;
  bool on_a_vault;  // else nothing is there before
  std::function<absl::Status(FileSystem&)> run;
};

class PackFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    TestRandom random(50);
    FileModel base;
    base.tensors = {MakeTensor("w", "I8", {40, 160}, &random), MakeTensor("n", "F32", {20}, &random)};
    Write("base", base);
    for (const std::string name : {"claims", "fleet", "hr", "new"}) Write(name, Ternary(base, 9, &random));
    ASSERT_THAT(PackVault(FileSystem::Default(), Path("base"), Inputs({"claims", "fleet"}), vault_, Options()), IsOk());
    old_ = folder_.Read("v.mvlt");
    input_names_ = folder_.Names();
  }

  void Write(const std::string& name, const FileModel& model) {
    files_of_[name] = Serialize(model);
    folder_.Write(name, files_of_[name]);
  }
  std::string Path(const std::string& name) const { return folder_.File(name); }
  std::vector<VariantInput> Inputs(const std::vector<std::string>& names) const {
    std::vector<VariantInput> inputs;
    for (const std::string& name : names) inputs.push_back({name, Path(name)});
    return inputs;
  }

  std::vector<Job> Jobs() const {
    return {
        {"pack", false,
         [this](FileSystem& f) {
           return PackVault(f, Path("base"), Inputs({"hr", "new"}), vault_, Options()).status();
         }},
        {"pack over another", true,
         [this](FileSystem& f) { return PackVault(f, Path("base"), Inputs({"hr"}), vault_, Options()).status(); }},
        {"add", true,
         [this](FileSystem& f) {
           return AddVariants(f, vault_, Inputs({"hr", "new"}), false, Options()).status();
         }},
        {"replace", true,
         [this](FileSystem& f) {
           return AddVariants(f, vault_, {{"claims", Path("new")}}, true, Options()).status();
         }},
    };
  }

  // Puts everything back to where the job begins, leftovers removed.
  void Restart(const Job& job) {
    for (const std::string& name : folder_.Names()) {
      if (std::find(input_names_.begin(), input_names_.end(), name) == input_names_.end()) {
        std::filesystem::remove(Path(name));
      }
    }
    std::filesystem::remove(vault_);
    if (job.on_a_vault) folder_.Write("v.mvlt", old_);
  }
  // The vault before the job; empty: none.
  std::string Before(const Job& job) const { return job.on_a_vault ? old_ : ""; }
  std::string Now() const { return folder_.ReadIfThere("v.mvlt"); }
  // Whether there is no file but the inputs and perhaps the vault.
  bool NothingLeft() const {
    std::vector<std::string> names = folder_.Names();
    if (std::find(names.begin(), names.end(), "v.mvlt") == names.end()) names.push_back("v.mvlt");
    std::sort(names.begin(), names.end());
    return names == input_names_;
  }

  // Runs the job on a good disk: gives the new vault, and how many operations it takes.
  std::string Measure(const Job& job, int* count) {
    FaultyFileSystem disk;
    Restart(job);
    EXPECT_THAT(job.run(disk), IsOk());
    EXPECT_TRUE(NothingLeft());
    *count = disk.count();
    EXPECT_GT(*count, 50);
    const std::string fresh = Now();
    EXPECT_FALSE(fresh == Before(job));
    EXPECT_THAT(VerifyVault(fresh), IsOk());
    return fresh;
  }

  TempFolder folder_;
  const std::string vault_ = folder_.File("v.mvlt");
  ModelFiles files_of_;
  std::string old_;
  std::vector<std::string> input_names_;
};

TEST_F(PackFaultTest, AFailingOperationIsReportedWithItsFileAndLeavesNothingBehind) {
  for (const Job& job : Jobs()) {
    int count = 0;
    const std::string fresh = Measure(job, &count);
    int failures = 0;
    for (const int error : {EIO, ENOSPC, EROFS}) {
      for (int n = 1; n <= count; ++n) {
        SCOPED_TRACE(absl::StrCat(job.name, ", errno ", error, " at operation ", n, " of ", count));
        Restart(job);
        FaultyFileSystem disk;
        disk.FailAt(n, error);
        const absl::Status status = job.run(disk);
        EXPECT_TRUE(NothingLeft());
        ASSERT_TRUE(disk.hit().has_value());
        if (status.ok()) {
          EXPECT_TRUE(HasAnotherWay(*disk.hit(), error)) << static_cast<int>(*disk.hit());
          EXPECT_TRUE(Now() == fresh);
          continue;
        }
        ++failures;
        EXPECT_THAT(status,
                    StatusIs(n == count ? StatusCode::kUnknown : StatusCode::kUnavailable, HasSubstr(folder_.path())));
        // The last operation syncs the folder, when the new name is in place.
        EXPECT_TRUE(Now() == (n == count ? fresh : Before(job)));
      }
    }
    EXPECT_GT(failures, 3 * count * 9 / 10);
  }
}

TEST_F(PackFaultTest, AFileThatEndsEarlyIsReported) {
  for (const Job& job : Jobs()) {
    Restart(job);
    FaultyFileSystem disk;
    ASSERT_THAT(job.run(disk), IsOk());
    const int reads = disk.count(DiskOperation::kRead);
    ASSERT_GT(reads, 20);
    for (int n = 1; n <= reads; ++n) {
      SCOPED_TRACE(absl::StrCat(job.name, ", read ", n, " of ", reads));
      Restart(job);
      disk.EndFileAtRead(n);
      EXPECT_THAT(job.run(disk),
                  StatusIs(AnyOf(StatusCode::kDataLoss, StatusCode::kInvalidArgument), HasSubstr(folder_.path())));
      disk.Repair();
      EXPECT_TRUE(NothingLeft());
      EXPECT_TRUE(Now() == Before(job));
    }
  }
}

TEST_F(PackFaultTest, ShortReadsWritesAndCopiesChangeNothing) {
  for (const Job& job : Jobs()) {
    int count = 0;
    const std::string fresh = Measure(job, &count);
    for (const DiskOperation operation : {DiskOperation::kRead, DiskOperation::kWrite, DiskOperation::kCopy}) {
      Restart(job);
      FaultyFileSystem disk;
      disk.ShortenAt(operation, 1, true);
      EXPECT_THAT(job.run(disk), IsOk()) << job.name;
      EXPECT_TRUE(Now() == fresh);
    }
  }
}

TEST_F(PackFaultTest, AFullOrReadOnlyDiskIsNamed) {
  for (const Job& job : Jobs()) {
    Restart(job);
    FaultyFileSystem disk;
    disk.FailAt(DiskOperation::kWrite, 1, ENOSPC, true);
    EXPECT_THAT(job.run(disk), StatusIs(StatusCode::kUnavailable, HasSubstr("No space left on device")));
    EXPECT_TRUE(Now() == Before(job));
    disk.FailAt(DiskOperation::kCreate, 1, EROFS, true);
    EXPECT_THAT(job.run(disk), StatusIs(StatusCode::kUnavailable, HasSubstr("Read-only file system")));
    EXPECT_TRUE(Now() == Before(job));
    EXPECT_TRUE(NothingLeft());
  }
}

TEST_F(PackFaultTest, ACutOfThePowerLeavesTheOldVaultOrTheNewOne) {
  for (const Job& job : Jobs()) {
    int count = 0;
    const std::string fresh = Measure(job, &count);
    for (int n = 1; n <= count; ++n) {
      SCOPED_TRACE(absl::StrCat(job.name, ", power cut at operation ", n, " of ", count));
      Restart(job);
      FaultyFileSystem disk;
      disk.PowerCutAt(n);
      EXPECT_FALSE(job.run(disk).ok());
      EXPECT_TRUE(Now() == (n == count ? fresh : Before(job)));
      // What is left of the temporary file is in nobody's way.
      if (n % 8 != 0 || n == count) continue;
      disk.Repair();
      EXPECT_THAT(job.run(disk), IsOk());
      EXPECT_TRUE(Now() == fresh);
    }
  }
}

// Does not wait for the disk, which outlives a killed process.
class QuickCalls : public SystemCalls {
 public:
  int Sync(int) override { return 0; }
  int SyncDirectory(const std::string&) override { return 0; }
};

// Kills the process at the n-th operation, before it or after its first half.
class KillingCalls : public QuickCalls {
 public:
  KillingCalls(int n, bool in_the_middle) : left_(n), in_the_middle_(in_the_middle) {}

  int Open(const std::string& path, int flags, mode_t mode) override {
    Step();
    return SystemCalls::Open(path, flags, mode);
  }
  ssize_t ReadAt(int fd, void* data, size_t size, off_t offset) override {
    Step();
    return SystemCalls::ReadAt(fd, data, size, offset);
  }
  ssize_t WriteAt(int fd, const void* data, size_t size, off_t offset) override {
    if (Now()) SystemCalls::WriteAt(fd, data, size / 2, offset);
    Step();
    return SystemCalls::WriteAt(fd, data, size, offset);
  }
  ssize_t CopyRange(int from, off_t from_offset, int to, off_t to_offset, size_t size) override {
    if (Now()) SystemCalls::CopyRange(from, from_offset, to, to_offset, size / 2);
    Step();
    return SystemCalls::CopyRange(from, from_offset, to, to_offset, size);
  }
  int Sync(int fd) override {
    Step();
    return QuickCalls::Sync(fd);
  }
  int Rename(const std::string& from, const std::string& to) override {
    if (Now()) SystemCalls::Rename(from, to);  // Done, but not yet told.
    Step();
    return SystemCalls::Rename(from, to);
  }
  int RenameToNew(const std::string& from, const std::string& to) override {
    if (Now()) SystemCalls::RenameToNew(from, to);
    Step();
    return SystemCalls::RenameToNew(from, to);
  }
  int SyncDirectory(const std::string& path) override {
    Step();
    return QuickCalls::SyncDirectory(path);
  }

 private:
  bool Now() const { return in_the_middle_ && left_ == 1; }
  void Step() {
    if (--left_ == 0) raise(SIGKILL);
  }

  int left_;
  const bool in_the_middle_;
};

TEST_F(PackFaultTest, AProcessKilledAnywhereLeavesTheOldVaultOrTheNewOne) {
  for (const Job& job : Jobs()) {
    int unused = 0;
    const std::string fresh = Measure(job, &unused);
    for (const bool in_the_middle : {false, true}) {
      int old_left = 0, new_left = 0;
      bool killed = true;
      for (int n = 1; killed; ++n) {
        SCOPED_TRACE(absl::StrCat(job.name, ", killed at operation ", n, in_the_middle ? " in the middle" : ""));
        Restart(job);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
          KillingCalls calls(n, in_the_middle);
          FileSystem files(calls);
          _exit(job.run(files).ok() ? 0 : 1);
        }
        int wait_status = 0;
        ASSERT_EQ(waitpid(child, &wait_status, 0), child);
        killed = WIFSIGNALED(wait_status);
        EXPECT_EQ(killed ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status), killed ? SIGKILL : 0);
        const std::string now = Now();
        if (now == Before(job)) {
          ++old_left;
        } else {
          EXPECT_TRUE(now == fresh);
          ++new_left;
        }
        // Neither a lock nor a leftover stops the next.
        if (now != fresh) {
          QuickCalls calls;
          FileSystem files(calls);
          EXPECT_THAT(job.run(files), IsOk());
        }
        EXPECT_TRUE(Now() == fresh);
        if (HasFailure()) return;
      }
      EXPECT_GT(old_left, 40);
      EXPECT_GE(new_left, in_the_middle ? 3 : 2);
    }
  }
}

}  // namespace
}  // namespace modelvault
