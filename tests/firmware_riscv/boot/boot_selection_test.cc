#include "firmware_riscv/boot/boot_selection.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "firmware_riscv/boot/boot.h"
#include "tests/firmware_riscv/boot/simulated_flash.h"

namespace modelvault {
namespace {

ByteView View(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

// A board: its flash, and which variants of its vault are good. "" is the base.
struct Board {
  SimulatedFlash flash;
  std::set<std::string> good = {"", "a", "b", "c"};
  std::vector<std::string> log = {};  // Of the last boot.

  static uint32_t Run(void* self, ByteView name, mv_error* error) {
    Board* const board = static_cast<Board*>(self);
    board->log.push_back(absl::StrCat("run ", ToString(name)));
    if (board->good.count(ToString(name)) > 0) return MV_VERIFIED;
    *error = MV_DIGEST_MISMATCH;
    return MV_REJECTED;
  }
  static void Tell(void* self, const BootReport& report) {
    static const char* const kNames[] = {"damaged", "trial",     "given up", "start",
                                         "failed",  "confirmed", "rejected", "not marked"};
    if (report.event == BootEvent::kStart) return;
    std::string line = absl::StrCat(kNames[static_cast<int>(report.event)], " ", ToString(report.name));
    if (report.number != 0) absl::StrAppend(&line, " ", report.number);
    if (report.error != MV_OK) absl::StrAppend(&line, " ", mv_error_name(report.error));
    static_cast<Board*>(self)->log.push_back(line);
  }

  BootResult Boot(bool confirm = true) {
    log.clear();
    const mv_flash driver = flash.Driver();
    BootSelection selection(&driver);
    return modelvault::Boot(&selection, {&Run, &Tell, this, confirm});
  }
  // Boots as often as `name`, on trial, may be tried; each time the power goes right after the attempt is marked, as if
  // the variant hung the board.
  void CutAllAttemptsShort(const std::string& name) {
    for (unsigned i = 0; i < kMaxAttempts; ++i) {
      flash.CutAfter(1, CutKind::kBefore);
      EXPECT_THROW(Boot(), PowerCut);
      EXPECT_EQ(Log(), absl::StrCat("trial ", name, " ", i + 1, ", run ", name));
      flash.PowerUp();
    }
  }
  // Boots, then selects from the console of that boot.
  mv_error BootAndSelect(const std::string& name) {
    log.clear();
    const mv_flash driver = flash.Driver();
    BootSelection selection(&driver);
    modelvault::Boot(&selection, {&Run, &Tell, this});
    return selection.Select(View(name));
  }
  // Selects without a boot before.
  mv_error Select(const std::string& name) {
    const mv_flash driver = flash.Driver();
    return BootSelection(&driver).Select(View(name));
  }
  std::string Booted() {
    const BootResult result = Boot();
    return result.source == BootSource::kNothing ? "nothing" : ToString(result.name);
  }
  std::string Log() const { return absl::StrJoin(log, ", "); }
  SelectionRecord Record(unsigned sector) {
    const mv_flash driver = flash.Driver();
    return BootSelection(&driver).record(sector);
  }
};

TEST(BootSelectionTest, ANewBoardBootsTheBase) {
  Board board;
  const BootResult result = board.Boot();
  EXPECT_EQ(result.source, BootSource::kSelected);
  EXPECT_EQ(ToString(result.name), "");
  EXPECT_EQ(board.Log(), "run ");
  EXPECT_EQ(board.flash.operations(), 0);
}

TEST(BootSelectionTest, AChoiceIsConfirmedByAGoodBoot) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  EXPECT_EQ(board.Record(0).state, RecordState::kTest);
  const BootResult result = board.Boot();
  EXPECT_EQ(result.source, BootSource::kTrial);
  EXPECT_EQ(board.Log(), "trial a 1, run a, confirmed a");
  EXPECT_EQ(board.Record(0).state, RecordState::kConfirmed);
  const int operations = board.flash.operations();
  EXPECT_EQ(board.Boot().source, BootSource::kSelected);
  EXPECT_EQ(board.Log(), "run a");
  EXPECT_EQ(board.flash.operations(), operations);  // A boot of a confirmed choice writes nothing.
}

TEST(BootSelectionTest, AnApplicationMayConfirmLater) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  EXPECT_EQ(board.Boot(/*confirm=*/false).source, BootSource::kTrial);
  EXPECT_EQ(board.Log(), "trial a 1, run a");
  EXPECT_EQ(board.Record(0).state, RecordState::kTest);
  const mv_flash driver = board.flash.Driver();
  EXPECT_EQ(BootSelection(&driver).Confirm(0), MV_OK);
  EXPECT_EQ(board.Boot(/*confirm=*/false).source, BootSource::kSelected);
  // One that is never confirmed is given up, however well it boots.
  ASSERT_EQ(board.Select("b"), MV_OK);
  for (unsigned i = 0; i < kMaxAttempts; ++i) {
    EXPECT_EQ(board.Boot(/*confirm=*/false).source, BootSource::kTrial);
  }
  EXPECT_EQ(board.Boot(/*confirm=*/false).source, BootSource::kLastGood);
  EXPECT_EQ(board.Log(), "given up b 3, rejected b, run a");
}

TEST(BootSelectionTest, TheBaseBootsWithoutTheSelection) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  const int operations = board.flash.operations();
  const BootResult result = BootBase({&Board::Run, &Board::Tell, &board});
  EXPECT_EQ(result.source, BootSource::kBase);
  EXPECT_EQ(ToString(result.name), "");
  EXPECT_EQ(board.Log(), "run ");
  board.good.erase("");
  EXPECT_EQ(BootBase({&Board::Run, &Board::Tell, &board}).source, BootSource::kNothing);
  EXPECT_EQ(board.flash.operations(), operations);
}

