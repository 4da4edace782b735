// What a failing disk or a cut of the power at any operation leaves of a vault that is written or changed: the old one
// or the new one, whole, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "tests/temp_folder.h"
#include "tests/vault/faulty_file_system.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

// Something that turns one vault into another.
struct Job {
  const char* name;
  std::function<absl::Status(FileSystem&, const std::string&)> run;
};

// Finishes a writer as a careful program does: all is read back before the commit.
absl::Status VerifyAndCommit(VaultWriter& writer) {
  if (absl::Status s = writer.Finish(); !s.ok()) return s;
  {
    const auto reader = writer.OpenWritten();
    if (!reader.ok()) return reader.status();
    if (absl::Status s = ReadAll(**reader); !s.ok()) return s;
  }
  return writer.Commit();
}

absl::Status Edit(FileSystem& files, const std::string& path, const VaultChanges& changes,
                  const std::vector<TestVariant>& additions) {
  const auto writer = EditVault(files, path, changes, {.lock = {.attempts = 3}});
  if (!writer.ok()) return writer.status();
  for (const TestVariant& variant : additions) {
    if (absl::Status s = AddVariant(**writer, variant); !s.ok()) return s;
  }
  return VerifyAndCommit(**writer);
}

std::vector<Job> Jobs() {
  return {
      {"create",
       [](FileSystem& files, const std::string& path) {
         TestContents contents = MakeTestContents(32, 5);
         contents.network = "a network";
         const auto writer = StartVault(files, path, contents, {.lock = {.attempts = 3}});
         if (!writer.ok()) return writer.status();
         for (const TestVariant& variant : contents.variants) {
           if (absl::Status s = AddVariant(**writer, variant); !s.ok()) return s;
         }
         return VerifyAndCommit(**writer);
       }},
      {"add", [](FileSystem& f, const std::string& p) { return Edit(f, p, {}, {MakeTestVariant("new", 3, true, 1)}); }},
      {"replace",
       [](FileSystem& f, const std::string& p) {
         return Edit(f, p, {.remove = {"dept-1"}, .rename = {}}, {MakeTestVariant("dept-1", 1, false, 2)});
       }},
      {"rename",
       [](FileSystem& f, const std::string& p) {
         return Edit(f, p, {.remove = {}, .rename = {{"dept-1", "claims"}}}, {});
       }},
      {"remove",
       [](FileSystem& f, const std::string& p) { return Edit(f, p, {.remove = {"dept-1"}, .rename = {}}, {}); }},
      {"compact",
       [](FileSystem& f, const std::string& p) {
         return Edit(f, p, {.remove = {"dept-0"}, .rename = {}, .compact = true}, {});
       }},
      {"sign",
       [](FileSystem& f, const std::string& p) {
         VaultWriterOptions options = {.lock = {.attempts = 3}};
         options.sign_root = SignerOf({TestKey(1)});
         options.log_time = 1;
         return PrepareSignature(f, p, TestPlan(TestKeySet({TestKey(1)}, 1)), options);
       }},
  };
}

class VaultFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    TestContents contents = MakeTestContents(31, 5);
    contents.network = "the network before";
    ASSERT_THAT(WriteVault(FileSystem::Default(), path_, contents), IsOk());
    old_ = folder_.Read("v.mvlt");
  }
  void Restart() {
    for (const std::string& name : folder_.Names()) std::filesystem::remove(folder_.File(name));
    folder_.Write("v.mvlt", old_);
  }
  // Runs the job on a good disk: gives the new vault, and how many operations it takes.
  std::string Measure(const Job& job, int* count) {
    FaultyFileSystem disk;
    Restart();
    EXPECT_THAT(job.run(disk, path_), IsOk());
    *count = disk.count();
    EXPECT_GT(*count, 20);
    std::string fresh = folder_.Read("v.mvlt");
    EXPECT_NE(fresh, old_);
    EXPECT_THAT(ReadAll(fresh), IsOk());
    return fresh;
  }

  TempFolder folder_;
  const std::string path_ = folder_.File("v.mvlt");
  std::string old_;
};

