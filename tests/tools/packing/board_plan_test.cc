#include "tools/packing/board_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "codec/split_mix_64.h"
#include "tests/status_matchers.h"
#include "tools/packing/network_builder.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

// A language model of one layer: dim 64, 8 heads that share 4.
struct Talker {
  std::vector<ModelTensor> tensors;
  NetworkInput input;

  Talker() {
    input.path = "model.json";
    ModelConfig& c = input.config;
    c.dim = 64;
    c.hidden_dim = 172;
    c.layers = 1;
    c.heads = 8;
    c.kv_heads = 4;
    c.vocab = 512;
    const auto linear = [&](const std::string& name, uint64_t rows, uint64_t cols) {
      tensors.emplace_back(name, DType::kI8, std::vector<uint64_t>{rows, cols});
      tensors.emplace_back(name + ".scale", DType::kF32, std::vector<uint64_t>{rows});
    };
    const auto norm = [&](const std::string& name) {
      tensors.emplace_back(name, DType::kF32, std::vector<uint64_t>{64});
    };
    linear("embed", 512, 64);
    norm("norm");
    norm("layers.0.attn_norm");
    linear("layers.0.wq", 64, 64);
    linear("layers.0.wk", 32, 64);
    linear("layers.0.wv", 32, 64);
    linear("layers.0.wo", 64, 64);
    norm("layers.0.ffn_norm");
    linear("layers.0.w1", 172, 64);
    linear("layers.0.w2", 64, 172);
    linear("layers.0.w3", 172, 64);
  }

  BoardPlan Plan(double density, uint64_t ram, size_t window = 128) {
    input.config.window = window;
    const absl::StatusOr<std::string> section = BuildNetwork(input, tensors, "base");
    EXPECT_THAT(section, IsOk());
    const absl::StatusOr<BoardPlan> plan = PlanBoard(*section, tensors, density, ram);
    EXPECT_THAT(plan, IsOk());
    return plan.value_or(BoardPlan());
  }
};

// The N of "… config.window N …".
size_t WindowIn(const std::string& advice) {
  const std::string before = "config.window ";
  const size_t at = advice.find(before);
  size_t window = 0;
  if (at == std::string::npos) return 0;
  const size_t begin = at + before.size();
  EXPECT_TRUE(absl::SimpleAtoi(advice.substr(begin, advice.find(' ', begin) - begin), &window)) << advice;
  return window;
}

TEST(BoardPlanTest, CountsWhatTheEngineKeeps) {
  Talker talker;
  const BoardPlan plan = talker.Plan(0, 1 << 20);
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(plan.advice, "");
  // A byte for each of 32 keys and 32 values, and their scales.
  EXPECT_GE(plan.cache, 132u * 64);
  EXPECT_LE(plan.cache, 132u * (64 + 2 * 4 * 2));
  // Three norms, and a scale for each of 1,112 rows, in 16 bits.
  EXPECT_GE(plan.parameters, 2u * (3 * 64 + 1112));
  EXPECT_LE(plan.parameters, 2u * (3 * 64 + 1112) + 10 * talker.tensors.size());
  const BoardPlan twice = talker.Plan(0, 1 << 20, 260);
  EXPECT_NEAR(static_cast<double>(twice.cache), 2 * static_cast<double>(plan.cache), 16);  // Alignment.
  EXPECT_GT(twice.token_fast, plan.token_fast);
  EXPECT_EQ(twice.prompt_fast, plan.prompt_fast);
  EXPECT_GT(plan.token_small, plan.token_fast);
  EXPECT_GT(plan.prompt_small, plan.prompt_fast);
}

// Bytes of a real list (restore/infer/delta_list.h) of weights that differ at random.
size_t RealList(size_t weights, double density) {
  SplitMix64 random(3);
  size_t bytes = 0, gap = 0;
  for (size_t i = 0; i < weights; ++i) {
    if (static_cast<double>(random.Below(1 << 20)) >= density * (1 << 20)) {
      ++gap;
      continue;
    }
    bytes += gap / 125 + 1;
    gap = 0;
  }
  return bytes;
}

TEST(BoardPlanTest, EstimatesTheListOfDifferences) {
  Talker talker;
  const size_t weights = 512 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 172 * 64;
  EXPECT_EQ(talker.Plan(0, 1 << 20).list, 6 * talker.tensors.size());
  for (const double density : {0.001, 0.01, 0.05, 0.5, 1.0}) {
    const double real = static_cast<double>(RealList(weights, density) + 6 * talker.tensors.size());
    EXPECT_NEAR(static_cast<double>(talker.Plan(density, 1 << 20).list), real, 0.05 * real + 60) << density;
  }
  EXPECT_GT(talker.Plan(0.05, 1 << 20).token_fast, talker.Plan(0.01, 1 << 20).token_fast);
}

TEST(BoardPlanTest, AWindowThatIsTooLargeIsNamedWithTheOneThatFits) {
  Talker talker;
  constexpr size_t kWindow = 1000;
  const BoardPlan plan = talker.Plan(0.05, 1 << 20, kWindow);
  const uint64_t ram = plan.taken() - 1000;
  const BoardPlan tight = talker.Plan(0.05, ram, kWindow);
  EXPECT_FALSE(tight.fits);
  EXPECT_THAT(tight.advice, HasSubstr("1000 bytes of RAM too many: with config.window "));
  const size_t window = WindowIn(tight.advice);
  EXPECT_GT(window, 900u);
  EXPECT_TRUE(talker.Plan(0.05, ram, window).fits);
  EXPECT_FALSE(talker.Plan(0.05, ram, window + 1).fits);
}

TEST(BoardPlanTest, WhatRestoresLiesWhereTheCacheWill) {
  Talker talker;
  const BoardPlan small = talker.Plan(0.05, 1 << 20, 8), smaller = talker.Plan(0.05, 1 << 20, 7);
  EXPECT_EQ(small.taken(), smaller.taken());
  const BoardPlan large = talker.Plan(0.05, 1 << 20, 1000), larger = talker.Plan(0.05, 1 << 20, 1001);
  // Code that only restores has left, too.
  EXPECT_LT(large.code, small.code);
  EXPECT_EQ(large.code, larger.code);
  EXPECT_GT(larger.taken(), large.taken());
}

TEST(BoardPlanTest, WhereNoWindowHelpsTheListMay) {
  Talker talker;
  const BoardPlan plan = talker.Plan(0.5, 1 << 20);
  const BoardPlan tight = talker.Plan(0.5, plan.taken() - plan.cache - 5000);
  EXPECT_THAT(tight.advice, HasSubstr("without the list of "));
  const BoardPlan hopeless = talker.Plan(0, 30000);
  EXPECT_THAT(hopeless.advice, HasSubstr("whatever the window"));
}

TEST(BoardPlanTest, WhatIsNoNetworkIsRefused) {
  const Talker talker;
  EXPECT_THAT(PlanBoard("", talker.tensors, 0, 1 << 20),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the network cannot be run")));
}

}  // namespace
}  // namespace modelvault
