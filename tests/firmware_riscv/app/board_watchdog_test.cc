// A watchdog that resets the board: a large vault is opened, proven, booted and diagnosed without one, and resets
// in the middle of a trial use up nothing but that trial.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/firmware_riscv/app/board_fixture.h"
#include "tools/mvault/board/board_machine.h"

namespace modelvault {
namespace {

using testing::HasSubstr;

constexpr int kBitten = 98;
// At 120 MHz.
constexpr uint64_t k50Milliseconds = 6'000'000;
constexpr uint64_t k1Second = 120'000'000;

// More than half of the partition's 1 MiB: a base, a variant of a few trits, and one of residuals.
const std::string& LargeVault() {
  static const std::string* const bytes = [] {
    TestRandom random(9);
    PlainModels models;
    models.specs = {{DType::kI8, 600, 1000}, {DType::kF32, 1, 500}};
    models.base = RandomData(models.specs, &random);
    TestBytes ternary = models.base, residual = models.base;
    for (size_t i = 0; i < 600'000; ++i) {
      const int weight = static_cast<int8_t>(models.base[i]);
      if (random.Below(64) == 0 && weight < 100) ternary[i] = static_cast<uint8_t>(weight + 2);
      if (random.Below(2) == 0) residual[i] = static_cast<uint8_t>(residual[i] + random.Below(9) - 4);
    }
    models.variants.push_back({"ternary", {}, ternary, true});
    models.variants.push_back({"residual", {}, residual, false});
    auto* vault = new std::string(CodedVaultBytes(Encode(models, 4096, 1 << 20)));
    EXPECT_GT(vault->size(), 500'000u);
    EXPECT_LE(vault->size(), 1u << 20);
    return vault;
  }();
  return *bytes;
}

class BoardWatchdogTest : public testing::Test {
 protected:
  BoardWatchdogTest() : board_(LargeVault()) {}

  BoardRun Run(StrapCommand command, uint64_t watchdog, const std::string& input = "") {
    board_.emulated().WriteCode(kStrapOffset, MakeStraps(command));
    return board_.emulated().Run(absl::StrCat(",watchdog=", watchdog), input);
  }

  Board board_;
};

TEST_F(BoardWatchdogTest, ALargeVaultIsServedWithin50Milliseconds) {
  const BoardRun run =
      Run(StrapCommand::kBoot, k50Milliseconds, "select ternary\nboot\nselect residual\nboot\nverify\nexit\n");
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("boot: residual is good and confirmed\n"));
  EXPECT_THAT(run.output, HasSubstr("verify: 3 of 3 good\n"));
  EXPECT_EQ(run.counts.at("watchdog"), false);
  printf("at most %llu cycles without feeding, of a vault of %zu bytes\n",
         static_cast<unsigned long long>(run.counts.at("longest_unfed").get<uint64_t>()), LargeVault().size());

  // mv_diagnose() reads all that is stored.
  board_.FlipBit(LargeVault().size() / 2);
  const BoardRun damaged = Run(StrapCommand::kBootAndExit, k50Milliseconds);
  EXPECT_EQ(damaged.exit_code, 1) << damaged.output;
  EXPECT_THAT(damaged.output, HasSubstr("boot: residual is not used: "));
  EXPECT_EQ(damaged.counts.at("watchdog"), false);
}

TEST_F(BoardWatchdogTest, AWatchdogThatIsTooShortBites) {
  const BoardRun run = Run(StrapCommand::kBootAndExit, 5000);
  EXPECT_EQ(run.exit_code, kBitten) << run.output;
  EXPECT_EQ(run.counts.at("watchdog"), true);
}

TEST_F(BoardWatchdogTest, ResetsInATrialUseUpThatTrialAlone) {
  // Shorter than a tile of residuals takes, longer than one of trits.
  constexpr uint64_t kShort = 800'000;
  ASSERT_EQ(Run(StrapCommand::kConsole, k1Second, "select ternary\nboot\nexit\n").exit_code, 0);
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(Run(StrapCommand::kConsole, kShort, "boot\nselect residual\nexit\n").exit_code, 0);
    for (int attempt = 1; attempt <= 3; ++attempt) {
      const BoardRun trial = Run(StrapCommand::kBootAndExit, kShort);
      EXPECT_EQ(trial.exit_code, kBitten) << trial.output;
      EXPECT_THAT(trial.output, HasSubstr(absl::StrCat("boot: residual is on test, attempt ", attempt, " of 3\n")));
    }
    const BoardRun given_up = Run(StrapCommand::kBootAndExit, kShort);
    EXPECT_EQ(given_up.exit_code, 0) << given_up.output;
    EXPECT_THAT(given_up.output, HasSubstr("boot: residual is given up after 3 attempts\n"));
    EXPECT_EQ(ReportLine(given_up.output, "boot")["name"], "ternary");
    EXPECT_EQ(ReportLine(Run(StrapCommand::kBootAndExit, kShort).output, "boot")["source"], "selected");
  }
  // Chosen again, it has all its attempts, and a watchdog of 50 ms does not bite.
  ASSERT_EQ(Run(StrapCommand::kConsole, kShort, "boot\nselect residual\nexit\n").exit_code, 0);
  const BoardRun good = Run(StrapCommand::kBootAndExit, k50Milliseconds);
  EXPECT_THAT(good.output, HasSubstr("boot: residual is on test, attempt 1 of 3\n"));
  EXPECT_THAT(good.output, HasSubstr("boot: residual is good and confirmed\n"));
  EXPECT_EQ(good.exit_code, 0);
}

}  // namespace
}  // namespace modelvault
