// A vault that tells what its models compute, through every command that knows of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/talking_vaults.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class MvaultNetworkTest : public testing::Test {
 protected:
  ProgramRun Pack(const std::vector<std::string>& more, const std::string& output = "all.mvlt") {
    std::vector<std::string> arguments = {
        "pack", "--base",           files_.File("int8/base.safetensors"), "--variants", files_.File("int8/variants"),
        "-o",   files_.File(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Mvault(arguments);
  }
  ProgramRun PackWithModel(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--model", files_.File("corpus.json"), "--tokenizer",
                                          WriteVocabulary(files_.folder(), "tok.bin", 26)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Pack(arguments);
  }
  std::string vault() const { return files_.File("all.mvlt"); }
  std::string Bytes() const { return files_.folder().Read("all.mvlt"); }
  std::string Network() const { return Bytes().substr(SectionOffset(Bytes(), 6), SectionSize(Bytes(), 6)); }

  void ExpectError(const ProgramRun& run, int exit_code, const std::string& message) {
    EXPECT_EQ(run.exit_code, exit_code);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, AllOf(HasSubstr("mvault: error: "), HasSubstr(message)));
  }

  EvalFiles files_;
};

TEST_F(MvaultNetworkTest, TheBillHasItAndTheVaultTellsOfIt) {
  const nlohmann::json plain = [&] {
    EXPECT_EQ(Pack({}, "plain.mvlt").exit_code, 0);
    return Mvault({"info", files_.File("plain.mvlt"), "--json"}).Json();
  }();
  EXPECT_EQ(plain["network"], nullptr);
  EXPECT_EQ(plain["format"], "1.0");
  EXPECT_EQ(plain["parts"]["network"], 0);
  const nlohmann::json packed = PackWithModel({"--json"}).Json();
  // 2 layers of 13 operators, 3 around them; 8 widths, 3 steps.
  const size_t operators = 32 + 16 + 3 * 4 + 29 * 16;
  const size_t tokenizer = 16 + 29 * 4 + 26 * 4 + 28;
  EXPECT_EQ(packed["parts"]["network"], operators);
  EXPECT_EQ(packed["parts"]["tokenizer"], tokenizer);
  EXPECT_EQ(packed["sections"]["network"], operators + tokenizer);
  EXPECT_EQ(packed["bytes"], plain["bytes"].get<size_t>() + operators + tokenizer);
  EXPECT_THAT(PackWithModel().out, AllOf(HasSubstr("\nNETWORK: operators "), HasSubstr("\nNETWORK: tokenizer ")));

  const nlohmann::json info = Mvault({"info", vault(), "--json"}).Json();
  EXPECT_EQ(info["format"], "1.2");
  EXPECT_EQ(info["network"]["task"], "tokens");
  EXPECT_EQ(info["network"]["inputs"], 29);
  EXPECT_EQ(info["network"]["outputs"], 29);
  EXPECT_EQ(info["network"]["window"], 128);
  EXPECT_EQ(info["network"]["sinks"], 4);
  EXPECT_EQ(info["network"]["activation_bits"], 8);
  EXPECT_EQ(info["network"]["tokenizer_bytes"], tokenizer);
  EXPECT_EQ(
      info["network"]["operators"],
      nlohmann::json({{"embed", 1}, {"rmsnorm", 5}, {"matmul", 15}, {"rope", 4}, {"attention", 2}, {"silu-gate", 2}}));
  EXPECT_EQ(info["network"]["buffer_widths"], nlohmann::json({24, 24, 24, 12, 12, 37, 37, 29}));
  EXPECT_THAT(
      Mvault({"info", vault()}).out,
      AllOf(HasSubstr("network: tokens of 29 in, with their tokenizer, a window of 128 positions and 4 that stay"),
            HasSubstr("29 operators: 1 embed, 5 rmsnorm, 15 matmul, 4 rope, 2 attention, 2 silu-gate\n")));
  EXPECT_THAT(Mvault({"ls", vault()}).out, HasSubstr("; they answer text\n"));
  EXPECT_EQ(Mvault({"ls", vault(), "--json"}).Json()["answers"], "text");
  EXPECT_THAT(Mvault({"ls", files_.File("plain.mvlt")}).out, Not(HasSubstr("answer")));
  EXPECT_EQ(Mvault({"ls", files_.File("plain.mvlt"), "--json"}).Json()["answers"], nullptr);
  EXPECT_EQ(Mvault({"verify", vault()}).exit_code, 0);
}

