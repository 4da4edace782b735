// `mvault board --ask` with a stand-in for the board.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tests/tools/mvault/board/fake_board.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/talking_vaults.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class BoardAskTest : public testing::Test {
 protected:
  ProgramRun Ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"board", vault_});
    for (const std::string& option : board_.Options()) arguments.push_back(option);
    return Mvault(arguments);
  }
  // The board prints this answer.
  void Answers(const std::string& ids, const std::string& scores, const std::string& status = "ok", int exit_code = 0,
               const std::string& prompt = "1,3") {
    board_.SetBehaviour(absl::StrCat("echo \"answer prompt=", prompt, " tokens=", ids, " scores=", scores,
                                     " status=", status,
                                     " place=- number=0 offset=0 variables=1 loader=1 engine=1 cache=1 activations=1 "
                                     "parameters=1 list=1 ram_code=1 stack=1 name=$name\"\nexit ",
                                     exit_code, "\n"));
  }

  EvalFiles files_;
  std::string vault_ = PackLanguage(files_);
  FakeBoard board_{{}};
};

TEST_F(BoardAskTest, TheBoardsAnswerIsHeldAgainstTheHosts) {
  const nlohmann::json host =
      Mvault({"run", vault_, "alpha", "--prompt", "a", "--tokens", "3", "--pass-ends", "--json"}).Json();
  const std::string ids = absl::StrJoin(host["ids"].get<std::vector<int>>(), ",");
  const std::string scores = host["score_hashes"].back();
  Answers(ids, scores);
  const ProgramRun run = Ask({"alpha", "--ask", "a", "--tokens", "3", "--pass-ends", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_EQ(run.Json()["text"], host["text"]);
  EXPECT_EQ(run.Json()["ids"], host["ids"]);
  EXPECT_EQ(run.Json()["matches_host"], true);
  EXPECT_EQ(run.Json()["ram_bytes"], 9);
  EXPECT_THAT(Ask({"alpha", "--ask", "a", "--tokens", "3", "--pass-ends"}).out,
              testing::StartsWith(host["text"].get<std::string>() + "\n\n"));
  const nlohmann::json energy =
      Ask({"alpha", "--ask", "a", "--tokens", "3", "--pass-ends", "--json", "--energy"}).Json()["energy"];
  EXPECT_EQ(energy["works"][0]["work"], "boot");

  Answers(ids + ",4", scores);
  const ProgramRun more = Ask({"alpha", "--ask", "a", "--tokens", "3", "--pass-ends", "--json"});
  EXPECT_EQ(more.exit_code, 1);
  EXPECT_THAT(more.err, HasSubstr("'alpha': the board answered 4 tokens"));
  EXPECT_EQ(more.Json()["matches_host"], false);
  Answers(ids, "0000000000000000");
  EXPECT_EQ(Ask({"alpha", "--ask", "a", "--tokens", "3", "--pass-ends"}).exit_code, 1);
  Answers(ids, scores, "checksum", 1);
  EXPECT_THAT(Ask({"alpha", "--ask", "a", "--tokens", "3", "--pass-ends"}).err,
              HasSubstr("'alpha' on the board: checksum"));
}

TEST_F(BoardAskTest, StrapsHaveTheQuestion) {
  board_.SetBehaviour("dd if=\"$code\" of=\"$here/straps\" bs=1 skip=262144 count=1312 2>/dev/null\nexit 0\n");
  const ProgramRun run = Ask({"alpha", "--ask", "abc", "--tokens", "258", "--pass-ends", "--top-k", "7",
                              "--temperature", "0.5", "--seed", "513"});
  EXPECT_EQ(run.exit_code, 70);
  EXPECT_THAT(run.err, HasSubstr("'alpha': the board program printed no answer"));
  const std::string straps = board_.folder().Read("straps");
  ASSERT_EQ(straps.size(), 1312u);
  const auto word = [&](size_t at) {
    return static_cast<uint8_t>(straps[at]) | static_cast<uint8_t>(straps[at + 1]) << 8 |
           static_cast<uint8_t>(straps[at + 2]) << 16;
  };
  EXPECT_EQ(word(4), 4);
  EXPECT_EQ(straps.substr(16, 6), std::string("alpha\0", 6));
  EXPECT_EQ(word(256), 258);
  EXPECT_EQ(word(260), 1);
  EXPECT_EQ(word(264), 7);
  EXPECT_EQ(word(268), 32768);
  EXPECT_EQ(word(272), 513);
  EXPECT_EQ(word(280), 3);
  EXPECT_EQ(straps.substr(288, 4), std::string("abc\0", 4));
}

TEST_F(BoardAskTest, NumbersAreAskedAsShortDecimals) {
  vault_ = PackClassifier(files_.folder());
  board_.SetBehaviour("dd if=\"$code\" of=\"$here/straps\" bs=1 skip=262432 count=20 2>/dev/null\nexit 0\n");
  EXPECT_EQ(Ask({"ward", "--ask", "1e1,-0.250, .33333"}).exit_code, 70);
  EXPECT_EQ(board_.folder().Read("straps").substr(0, 17), std::string("10 -0.25 0.33333\0", 17));
  const nlohmann::json host = Mvault({"run", vault_, "ward", "--features", "1 2 4", "--json"}).Json();
  Answers("0", host["score_hash"], "ok", 0, "");
  const ProgramRun run = Ask({"ward", "--ask", "1 2 4"});
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, AllOf(testing::StartsWith("class 0\n"), HasSubstr("a class, as on the host"),
                             HasSubstr("ms from reset: "), HasSubstr(", compute ")));
}

TEST_F(BoardAskTest, WhatCannotBeAskedIsRefused) {
  const auto expect_error = [&](const std::vector<std::string>& arguments, int exit_code, const std::string& message) {
    const ProgramRun run = Ask(arguments);
    EXPECT_EQ(run.exit_code, exit_code) << run;
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, HasSubstr(message));
  };
  expect_error({"--all", "--ask", "a"}, 2, "--ask asks one model");
  expect_error({"nobody", "--ask", "a"}, 7, "no variant 'nobody'");
  expect_error({"alpha", "--ask", std::string(1025, 'a')}, 4, "--ask: 1025 bytes, expected at most the 1024");
  vault_ = PackClassifier(files_.folder());
  expect_error({"ward", "--ask", "1 2"}, 3, "2 numbers, expected the 3");
}

}  // namespace
}  // namespace modelvault