TEST(BootSelectionTest, AConfirmationTakesOneProgram) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  const int operations = board.flash.operations();
  ASSERT_EQ(board.Booted(), "a");
  EXPECT_EQ(board.flash.operations(), operations + 2);  // The attempt is the other one.
}

TEST(BootSelectionTest, ABadChoiceIsRejectedForTheLastGoodOne) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Booted(), "a");
  ASSERT_EQ(board.Select("bad"), MV_OK);
  const BootResult result = board.Boot();
  EXPECT_EQ(result.source, BootSource::kLastGood);
  EXPECT_EQ(ToString(result.name), "a");
  EXPECT_EQ(board.Log(), "trial bad 1, run bad, failed bad digest-mismatch, rejected bad, run a");
  // And that is that: at the next boot nobody remembers.
  EXPECT_EQ(board.Boot().source, BootSource::kSelected);
  EXPECT_EQ(board.Log(), "run a");
}

TEST(BootSelectionTest, WithoutALastGoodOneTheBaseBoots) {
  Board board;
  ASSERT_EQ(board.Select("bad"), MV_OK);
  const BootResult result = board.Boot();
  EXPECT_EQ(result.source, BootSource::kBase);
  EXPECT_EQ(board.Log(), "trial bad 1, run bad, failed bad digest-mismatch, rejected bad, run ");
}

TEST(BootSelectionTest, AConfirmedChoiceThatGoesBadFallsBackEveryTimeButStaysTheChoice) {
  Board board;
  for (const char* name : {"a", "b"}) {
    ASSERT_EQ(board.Select(name), MV_OK);
    ASSERT_EQ(board.Booted(), name);
  }
  board.good.erase("b");
  const int operations = board.flash.operations();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(board.Boot().source, BootSource::kLastGood);
    EXPECT_EQ(board.Log(), "run b, failed b digest-mismatch, run a");
  }
  board.good.erase("a");
  EXPECT_EQ(board.Boot().source, BootSource::kBase);
  EXPECT_EQ(board.Log(), "run b, failed b digest-mismatch, run a, failed a digest-mismatch, run ");
  board.good.erase("");
  const BootResult nothing = board.Boot();
  EXPECT_EQ(nothing.source, BootSource::kNothing);
  EXPECT_EQ(nothing.error, MV_DIGEST_MISMATCH);
  EXPECT_EQ(board.flash.operations(), operations);
  board.good = {"", "a", "b"};
  EXPECT_EQ(board.Booted(), "b");
}

TEST(BootSelectionTest, TheBaseCanBeChosenAndIsNotTriedTwice) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Booted(), "a");
  ASSERT_EQ(board.Select(""), MV_OK);
  EXPECT_EQ(board.Boot().source, BootSource::kTrial);
  EXPECT_EQ(board.Log(), "trial  1, run , confirmed ");
  board.good = {};
  EXPECT_EQ(board.Boot().source, BootSource::kNothing);
  EXPECT_EQ(board.Log(), "run , failed  digest-mismatch, run a, failed a digest-mismatch");
}

