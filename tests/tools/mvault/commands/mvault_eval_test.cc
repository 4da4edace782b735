// mvault eval on models of a few thousand weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class MvaultEvalTest : public testing::Test {
 protected:
  ProgramRun Eval(const std::string& source, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"eval",     files_.File(source),   "--model", files_.File("corpus.json"),
                                          "--tokens", files_.File("heldout")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Mvault(arguments);
  }

  // One error line, nothing else.
  void ExpectError(const ProgramRun& run, int exit_code, const std::string& message) {
    EXPECT_EQ(run.exit_code, exit_code);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, AllOf(HasSubstr("mvault: error: "), HasSubstr(message)));
  }

  std::string Pack() {
    EXPECT_EQ(Mvault({"pack", "--base", files_.File("int8/base.safetensors"), "--variants",
                      files_.File("int8/variants"), "-o", files_.File("all.mvlt")})
                  .exit_code,
              0);
    return "all.mvlt";
  }

  EvalFiles files_;
};

TEST_F(MvaultEvalTest, AVaultScoresAsTheFilesItWasPackedFrom) {
  nlohmann::json vault = Eval(Pack(), {"--json"}).Json();
  nlohmann::json folder = Eval("int8", {"--json", "--threads", "3"}).Json();
  EXPECT_NE(vault["summary"]["bytes"], folder["summary"]["bytes"]);
  for (nlohmann::json* json : {&vault, &folder}) {
    json->erase("source");
    (*json)["summary"].erase("bytes");
    for (nlohmann::json& variant : (*json)["variants"]) variant.erase("bytes");
  }
  EXPECT_EQ(vault, folder);
}

TEST_F(MvaultEvalTest, JsonHasEveryDepartmentsFiguresAndTheirMeans) {
  const nlohmann::json json = Eval(Pack(), {"--json"}).Json();
  ASSERT_EQ(json["variants"].size(), 3u);
  const nlohmann::json sizes = Mvault({"ls", files_.File("all.mvlt"), "--json"}).Json()["variants"];
  double mean = 0;
  double pooled = 0;
  for (size_t i = 0; i < 3; ++i) {
    const nlohmann::json& v = json["variants"][i];
    EXPECT_EQ(v["name"], sizes[i]["name"]);
    EXPECT_EQ(v["bytes"], sizes[i]["stored_bytes"]);
    EXPECT_EQ(v["tokens"], 7 * (3 + i));
    for (const char* model : {"base", "finetune", "restored"}) {
      EXPECT_GE(v[std::string(model) + "_top1"], 0);
      EXPECT_LE(v[std::string(model) + "_top1"], 1);
      EXPECT_GT(v[std::string(model) + "_nll"], 0);
    }
    EXPECT_NEAR(v["restored_nll"].get<double>(), v["finetune_nll"].get<double>(), 0.1) << "INT8 costs little";
    EXPECT_NE(v["base_nll"], v["finetune_nll"]);
    EXPECT_NE(v["restored_nll"], v["finetune_nll"]);
    mean += v["restored_nll"].get<double>() / 3;
    pooled += v["restored_nll"].get<double>() * v["tokens"].get<double>() / (7 * 12);
  }
  EXPECT_EQ(json["summary"]["departments"], 3);
  EXPECT_EQ(json["summary"]["tokens"], 7 * 12);
  EXPECT_NEAR(json["summary"]["mean"]["restored_nll"].get<double>(), mean, 1e-12);
  EXPECT_NEAR(json["summary"]["pooled"]["restored_nll"].get<double>(), pooled, 1e-12);
  EXPECT_EQ(json["missing"], nlohmann::json::array());
}

TEST_F(MvaultEvalTest, TheFineTunesThemselvesLoseNothing) {
  const nlohmann::json json = Eval("variants", {"--json"}).Json();
  for (const nlohmann::json& v : json["variants"]) {
    EXPECT_EQ(v["restored_nll"], v["finetune_nll"]);
    EXPECT_EQ(v["top1_interval"], nlohmann::json({0.0, 0.0}));
  }
  EXPECT_EQ(json["summary"]["nll_change"]["worst"], 0);
}

TEST_F(MvaultEvalTest, TextHasALineADepartmentAndTheSummary) {
  const ProgramRun run = Eval(Pack());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  for (const char* text : {"department", "alpha", "beta", "gamma", "mean", "median", "worst", "pooled", "gain kept"}) {
    EXPECT_THAT("\n" + run.out, HasSubstr(std::string("\n") + text)) << text;
  }
}

