// The power goes at every store into flash of a switch and its confirmation, and in the middle of every erase and
// program: after it the board boots the old variant or the new one, proven.
#include <gtest/gtest.h>
#include <stdio.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "tests/firmware_riscv/app/board_fixture.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

constexpr char kSwitch[] = "select residual\nboot\nexit\n";

// The selection of a board on which "ternary" is confirmed, and both sectors have been in use.
const std::string& Before() {
  static const std::string* const selection = [] {
    Board board(TheSmallVault().bytes);
    const BoardRun run = board.Run(StrapCommand::kConsole, "select dense\nboot\nselect ternary\nboot\nexit\n");
    EXPECT_EQ(run.exit_code, 0) << run.output;
    return new std::string(board.ReadSelection());
  }();
  return *selection;
}

// Boots twice: the same model both times, one of the two.
void ExpectOldOrNew(Board* board, std::set<std::string>* booted) {
  const std::string first = board->Boots();
  const std::string name = first.substr(first.find(' ') + 1);
  EXPECT_TRUE(name == "ternary" || name == "residual") << first;
  EXPECT_EQ(board->Boots(), "selected " + name);
  booted->insert(first);
}

class BoardPowerCutTest : public testing::Test {
 protected:
  BoardPowerCutTest() : board_(TheSmallVault().bytes) {}

  // The selection after `cut` - 1 stores of the switch (the stores of the whole switch if 0).
  std::string SelectionAfterCut(uint64_t cut) {
    board_.WriteSelection(Before());
    const BoardRun run = board_.Run(StrapCommand::kConsole, kSwitch, cut);
    EXPECT_EQ(run.exit_code, cut == 0 ? 0 : 99) << run.output;
    stores_ = run.counts.value("flash_stores", uint64_t{0});
    return board_.ReadSelection();
  }

  Board board_;
  uint64_t stores_ = 0;
};

TEST_F(BoardPowerCutTest, ACutAtAnyStoreLeavesTheOldVariantOrTheNew) {
  SelectionAfterCut(0);
  const uint64_t stores = stores_;
  ASSERT_GT(stores, 25u);
  std::set<std::string> booted;
  for (uint64_t cut = 1; cut <= stores; ++cut) {
    SCOPED_TRACE(absl::StrCat("cut before store ", cut, " of ", stores));
    SelectionAfterCut(cut);
    EXPECT_EQ(stores_, cut - 1);
    ExpectOldOrNew(&board_, &booted);
  }
  // All that can come of it did: the choice before, the choice on test, the choice confirmed.
  EXPECT_EQ(booted, (std::set<std::string>{"selected ternary", "trial residual", "selected residual"}));
  printf("%d stores into flash, cut at each\n", static_cast<int>(stores));
}

TEST_F(BoardPowerCutTest, AHalfDoneEraseOrProgramLeavesTheOldVariantOrTheNew) {
  // Every state between two operations; what the next one changes is done by half.
  SelectionAfterCut(0);
  const uint64_t stores = stores_;
  std::vector<std::string> states = {Before()};
  for (uint64_t cut = 2; cut <= stores + 1; ++cut) {
    const std::string state = SelectionAfterCut(cut <= stores ? cut : 0);
    if (state != states.back()) states.push_back(state);
  }
  ASSERT_GT(states.size(), 9u);
  TestRandom random(8);
  std::set<std::string> booted;
  for (size_t i = 0; i + 1 < states.size(); ++i) {
    const std::string& before = states[i];
    const std::string& after = states[i + 1];
    const bool erase = i == 0;
    for (int kind = 0; kind < (erase ? 5 : 3); ++kind) {
      SCOPED_TRACE(absl::StrCat("operation ", i, " of ", states.size() - 1, ", kind ", kind));
      std::string half = after;
      for (size_t at = 0; at < half.size(); ++at) {
        const size_t in_sector = at % Board::kFrontSize;
        const uint8_t old = static_cast<uint8_t>(before[at]);
        const uint8_t fresh = static_cast<uint8_t>(after[at]);
        if (old == fresh) continue;
        uint8_t value = fresh;
        if (erase) {
          // Half of the record erased, the other half, some bits, garbage, everything cleared first.
          if (kind == 0) value = in_sector < 140 ? fresh : old;
          if (kind == 1) value = in_sector < 140 ? old : fresh;
          if (kind == 2) value = static_cast<uint8_t>(old | random.Next());
          if (kind == 3) value = static_cast<uint8_t>(random.Next());
          if (kind == 4) value = 0;
        } else {
          // Some of the bits that the program clears are still set: some at random, the lower half, all but one.
          const uint8_t clears = static_cast<uint8_t>(old & ~fresh);
          if (kind == 0) value = static_cast<uint8_t>(fresh | (clears & random.Next()));
          if (kind == 1) value = static_cast<uint8_t>(fresh | (clears & 0x0F));
          if (kind == 2) value = static_cast<uint8_t>(fresh | (clears & ~(clears - 1)));
        }
        half[at] = static_cast<char>(value);
      }
      board_.WriteSelection(half);
      ExpectOldOrNew(&board_, &booted);
    }
  }
  EXPECT_EQ(booted, (std::set<std::string>{"selected ternary", "trial residual", "selected residual"}));
}

}  // namespace
}  // namespace modelvault