TEST(BootSelectionTest, AChoiceThatNeverFinishesABootIsGivenUp) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Booted(), "a");
  ASSERT_EQ(board.Select("b"), MV_OK);
  board.CutAllAttemptsShort("b");
  EXPECT_EQ(board.Boot().source, BootSource::kLastGood);
  EXPECT_EQ(board.Log(), "given up b 3, rejected b, run a");
  EXPECT_EQ(board.Boot().source, BootSource::kSelected);
  EXPECT_EQ(board.Log(), "run a");
}

TEST(BootSelectionTest, AChoiceThatHadAllItsAttemptsCanBeSelectedAgain) {
  Board board;
  ASSERT_EQ(board.Select("b"), MV_OK);
  board.CutAllAttemptsShort("b");
  ASSERT_EQ(board.Select("b"), MV_OK);
  EXPECT_EQ(board.Boot().source, BootSource::kTrial);
  EXPECT_EQ(board.Log(), "trial b 1, run b, confirmed b");
}

TEST(BootSelectionTest, TheBaseBootsEvenWhereItWasGivenUpAsAChoice) {
  Board board;
  ASSERT_EQ(board.Select(""), MV_OK);
  board.CutAllAttemptsShort("");
  EXPECT_EQ(board.Boot().source, BootSource::kBase);
  EXPECT_EQ(board.Log(), "given up  3, rejected , run ");
}

TEST(BootSelectionTest, SelectingWhatIsSelectedWritesNothing) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  int operations = board.flash.operations();
  ASSERT_EQ(board.Select("a"), MV_OK);  // On test.
  EXPECT_EQ(board.flash.operations(), operations);
  ASSERT_EQ(board.Booted(), "a");
  operations = board.flash.operations();
  ASSERT_EQ(board.Select("a"), MV_OK);  // Confirmed.
  EXPECT_EQ(board.flash.operations(), operations);
}

TEST(BootSelectionTest, ARejectedChoiceCanBeSelectedAgain) {
  Board board;
  ASSERT_EQ(board.Select("bad"), MV_OK);
  ASSERT_EQ(board.Booted(), "");
  board.good.insert("bad");
  EXPECT_EQ(board.Booted(), "");
  ASSERT_EQ(board.Select("bad"), MV_OK);
  EXPECT_EQ(board.Boot().source, BootSource::kTrial);
}

TEST(BootSelectionTest, SelectNeverTakesTheSectorOfWhatThereIsToFallBackTo) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Booted(), "a");
  // Many changes of mind without a boot.
  for (int i = 0; i < 5; ++i) ASSERT_EQ(board.Select(i % 2 == 0 ? "bad" : "worse"), MV_OK);
  EXPECT_EQ(board.Boot().source, BootSource::kLastGood);
  EXPECT_EQ(ToString(board.Boot().name), "a");
  // Rejected records are no reason to give it up either.
  ASSERT_EQ(board.BootAndSelect("bad"), MV_OK);
  EXPECT_EQ(board.Booted(), "a");
}

TEST(BootSelectionTest, WhatWasProvenAtThisBootIsSparedRatherThanANewerChoiceGoneBad) {
  Board board;
  for (const char* name : {"a", "b"}) {
    ASSERT_EQ(board.Select(name), MV_OK);
    ASSERT_EQ(board.Booted(), name);
  }
  board.good.erase("b");
  ASSERT_EQ(board.BootAndSelect("bad"), MV_OK);  // With "a" running.
  EXPECT_EQ(board.Boot().source, BootSource::kLastGood);
  EXPECT_EQ(board.Log(), "trial bad 1, run bad, failed bad digest-mismatch, rejected bad, run a");
}

TEST(BootSelectionTest, SequenceNumbersWrap) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Booted(), "a");
  // As if it were the last number there is.
  StoreLe32(board.flash.Sector(0) + kSelectionSequenceOffset, 0xFFFFFFFFu);
  StoreLe64(board.flash.Sector(0) + kSelectionChecksumOffset,
            XXH64(board.flash.Sector(0), kSelectionChecksumOffset, 0));
  ASSERT_EQ(board.Booted(), "a");
  ASSERT_EQ(board.Select("b"), MV_OK);
  EXPECT_EQ(board.Record(1).sequence, 0u);
  EXPECT_EQ(board.Booted(), "b");
  ASSERT_EQ(board.Select("c"), MV_OK);
  EXPECT_EQ(board.Record(0).sequence, 1u);
  EXPECT_EQ(board.Booted(), "c");
}

