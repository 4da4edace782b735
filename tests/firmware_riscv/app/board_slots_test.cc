// The firmware on a board whose flash has two slots: which vault it starts, and how a patch that lies in flash becomes
// the one in the other slot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/firmware_riscv/app/board_fixture.h"
#include "tests/firmware_riscv/signed_bytes.h"
#include "tests/vault/test_vault.h"
#include "tools/mvault/board/board_bank.h"
#include "tools/packing/patch_builder.h"

namespace modelvault {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A vault that is written soon.
std::string Golden() {
  std::ifstream file(MODELVAULT_GOLDEN "/v1.0.mvlt", std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// As it comes: one vault, the other slot erased.
class SlotBoard : public Board {
 public:
  SlotBoard(const std::string& vault, const TrustStraps& trust) : Board(vault) {
    emulated().WriteVault(kBoardSlotOffset[1], std::string(64, '\xFF'));
    Trust(trust);
  }
};

class BoardSlotsTest : public testing::Test {
 protected:
  BoardSlotsTest() { trust_.key_set = set_.digest(); }

  std::string Signed(uint64_t version, uint8_t id = 0) const {
    SigningPlan plan = plan_;
    plan.version = version;
    if (id != 0) plan.vault_id[0] = id;
    return SignedBytes(Golden(), plan, {ann_});
  }
  std::string Patch(const std::string& from, const std::string& to, uint64_t version) const {
    return BuildPatch(from, to, 4096, {plan_.vault_id, version})->bytes;
  }
  static std::string WithBitTurned(std::string bytes, size_t section) {
    bytes[SectionOffset(bytes, section)] ^= 2;
    return bytes;
  }

  static constexpr size_t kModel = 0, kIndex = 3;
  const TestKey ann_{1};
  const KeySet set_ = TestKeySet({ann_}, 1);
  const SigningPlan plan_ = TestPlan(set_);
  TrustStraps trust_;
};

TEST_F(BoardSlotsTest, APatchInFlashMakesTheVaultThatStartsNext) {
  const std::string old_vault = Signed(5), new_vault = Signed(6);
  SlotBoard board(old_vault, trust_);
  board.emulated().WriteVault(kBoardPatchOffset, Patch(old_vault, new_vault, 6));
  BoardRun run = board.Update();
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("update status=ok sectors=1 before=0 kept=0 written=1 units="));
  EXPECT_EQ(board.emulated().ReadVault(kBoardSlotOffset[1], new_vault.size()), new_vault);
  run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, StartsWith("slot source=trial slot=1 version=6\nvault: signed, version 6\n"));
  EXPECT_THAT(run.output, HasSubstr("boot status=ok source=selected "));
  run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, StartsWith("slot source=active slot=1 version=6\n"));
  EXPECT_EQ(run.counts.at("flash_stores"), 0);
  // The old vault is below the floor now, also where the new one is damaged.
  board.emulated().WriteVault(kBoardSlotOffset[1], WithBitTurned(new_vault, kModel));
  run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, StartsWith("slot 1: vault: not-authentic in model\n"
                                     "slot 0: vault: rolled-back in signature\nslot source=nothing\n"));
  EXPECT_THAT(run.output, HasSubstr("boot status=not-authentic source=nothing "));
}

TEST_F(BoardSlotsTest, TheOtherSlotOrABaseStartsWhereTheActiveOneIsDamaged) {
  const std::string first = Signed(5), second = Signed(6);
  SlotBoard board(WithBitTurned(first, kIndex), trust_);
  board.emulated().WriteVault(kBoardSlotOffset[1], second);
  BoardRun run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, StartsWith("slot 0: vault: not-authentic in index\nslot source=other slot=1 version=6\n"));
  EXPECT_THAT(run.output, HasSubstr("boot status=ok source=selected "));
  // That was good, so slot 1 is the choice from now on: its base is what is left of it.
  board.emulated().WriteVault(kBoardSlotOffset[1], WithBitTurned(second, kIndex));
  run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, HasSubstr("slot source=nothing\nslot 1: vault: not-authentic in index\n"
                                    "vault: its base alone\nboot: restoring base\nboot status=ok source=base "));
}

