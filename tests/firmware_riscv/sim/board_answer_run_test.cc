// `mvault board --ask` with the real firmware in the real emulator: the host's answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/talking_vaults.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(BoardAnswerRunTest, TheBoardAnswersAsTheHost) {
  const EvalFiles files;
  std::set<std::string> answers;
  for (const BaseProfile profile : {BaseProfile::kFast, BaseProfile::kSmall}) {
    const std::string vault = PackLanguage(files, profile);
    for (const char* name : {"base", "alpha", "gamma"}) {
      SCOPED_TRACE(name);
      const ProgramRun run = Mvault({"board", vault, name, "--ask", "thequickbrownfox", "--tokens", "150",
                                     "--pass-ends", "--uncounted", "--json"});
      ASSERT_EQ(run.exit_code, 0) << run;
      EXPECT_THAT(run.Json()["prompt_ids"], SizeIs(17));
      EXPECT_THAT(run.Json()["ids"], SizeIs(150));
      EXPECT_GT(run.Json()["ram"]["list"], 0);
      answers.insert(run.Json()["scores"]);
    }
  }
  EXPECT_THAT(answers, SizeIs(3));
}

TEST(BoardAnswerRunTest, SeedsDrawTheSameTokensOnBothMachines) {
  const EvalFiles files;
  const std::string vault = PackLanguage(files);
  std::set<std::string> answers;
  for (const char* seed : {"1", "2"}) {
    const ProgramRun run = Mvault({"board", vault, "beta", "--ask", "abc", "--temperature", "1.5", "--top-k", "9",
                                   "--seed", seed, "--tokens", "40", "--pass-ends", "--json"});
    ASSERT_EQ(run.exit_code, 0) << run;
    answers.insert(run.Json()["ids"].dump());
    EXPECT_GT(run.Json()["tokens_per_second"], 0);
    EXPECT_GT(run.Json()["first_token_ms"], run.Json()["prefill_ms"]);
  }
  EXPECT_THAT(answers, SizeIs(2));
}

TEST(BoardAnswerRunTest, ClassesAreTold) {
  const EvalFiles files;
  const std::string vault = PackClassifier(files.folder());
  for (const char* name : {"base", "ward"}) {
    const ProgramRun run = Mvault({"board", vault, name, "--ask", "1.5 2 -4", "--uncounted", "--json"});
    ASSERT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(run.Json()["text"], std::string(name) == "base" ? "class 0" : "class 1");
  }
}

TEST(BoardAnswerRunTest, ADamagedVaultSaysNothing) {
  const EvalFiles files;
  PackLanguage(files);
  std::string bytes = files.folder().Read("talks.mvlt");
  char& damaged = bytes[SectionOffset(bytes, 2) + 100];  // BASE.
  damaged = static_cast<char>(damaged ^ 4);
  const std::string vault = files.folder().Write("talks.mvlt", bytes);
  const ProgramRun run = Mvault({"board", vault, "alpha", "--ask", "abc", "--uncounted", "--json"});
  EXPECT_EQ(run.exit_code, 1) << run;
  EXPECT_THAT(run.Json()["ids"], SizeIs(0));
  EXPECT_EQ(run.Json()["place"], "base_chunk");
  EXPECT_EQ(run.Json()["number"], 0);
}

}  // namespace
}  // namespace modelvault