TEST(BootSelectionTest, NamesOfEveryLengthAreKept) {
  for (const size_t size : {0, 1, 3, 4, 5, 254, 255}) {
    Board board;
    const std::string name(size, 'n');
    board.good.insert(name);
    ASSERT_EQ(board.Select("a"), MV_OK);
    ASSERT_EQ(board.Select(name), MV_OK);
    EXPECT_EQ(board.Booted(), name);
  }
  Board board;
  EXPECT_EQ(board.Select(std::string(256, 'n')), MV_BAD_ARGUMENT);
  EXPECT_EQ(board.flash.operations(), 0);
}

TEST(BootSelectionTest, BothSectorsOfGarbageBootTheBaseAndCanBeWritten) {
  TestRandom random(3);
  for (const std::string& garbage :
       {std::string(2 * SimulatedFlash::kSectorSize, '\0'), random.Bytes(2 * SimulatedFlash::kSectorSize)}) {
    Board board;
    board.flash.set_bytes(garbage);
    EXPECT_EQ(board.Boot().source, BootSource::kSelected);
    EXPECT_EQ(board.Log(), "damaged , damaged  1, run ");
    ASSERT_EQ(board.Select("a"), MV_OK);
    EXPECT_EQ(board.Booted(), "a");
  }
}

TEST(BootSelectionTest, AnyFlippedBitIsSurvived) {
  Board start;
  for (const char* name : {"a", "b"}) {
    ASSERT_EQ(start.Select(name), MV_OK);
    ASSERT_EQ(start.Booted(), name);
  }
  for (uint32_t bit = 0; bit < 8 * kSelectionRecordSize; ++bit) {
    SCOPED_TRACE(absl::StrCat("bit ", bit));
    Board board = start;
    board.flash.Sector(1)[bit / 8] = static_cast<uint8_t>(board.flash.Sector(1)[bit / 8] ^ (1u << bit % 8));
    const BootResult result = board.Boot();
    EXPECT_EQ(result.source, BootSource::kSelected);
    if (bit < 8 * kSelectionBodySize) {  // The record itself.
      EXPECT_EQ(ToString(result.name), "a");
      EXPECT_EQ(board.Log(), "damaged  1, run a");
      ASSERT_EQ(board.Select("b"), MV_OK);
      EXPECT_EQ(board.Booted(), "b");
    } else {  // A mark: with one bit more or less it means what it meant.
      EXPECT_EQ(ToString(result.name), "b");
      EXPECT_EQ(board.Log(), "run b");
    }
  }
}

TEST(BootSelectionTest, AFlippedBitInAMarkToBeIsNoObstacle) {
  for (uint32_t bit = 0; bit < 32; ++bit) {
    SCOPED_TRACE(absl::StrCat("bit ", bit));
    for (const char* name : {"b", "bad"}) {
      Board board;
      ASSERT_EQ(board.Select("a"), MV_OK);
      ASSERT_EQ(board.Booted(), "a");
      ASSERT_EQ(board.Select(name), MV_OK);
      for (const uint32_t offset : {kSelectionConfirmedOffset, kSelectionRejectedOffset + kSelectionUnit}) {
        uint8_t* const byte = board.flash.Sector(1) + offset + bit / 8;
        *byte = static_cast<uint8_t>(*byte & ~(1u << bit % 8));
      }
      const bool good = board.good.count(name) > 0;
      EXPECT_EQ(board.Booted(), good ? name : "a");
      EXPECT_EQ(board.Record(1).state, good ? RecordState::kConfirmed : RecordState::kRejected);
    }
  }
}

