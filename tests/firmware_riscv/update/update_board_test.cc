// A field update on the emulated board, with its flash's commands, and the power cut before stores into flash.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/firmware_riscv/sim/emulated_board.h"
#include "tools/packing/patch_builder.h"

namespace modelvault {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;
constexpr uint64_t kStateBegin = 2 * kMebibyte;
constexpr size_t kStateSize = 3 * 256 * 1024;

std::string Golden(const std::string& name) {
  std::ifstream file(absl::StrCat(MODELVAULT_GOLDEN, "/", name), std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

class UpdateBoardTest : public testing::Test {
 protected:
  UpdateBoardTest() : board_(MODELVAULT_UPDATE_CHECK, old_) {
    board_.WriteVault(3 * kMebibyte, BuildPatch(old_, new_, 256)->bytes);
    Begin();
  }
  // As it was: the old vault in slot 0, nothing else.
  void Begin() {
    board_.WriteVault(0, old_);
    board_.WriteVault(kMebibyte, std::string(kMebibyte, '\xFF'));
    board_.WriteVault(kStateBegin, std::string(kStateSize, '\xFF'));
  }
  BoardRun Start(uint64_t cut = 0) { return board_.Run(cut == 0 ? "" : absl::StrCat(",cut=", cut)); }

  const std::string old_ = Golden("v1.0.mvlt");
  const std::string new_ = Golden("v1.2.mvlt");
  EmulatedBoard board_;
};

TEST_F(UpdateBoardTest, APatchInFlashIsAppliedAndTheNewVaultStarted) {
  ASSERT_FALSE(old_.empty());
  BoardRun run = Start();
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_TRUE(absl::StartsWith(run.output, "start slot=0 source=active\nupdate status=ok before=0 written=1 "))
      << run.output;
  EXPECT_EQ(board_.ReadVault(kMebibyte, new_.size()), new_);
  EXPECT_EQ(board_.ReadVault(0, old_.size()), old_);
  run = Start();
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_TRUE(absl::StartsWith(run.output, "start slot=1 source=trial\nupdate status=ok before=0 written=0"))
      << run.output;
  run = Start();
  EXPECT_TRUE(absl::StartsWith(run.output, "start slot=1 source=active\n")) << run.output;
}

TEST_F(UpdateBoardTest, ADamagedPatchChangesNothing) {
  std::string patch = BuildPatch(old_, new_, 256)->bytes;
  patch[patch.size() / 2] = static_cast<char>(patch[patch.size() / 2] ^ 1);
  board_.WriteVault(3 * kMebibyte, patch);
  const BoardRun run = Start();
  EXPECT_EQ(run.exit_code, 1) << run.output;
  EXPECT_EQ(run.counts["flash_stores"], 0);
}

TEST_F(UpdateBoardTest, AfterACutTheBoardStartsAndGoesOn) {
  const BoardRun whole = Start();
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  const uint64_t stores = whole.counts.value("flash_stores", uint64_t{0});
  ASSERT_GT(stores, 100u);
  for (uint64_t cut = 1; cut <= stores; cut += stores / 10) {
    SCOPED_TRACE(absl::StrCat("cut before store ", cut, " of ", stores));
    Begin();
    BoardRun run = Start(cut);
    EXPECT_EQ(run.exit_code, 99) << run.output;
    run = Start();
    EXPECT_EQ(run.exit_code, 0) << run.output;
    // The switch is all there when only its mark is not.
    if (!absl::StartsWith(run.output, "start slot=1 source=trial\n")) {
      EXPECT_TRUE(absl::StartsWith(run.output, "start slot=0 source=active\nupdate status=ok ")) << run.output;
      run = Start();
      EXPECT_TRUE(absl::StartsWith(run.output, "start slot=1 source=trial\n")) << run.output;
    }
    EXPECT_TRUE(absl::StartsWith(Start().output, "start slot=1 source=active\n"));
    EXPECT_EQ(board_.ReadVault(kMebibyte, new_.size()), new_);
  }
}

}  // namespace
}  // namespace modelvault
