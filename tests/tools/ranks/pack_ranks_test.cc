// Vaults packed in several ranks are those of one process, byte for byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/packing/model_files.h"
#include "tests/tools/ranks/local_ranks.h"
#include "tools/packing/pack.h"
#include "tools/packing/pack_task.h"
#include "tools/ranks/rank_executor.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class PackRanksTest : public testing::Test {
 protected:
  PackRanksTest() {
    options_.chunk_size = 256;
    options_.segment_size = 4096;
    options_.threads = 1;
    options_.durability = Durability::kNone;
  }

  void PutModels(uint64_t seed, size_t variants) {
    TestRandom random(seed);
    FileModel base = RandomModel(&random, 10);
    base.tensors.push_back(MakeTensor("layers.w", "I8", {40, 160}, &random));
    base_ = folder_.Write("base.safetensors", Serialize(base));
    variants_.clear();
    for (size_t v = 0; v < variants; ++v) {
      const std::string name = absl::StrCat("v", v);
      const FileModel model = v % 3 == 2 ? base : v % 3 == 1 ? RandomVariant(base, &random) : Ternary(base, 9, &random);
      variants_.push_back({name, folder_.Write(name + ".safetensors", Serialize(model))});
    }
  }
  absl::StatusOr<PackReport> Pack(Executor* executor) {
    PackOptions options = options_;
    options.executor = executor;
    return PackVault(FileSystem::Default(), base_, variants_, vault_, options);
  }
  absl::StatusOr<PackReport> PackInRanks(int ranks) {
    std::vector<std::unique_ptr<PackHelper>> helpers(static_cast<size_t>(ranks));
    LocalRanks all(ranks, [&](int rank) -> PrepareFunction {
      std::unique_ptr<PackHelper>& helper = helpers[static_cast<size_t>(rank)];
      helper = std::make_unique<PackHelper>(FileSystem::Default());
      return [&helper](const std::string& task) { return helper->Prepare(task); };
    });
    RankExecutor executor(all.link(0));
    absl::StatusOr<PackReport> report = Pack(&executor);
    sent_ = all.jobs_sent();
    return report;
  }

  TempFolder folder_;
  std::string base_;
  std::vector<VariantInput> variants_;
  PackOptions options_;
  const std::string vault_ = folder_.File("v.mvlt");
  int sent_ = 0;
};

TEST_F(PackRanksTest, TheVaultHasTheSameBytesInAnyNumberOfRanks) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    PutModels(seed, seed % 6);
    options_.whole_file = seed % 2 == 0;
    if (seed == 3) options_.budget = 1 << 20;
    ASSERT_THAT(Pack(nullptr), IsOk());
    const std::string alone = folder_.Read("v.mvlt");
    for (const int ranks : {1, 2, 3, 4}) {
      SCOPED_TRACE(absl::StrCat(ranks, " ranks"));
      options_.threads = ranks == 3 ? 2 : 1;
      const absl::StatusOr<PackReport> report = PackInRanks(ranks);
      ASSERT_THAT(report, IsOk());
      EXPECT_EQ(sent_ > 0, ranks > 1);
      EXPECT_TRUE(folder_.Read("v.mvlt") == alone);
      EXPECT_EQ(report->bytes.file, alone.size());
    }
  }
}

TEST_F(PackRanksTest, AnErrorInAnyRankLeavesTheOldVault) {
  PutModels(7, 4);
  const std::string old = "an old vault";
  folder_.Write("v.mvlt", old);
  options_.budget = 100;
  EXPECT_THAT(PackInRanks(3), StatusIs(StatusCode::kResourceExhausted, HasSubstr("over budget")));
  EXPECT_EQ(folder_.Read("v.mvlt"), old);
}

TEST_F(PackRanksTest, ARankThatDoesNotSeeTheFilesIsNamed) {
  PutModels(8, 4);
  folder_.Write("v.mvlt", "old");
  std::unique_ptr<PackHelper> helper = std::make_unique<PackHelper>(FileSystem::Default());
  LocalRanks all(2, [&](int) -> PrepareFunction {
    return [&](const std::string& task) {
      std::filesystem::remove(folder_.File("v1.safetensors"));
      return helper->Prepare(task);
    };
  });
  RankExecutor executor(all.link(0));
  EXPECT_THAT(Pack(&executor),
              StatusIs(StatusCode::kNotFound, testing::AllOf(HasSubstr("rank 1: "), HasSubstr("v1.safetensors"))));
  EXPECT_EQ(folder_.Read("v.mvlt"), "old");
}

TEST_F(PackRanksTest, RanksShareAWorkFolder) {
  PutModels(9, 6);
  ASSERT_THAT(Pack(nullptr), IsOk());
  const std::string alone = folder_.Read("v.mvlt");
  options_.work_folder = folder_.File("work");
  options_.keep_work_folder = true;
  const absl::StatusOr<PackReport> first = PackInRanks(3);
  ASSERT_THAT(first, IsOk());
  EXPECT_GT(first->work->jobs, 20);
  EXPECT_LT(first->work->found, 3) << "what two variants have in common is made once";
  const absl::StatusOr<PackReport> again = PackInRanks(2);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->work->found, again->work->jobs);
  EXPECT_TRUE(folder_.Read("v.mvlt") == alone);
}

TEST(PackHelperTest, WhatIsNoTaskIsRefused) {
  PackHelper helper(FileSystem::Default());
  EXPECT_THAT(helper.Prepare("\xFF\xFF\xFF"), StatusIs(StatusCode::kInternal, HasSubstr("not a task")));
  EXPECT_FALSE(helper.Prepare("").ok());
}

}  // namespace
}  // namespace modelvault
