// One bit of flash goes wrong, anywhere: the board says where, and what it boots instead is what was packed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "firmware_riscv/boot/boot_selection.h"
#include "tests/firmware_riscv/app/board_fixture.h"
#include "vault/core/vault_view.h"

namespace modelvault {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const VaultHeader& Header() {
  static const VaultHeader* const header = [] {
    const std::string& bytes = TheSmallVault().bytes;
    auto* parsed = new VaultHeader();
    EXPECT_EQ(ParseHeader({reinterpret_cast<const uint8_t*>(bytes.data()), kHeaderSize}, bytes.size(), parsed),
              CoreStatus::kOk);
    return parsed;
  }();
  return *header;
}

uint64_t SectionOffset(Section s) { return Header().section(s).offset; }

// Somewhere in the middle of a variant's blob.
uint64_t InBlob(const std::string& name) {
  const std::string& bytes = TheSmallVault().bytes;
  const SectionPlace& index = Header().section(Section::kIndex);
  IndexView view;
  EXPECT_EQ(view.Open(Header(),
                      {reinterpret_cast<const uint8_t*>(bytes.data()) + index.offset, static_cast<size_t>(index.size)}),
            CoreStatus::kOk);
  VariantEntry entry;
  EXPECT_EQ(view.Find({reinterpret_cast<const uint8_t*>(name.data()), name.size()}, &entry), CoreStatus::kOk);
  return entry.offset + entry.size / 2;
}

// The selection of a board that was switched to "ternary" and then to "residual", both with success.
const std::string& SwitchedTwice() {
  static const std::string* const selection = [] {
    Board board(TheSmallVault().bytes);
    const BoardRun run = board.Run(StrapCommand::kConsole, "select ternary\nboot\nselect residual\nboot\nexit\n");
    EXPECT_EQ(run.exit_code, 0) << run.output;
    EXPECT_EQ(ReportLine(run.output, "boot")["source"], "trial") << run.output;
    return new std::string(board.ReadSelection());
  }();
  return *selection;
}

class BoardFaultTest : public testing::Test {
 protected:
  BoardFaultTest() : board_(TheSmallVault().bytes) { board_.WriteSelection(SwitchedTwice()); }

  Board board_;
};

TEST_F(BoardFaultTest, WithoutAFaultTheSelectedVariantBoots) { EXPECT_EQ(board_.Boots(), "selected residual"); }

TEST_F(BoardFaultTest, DamageInFrontOfTheModelsIsNamedAndNothingBoots) {
  struct Case {
    uint64_t offset;
    const char* says;
  };
  for (const Case& c : {Case{3, "vault: bad-magic in header\n"}, Case{8, "vault: unknown-version in header\n"},
                        Case{70, "vault: checksum-mismatch in header\n"},
                        Case{SectionOffset(Section::kModel) + 5, "vault: checksum-mismatch in model\n"},
                        Case{SectionOffset(Section::kChunks) + 1, "vault: checksum-mismatch in chunk directory\n"}}) {
    board_.FlipBit(c.offset, 2);
    const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.output, StartsWith(absl::StrCat(c.says, "boot status=")));
    const auto report = ReportLine(run.output, "boot");
    EXPECT_THAT(c.says, HasSubstr(absl::StrCat("vault: ", report.at("status"), " in ")));
    EXPECT_EQ(report.at("source"), "nothing");
    EXPECT_EQ(report.at("name"), "-");
    EXPECT_EQ(run.counts.at("flash_stores"), 0);  // The selection is not to blame.
    board_.FlipBit(c.offset, 2);
  }
  EXPECT_EQ(board_.Boots(), "selected residual");
}

TEST_F(BoardFaultTest, WithADamagedIndexTheBaseBoots) {
  for (const uint64_t offset : {SectionOffset(Section::kIndex) + 20, SectionOffset(Section::kManifest) - 9}) {
    board_.FlipBit(offset, 2);
    const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_THAT(run.output, StartsWith("vault: checksum-mismatch in index\nvault: its base alone\n"
                                       "boot: restoring base\nboot status=ok source=base "));
    EXPECT_EQ(ReportLine(run.output, "boot")["xxh64"], absl::StrCat(absl::Hex(Header().base_xxh64, absl::kZeroPad16)));
    EXPECT_EQ(run.counts.at("flash_stores"), 0);  // The selection is not to blame.
    board_.FlipBit(offset, 2);
  }
  EXPECT_EQ(board_.Boots(), "selected residual");
}

TEST_F(BoardFaultTest, WithADamagedIndexAndBaseNothingBoots) {
  board_.FlipBit(SectionOffset(Section::kIndex) + 20);
  board_.FlipBit(SectionOffset(Section::kBase) + 40);
  const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.output, HasSubstr(" in base chunk 0\nboot: base is not used: "));
  EXPECT_EQ(ReportLine(run.output, "boot")["source"], "nothing");
}

