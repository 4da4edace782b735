// Vaults' models, asked on the host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "restore/infer/sampler.h"
#include "restore/model_engine.h"
#include "tests/status_matchers.h"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/talking_vaults.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Ids = std::vector<uint16_t>;

class MvaultRunTest : public testing::Test {
 protected:
  ProgramRun Run(const std::string& name, std::vector<std::string> more, const std::string& input = "") {
    more.insert(more.begin(), {"run", vault_, name});
    return Mvault(more, input);
  }
  nlohmann::json Ask(const std::string& name, const std::string& prompt, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--prompt", prompt, "--json"});
    return Run(name, more).Json();
  }
  void ExpectError(const ProgramRun& run, int exit_code, const std::string& message) {
    EXPECT_EQ(run.exit_code, exit_code);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, AllOf(HasSubstr("mvault: error: "), HasSubstr(message)));
  }

  EvalFiles files_;
  std::string vault_ = PackLanguage(files_);
};

// The prompt's ids in one call or one by one, then the best token each time.
Ids AnswerOf(const std::string& vault, const std::string& name, const std::string& prompt, size_t tokens,
             bool one_by_one, size_t list_room) {
  absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::Open(FileSystem::Default(), vault);
  EXPECT_THAT(restorer, IsOk());
  ModelEngineOptions options;
  options.list_room = list_room;
  absl::StatusOr<std::unique_ptr<ModelEngine>> engine = ModelEngine::Open(**restorer, name, options);
  EXPECT_THAT(engine, IsOk());
  EXPECT_EQ((*engine)->weights().is_listed(), list_room == ModelWeights::kAnyList);
  absl::StatusOr<Ids> ids = (*engine)->Encode(prompt);
  EXPECT_THAT(ids, IsOk());
  if (one_by_one) {
    for (const uint16_t id : *ids) EXPECT_THAT((*engine)->Run({id}), IsOk());
  } else {
    EXPECT_THAT((*engine)->Run(*ids), IsOk());
  }
  Ids answer;
  while (answer.size() < tokens) {
    answer.push_back(BestToken((*engine)->scores()));
    if (answer.back() == 1 || answer.back() == 2) break;
    EXPECT_THAT((*engine)->Run({answer.back()}), IsOk());
  }
  return answer;
}

TEST_F(MvaultRunTest, TheAnswerIsTheSameHoweverItIsComputed) {
  std::set<std::string> answers;
  for (const std::string name : {"base", "alpha", "beta"}) {
    SCOPED_TRACE(name);
    const std::string prompt = "thequickbrownfoxjumpsoverthelazydog";
    const nlohmann::json answer = Ask(name, prompt, {"--tokens", "20"});
    EXPECT_THAT(answer["prompt_ids"], SizeIs(prompt.size() + 1));
    EXPECT_EQ(answer["prompt_ids"][0], 1);
    EXPECT_EQ(answer["prompt_ids"][1], 3 + 't' - 'a');
    const Ids ids = answer["ids"];
    EXPECT_EQ(answer["ended"], ids.back() == 1 || ids.back() == 2);
    EXPECT_THAT(answer["score_hashes"], SizeIs(ids.size()));
    for (const bool one_by_one : {false, true}) {
      EXPECT_EQ(AnswerOf(vault_, name, prompt, 20, one_by_one, ModelWeights::kAnyList), ids);
    }
    // Restored each time.
    EXPECT_EQ(AnswerOf(vault_, name, prompt, 20, false, 0), ids);
    std::string text;
    for (const uint16_t id : ids) text += id < 3 ? "" : std::string(1, static_cast<char>('a' + id - 3));
    EXPECT_EQ(answer["text"], text);
    EXPECT_EQ(Run(name, {"--prompt", prompt, "--tokens", "20"}).out, text + "\n");
    answers.insert(answer["score_hashes"].dump());
  }
  EXPECT_THAT(answers, SizeIs(3));
}

TEST_F(MvaultRunTest, ProfilesGiveTheSameScores) {
  const nlohmann::json digests = Ask("beta", "abc")["score_hashes"];
  vault_ = PackLanguage(files_, BaseProfile::kFast);
  EXPECT_EQ(Ask("beta", "abc")["score_hashes"], digests);
  vault_ = PackLanguage(files_, BaseProfile::kSmall);
  EXPECT_EQ(Ask("beta", "abc")["score_hashes"], digests);
}

