// The board's console has a restored model compute: text, classes, settings, damage, loss of power.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/firmware_riscv/app/board_fixture.h"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/talking_vaults.h"
#include "vault/core/vault_view.h"

namespace modelvault {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

class BoardTalkTest : public testing::Test {
 protected:
  explicit BoardTalkTest(std::optional<BaseProfile> packed = std::nullopt)
      : path_(PackLanguage(files_, packed)), board_(ReadFile(path_)) {}

  // Boots what is selected and types the lines.
  BoardRun Run(const std::string& lines) {
    const BoardRun run = board_.Run(StrapCommand::kBoot, lines + "exit\n");
    EXPECT_EQ(run.exit_code, 0) << run.output;
    return run;
  }
  std::string Talk(const std::string& lines) { return Run(lines).output; }
  // The host's answer.
  std::string OnHost(const std::string& name, const std::string& prompt, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"run", path_, name, "--prompt", prompt, "--json"});
    return Mvault(more).Json().at("text").get<std::string>();
  }
  // A seed with which `name` goes on from "abc" for so many letters, at a temperature of 1.5; and what it says.
  std::pair<int, std::string> LongAnswer(const std::string& name, size_t letters) {
    for (int seed = 1; seed < 100; ++seed) {
      const std::string text = OnHost(
          name, "abc", {"--tokens", absl::StrCat(letters), "--temperature", "1.5", "--seed", absl::StrCat(seed)});
      if (text.size() == letters) return {seed, text};
    }
    ADD_FAILURE() << "all end before";
    return {};
  }
  uint64_t SectionOffset(Section section) const {
    const std::string bytes = ReadFile(path_);
    VaultHeader header;
    EXPECT_EQ(ParseHeader({reinterpret_cast<const uint8_t*>(bytes.data()), kHeaderSize}, bytes.size(), &header),
              CoreStatus::kOk);
    return header.section(section).offset;
  }

  EvalFiles files_;
  std::string path_;
  Board board_;
};

class BoardTalkSmallTest : public BoardTalkTest {
 protected:
  BoardTalkSmallTest() : BoardTalkTest(BaseProfile::kSmall) {}
};

TEST_F(BoardTalkTest, VariantsAnswerAsOnTheHostAndDifferently) {
  const std::string base = OnHost("base", "thequick", {"--tokens", "30"});
  const std::string alpha = OnHost("alpha", "thequick", {"--tokens", "30"});
  ASSERT_NE(base, alpha);
  const std::string output = Talk("set tokens 30\nask thequick\nselect alpha\nboot\nask thequick\n");
  EXPECT_THAT(output, HasSubstr(absl::StrCat("> ask thequick\n", base, "\n")));
  EXPECT_THAT(output, HasSubstr(absl::StrCat("name=alpha\n> ask thequick\n", alpha, "\n")));
  EXPECT_THAT(output, ContainsRegex("\n[0-9]+ tokens?, [0-9]+ instructions a token\n"));
}

// Whatever restores a model in between takes the engine's memory.
TEST_F(BoardTalkTest, TheEngineIsLoadedAgainAfterAVerify) {
  const auto [seed, whole] = LongAnswer("alpha", 20);
  const std::string output = Talk(absl::StrCat("select alpha\nboot\nset tokens 20\nset temperature 1.5\nset seed ",
                                               seed, "\nask abc\nverify\ngenerate 2\nask abc\n"));
  EXPECT_THAT(output,
              ContainsRegex(absl::StrCat("> ask abc\n", whole, "\n.*\ngood alpha\n.*> ask abc\n", whole, "\n")));
  EXPECT_THAT(output, HasSubstr("> generate 2\nerror: there is no text to go on with"));
}

TEST_F(BoardTalkSmallTest, ABaseThatIsCodedGivesTheSameAnswers) {
  const std::string whole = OnHost("alpha", "abc", {"--tokens", "200"});
  EXPECT_THAT(Talk("select alpha\nboot\nset tokens 200\nask abc\n"),
              HasSubstr(absl::StrCat("> ask abc\n", whole, "\n")));
}

TEST_F(BoardTalkTest, GenerateGoesOnAndResetForgets) {
  const auto [seed, whole] = LongAnswer("base", 12);
  const std::string output =
      Talk(absl::StrCat("generate 3\nset temperature 1.5\nset seed ", seed,
                        "\nset tokens 7\nask abc\ngenerate 5\nreset\ngenerate 3\ngenerate 0\nask\n"));
  EXPECT_THAT(output, HasSubstr("> generate 3\nerror: there is no text to go on with; \"ask\" begins one\n"));
  EXPECT_THAT(output, HasSubstr(absl::StrCat("> ask abc\n", whole.substr(0, 7), "\n7 tokens")));
  EXPECT_THAT(output, HasSubstr(absl::StrCat("> generate 5\n", whole.substr(7), "\n5 tokens")));
  EXPECT_THAT(output, HasSubstr("> reset\nthe text is forgotten\n> generate 3\nerror: there is no text"));
  EXPECT_THAT(output, HasSubstr("> generate 0\nerror: generate takes a number of tokens, 1 to 10000\n"));
  EXPECT_THAT(output, HasSubstr("> ask\nerror: ask takes a text\n"));
}

TEST_F(BoardTalkTest, SettingsAreShownAndChecked) {
  const std::string output = Talk(
      "set\nset tokens 10\nset seed 18446744073709551615\nset top-k 2\nset temperature 0.75\nset temperature -1\n"
      "set top-k 65\nset tokens 0\nset colour 3\nset seed\n");
  EXPECT_THAT(output, HasSubstr("> set\ntokens 64, seed 1, top-k 40, temperature 0.0000 (always the best token)\n"));
  EXPECT_THAT(output, HasSubstr("0.75\ntokens 10, seed 18446744073709551615, top-k 2, temperature 0.7500\n"));
  for (const char* line : {"set temperature -1", "set top-k 65", "set tokens 0", "set colour 3", "set seed"}) {
    EXPECT_THAT(output, HasSubstr(absl::StrCat("> ", line, "\nerror: set takes ")));
  }
}