TEST_F(MvaultNetworkTest, WithoutAVocabularyTheyAnswerTokens) {
  ASSERT_EQ(Pack({"--model", files_.File("corpus.json")}).exit_code, 0);
  EXPECT_EQ(Mvault({"ls", vault(), "--json"}).Json()["answers"], "tokens");
  EXPECT_THAT(Mvault({"info", vault()}).out, HasSubstr("tokens of 29 in, without a tokenizer"));
}

TEST_F(MvaultNetworkTest, EveryChangeKeepsIt) {
  ASSERT_EQ(PackWithModel().exit_code, 0);
  const std::string network = Network();
  ASSERT_FALSE(network.empty());
  const std::string beta = files_.File("int8/variants/beta.safetensors");
  for (const std::vector<std::string>& change : {std::vector<std::string>{"rename", vault(), "alpha", "omega"},
                                                 {"rm", vault(), "omega"},
                                                 {"compact", vault()},
                                                 {"add", vault(), "--variant", "alpha=" + beta},
                                                 {"replace", vault(), "--variant", "gamma=" + beta}}) {
    EXPECT_EQ(Mvault(change).exit_code, 0) << change[0];
    EXPECT_EQ(Network(), network) << change[0];
    EXPECT_EQ(Mvault({"verify", vault()}).exit_code, 0) << change[0];
  }
}

TEST_F(MvaultNetworkTest, VerifySaysWhereItIsWrong) {
  ASSERT_EQ(PackWithModel().exit_code, 0);
  std::string bytes = Bytes();
  const size_t offset = SectionOffset(bytes, 6);
  bytes[offset + 1] = 7;  // Bits of activations.
  RepairChecksums(&bytes);
  files_.folder().Write("all.mvlt", bytes);
  const ProgramRun run = Mvault({"verify", vault()});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("all.mvlt: NETWORK, byte 0 of it, at offset "));
  EXPECT_THAT(run.out, HasSubstr("1 failure in 4 models"));
  EXPECT_EQ(Mvault({"ls", vault(), "--json"}).Json()["answers"], nullptr);
  EXPECT_EQ(Mvault({"info", vault(), "--json"}).Json()["network"], "malformed");
  EXPECT_EQ(Mvault({"restore", vault(), "alpha", "-o", files_.File("alpha")}).exit_code, 0);
}

TEST_F(MvaultNetworkTest, WhatDoesNotFitIsRefusedAndNothingIsWritten) {
  ExpectError(Pack({"--tokenizer", WriteVocabulary(files_.folder(), "tok.bin", 26)}), 2,
              "--tokenizer: there is no --model");
  ExpectError(Pack({"--model", files_.File("none.json")}), 7, "none.json");
  ExpectError(
      Pack({"--model", files_.File("corpus.json"), "--tokenizer", WriteVocabulary(files_.folder(), "tok.bin", 25)}), 3,
      "tok.bin: 28 tokens, expected the 29 of config.vocab");
  const std::string config = files_.folder().Read("corpus.json");
  const std::string wide =
      files_.folder().Write("wide.json", absl::StrReplaceAll(config, {{"\"hidden_dim\": 37", "\"hidden_dim\": 38"}}));
  ExpectError(Pack({"--model", wide}), 3, "tensor 'layers.0.w1' is I8 [37, 24], expected I8 [38, 24]");
  ExpectError(Mvault({"pack", "--base", files_.File("base.safetensors"), "--variants", files_.File("variants"),
                      "--model", files_.File("corpus.json"), "-o", files_.File("all.mvlt")}),
              3, "tensor 'embed' is F32 [29, 24], expected I8 [29, 24]");
  ExpectError(Pack({"--model", files_.File("corpus.json")}, "corpus.json"), 2, "is one of the files to be packed");
  EXPECT_EQ(files_.folder().Read("corpus.json"), config);
}

