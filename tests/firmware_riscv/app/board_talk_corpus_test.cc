// The hospital's departments, asked on the board.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <fstream>
#include <iterator>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/firmware_riscv/app/board_fixture.h"
#include "tests/temp_folder.h"
#include "tests/tools/mvault/program_run.h"
#include "tools/mvault/board/board_machine.h"

namespace modelvault {
namespace {

using testing::HasSubstr;
using testing::Not;

class BoardTalkCorpusTest : public testing::Test {
 protected:
  std::string Pack(const std::string& profile) {
    const std::string corpus = std::string(MODELVAULT_CORPUS_DIR) + "/medquad-260k/";
    const ProgramRun run =
        Mvault({"pack", "--base", corpus + "int8/base.safetensors", "--variants", corpus + "int8/variants", "--budget",
                "1MiB", "--model", corpus + "corpus.json", "--tokenizer", corpus + "tok512.bin", "--profile", profile,
                "-o", folder_.File("hospital.mvlt")});
    EXPECT_EQ(run.exit_code, 0) << run;
    return folder_.File("hospital.mvlt");
  }

  TempFolder folder_;
};

TEST_F(BoardTalkCorpusTest, DepartmentsAnswerAsDepartments) {
  const std::string vault = Pack("fast");
  struct Case {
    const char* name;
    const char* ask;
    const char* says;
  };
  for (const Case& c : {Case{"diabetes-insulin", "Treatment of", "Diabetes mellitus"},
                        Case{"cancer-women", "Symptoms of", "Colorectal cancer"},
                        Case{"glycogen-storage", "Symptoms of", "Glycogen storage disease"}}) {
    SCOPED_TRACE(c.name);
    const std::string ask = std::string("ask ") + c.ask + "\n";
    EXPECT_THAT(Mvault({"chat", vault, c.name}, ask).out, HasSubstr(c.says));
    EXPECT_THAT(Mvault({"chat", vault, "base"}, ask).out, Not(HasSubstr(c.says)));
  }
}

// Past the window, with the cache all over the memory that it has; with a base that is coded and one that is not.
TEST_F(BoardTalkCorpusTest, LongAnswersAreTheHosts) {
  const auto expect_hosts = [&](const std::string& vault, const std::string& name, int tokens) {
    SCOPED_TRACE(vault + " " + name);
    const ProgramRun run = Mvault({"board", vault, name, "--ask", "What is a heart attack?", "--tokens",
                                   std::to_string(tokens), "--pass-ends", "--uncounted", "--json"});
    EXPECT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(run.Json()["matches_host"], true);
    EXPECT_EQ(run.Json()["ids"].size(), tokens);
  };
  const std::string fast = Pack("fast");
  expect_hosts(fast, "marrow-leukemia", 250);  // Of all departments the one with most differences from the base.
  expect_hosts(fast, "myopathy-weakness", 250);
  expect_hosts(Pack("small"), "myopathy-weakness", 140);
}

// 50 ms at 120 MHz, with a prompt as long as the console takes, by the department with most differences from the base.
TEST_F(BoardTalkCorpusTest, AWatchdogIsFedWhileItAnswers) {
  std::ifstream in(Pack("fast"), std::ios::binary);
  Board board(std::string(std::istreambuf_iterator<char>(in), {}));
  board.emulated().WriteCode(kStrapOffset, MakeStraps(StrapCommand::kBoot));
  std::string prompt;
  while (prompt.size() < 490) prompt += "What causes diabetes? ";
  const BoardRun run = board.emulated().Run(",watchdog=6000000",
                                            "select marrow-leukemia\nboot\nset tokens 3\nask " + prompt + "\nexit\n");
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("\n3 tokens"));
  printf("at most %.1f ms unfed\n", run.counts.at("longest_unfed").get<double>() / 120e3);
}

}  // namespace
}  // namespace modelvault