TEST_F(BoardFaultTest, TheConsoleOfABoardWithoutAnIndexKnowsTheBase) {
  board_.FlipBit(SectionOffset(Section::kIndex) + 20);
  const BoardRun run = board_.Run(StrapCommand::kConsole, "list\nselect ternary\nselect base\nverify\nexit\n");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, HasSubstr("> list\nerror: bad-index\n"));
  EXPECT_THAT(run.output, HasSubstr("> select ternary\nerror: ternary: bad-index\n"));
  EXPECT_THAT(run.output, HasSubstr("> select base\nselected base: the next boot tries it\n"));
  EXPECT_THAT(run.output, HasSubstr("good base\nverify: 1 of 1 good\n"));
}

TEST_F(BoardFaultTest, TheConsoleOfABoardWithoutAVaultAnswers) {
  board_.FlipBit(SectionOffset(Section::kModel) + 5);
  const BoardRun run = board_.Run(StrapCommand::kBoot, "list\nselect ternary\nboot\nverify\nstats\nexit\n");
  EXPECT_EQ(run.exit_code, 0);
  for (const char* command : {"list", "select ternary", "boot", "verify"}) {
    EXPECT_THAT(run.output, HasSubstr(absl::StrCat("> ", command, "\nerror: no vault: checksum-mismatch\n> ")));
  }
  EXPECT_THAT(run.output, HasSubstr("last error: checksum-mismatch\n"));
}

TEST_F(BoardFaultTest, ADamagedDeltaFallsBackToTheLastGoodVariant) {
  board_.FlipBit(InBlob("residual"));
  const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, HasSubstr("boot: restoring residual\n  verify pass: "));
  EXPECT_THAT(run.output, HasSubstr(" in delta segment 0\nboot: residual is not used: "));
  EXPECT_THAT(run.output, HasSubstr("\nboot: restoring ternary\nboot status=ok source=last-good "));
  EXPECT_EQ(run.counts.at("flash_stores"), 0);
  EXPECT_EQ(board_.Boots(), "last-good ternary");
}

TEST_F(BoardFaultTest, TwoDamagedDeltasFallBackToTheBase) {
  board_.FlipBit(InBlob("residual"));
  board_.FlipBit(InBlob("ternary"));
  EXPECT_EQ(board_.Boots(), "base base");
}

TEST_F(BoardFaultTest, DamageInAVariantThatIsNotSelectedIsNobodysBusiness) {
  board_.FlipBit(InBlob("dense"));
  EXPECT_EQ(board_.Boots(), "selected residual");
  const BoardRun run = board_.Run(StrapCommand::kConsole, "verify\nexit\n");
  EXPECT_THAT(run.output, HasSubstr(" in delta segment 0\nBAD  dense\n"));
  EXPECT_THAT(run.output, HasSubstr("good residual\n"));
  EXPECT_THAT(run.output, HasSubstr(absl::StrCat("verify: ", TheSmallVault().models.variants.size(), " of ",
                                                 TheSmallVault().models.variants.size() + 1, " good\n")));
}

TEST_F(BoardFaultTest, ADamagedBaseIsNamedByItsChunkAndNothingBoots) {
  uint64_t at = SectionOffset(Section::kBase);
  const std::vector<std::string>& chunks = TheSmallVault().models.chunks;
  ASSERT_GT(chunks.size(), 2u);
  for (size_t chunk = 0; chunk < chunks.size(); at += chunks[chunk++].size()) {
    SCOPED_TRACE(chunk);
    board_.FlipBit(at + chunks[chunk].size() / 2, 3);
    const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
    EXPECT_EQ(run.exit_code, 1) << run.output;
    for (const char* name : {"residual", "ternary", "base"}) {
      EXPECT_THAT(run.output, HasSubstr(absl::StrCat("boot: restoring ", name, "\n  verify pass: ")));
      EXPECT_THAT(run.output, HasSubstr(absl::StrCat(" in base chunk ", chunk, "\nboot: ", name, " is not used: ")));
    }
    EXPECT_EQ(ReportLine(run.output, "boot")["source"], "nothing");
    board_.FlipBit(at + chunks[chunk].size() / 2, 3);
  }
}