TEST_F(MvaultNetworkTest, APlanTellsWhatABoardNeeds) {
  const auto plan = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"plan", "--base", files_.File("int8/base.safetensors")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Mvault(arguments);
  };
  const std::string model = files_.File("corpus.json");
  EXPECT_EQ(plan({"--json"}).Json()["board"], nullptr);
  EXPECT_EQ(plan({"--json"}).Json()["network_bytes"], 0);
  const ProgramRun run = plan({"--model", model, "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["network_bytes"], 32 + 16 + 3 * 4 + 29 * 16);
  EXPECT_EQ(json["board"]["ram_bytes"], 131072);
  EXPECT_EQ(json["board"]["fits_board"], true);
  EXPECT_EQ(json["board"]["advice"], nullptr);
  EXPECT_GT(json["board"]["token_cycles_small"], json["board"]["token_cycles_fast"]);
  EXPECT_THAT(plan({"--model", model}).out, AllOf(HasSubstr("\nkeys and values "), HasSubstr("profile fast: about ")));
  const uint64_t least = json["board"]["taken_ram_bytes"].get<uint64_t>();
  EXPECT_EQ(plan({"--model", model, "--ram", std::to_string(least)}).exit_code, 0);
  const ProgramRun tight = plan({"--model", model, "--ram", std::to_string(least - 100)});
  EXPECT_EQ(tight.exit_code, 4);
  EXPECT_THAT(tight.err, AllOf(HasSubstr("a board cannot run it: "), HasSubstr("with config.window ")));
  ExpectError(plan({"--ram", "60000"}), 2, "--ram: there is no --model");
  ExpectError(plan({"--tokenizer", model}), 2, "--tokenizer: there is no --model");
  ExpectError(Mvault({"plan", "--base", files_.File("base.safetensors"), "--model", model}), 3,
              "tensor 'embed' is F32 [29, 24], expected I8 [29, 24]");
}

TEST_F(MvaultNetworkTest, AFitChecksItFirstAndKeepsWithinTheBudget) {
  const std::vector<std::string> fit = {"fit",
                                        "--base",
                                        files_.File("base.safetensors"),
                                        "--variants",
                                        files_.File("variants"),
                                        "-o",
                                        files_.File("fit.mvlt")};
  const auto run = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = fit;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Mvault(arguments);
  };
  const std::string wide = files_.folder().Write(
      "wide.json", absl::StrReplaceAll(files_.folder().Read("corpus.json"), {{"\"vocab\": 29", "\"vocab\": 30"}}));
  ExpectError(run({"--model", wide}), 3,
              "wide.json does not describe the fitted models: tensor 'embed' is I8 [29, 24], expected I8 [30, 24]");
  ExpectError(run({"--tokenizer", wide}), 2, "--tokenizer: there is no --model");
  ASSERT_EQ(run({"--model", files_.File("corpus.json"), "--tokenizer", WriteVocabulary(files_.folder(), "tok.bin", 26),
                 "--budget", "13000"})
                .exit_code,
            0);
  const nlohmann::json info = Mvault({"info", files_.File("fit.mvlt"), "--json"}).Json();
  EXPECT_LE(info["bytes"], 13000);
  EXPECT_EQ(info["network"]["inputs"], 29);
  EXPECT_EQ(Mvault({"verify", files_.File("fit.mvlt")}).exit_code, 0);
}

}  // namespace
}  // namespace modelvault