TEST(BootSelectionTest, AMarkThatCannotBeMadeIsReportedAndTheBoardStillBoots) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  for (uint32_t i = 0; i < kSelectionMarkUnits; ++i) {  // No mark any more, and no way to one.
    StoreLe32(board.flash.Sector(0) + kSelectionConfirmedOffset + i * kSelectionUnit, 0);
  }
  for (unsigned attempt = 1; attempt <= kMaxAttempts; ++attempt) {
    EXPECT_EQ(board.Boot().source, BootSource::kTrial);
    EXPECT_EQ(board.Log(), absl::StrCat("trial a ", attempt, ", run a, not marked a flash-sets-bit"));
  }
  EXPECT_EQ(board.Boot().source, BootSource::kBase);
  EXPECT_EQ(board.Log(), "given up a 3, rejected a, run ");
  EXPECT_FALSE(board.flash.set_a_bit());
}

TEST(BootSelectionTest, AFlashThatCannotBeWrittenIsReportedAndTheBoardStillBoots) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  for (const bool reports : {true, false}) {
    board.flash.Break(reports);
    EXPECT_EQ(board.Boot().source, BootSource::kTrial);
    EXPECT_EQ(board.Log(), "trial a 1, not marked a flash-failed, run a, not marked a flash-failed");
    EXPECT_EQ(board.Select("b"), MV_FLASH_FAILED);
  }
}

// It might hang the board, and nobody would count how often.
TEST(BootSelectionTest, AnAttemptThatCannotBeCountedAfterOthersIsNone) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Booted(), "a");
  ASSERT_EQ(board.BootAndSelect("b"), MV_OK);
  board.CutAllAttemptsShort("b");
  // The third one's unit reads erased again, and takes no program.
  memset(board.flash.Sector(1) + kSelectionAttemptsOffset + 2 * kSelectionUnit, 0xFF, kSelectionUnit);
  board.flash.RefuseAt(1, kSelectionAttemptsOffset + 2 * kSelectionUnit);
  EXPECT_EQ(board.Boot().source, BootSource::kLastGood);
  EXPECT_EQ(board.Log(), "trial b 3, not marked b flash-failed, rejected b, run a");
}

// All reads back as it was programmed, but the flash made a mark on its own.
TEST(BootSelectionTest, AChoiceThatReadsAsConfirmedBeforeItsFirstBootIsReported) {
  Board board;
  board.flash.LeaveStray(0, kSelectionConfirmedOffset, kConfirmedMark);
  EXPECT_EQ(board.Select("a"), MV_FLASH_FAILED);
  EXPECT_EQ(board.Select("b"), MV_OK);
}

// A half-done erase may bring back what a mark had said of a record. It must not bring back an old choice.
TEST(BootSelectionTest, AnOlderRecordWithoutMarksIsNeverBooted) {
  Board board;
  for (const char* name : {"a", "b"}) {
    ASSERT_EQ(board.Select(name), MV_OK);
    ASSERT_EQ(board.Booted(), name);
  }
  memset(board.flash.Sector(0) + kSelectionBodySize, 0xFF, kSelectionWholeOffset - kSelectionBodySize);
  ASSERT_EQ(board.Record(0).state, RecordState::kTest);
  EXPECT_EQ(board.Boot().source, BootSource::kSelected);
  EXPECT_EQ(board.Log(), "run b");
  board.good.erase("b");
  EXPECT_EQ(board.Booted(), "");
}

// The whole life of a board is a list of steps; the power goes at each of their flash operations in turn, in every way.
struct Step {
  std::string select;      // From the console after the boot.
  std::string old, fresh;  // What may boot if the power goes in this step: the choice before, the choice after.
};

std::vector<Step> Life() {
  // Good and bad choices in every order, changes of mind included; a bad one never runs.
  std::vector<Step> life;
  std::string last;
  for (const char* name : {"a", "b", "bad", "c", "worse", "bad", "", "a", "bad", "b", "c", "a"}) {
    const std::string good = std::string(name) == "bad" || std::string(name) == "worse" ? last : name;
    life.push_back({name, last, good});
    last = good;
  }
  return life;
}

class BootSelectionPowerTest : public testing::TestWithParam<uint32_t> {
 protected:
  // A new board whose flash programs units of the parameter.
  static Board NewBoard() { return Board{SimulatedFlash(GetParam())}; }
};

INSTANTIATE_TEST_SUITE_P(Units, BootSelectionPowerTest, testing::Values(4, 8, 16, 32),
                         testing::PrintToStringParamName());