TEST_F(VaultFaultTest, AFailingOperationLeavesTheOldVaultOrTheNewOneAndNoTemporaryFile) {
  for (const Job& job : Jobs()) {
    int count = 0;
    const std::string fresh = Measure(job, &count);
    int failures = 0;
    for (const int error : {EIO, ENOSPC, EROFS}) {
      for (int n = 1; n <= count; ++n) {
        SCOPED_TRACE(absl::StrCat(job.name, ", errno ", error, " at operation ", n, " of ", count));
        Restart();
        FaultyFileSystem disk;
        disk.FailAt(n, error);
        const absl::Status status = job.run(disk, path_);
        EXPECT_THAT(folder_.Names(), ElementsAre("v.mvlt"));
        const std::string found = folder_.Read("v.mvlt");
        ASSERT_TRUE(disk.hit().has_value());
        if (status.ok()) {
          EXPECT_TRUE(HasAnotherWay(*disk.hit(), error)) << static_cast<int>(*disk.hit());
          EXPECT_EQ(found, fresh);
          continue;
        }
        ++failures;
        EXPECT_THAT(status,
                    StatusIs(n == count ? StatusCode::kUnknown : StatusCode::kUnavailable, HasSubstr("v.mvlt")));
        // The last operation syncs the folder, when the new name is in place.
        EXPECT_EQ(found, n == count ? fresh : old_);
        if (error != EIO) continue;  // Once is enough.
        disk.Repair();
        Restart();
        EXPECT_THAT(job.run(disk, path_), IsOk());
        EXPECT_EQ(folder_.Read("v.mvlt"), fresh);
      }
    }
    EXPECT_GT(failures, 3 * count / 2);
  }
}

TEST_F(VaultFaultTest, ACutOfThePowerLeavesTheOldVaultOrTheNewOne) {
  for (const Job& job : Jobs()) {
    int count = 0;
    const std::string fresh = Measure(job, &count);
    for (int n = 1; n <= count; ++n) {
      SCOPED_TRACE(absl::StrCat(job.name, ", power cut at operation ", n, " of ", count));
      Restart();
      FaultyFileSystem disk;
      disk.PowerCutAt(n);
      EXPECT_FALSE(job.run(disk, path_).ok());
      EXPECT_EQ(folder_.Read("v.mvlt"), n == count ? fresh : old_);
      // What is left of the temporary file is in nobody's way.
      disk.Repair();
      if (n < count) {
        EXPECT_THAT(job.run(disk, path_), IsOk());
      }
      EXPECT_EQ(folder_.Read("v.mvlt"), fresh);
    }
  }
}

TEST_F(VaultFaultTest, ADiskThatFillsUpIsReported) {
  for (const Job& job : Jobs()) {
    FaultyFileSystem disk;
    disk.FailAt(DiskOperation::kWrite, 1, ENOSPC, true);
    Restart();
    EXPECT_THAT(job.run(disk, path_), StatusIs(StatusCode::kUnavailable, HasSubstr("No space left on device")))
        << job.name;
    EXPECT_EQ(folder_.Read("v.mvlt"), old_);
    EXPECT_THAT(folder_.Names(), ElementsAre("v.mvlt"));
  }
}

TEST_F(VaultFaultTest, ShortReadsAndWritesChangeNothing) {
  for (const Job& job : Jobs()) {
    int count = 0;
    const std::string fresh = Measure(job, &count);
    for (const DiskOperation operation : {DiskOperation::kRead, DiskOperation::kWrite, DiskOperation::kCopy}) {
      Restart();
      FaultyFileSystem disk;
      disk.ShortenAt(operation, 1, true);
      EXPECT_THAT(job.run(disk, path_), IsOk()) << job.name;
      EXPECT_EQ(folder_.Read("v.mvlt"), fresh);
    }
  }
}

TEST_F(VaultFaultTest, AnyFailingReadIsReportedAndARetryReadsExactly) {
  FaultyFileSystem disk;
  const auto read = [&]() -> absl::Status {
    const auto reader = VaultReader::Open(disk, path_);
    if (!reader.ok()) return reader.status();
    return ReadAll(**reader);
  };
  ASSERT_THAT(read(), IsOk());
  const int count = disk.count();
  ASSERT_GT(count, 15);
  for (int n = 1; n <= count; ++n) {
    SCOPED_TRACE(absl::StrCat("fault at operation ", n, " of ", count));
    disk.FailAt(n, EIO);
    EXPECT_THAT(read(), StatusIs(StatusCode::kUnavailable, HasSubstr("v.mvlt")));
    disk.Repair();
    EXPECT_THAT(read(), IsOk());
  }
  const int reads = disk.count(DiskOperation::kRead);
  ASSERT_GT(reads, 5);
  for (int n = 1; n <= reads; ++n) {
    disk.EndFileAtRead(n);
    EXPECT_THAT(read(), StatusIs(StatusCode::kDataLoss, HasSubstr("v.mvlt: file too short"))) << n;
    disk.Repair();
    EXPECT_THAT(read(), IsOk());
  }
}

}  // namespace
}  // namespace modelvault