TEST_F(BoardSlotsTest, WhatTheBoardWouldNotStartIsRefusedBeforeAnythingIsWritten) {
  const std::string old_vault = Signed(5);
  SlotBoard board(old_vault, trust_);
  EXPECT_EQ(board.Run(StrapCommand::kBootAndExit).exit_code, 0);  // The floor is 5.
  const auto update = [&](const std::string& patch) {
    board.emulated().WriteVault(kBoardPatchOffset, patch);
    const BoardRun run = board.Update();
    EXPECT_EQ(run.exit_code, 1) << run.output;
    EXPECT_EQ(run.counts.at("flash_stores"), 0);
    return ReportLine(run.output, "update")["status"];
  };
  EXPECT_EQ(update(Patch(old_vault, Signed(4), 4)), "rolled-back");
  EXPECT_EQ(update(Patch(Signed(6), Signed(7), 7)), "other-vault");
  EXPECT_EQ(update(BuildPatch(old_vault, Signed(6, 9), 4096, {{9}, 6})->bytes), "other-vault");
  std::string patch = Patch(old_vault, Signed(6), 6);
  patch[patch.size() - 40] ^= 1;
  EXPECT_EQ(update(patch), "checksum-mismatch");
  EXPECT_EQ(update("nothing"), "bad-patch");
}

// What the header says is not believed: the vault itself is proven.
TEST_F(BoardSlotsTest, AVaultThatIsNotWhatThePatchSaysIsNotMadeActive) {
  const std::string old_vault = Signed(5);
  for (const auto& [new_vault, status] : {std::pair<std::string, std::string>{Signed(6, 9), "other-vault"},
                                          {WithBitTurned(Signed(6), kModel), "bad-signature"}}) {
    std::string repaired = new_vault;
    RepairChecksums(&repaired);
    SlotBoard board(old_vault, trust_);
    board.emulated().WriteVault(kBoardPatchOffset, Patch(old_vault, repaired, 6));
    const BoardRun run = board.Update();
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_EQ(ReportLine(run.output, "update")["status"], status) << run.output;
    EXPECT_THAT(board.Run(StrapCommand::kBootAndExit).output, HasSubstr("slot=0 version=5\n"));
  }
}

TEST_F(BoardSlotsTest, WithOneSlotTheNewVaultIsWrittenOverTheOldOneAndACutUpdateIsDoneFirst) {
  const std::string old_vault = Signed(5), new_vault = Signed(6);
  SlotBoard board(old_vault, trust_);
  board.emulated().WriteVault(kBoardPatchOffset, Patch(old_vault, new_vault, 6));
  EXPECT_EQ(ReportLine(board.Update(/*one_slot=*/true).output, "update")["status"], "bad-patch");
  const std::string patch = BuildPatch(old_vault, new_vault, 4096, {plan_.vault_id, 6}, PatchKind::kInPlace)->bytes;
  board.emulated().WriteVault(kBoardPatchOffset, patch);
  // In the middle of copying the sector from the spare one.
  EXPECT_EQ(board.Update(/*one_slot=*/true, /*cut=*/2000).exit_code, 99);
  // Without the patch nothing starts, and nothing is lost.
  board.emulated().WriteVault(kBoardPatchOffset, "nothing!");
  BoardRun run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, StartsWith("update status=bad-patch sectors=0 before=0 kept=0 written=0 units=0\n"
                                     "vault: an update is not finished\nboot status=not-finished source=nothing "));
  board.emulated().WriteVault(kBoardPatchOffset, patch);
  run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, StartsWith("update status=ok sectors=1 before=0 kept=0 written=1 "));
  EXPECT_THAT(run.output, HasSubstr("\nvault: signed, version 6\n"));
  EXPECT_EQ(board.emulated().ReadVault(0, new_vault.size()), new_vault);
  EXPECT_THAT(board.Run(StrapCommand::kBootAndExit).output, StartsWith("vault: signed, version 6\n"));
}

TEST_F(BoardSlotsTest, ABoardThatTrustsNobodyTakesPatchesToo) {
  const std::string old_vault = Golden(), new_vault = Signed(1);
  Board board(old_vault);
  board.emulated().WriteVault(kBoardPatchOffset, BuildPatch(old_vault, new_vault, 4096)->bytes);
  EXPECT_EQ(board.Update().exit_code, 0);
  EXPECT_THAT(board.Run(StrapCommand::kBootAndExit).output, StartsWith("slot source=trial slot=1 version=0\n"));
  const BoardRun run = board.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, StartsWith("slot source=active slot=1 version=0\n"));
  EXPECT_THAT(run.output, Not(HasSubstr("signed")));
}

}  // namespace
}  // namespace modelvault