TEST_P(BootSelectionPowerTest, APowerCutAtAnyFlashOperationLeavesTheOldChoiceOrTheNew) {
  const std::vector<Step> life = Life();
  int cuts = 0;
  for (const CutKind kind : kCutKinds) {
    Board start = NewBoard();  // As the uncut life has left it before each step.
    for (size_t i = 0; i < life.size(); ++i) {
      const Step& step = life[i];
      Board whole = start;
      ASSERT_EQ(whole.BootAndSelect(step.select), MV_OK);
      ASSERT_EQ(whole.Booted(), step.fresh);
      const int operations = whole.flash.operations() - start.flash.operations();
      for (int n = 0; n < operations; ++n) {
        SCOPED_TRACE(absl::StrCat("step ", i, " (", step.select, "), cut ", n, " of ", operations, ", kind ",
                                  static_cast<int>(kind)));
        ++cuts;
        Board board = start;
        board.flash.CutAfter(n, kind);
        EXPECT_THROW(
            {
              ASSERT_EQ(board.BootAndSelect(step.select), MV_OK);
              board.Boot();
            },
            PowerCut);
        board.flash.PowerUp();
        const std::string booted = board.Booted();
        EXPECT_TRUE(booted == step.old || booted == step.fresh) << "booted '" << booted << "'";
        EXPECT_EQ(board.Booted(), booted);  // And stays.
        // The board has not lost its ability to change, nor its way back.
        ASSERT_EQ(board.BootAndSelect("bad"), MV_OK);
        EXPECT_EQ(board.Booted(), booted);
        ASSERT_EQ(board.BootAndSelect(step.fresh), MV_OK);
        EXPECT_EQ(board.Booted(), step.fresh);
        EXPECT_FALSE(board.flash.set_a_bit());
        EXPECT_FALSE(board.flash.programmed_twice());
      }
      start = whole;
    }
  }
  EXPECT_GT(cuts, 400);
}

// The same with a second cut while the board recovers from the first.
TEST_P(BootSelectionPowerTest, ASecondPowerCutWhileRecoveringIsSurvived) {
  TestRandom random(5);
  const std::vector<Step> life = Life();
  Board start = NewBoard();
  for (const Step& step : life) {
    Board whole = start;
    ASSERT_EQ(whole.BootAndSelect(step.select), MV_OK);
    ASSERT_EQ(whole.Booted(), step.fresh);
    const int operations = whole.flash.operations() - start.flash.operations();
    for (int n = 0; n < operations; ++n) {
      for (int again = 0; again < 4; ++again) {
        SCOPED_TRACE(absl::StrCat("select ", step.select, ", cut ", n, ", then ", again));
        Board board = start;
        board.flash.CutAfter(n, kCutKinds[random.Below(std::size(kCutKinds))]);
        EXPECT_THROW(
            {
              ASSERT_EQ(board.BootAndSelect(step.select), MV_OK);
              board.Boot();
            },
            PowerCut);
        board.flash.CutAfter(again, kCutKinds[random.Below(std::size(kCutKinds))]);
        try {
          board.Boot();
          board.Boot();
        } catch (const PowerCut&) {
        }
        board.flash.PowerUp();
        const std::string booted = board.Booted();
        EXPECT_TRUE(booted == step.old || booted == step.fresh) << "booted '" << booted << "'";
        EXPECT_FALSE(board.flash.set_a_bit());
        EXPECT_FALSE(board.flash.programmed_twice());
      }
    }
    start = whole;
  }
}

// The caller of the same operation loses power twice in a row, each time with the work done.
TEST_P(BootSelectionPowerTest, TwoCutsAfterTheSameOperationAreSurvived) {
  const std::vector<Step> life = Life();
  for (const CutKind kind : {CutKind::kAfter, CutKind::kUnstable}) {
    Board start = NewBoard();
    for (const Step& step : life) {
      Board whole = start;
      ASSERT_EQ(whole.BootAndSelect(step.select), MV_OK);
      ASSERT_EQ(whole.Booted(), step.fresh);
      const int operations = whole.flash.operations() - start.flash.operations();
      for (int n = 0; n < operations; ++n) {
        SCOPED_TRACE(absl::StrCat("select ", step.select, ", cut ", n, ", kind ", static_cast<int>(kind)));
        Board board = start;
        for (int again = 0; again < 2; ++again) {
          board.flash.CutAfter(n, kind);
          try {
            ASSERT_EQ(board.BootAndSelect(step.select), MV_OK);
            board.Boot();
          } catch (const PowerCut&) {
          }
          board.flash.PowerUp();
        }
        const std::string booted = board.Booted();
        EXPECT_TRUE(booted == step.old || booted == step.fresh) << "booted '" << booted << "'";
        ASSERT_EQ(board.BootAndSelect(step.fresh), MV_OK);
        EXPECT_EQ(board.Booted(), step.fresh);
        EXPECT_FALSE(board.flash.programmed_twice());
      }
      start = whole;
    }
  }
}