TEST_F(BoardTalkTest, TextWithoutTokensIsRefusedWithItsPlace) {
  const std::string output = Talk("ask abC\nask ab\xC3\xA4\nclassify 1 2\n");
  EXPECT_THAT(output, HasSubstr("\nerror: there is no token for byte 2 of the text\n"));
  EXPECT_THAT(output, Not(HasSubstr("tokens,")));
  EXPECT_THAT(output, HasSubstr("> classify 1 2\nerror: the model takes text: ask TEXT\n"));
}

TEST_F(BoardTalkTest, OfAPromptLongerThanTheWindowTheEndsCount) {
  const std::string kept = std::string(3, 'a') + std::string(128, 'b');  // And the token that begins the text.
  const std::string output = Talk(absl::StrCat("set tokens 1\nask ", kept, "\nask ", kept, "b\n"));
  EXPECT_THAT(output, HasSubstr(absl::StrCat("> ask ", kept, "\n", OnHost("base", kept, {"--tokens", "1"}), "\n")));
  EXPECT_THAT(output, HasSubstr(absl::StrCat("> ask ", kept,
                                             "b\nnote: of the text's 133 tokens the first 4 and the last "
                                             "128 count\n")));
}

TEST_F(BoardTalkTest, StatsTellsWhatTheEngineTakes) {
  EXPECT_THAT(Talk("stats\n"), ContainsRegex("\nengine: state [0-9]+, cache [0-9]+, activations [0-9]+, parameters "
                                             "[0-9]+, differences from the base [1-9][0-9]*\n"));
}

TEST_F(BoardTalkTest, ABootWithAnEngineIsOneProvenPass) {
  Run("select alpha\n");
  board_.FlipBit(SectionOffset(Section::kBase) + 40);
  const std::string output = Talk("ask abc\n");
  EXPECT_THAT(output, HasSubstr("boot: restoring alpha\n  load pass: checksum-mismatch in base chunk 0\n"
                                "boot: alpha is not used: checksum-mismatch\nboot: alpha is rejected\n"));
  EXPECT_THAT(output, HasSubstr("> ask abc\nerror: no model runs; \"boot\" starts one\n"));
}

TEST_F(BoardTalkTest, ADamagedNetworkLeavesTheModelAndSaysSo) {
  board_.FlipBit(SectionOffset(Section::kNetwork) + 9);
  const std::string output = Talk("ask abc\n");
  EXPECT_THAT(output, HasSubstr("boot status=ok source=selected "));
  EXPECT_THAT(output, HasSubstr("> ask abc\nerror: the model does not compute: checksum-mismatch\n"));
}

TEST_F(BoardTalkTest, NothingIsWrittenWhileItAnswers) {
  Run("select alpha\nboot\n");
  const std::string selection = board_.ReadSelection();
  const BoardRun run = Run("set tokens 50\nask abc\ngenerate 10\n");
  // So whenever the power goes, the next boot is that of a board that was not asked.
  EXPECT_EQ(run.counts.at("flash_stores"), 0);
  EXPECT_EQ(board_.ReadSelection(), selection);
  EXPECT_THAT(Talk(""), HasSubstr("source=selected"));
}

TEST(BoardTalkWithoutNetworkTest, AskSaysThatTheVaultDoesNotTell) {
  Board board(TheSmallVault().bytes);
  const BoardRun run = board.Run(StrapCommand::kBoot, "ask abc\nclassify 1\ngenerate 2\nstats\nexit\n");
  EXPECT_EQ(run.exit_code, 0);
  for (const char* line : {"ask abc", "classify 1", "generate 2"}) {
    EXPECT_THAT(run.output,
                HasSubstr(absl::StrCat("> ", line, "\nerror: the vault does not say what its models compute\n")));
  }
  EXPECT_THAT(run.output, Not(HasSubstr("engine:")));
}

TEST(BoardClassifyTest, NumbersGiveClasses) {
  const TempFolder folder;
  Board board(ReadFile(PackClassifier(folder)));
  const BoardRun run = board.Run(StrapCommand::kBoot,
                                 "classify 1 2 0.5\nselect ward\nboot\nclassify 1 2 0.5\nclassify 1 2\n"
                                 "classify 1 2 3 4\nclassify 1 2 x\nclassify 1 2 40000\nask abc\nexit\n");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output,
              ContainsRegex("> classify 1 2 0.5\nclass 0  (2.9|3.0)[0-9]+\nclass 1  0.[45][0-9]+\n> select"));
  EXPECT_THAT(run.output, ContainsRegex("name=ward\n> classify 1 2 0.5\nclass 1  (2.9|3.0)[0-9]+\nclass 0  0.[45]"));
  EXPECT_THAT(run.output, HasSubstr("> classify 1 2\nerror: the model takes 3 numbers, not 2\n"));
  EXPECT_THAT(run.output, HasSubstr("> classify 1 2 3 4\nerror: the model takes 3 numbers, not 4\n"));
  EXPECT_THAT(run.output, HasSubstr("\nerror: not a number, or one of 32768 and more: x\n"));
  EXPECT_THAT(run.output, HasSubstr("\nerror: not a number, or one of 32768 and more: 40000\n"));
  EXPECT_THAT(run.output, HasSubstr("> ask abc\nerror: the model takes numbers: classify NUMBER ...\n"));
}

}  // namespace
}  // namespace modelvault
