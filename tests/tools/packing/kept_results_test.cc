// A run that is interrupted, and the one after it that goes on from its work folder.
#include "tools/packing/kept_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// Ends with an error when so many results have been consumed, and counts jobs that ran.
class StoppingExecutor : public Executor {
 public:
  explicit StoppingExecutor(int most) : most_(most) {}
  absl::Status Run(const Jobs& jobs) override {
    Jobs counted = jobs;
    counted.consume = [&](uint64_t job, std::string result) {
      if (jobs.key && most_-- == 0) return absl::UnavailableError("pulled the plug");
      return jobs.consume(job, std::move(result));
    };
    return ThreadExecutor().Run(counted);
  }
  int processes() const override { return 1; }

 private:
  int most_;
};

class KeptResultsTest : public testing::Test {
 protected:
  KeptResultsTest() {
    TestRandom random(5);
    base_.tensors = {MakeTensor("w", "I8", {80, 160}, &random), MakeTensor("n", "F32", {500}, &random)};
    folder_.Write("base.safetensors", Serialize(base_));
    for (const std::string name : {"claims", "fleet", "hr"}) Put(name, &random);
    options_.chunk_size = 512;
    options_.segment_size = 4096;
    options_.threads = 2;
    options_.durability = Durability::kNone;
    EXPECT_THAT(Pack(), IsOk());
    alone_ = folder_.Read("v.mvlt");
    options_.work_folder = folder_.File("work");
  }
  void Put(const std::string& name, TestRandom* random) {
    folder_.Write(name + ".safetensors", Serialize(Ternary(base_, 9, random)));
  }
  absl::StatusOr<PackReport> Pack() {
    std::vector<VariantInput> inputs;
    for (const std::string name : {"claims", "fleet", "hr"}) {
      inputs.push_back({name, folder_.File(name + ".safetensors")});
    }
    return PackVault(FileSystem::Default(), folder_.File("base.safetensors"), inputs, folder_.File("v.mvlt"), options_);
  }
  // Stops after so many results.
  void Interrupt(int after) {
    StoppingExecutor stopping(after);
    options_.executor = &stopping;
    EXPECT_THAT(Pack(), StatusIs(StatusCode::kUnavailable, "pulled the plug"));
    options_.executor = nullptr;
  }
  // Files with results in the folder.
  std::vector<std::string> Kept() const {
    std::vector<std::string> kept;
    for (const auto& entry : std::filesystem::directory_iterator(options_.work_folder)) {
      if (entry.path().extension() == ".packed") kept.push_back(entry.path().string());
    }
    return kept;
  }

  TempFolder folder_;
  FileModel base_;
  PackOptions options_;
  std::string alone_;
};

TEST_F(KeptResultsTest, ARunGoesOnWhereAnotherOneStopped) {
  for (const int after : {0, 1, 5, 7}) {
    SCOPED_TRACE(after);
    Interrupt(after);
    EXPECT_GE(Kept().size(), static_cast<size_t>(after));
  }
  const size_t kept = Kept().size();
  const absl::StatusOr<PackReport> report = Pack();
  ASSERT_THAT(report, IsOk());
  ASSERT_TRUE(report->work.has_value());
  EXPECT_EQ(report->work->found, kept);
  EXPECT_GT(report->work->jobs, kept);
  EXPECT_TRUE(folder_.Read("v.mvlt") == alone_);
  EXPECT_FALSE(std::filesystem::exists(options_.work_folder)) << "it is done";
}

TEST_F(KeptResultsTest, AFolderThatIsKeptServesTheSameModelsAgain) {
  options_.keep_work_folder = true;
  ASSERT_THAT(Pack(), IsOk());
  const absl::StatusOr<PackReport> again = Pack();
  ASSERT_THAT(again, IsOk());
  EXPECT_GT(again->work->jobs, 10);
  EXPECT_EQ(again->work->found, again->work->jobs);
  EXPECT_TRUE(folder_.Read("v.mvlt") == alone_);
}

TEST_F(KeptResultsTest, AnotherModelUnderTheSameNameIsCodedAnew) {
  options_.keep_work_folder = true;
  ASSERT_THAT(Pack(), IsOk());
  // Of the same size and time.
  const std::string path = folder_.File("fleet.safetensors");
  const auto time = std::filesystem::last_write_time(path);
  std::string bytes = folder_.Read("fleet.safetensors");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  folder_.Write("fleet.safetensors", bytes);
  std::filesystem::last_write_time(path, time);

  const absl::StatusOr<PackReport> changed = Pack();
  ASSERT_THAT(changed, IsOk());
  EXPECT_LT(changed->work->found, changed->work->jobs);
  EXPECT_GT(changed->work->found, 0) << "of the others";
  const std::string with_work = folder_.Read("v.mvlt");
  options_.work_folder.clear();
  options_.keep_work_folder = false;
  ASSERT_THAT(Pack(), IsOk());
  EXPECT_TRUE(folder_.Read("v.mvlt") == with_work);
}

TEST_F(KeptResultsTest, OtherOptionsFindNothing) {
  options_.keep_work_folder = true;
  ASSERT_THAT(Pack(), IsOk());
  options_.segment_size = 8192;
  options_.chunk_size = 1024;
  const absl::StatusOr<PackReport> other = Pack();
  ASSERT_THAT(other, IsOk());
  EXPECT_EQ(other->work->found, 0);
}

TEST_F(KeptResultsTest, DamagedResultsAreMadeAnew) {
  options_.keep_work_folder = true;
  ASSERT_THAT(Pack(), IsOk());
  size_t damaged = 0;
  for (const std::string& path : Kept()) {
    const std::string name = "work/" + std::filesystem::path(path).filename().string();
    std::string bytes = folder_.Read(name);
    switch (damaged++ % 4) {
      case 0:
        bytes.back() = static_cast<char>(bytes.back() ^ 0x40);
        break;
      case 1:
        bytes.resize(bytes.size() / 2);
        break;
      case 2:
        bytes.clear();
        break;
      default:
        bytes += "more";
    }
    folder_.Write(name, bytes);
  }
  ASSERT_GT(damaged, 10);
  const absl::StatusOr<PackReport> again = Pack();
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->work->found, 0);
  EXPECT_TRUE(folder_.Read("v.mvlt") == alone_);
}

TEST_F(KeptResultsTest, AFolderWithOtherFilesIsLeftAlone) {
  std::filesystem::create_directory(options_.work_folder);
  folder_.Write("work/mine", "text");
  EXPECT_THAT(Pack(), StatusIs(StatusCode::kAlreadyExists, HasSubstr("not of an interrupted pack")));
  EXPECT_EQ(folder_.Read("work/mine"), "text");
}

TEST_F(KeptResultsTest, AFolderThatWasThereStaysAndIsEmpty) {
  std::filesystem::create_directory(options_.work_folder);
  ASSERT_THAT(Pack(), IsOk());
  EXPECT_TRUE(std::filesystem::is_empty(options_.work_folder));
}

}  // namespace
}  // namespace modelvault
