// docs/cli.md and the program say the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/mvault/board/fake_board.h"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

std::string Document() {
  std::ifstream in(MODELVAULT_DOCS_DIR "/cli.md");
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// The keys of a document, at every depth. What `checksums` and `modes` are keyed by is data.
void CollectKeys(const nlohmann::json& json, std::set<std::string>* keys) {
  if (json.is_array()) {
    for (const nlohmann::json& item : json) CollectKeys(item, keys);
  }
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    keys->insert(key);
    if (key != "checksums") CollectKeys(value, keys);
  }
}

TEST(DocsTest, EveryKeyOfEveryJsonDocumentIsDescribed) {
  const CliModels models;
  const std::string vault = models.Pack();
  const std::string few = "new=" + models.variant("few");
  std::set<std::string> keys;
  const std::vector<std::vector<std::string>> kCommandLines = {
      {"pack", "--base", models.base(), "--variant", few, "-o", models.File("one.mvlt")},
      {"ls", vault},
      {"info", vault},
      {"info", vault, "free"},
      {"info", vault, "base"},
      {"checksums", vault},
      {"restore", vault, "few", "-o", models.File("few")},
      {"add", vault, "--variant", few},
      {"replace", vault, "--variant", few},
      {"rename", vault, "new", "newer"},
      {"rm", vault, "newer"},
      {"compact", vault},
      {"diff", vault, "few", "base"},
      {"plan", "--base", models.base()},
      {"verify", vault, "--against", models.folder().Write("sums", std::string(32, '0') + "  data/few\n")},
  };
  for (std::vector<std::string> arguments : kCommandLines) {
    arguments.push_back("--json");
    CollectKeys(Mvault(arguments).Json(), &keys);
  }
  const FakeBoard board({});
  for (const std::vector<std::string>& what :
       std::vector<std::vector<std::string>>{{"--all"}, {"few", "--functions"}}) {
    std::vector<std::string> arguments = {"board", vault, "--json"};
    arguments.insert(arguments.end(), what.begin(), what.end());
    for (const std::string& option : board.Options()) arguments.push_back(option);
    CollectKeys(Mvault(arguments).Json(), &keys);
  }
  EXPECT_EQ(keys.count("worst_name") + keys.count("functions"), 2u);
  EXPECT_GT(keys.size(), 80u);
  const std::string document = Document();
  for (const std::string& key : keys) EXPECT_THAT(document, HasSubstr("`" + key + "`"));
}

TEST(DocsTest, EveryKeyOfAnEvaluationIsDescribed) {
  const EvalFiles files;
  std::set<std::string> keys;
  CollectKeys(Mvault({"eval", files.File("int8"), "--model", files.File("corpus.json"), "--tokens",
                      files.File("heldout"), "--json"})
                  .Json(),
              &keys);
  EXPECT_GT(keys.size(), 20u);
  const std::string document = Document();
  for (const std::string& key : keys) EXPECT_THAT(document, HasSubstr("`" + key + "`"));
}

TEST(DocsTest, EveryKeyOfAFitIsDescribed) {
  const EvalFiles files;
  std::set<std::string> keys;
  CollectKeys(Mvault({"fit", "--base", files.File("base.safetensors"), "--variants", files.File("variants"), "--budget",
                      "64KiB", "--lambda", "1e-4", "--json-report", files.File("fit.json"), "--json", "-o",
                      files.File("fit.mvlt")})
                  .Json(),
              &keys);
  EXPECT_EQ(keys.count("worst_tensors") + keys.count("curve"), 2u);
  const std::string document = Document();
  for (const std::string& key : keys) EXPECT_THAT(document, HasSubstr("`" + key + "`"));
}

TEST(DocsTest, ExitCodesAreListed) {
  const std::string document = Document();
  for (const int code : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70})
    EXPECT_THAT(document, HasSubstr(absl::StrCat("\n| ", code, " | ")));
}

TEST(DocsTest, UsageLinesNameEveryOption) {
  const std::string document = Document();
  for (const char* command :
       {"pack", "ls", "info", "verify", "checksums", "restore", "rename", "rm", "compact", "diff", "plan", "eval",
        "board", "fit"}) {
    EXPECT_THAT(document, HasSubstr(absl::StrCat("\n    mvault ", command, " ")));
  }
  const std::string help = Mvault({"pack", "--help"}).out + Mvault({"verify", "--help"}).out +
                           Mvault({"restore", "--help"}).out + Mvault({"ls", "--help"}).out +
                           Mvault({"eval", "--help"}).out + Mvault({"board", "--help"}).out +
                           Mvault({"fit", "--help"}).out;
  for (size_t at = help.find("\n  --"); at != std::string::npos; at = help.find("\n  --", at + 1)) {
    const std::string option = help.substr(at + 3, help.find(' ', at + 3) - at - 3);
    EXPECT_THAT(document, HasSubstr(option));
  }
}

}  // namespace
}  // namespace modelvault
