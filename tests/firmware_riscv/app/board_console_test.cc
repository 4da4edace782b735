#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/firmware_riscv/app/board_fixture.h"

namespace modelvault {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string Talk(Board* board, const std::string& input, StrapCommand command = StrapCommand::kConsole) {
  const BoardRun run = board->Run(command, input);
  EXPECT_EQ(run.exit_code, 0) << run.output;
  return run.output;
}

TEST(BoardConsoleTest, ANewBoardBootsTheBaseAndThenServesTheConsole) {
  Board board(TheSmallVault().bytes);
  const std::string output = Talk(&board, "exit\n", StrapCommand::kBoot);
  EXPECT_EQ(output, absl::StrCat("vault: a base and 8 variants\nboot: restoring base\n"
                                 "boot status=ok source=selected bytes=",
                                 TheSmallVault().models.base.size(), " xxh64=", TheSmallVault().xxh64.at("base"),
                                 " name=base\n> exit\n"));
}

TEST(BoardConsoleTest, SwitchingTakesEffectAtTheNextBootAndIsConfirmed) {
  Board board(TheSmallVault().bytes);
  EXPECT_THAT(Talk(&board, "select dense\nexit\n"), HasSubstr("selected dense: the next boot tries it\n"));
  EXPECT_EQ(board.Boots(), "trial dense");
  EXPECT_EQ(board.Boots(), "selected dense");
  EXPECT_THAT(Talk(&board, "select base\nexit\n"), HasSubstr("selected base: the next boot tries it\n"));
  EXPECT_EQ(board.Boots(), "trial base");
  EXPECT_EQ(board.Boots(), "selected base");
}

TEST(BoardConsoleTest, ListShowsEveryVariant) {
  Board board(TheSmallVault().bytes);
  const std::string output = Talk(&board, "list\nexit\n");
  for (const CodedVariant& v : TheSmallVault().models.variants) {
    EXPECT_THAT(output, ContainsRegex(absl::StrCat("\n", v.name, "  [0-9]+ bytes\n")));
  }
}

TEST(BoardConsoleTest, VerifyProvesEverything) {
  Board board(TheSmallVault().bytes);
  const std::string output = Talk(&board, "verify\nexit\n");
  for (const auto& [name, hash] : TheSmallVault().xxh64) {
    EXPECT_THAT(output, HasSubstr(absl::StrCat("\ngood ", name, "\n")));
  }
  EXPECT_THAT(output, HasSubstr("\nverify: 9 of 9 good\n"));
}

TEST(BoardConsoleTest, StatsTellsMemoryAndSelection) {
  Board board(TheSmallVault().bytes);
  const std::string output = Talk(&board, "select dense\nboot\nstats\nselect nobody\nstats\nexit\n");
  EXPECT_THAT(output, ContainsRegex("RAM: variables [0-9]+, loader [0-9]+, code [0-9]+, stack at most [0-9]+ of [0-9]+"
                                    ", free for the application [0-9]+\ninstructions since reset: [0-9]+\n"));
  EXPECT_THAT(output, HasSubstr("selection sector 0: confirmed, number 1: dense\nselection sector 1: erased\n"
                                "last error: ok\n"));
}

TEST(BoardConsoleTest, NoKindOfVariantNeedsMuchOfTheStack) {
  Board board(TheSmallVault().bytes);
  const std::string output = Talk(&board, "select residual\nboot\nverify\nlist\nstats\nexit\n");
  const std::string before = ", stack at most ";
  const size_t at = output.find(before);
  ASSERT_NE(at, std::string::npos) << output;
  size_t used = 0, size = 0;
  ASSERT_EQ(std::sscanf(output.c_str() + at + before.size(), "%zu of %zu", &used, &size), 2);
  EXPECT_GT(used, 500u);
  EXPECT_LE(used, size - 1024) << output;
}

TEST(BoardConsoleTest, BadInputGetsClearErrorsAndChangesNothing) {
  Board board(TheSmallVault().bytes);
  const BoardRun run =
      board.Run(StrapCommand::kConsole, absl::StrCat("frobnicate\nlist all\nselect\nselect nobody\nSELECT dense\n",
                                                     "select ", std::string(600, 'x'), "\n", "\n  \nexit\n"));
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, HasSubstr("> frobnicate\nerror: no command frobnicate; \"help\" lists them\n"));
  EXPECT_THAT(run.output, HasSubstr("> list all\nerror: list takes nothing after it\n"));
  EXPECT_THAT(run.output, HasSubstr("> select\nerror: select takes a name; \"list\" shows them\n"));
  EXPECT_THAT(run.output, HasSubstr("> select nobody\nerror: nobody: not-found\n"));
  EXPECT_THAT(run.output, HasSubstr("error: no command SELECT; \"help\" lists them\n"));
  EXPECT_THAT(run.output, HasSubstr("\nerror: the line is too long\n> \n>   \n> exit\n"));
  EXPECT_EQ(run.counts.at("flash_stores"), 0);
}

TEST(BoardConsoleTest, LinesCanBeCorrected) {
  Board board(TheSmallVault().bytes);
  const std::string output = Talk(&board,
                                  "rubbish\x15selext\b\bct densf\x7f"
                                  "e\r\nexit\n");
  EXPECT_THAT(output, HasSubstr("selected dense: the next boot tries it\n"));
  EXPECT_THAT(output, Not(HasSubstr("error")));
}

TEST(BoardConsoleTest, HelpNamesEveryCommand) {
  Board board(TheSmallVault().bytes);
  const std::string output = Talk(&board, "help\nexit\n");
  for (const char* command : {"list", "select NAME", "boot", "verify", "ask TEXT", "generate N", "classify X",
                              "set NAME X", "reset", "stats", "help", "exit"}) {
    EXPECT_THAT(output, HasSubstr(absl::StrCat("\n", command, " ")));
  }
}

TEST(BoardConsoleTest, StrapsThatAskForWhatThereIsNotAreRefused) {
  Board board(TheSmallVault().bytes);
  const BoardRun run = board.Run(static_cast<StrapCommand>(kStrapCommandCount));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.output, "straps: bad-argument\n");
}

}  // namespace
}  // namespace modelvault