TEST_F(MvaultRunTest, SeedsChooseAmongTheBest) {
  std::set<std::string> answers;
  for (const char* seed : {"1", "2", "3", "4"}) {
    const nlohmann::json answer = Ask("alpha", "abc", {"--temperature", "1.5", "--seed", seed});
    EXPECT_EQ(Ask("alpha", "abc", {"--temperature", "1.5", "--seed", seed}), answer);
    answers.insert(answer["ids"].dump());
  }
  EXPECT_THAT(answers, SizeIs(testing::Gt(1)));
  const nlohmann::json best = Ask("alpha", "abc")["ids"];
  EXPECT_EQ(Ask("alpha", "abc", {"--temperature", "1.5", "--top-k", "1"})["ids"], best);
  EXPECT_EQ(Ask("alpha", "abc", {"--seed", "9"})["ids"], best);
}

TEST_F(MvaultRunTest, ActivationsMayHaveFewerBits) {
  const nlohmann::json eight = Ask("alpha", "abc", {"--activation-bits", "8"}),
                       four = Ask("alpha", "abc", {"--activation-bits", "4"});
  EXPECT_EQ(eight, Ask("alpha", "abc"));
  EXPECT_EQ(four["activation_bits"], 4);
  EXPECT_NE(four["score_hashes"], eight["score_hashes"]);
}

TEST_F(MvaultRunTest, ThePromptMayComeFromStandardInput) {
  EXPECT_EQ(Run("alpha", {"--prompt", "-", "--json"}, "abc\n").Json()["score_hashes"],
            Ask("alpha", "abc")["score_hashes"]);
  // One line end is the line's; another one is part of the text.
  ExpectError(Run("alpha", {"--prompt", "-"}, "abc\n\n"), 3, "byte 0x0a at offset 3 of the text is in no token of ");
}

TEST_F(MvaultRunTest, APromptBeyondTheWindowSlidesWithANote) {
  const ProgramRun fits = Run("alpha", {"--prompt", std::string(131, 'a')});
  EXPECT_EQ(fits.exit_code, 0);
  EXPECT_EQ(fits.err, "");
  const ProgramRun slides = Run("alpha", {"--prompt", std::string(132, 'a')});
  EXPECT_EQ(slides.exit_code, 0);
  EXPECT_THAT(slides.err, HasSubstr("of the prompt's 133 tokens the first 4 and the last 128 count"));
}

TEST_F(MvaultRunTest, WhatCannotBeAskedIsRefused) {
  ExpectError(Run("alpha", {"--prompt", "abCd"}), 3, "byte 0x43 at offset 2 of the text is in no token of ");
  EXPECT_EQ(Run("alpha", {"--prompt", ""}).exit_code, 0);
  ExpectError(Run("nobody", {"--prompt", "abc"}), 7, "no variant 'nobody'");
  ExpectError(Run("alpha", {}), 2, "give either --prompt or --features");
  ExpectError(Run("alpha", {"--prompt", "a", "--features", "1"}), 2, "give either --prompt or --features");
  ExpectError(Run("alpha", {"--features", "1"}), 2, "its models take text: give --prompt");
  ExpectError(Run("alpha", {"--prompt", "a", "--tokens", "0"}), 2, "--tokens");
  ExpectError(Run("alpha", {"--prompt", "a", "--top-k", "65"}), 2, "--top-k");
  ExpectError(Run("alpha", {"--prompt", "a", "--activation-bits", "5"}), 2, "--activation-bits");
}

TEST_F(MvaultRunTest, AVaultThatDoesNotSayWhatItComputesIsToldHow) {
  ASSERT_EQ(Mvault({"pack", "--base", files_.File("int8/base.safetensors"), "--variants", files_.File("int8/variants"),
                    "-o", files_.File("plain.mvlt")})
                .exit_code,
            0);
  ExpectError(Mvault({"run", files_.File("plain.mvlt"), "alpha", "--prompt", "a"}), 7,
              "the vault does not say what its models compute: pack or fit it with --model");
  ASSERT_EQ(Mvault({"pack", "--base", files_.File("int8/base.safetensors"), "--variants", files_.File("int8/variants"),
                    "--model", files_.File("corpus.json"), "-o", files_.File("mute.mvlt")})
                .exit_code,
            0);
  ExpectError(Mvault({"run", files_.File("mute.mvlt"), "alpha", "--prompt", "a"}), 3, "there is no tokenizer");
}

