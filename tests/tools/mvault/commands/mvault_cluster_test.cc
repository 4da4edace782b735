// `mvault cluster` and `mvault plan --models`, as users run them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"
#include "tools/mvault/cli/shell_word.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The models' folder with the base in it, and one that has nothing to do with them.
class MvaultClusterTest : public testing::Test {
 protected:
  MvaultClusterTest() {
    std::filesystem::copy_file(models_.base(), models_.variant("base"));
    TestRandom random(7);
    FileModel other;
    other.tensors.push_back(MakeTensor("other", "I8", {64, 64}, &random));
    models_.folder().Write("departments/other one.safetensors", Serialize(other));
  }

  CliModels models_;
};

TEST_F(MvaultClusterTest, PrintsCommandsThatPackWhatItProposes) {
  const ProgramRun run = Mvault({"cluster", models_.variants(), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["models"], 8);
  ASSERT_EQ(json["clusters"].size(), 1u) << json.dump(1);
  ASSERT_EQ(json["alone"].size(), 1u);
  EXPECT_EQ(json["alone"][0]["name"], "other one");
  const nlohmann::json& cluster = json["clusters"][0];
  EXPECT_EQ(cluster["variants"].size(), 6u);
  EXPECT_LT(cluster["estimated_bytes"], cluster["apart_bytes"]);
  EXPECT_EQ(json["estimated_bytes"].get<uint64_t>(),
            cluster["estimated_bytes"].get<uint64_t>() + json["alone"][0]["alone_bytes"].get<uint64_t>());
  std::vector<std::string> words = cluster["command"];
  ASSERT_EQ(words[0], "mvault");
  words.erase(words.begin());
  words.back() = models_.File(words.back());
  const ProgramRun packed = Mvault(words);
  EXPECT_EQ(packed.exit_code, 0) << packed;
}

TEST_F(MvaultClusterTest, TellsTheSameInText) {
  const ProgramRun run = Mvault({"cluster", models_.variants()});
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, AllOf(HasSubstr("8 models"), HasSubstr("cluster 1: base "), HasSubstr("6 variants"),
                             HasSubstr("\n  mvault pack --base "), HasSubstr("on its own"), HasSubstr("other one")));
  EXPECT_EQ(Mvault({"cluster", models_.variants(), "--threads", "3"}).out, run.out);
}

TEST_F(MvaultClusterTest, ADamagedModelIsNamedAndCanBeLeftOut) {
  models_.folder().Write("departments/many.safetensors", "no model");
  const ProgramRun run = Mvault({"cluster", models_.variants()});
  EXPECT_EQ(run.exit_code, 3) << run;
  EXPECT_THAT(run.err, AllOf(HasSubstr("many.safetensors"), HasSubstr("to go on without it: --without many")));
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(Mvault({"cluster", models_.variants(), "--without", "many"}).exit_code, 0);
}

TEST_F(MvaultClusterTest, MistakesAreTold) {
  EXPECT_EQ(Mvault({"cluster", models_.File("nowhere")}).exit_code, 7);
  EXPECT_EQ(Mvault({"cluster", models_.variants(), "--without", "mny"}).exit_code, 7);
  EXPECT_EQ(Mvault({"cluster", models_.variants(), "--sample", "1KiB"}).exit_code, 2);
  EXPECT_EQ(Mvault({"cluster"}).exit_code, 2);
}

TEST_F(MvaultClusterTest, APlanOfAFamilyLeavesItsBaseOutAndLooksAtTheDisk) {
  const std::vector<std::string> plan = {
      "plan", "--base", models_.variant("base"), "--models", models_.variants(), "--without", "other one"};
  std::vector<std::string> command = plan;
  command.insert(command.end(), {"-o", models_.File("all.mvlt"), "--json"});
  const ProgramRun run = Mvault(command);
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["variants"], 6);
  EXPECT_TRUE(json["fits"]);
  EXPECT_GT(json["free_bytes"], json["disk_bytes"]);
  EXPECT_GE(json["vault_bytes"].get<uint64_t>(),
            json["base_bytes"].get<uint64_t>() + json["variant_bytes"].get<uint64_t>());
  EXPECT_FALSE(std::filesystem::exists(models_.File("all.mvlt")));

  // A file system that never has room.
  command = plan;
  command.insert(command.end(), {"-o", "/proc/all.mvlt"});
  const ProgramRun full = Mvault(command);
  EXPECT_EQ(full.exit_code, 4) << full;
  EXPECT_THAT(full.err, HasSubstr("/proc/all.mvlt: its folder has room for 0 bytes, packing needs about "));
  EXPECT_THAT(full.out, HasSubstr("room that there is"));

  const ProgramRun other = Mvault({"plan", "--base", models_.variant("base"), "--models", models_.variants()});
  EXPECT_EQ(other.exit_code, 3) << other;
  EXPECT_THAT(other.err, HasSubstr("is no variant of "));
}

TEST_F(MvaultClusterTest, APlanIsOfTheOneOrTheOther) {
  const std::string base = models_.base();
  EXPECT_EQ(Mvault({"plan", "--base", base, "--models", models_.variants(), "--variants", "3"}).exit_code, 2);
  EXPECT_EQ(Mvault({"plan", "--base", base, "--models", models_.variants(), "--budget", "1MiB"}).exit_code, 2);
  EXPECT_EQ(Mvault({"plan", "--base", base, "-o", models_.File("all.mvlt")}).exit_code, 2);
  EXPECT_EQ(Mvault({"plan", "--base", base, "--json"}).Json()["variants"], 100);
}

TEST(ShellWordTest, WordsAreQuotedWhereTheyNeedIt) {
  EXPECT_EQ(ShellWord("models/a-1.safetensors"), "models/a-1.safetensors");
  EXPECT_EQ(ShellWord(""), "''");
  EXPECT_EQ(ShellWord("a b"), "'a b'");
  EXPECT_EQ(ShellWord("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellWord("$(x)"), "'$(x)'");
  EXPECT_EQ(ShellWord("a\n'\\"), "$'a\\x0a\\'\\\\'");
}

}  // namespace
}  // namespace modelvault