TEST_F(BoardFaultTest, ADamagedSelectionFallsBackToTheOtherSector) {
  // "ternary" went into sector 0, "residual" into sector 1.
  for (const uint32_t offset : {uint32_t{0}, kSelectionSequenceOffset, kSelectionNameSizeOffset, kSelectionNameOffset,
                                kSelectionChecksumOffset, kSelectionChecksumOffset + 7}) {
    SCOPED_TRACE(offset);
    board_.FlipBit(kSelectionOffset[1] + offset, 1);
    const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
    EXPECT_THAT(run.output, HasSubstr("selection: sector 1 holds no record: ignored\n"));
    EXPECT_EQ(ReportLine(run.output, "boot")["name"], "ternary");
    board_.FlipBit(kSelectionOffset[1] + offset, 1);
  }
  board_.FlipBit(kSelectionOffset[0]);
  EXPECT_EQ(board_.Boots(), "selected residual");
  board_.FlipBit(kSelectionOffset[1]);
  EXPECT_EQ(board_.Boots(), "selected base");
}

TEST_F(BoardFaultTest, AMarkThatCouldOnlyBeMadeBySettingABitIsRefusedByName) {
  board_.WriteSelection(std::string(2 * Board::kFrontSize, '\xFF'));
  ASSERT_EQ(board_.Run(StrapCommand::kConsole, "select ternary\nexit\n").exit_code, 0);
  const std::string cleared(kSelectionMarkUnits * kSelectionUnit, '\0');
  board_.emulated().WriteVault(kSelectionOffset[0] + kSelectionConfirmedOffset, cleared);
  const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, HasSubstr("selection: cannot be written: flash-sets-bit\n"));
  EXPECT_THAT(run.output, HasSubstr("boot status=ok source=trial "));
  EXPECT_EQ(board_.emulated().ReadVault(kSelectionOffset[0] + kSelectionConfirmedOffset, cleared.size()), cleared);
}

TEST_F(BoardFaultTest, ABadChoiceIsRejectedOnceAndForAll) {
  board_.FlipBit(InBlob("dense"));
  const BoardRun run = board_.Run(StrapCommand::kConsole, "select dense\nboot\nexit\n");
  EXPECT_THAT(run.output, HasSubstr("boot: dense is on test, attempt 1 of 3\n"));
  EXPECT_THAT(run.output, HasSubstr("\nboot: dense is rejected\nboot: restoring residual\n"));
  EXPECT_EQ(ReportLine(run.output, "boot")["source"], "last-good");
  EXPECT_EQ(board_.Boots(), "selected residual");
}

TEST_F(BoardFaultTest, AChoiceThatHadAllItsAttemptsIsGivenUp) {
  ASSERT_EQ(board_.Run(StrapCommand::kConsole, "boot\nselect dense\nexit\n").exit_code, 0);
  // As three boots leave it that hung before they confirmed it. "dense" took the sector of "ternary".
  for (uint32_t i = 0; i < kMaxAttempts; ++i) {
    board_.emulated().WriteVault(kSelectionOffset[0] + kSelectionAttemptsOffset + i * kSelectionUnit, "\x55");
  }
  const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, HasSubstr("boot: dense is given up after 3 attempts\nboot: dense is rejected\n"));
  EXPECT_EQ(ReportLine(run.output, "boot")["source"], "last-good");
  EXPECT_EQ(board_.Boots(), "selected residual");
}

TEST_F(BoardFaultTest, ACutAtAnyStoreOfARejectionLeavesTheLastGoodVariant) {
  board_.FlipBit(InBlob("dense"));
  const std::string before = board_.ReadSelection();
  const uint64_t stores =
      board_.Run(StrapCommand::kConsole, "boot\nselect dense\nboot\nexit\n").counts.at("flash_stores");
  ASSERT_GT(stores, 25u);
  for (uint64_t cut = 1; cut <= stores; ++cut) {
    SCOPED_TRACE(absl::StrCat("cut before store ", cut, " of ", stores));
    board_.WriteSelection(before);
    EXPECT_EQ(board_.Run(StrapCommand::kConsole, "boot\nselect dense\nboot\nexit\n", cut).exit_code, 99);
    EXPECT_THAT(board_.Boots(), AnyOf("selected residual", "last-good residual"));
    EXPECT_EQ(board_.Boots(), "selected residual");
  }
}

TEST_F(BoardFaultTest, AVariantThatLeftTheVaultIsNotFound) {
  // Another vault, where nobody is called "residual".
  std::string models = TheSmallVault().bytes;
  CodedModels others = Encode(MakePlainModels(6), 4096, 1 << 20);
  others.variant("residual").name = "renamed";
  board_.emulated().WriteVault(0, CodedVaultBytes(others));
  const BoardRun run = board_.Run(StrapCommand::kBootAndExit);
  EXPECT_THAT(run.output, HasSubstr("boot: residual is not used: not-found\n"));
  EXPECT_EQ(ReportLine(run.output, "boot")["name"], "ternary");
}

}  // namespace
}  // namespace modelvault