TEST_F(MvaultRunTest, AVariantOfAnotherLayoutAnswersIfItHasAllThatIsNeeded) {
  const auto add = [&](const std::string& name, const FloatTensors& tensors) {
    const std::string file = files_.folder().Write(name + ".safetensors", Int8File(tensors));
    ASSERT_EQ(Mvault({"add", vault_, "--variant", name + "=" + file}).exit_code, 0);
  };
  FloatTensors tensors = RandomModel(TinyConfig(), 5);
  add("whole", tensors);
  const nlohmann::json whole = Ask("whole", "abc");
  tensors["more"] = tensors["norm"];
  add("more", tensors);
  const nlohmann::json more = Ask("more", "abc");
  EXPECT_NE(whole["list_bytes"], nullptr);
  EXPECT_EQ(more["list_bytes"], nullptr);
  EXPECT_EQ(more["score_hashes"], whole["score_hashes"]);
  tensors.erase("norm");
  add("less", tensors);
  ExpectError(Run("less", {"--prompt", "abc"}), 3, "variant 'less' lacks gains, scales or biases");
}

TEST_F(MvaultRunTest, NothingIsSaidFromADamagedVault) {
  std::string bytes = files_.folder().Read("talks.mvlt");
  const auto spoil = [&](size_t at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    vault_ = files_.folder().Write("damaged.mvlt", damaged);
  };
  spoil(SectionOffset(bytes, 2) + 100);  // BASE.
  ExpectError(Run("alpha", {"--prompt", "a"}), 3, "base chunk 0");
  spoil(SectionOffset(bytes, 6) + 1);  // NETWORK.
  ExpectError(Run("alpha", {"--prompt", "a"}), 3, "NETWORK");
}

class ClassifierRunTest : public testing::Test {
 protected:
  ProgramRun Run(const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"run", vault_, name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Mvault(arguments);
  }
  void ExpectError(const std::string& features, int exit_code, const std::string& message) {
    const ProgramRun run = Run("ward", {"--features", features});
    EXPECT_EQ(run.exit_code, exit_code) << run;
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, HasSubstr(message));
  }

  TempFolder folder_;
  std::string vault_ = PackClassifier(folder_);
};

TEST_F(ClassifierRunTest, ClassesComeInTheOrderOfTheirScores) {
  const nlohmann::json base = Run("base", {"--features", "1.5, 2 -4", "--json"}).Json();
  ASSERT_THAT(base["classes"], SizeIs(2));
  EXPECT_EQ(base["classes"][0]["class"], 0);
  EXPECT_NEAR(base["classes"][0]["score"], 3.5, 0.05);
  EXPECT_NEAR(base["classes"][1]["score"], -4, 0.05);
  const nlohmann::json ward = Run("ward", {"--features", "1.5, 2 -4", "--json"}).Json();
  EXPECT_EQ(ward["classes"][0]["class"], 1);
  EXPECT_EQ(ward["classes"][0]["score"], base["classes"][0]["score"]);
  EXPECT_EQ(Run("ward", {"--features", folder_.Write("numbers", "1.5\n2\n-4\n"), "--json"}).Json(), ward);
  EXPECT_THAT(Run("ward", {"--features", "1 2 3"}).out,
              testing::MatchesRegex("class +score\n.*\n +[01] +-?[0-9.]+\n.*"));
}

TEST_F(ClassifierRunTest, NumbersThatDoNotFitAreRefused) {
  ExpectError("1 2", 3, "2 numbers, expected the 3 that the model takes");
  ExpectError("1 2 3 4", 3, "4 numbers, expected the 3");
  ExpectError("1 2 x", 3, "number 3 is 'x', expected one between -32768 and 32768");
  ExpectError("1 2 32768", 3, "number 3 is '32768'");
  ExpectError("1 2 -nan", 3, "number 3 is '-nan'");
  ExpectError(folder_.Write("numbers", "1 2 3 four"), 3, "numbers: number 4 is 'four'");
  ExpectError(folder_.File("nothing"), 7, "nothing");
  const ProgramRun run = Run("ward", {"--prompt", "a"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("its models take numbers: give --features"));
}

}  // namespace
}  // namespace modelvault