TEST_F(MvaultEvalTest, FloatsMayLieElsewhere) {
  std::filesystem::rename(files_.File("variants"), files_.File("tuned"));
  std::filesystem::rename(files_.File("base.safetensors"), files_.File("start"));
  ExpectError(Eval("int8"), 7, "department 'alpha': there is no ");
  ExpectError(Eval("int8", {"--finetunes", files_.File("tuned")}), 7, "base.safetensors");
  const ProgramRun run = Eval("int8", {"--finetunes", files_.File("tuned"), "--base", files_.File("start")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST_F(MvaultEvalTest, DepartmentsThatAreMissingAreNamed) {
  std::filesystem::remove(files_.File("int8/variants/beta.safetensors"));
  EXPECT_THAT(Eval("int8", {"--json"}).Json()["missing"], ElementsAre("beta"));
  EXPECT_THAT(Eval("int8").out, HasSubstr("not in it, and in none of these figures: beta\n"));
  std::filesystem::remove(files_.File("heldout/gamma.tok"));
  ExpectError(Eval("int8"), 7, "department 'gamma': there is no ");
}

TEST_F(MvaultEvalTest, BadInputIsRefusedByName) {
  const std::string tokens = files_.folder().Read("heldout/beta.tok");
  files_.folder().Write("heldout/beta.tok", tokens.substr(1));
  ExpectError(Eval("int8"), 3, "beta.tok: 63 bytes; expected a multiple of 16");
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
  files_.folder().Write("heldout/beta.tok", pointer + "\n");
  ExpectError(Eval("int8"), 3, "token ids of 2 bytes; it is a git-LFS pointer");
  files_.folder().Write("heldout/beta.tok", tokens.substr(0, 32) + std::string(32, '\xFF'));
  ExpectError(Eval("int8"), 3, "beta.tok: token 16 is 65535, the vocabulary has 29");
  files_.folder().Write("heldout/beta.tok", tokens);

  FloatTensors odd = RandomModel(TinyConfig(), 1);
  odd["layers.1.w2"].values[3] = NAN;
  files_.folder().Write("variants/beta.safetensors", FloatFile(odd));
  ExpectError(Eval("int8"), 3, "beta.safetensors: tensor layers.1.w2 holds a value that is not a finite number");
  odd["layers.1.w2"].values[3] = 1;
  for (float& weight : odd["norm"].values) weight = 3e38f;
  files_.folder().Write("variants/beta.safetensors", FloatFile(odd));
  ExpectError(Eval("int8"), 3, "beta.safetensors: weights so large that the prediction of token");
  odd.erase("norm");
  files_.folder().Write("variants/beta.safetensors", FloatFile(odd));
  ExpectError(Eval("int8"), 3, "beta.safetensors: there is no tensor norm");

  files_.folder().Write("corpus.json", pointer);
  ExpectError(Eval("int8"), 3, "corpus.json: expected text; it is a git-LFS pointer");
  files_.folder().Write("corpus.json", "{}");
  ExpectError(Eval("int8"), 3, "corpus.json: expected a JSON object");
  ExpectError(Eval("none"), 3, "corpus.json");
  ExpectError(Mvault({"eval", files_.File("int8")}), 2, "--model");
}

TEST_F(MvaultEvalTest, IntegersScoreNearlyAsFloats) {
  nlohmann::json floats = Eval("int8", {"--json"}).Json();
  nlohmann::json integers = Eval("int8", {"--json", "--integer"}).Json();
  nlohmann::json vault = Eval(Pack(), {"--json", "--integer", "--threads", "3"}).Json();
  EXPECT_EQ(floats["activation_bits"], nullptr);
  EXPECT_EQ(integers["activation_bits"], 8);
  for (size_t i = 0; i < 3; ++i) {
    const nlohmann::json& f = floats["variants"][i];
    const nlohmann::json& n = integers["variants"][i];
    EXPECT_EQ(n["base_nll"], f["base_nll"]);
    EXPECT_EQ(n["finetune_nll"], f["finetune_nll"]);
    EXPECT_NE(n["restored_nll"], f["restored_nll"]);
    EXPECT_NEAR(n["restored_nll"].get<double>(), f["restored_nll"].get<double>(), 0.05);
    EXPECT_EQ(vault["variants"][i]["restored_nll"], n["restored_nll"]);
  }
  const nlohmann::json four = Eval("int8", {"--json", "--integer", "--activation-bits", "4"}).Json();
  EXPECT_EQ(four["activation_bits"], 4);
  EXPECT_NE(four["variants"][0]["restored_nll"], integers["variants"][0]["restored_nll"]);
  EXPECT_THAT(Eval("int8", {"--integer"}).out, HasSubstr("run in integers, activations of 8 bits"));
}

TEST_F(MvaultEvalTest, WhatIntegersCannotRun) {
  ExpectError(Eval("int8", {"--activation-bits", "4"}), 2, "--activation-bits");
  ExpectError(Eval("int8", {"--integer", "--activation-bits", "5"}), 2, "--activation-bits");
  // Floats.
  ExpectError(Eval("variants", {"--integer"}), 3, "alpha.safetensors");
}

TEST_F(MvaultEvalTest, TheReportIsAPageOfItsOwn) {
  std::filesystem::rename(files_.File("int8"), files_.File("<b>&"));
  const ProgramRun run = Eval("<b>&", {"--report", files_.File("report.html"), "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.Json()["variants"].size(), 3u);
  const std::string page = files_.folder().Read("report.html");
  EXPECT_THAT(page, AllOf(HasSubstr("<svg"), HasSubstr("alpha"), HasSubstr("&lt;b&gt;&amp;")));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<b>")), Not(HasSubstr("http")), Not(HasSubstr("<script"))));
  ExpectError(Eval("<b>&", {"--report", files_.File("none/report.html")}), 7, "report.html");
}

}  // namespace
}  // namespace modelvault