TEST(BootSelectionTest, AStaleCacheNeverBootsAnOldRecordAsNew) {
  for (const bool invalidates : {true, false}) {
    Board board{SimulatedFlash(4, /*cached=*/true)};
    if (!invalidates) board.flash.ForgetToInvalidate();
    std::string last;
    for (const char* name : {"a", "b", "c", "a"}) {
      const mv_error selected = board.BootAndSelect(name);
      EXPECT_EQ(selected, invalidates ? MV_OK : MV_FLASH_FAILED);
      const std::string booted = board.Booted();
      EXPECT_TRUE(booted == name || (!invalidates && booted == last)) << booted;
      last = booted;
    }
  }
}

// A record as the first format has it: `marks` are its last three words.
void WriteFirstFormat(uint8_t* sector, uint32_t sequence, const std::string& name, const uint32_t (&marks)[3]) {
  memset(sector, 0xFF, SimulatedFlash::kSectorSize);
  StoreLe32(sector, 0x3153564D);
  StoreLe32(sector + 4, sequence);
  StoreLe32(sector + 8, static_cast<uint32_t>(name.size()));
  memcpy(sector + 12, name.data(), name.size());
  StoreLe64(sector + 268, XXH64(sector, 268, 0));
  for (int i = 0; i < 3; ++i) StoreLe32(sector + 276 + 4 * i, marks[i]);
}

TEST(BootSelectionTest, RecordsOfTheFirstFormatAreReadAndMarked) {
  constexpr uint32_t kErased = 0xFFFFFFFF;
  Board board;
  WriteFirstFormat(board.flash.Sector(0), 6, "a", {0xFFFFFFFE, kConfirmedMark, kErased});
  WriteFirstFormat(board.flash.Sector(1), 7, "b", {0xFFFFFFFE, kErased, kErased});
  EXPECT_EQ(board.Record(0).state, RecordState::kConfirmed);
  EXPECT_EQ(board.Record(1).state, RecordState::kTest);
  EXPECT_EQ(board.Boot().source, BootSource::kTrial);
  EXPECT_EQ(board.Log(), "trial b 2, run b, confirmed b");
  EXPECT_EQ(LoadLe32(board.flash.Sector(1) + 276), 0xFFFFFFFCu);
  EXPECT_FALSE(board.flash.idle_program());
  EXPECT_EQ(LoadLe32(board.flash.Sector(1) + 280), kConfirmedMark);
  EXPECT_EQ(board.Boot().source, BootSource::kSelected);
  // The next choice is written in today's format, into the sector of the older one.
  ASSERT_EQ(board.BootAndSelect("bad"), MV_OK);
  EXPECT_EQ(LoadLe32(board.flash.Sector(0)), kSelectionMagic);
  EXPECT_EQ(board.Record(0).sequence, 8u);
  EXPECT_EQ(board.Booted(), "b");
  EXPECT_FALSE(board.flash.set_a_bit());

  WriteFirstFormat(board.flash.Sector(0), 8, "bad", {kErased, kErased, kErased});
  EXPECT_EQ(board.Booted(), "b");
  EXPECT_EQ(board.Record(0).state, RecordState::kRejected);
  // A mark with a bit that went wrong before it was made.
  WriteFirstFormat(board.flash.Sector(0), 8, "c", {kErased, 0xFFFFFFFB, kErased});
  EXPECT_EQ(board.Booted(), "c");
  EXPECT_EQ(LoadLe32(board.flash.Sector(0) + 276), 0xFFFFFFFEu);
  EXPECT_EQ(board.Record(0).state, RecordState::kConfirmed);
}

TEST(BootSelectionTest, AnAttemptCountsHoweverLittleOfItIsThere) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  board.flash.Sector(0)[kSelectionAttemptsOffset + kSelectionUnit - 1] = 0xFE;
  EXPECT_EQ(board.Record(0).attempts, 1u);
  EXPECT_EQ(board.Booted(), "a");
  EXPECT_EQ(board.Log(), "trial a 2, run a, confirmed a");
}

TEST(BootSelectionTest, WithoutAConfirmedChoiceTheNewestIsSpared) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Select("b"), MV_OK);
  EXPECT_EQ(ToString(board.Record(0).name), "a");
  EXPECT_EQ(ToString(board.Record(1).name), "b");
  EXPECT_FALSE(board.flash.idle_program());
}

TEST(BootSelectionTest, WhatIsNeitherErasedNorARecordIsDamaged) {
  Board board;
  board.flash.Sector(0)[kSelectionRecordSize - 1] = 0x7F;
  EXPECT_EQ(board.Record(0).state, RecordState::kDamaged);
  EXPECT_EQ(board.Record(1).state, RecordState::kErased);
  // A name that is longer than any, in a record that is whole.
  ASSERT_EQ(board.Select(std::string(255, 'n')), MV_OK);
  unsigned sector = board.Record(0).valid() ? 0 : 1;
  ASSERT_TRUE(board.Record(sector).valid());
  StoreLe32(board.flash.Sector(sector) + kSelectionNameSizeOffset, 256);
  StoreLe64(board.flash.Sector(sector) + kSelectionChecksumOffset,
            XXH64(board.flash.Sector(sector), kSelectionChecksumOffset, 0));
  EXPECT_EQ(board.Record(sector).state, RecordState::kDamaged);
}

// Its last unit may have been cut off, and read well now only.
TEST(BootSelectionTest, ARecordOnTestWithoutTheMarkBehindItIsNone) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Booted(), "a");
  ASSERT_EQ(board.Select("b"), MV_OK);
  const auto set_mark = [&](unsigned sector, uint32_t word) {
    StoreLe32(board.flash.Sector(sector) + kSelectionWholeOffset, word);
  };
  set_mark(1, 0xFFFFFFFF);
  EXPECT_EQ(board.Record(1).state, RecordState::kDamaged);
  set_mark(1, kRejectedMark);
  EXPECT_EQ(board.Record(1).state, RecordState::kRejected);
  set_mark(1, 0x3C5AA5C3 ^ 0x7F);  // As any mark: 7 bits.
  EXPECT_EQ(board.Record(1).state, RecordState::kTest);
  set_mark(1, 0x3C5AA5C3 ^ 0xFF);
  EXPECT_EQ(board.Booted(), "a");
  EXPECT_EQ(board.Log(), "damaged  1, run a");
  // One that was confirmed is as good without; a firmware that makes no such mark has written it.
  set_mark(0, 0xFFFFFFFF);
  EXPECT_EQ(board.Record(0).state, RecordState::kConfirmed);
}

TEST(BootSelectionTest, ARecordForOtherUnitsIsNone) {
  Board board;
  ASSERT_EQ(board.Select("a"), MV_OK);
  StoreLe32(board.flash.Sector(0) + kSelectionUnitOffset, 2 * kSelectionUnit);
  StoreLe64(board.flash.Sector(0) + kSelectionChecksumOffset,
            XXH64(board.flash.Sector(0), kSelectionChecksumOffset, 0));
  EXPECT_EQ(board.Record(0).state, RecordState::kDamaged);
}

// A watchdog that resets the board in the middle of a trial, at each of its attempts: what was confirmed is never used
// up by that, and the choice that was can be made again.
TEST_P(BootSelectionPowerTest, ResetsInTrialsUseUpNoGoodChoice) {
  Board board = NewBoard();
  ASSERT_EQ(board.Select("a"), MV_OK);
  ASSERT_EQ(board.Booted(), "a");
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(board.BootAndSelect("b"), MV_OK);
    board.CutAllAttemptsShort("b");
    EXPECT_EQ(board.Booted(), "a");
    EXPECT_EQ(board.Record(0).state, RecordState::kConfirmed);
  }
  ASSERT_EQ(board.BootAndSelect("b"), MV_OK);
  EXPECT_EQ(board.Boot().source, BootSource::kTrial);
  EXPECT_EQ(board.Log(), "trial b 1, run b, confirmed b");
}

}  // namespace
}  // namespace modelvault
