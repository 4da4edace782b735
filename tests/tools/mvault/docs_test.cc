// docs/cli.md and the program say the same: what is in one of them is in the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/formats/tflite_models.h"
#include "tests/tools/mvault/board/fake_board.h"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/model_files.h"
#include "tests/tools/packing/talking_vaults.h"
#include "tools/mvault/cli/exit_code.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Words = std::set<std::string>;

std::vector<std::string> Lines(const std::string& text) { return absl::StrSplit(text, '\n'); }

std::vector<std::string> FileLines(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  return Lines(std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()));
}

// A model of one tensor in one shard; its folder.
std::string WriteShards(const TempFolder& folder) {
  TestRandom random(1);
  FileModel shard;
  shard.tensors = {MakeTensor("w", "I8", {2, 8}, &random)};
  std::filesystem::create_directory(folder.File("shards"));
  folder.Write("shards/m-00001-of-00001.safetensors", Serialize(shard));
  folder.Write("shards/m.safetensors.index.json", R"({"weight_map": {"w": "m-00001-of-00001.safetensors"}})");
  return folder.File("shards");
}

std::vector<std::string> Document() { return FileLines(MODELVAULT_SOURCE_DIR "/docs/cli.md"); }

// What the first group of `pattern` matches, wherever it does.
Words Matches(const std::string& text, const std::string& pattern) {
  Words words;
  const std::regex regex(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) words.insert((*at)[1]);
  return words;
}

// The commands that the program has, but for `help`, which the document tells of in its first lines.
Words Commands() {
  Words commands;
  bool in_list = false;
  for (const std::string& line : Lines(Mvault({"--help"}).out)) {
    if (in_list && absl::StartsWith(line, "  ")) commands.merge(Matches(line, "^  ([a-z-]+) "));
    if (line.empty()) in_list = false;
    if (line == "Subcommands:") in_list = true;
  }
  EXPECT_EQ(commands.erase("help"), 1u);
  EXPECT_FALSE(commands.empty());
  return commands;
}

// The document's sections from the first that tells of a command, by their titles: "diff", "add, replace".
std::map<std::string, std::vector<std::string>> Sections() {
  std::map<std::string, std::vector<std::string>> sections;
  std::string title;
  for (const std::string& line : Document()) {
    if (absl::StartsWith(line, "## ")) title = line.substr(3);
    if (absl::ascii_islower(title[0])) sections[title].push_back(line);
  }
  return sections;
}

// The section that tells of `command`.
std::vector<std::string> SectionOf(const std::string& command) {
  for (const auto& [title, lines] : Sections()) {
    const std::vector<std::string> commands = absl::StrSplit(title, ", ");
    if (std::find(commands.begin(), commands.end(), command) != commands.end()) return lines;
  }
  ADD_FAILURE() << "no section tells of " << command;
  return {};
}

TEST(DocsTest, EveryCommandHasItsLineAndItsSection) {
  Words listed, titled;
  for (const auto& [title, lines] : Sections()) {
    for (const absl::string_view command : absl::StrSplit(title, ", ")) titled.insert(std::string(command));
    const std::string link = absl::StrCat("| [`", absl::StrReplaceAll(title, {{", ", "`, `"}}), "`](#",
                                          absl::StrReplaceAll(title, {{", ", "-"}}), ") | ");
    EXPECT_THAT(Document(), testing::Contains(testing::StartsWith(link)));
  }
  for (const std::string& line : Document()) {
    if (absl::StartsWith(line, "| [`")) listed.merge(Matches(line.substr(0, line.find("](")), "`([a-z-]+)`"));
  }
  EXPECT_EQ(titled, Commands());
  EXPECT_EQ(listed, Commands());
}

// The options in a command's usage lines: `    mvault COMMAND …` and the indented ones that follow.
Words UsageOptions(const std::string& command) {
  Words options;
  bool in_usage = false;
  for (const std::string& line : SectionOf(command)) {
    if (std::regex_search(line, std::regex("^    mvault ([a-z-]+\\|)*" + command + "(\\|| )"))) {
      in_usage = true;
    } else if (!absl::StartsWith(line, "      ")) {
      in_usage = false;
    }
    if (in_usage) options.merge(Matches(line, "(?:^|[^a-z-])(--?[a-z][a-z0-9-]*)"));
  }
  EXPECT_FALSE(options.empty()) << command << " has no usage line";
  return options;
}

TEST(DocsTest, UsageLinesHaveTheOptionsOfTheirCommandsAndNoOthers) {
  for (const std::string& command : Commands()) {
    SCOPED_TRACE(command);
    Words usage = UsageOptions(command);
    int options = 0;
    for (const std::string& line : Lines(Mvault({command, "--help"}).out)) {
      const Words names = Matches(line, "^  (--?[a-z][^ ]*)");
      if (names.empty() || *names.begin() == "-h,--help") continue;
      ++options;
      int found = 0;
      for (const absl::string_view name : absl::StrSplit(*names.begin(), ',')) {
        found += static_cast<int>(usage.erase(std::string(name)));
      }
      EXPECT_EQ(found, 1) << *names.begin();
    }
    EXPECT_GT(options, 0);
    EXPECT_THAT(usage, IsEmpty()) << "there is no such option";
  }
}

// What a code means, in the fewest words: docs/cli.md has more after a colon and in parentheses.
std::string Short(const std::string& meaning) {
  const std::string plain = std::regex_replace(meaning, std::regex(" \\([^)]*\\)|:.*|`"), "");
  return std::string(absl::StripAsciiWhitespace(plain));
}

TEST(DocsTest, ExitCodesMeanTheSameInTheProgramItsHelpAndTheDocument) {
  std::map<std::string, std::string> enumerators, help, document;
  for (const std::string& line : FileLines(MODELVAULT_SOURCE_DIR "/tools/mvault/cli/exit_code.h")) {
    std::smatch match;
    if (!std::regex_search(line, match, std::regex("^  k[A-Za-z]+ = ([0-9]+), *// (.*)\\.$"))) continue;
    std::string meaning = match[2];
    meaning[0] = absl::ascii_tolower(static_cast<unsigned char>(meaning[0]));
    enumerators[match[1]] = Short(meaning);
  }
  const std::string codes = kExitCodesHelp;
  const std::regex code("([0-9]+)  ((?:[^ \n]| [^ \n])+)");
  for (std::sregex_iterator at(codes.begin(), codes.end(), code), end; at != end; ++at) help[(*at)[1]] = (*at)[2];
  for (const std::string& line : Document()) {
    std::smatch match;
    if (!std::regex_search(line, match, std::regex("^\\| ([0-9]+) \\| (.*) \\|$"))) continue;
    document[match[1]] = Short(match[2]);
  }
  EXPECT_THAT(enumerators, SizeIs(13));
  EXPECT_EQ(enumerators, help);
  EXPECT_EQ(enumerators, document);
  EXPECT_THAT(Mvault({"--help"}).out, HasSubstr(kExitCodesHelp));
  for (const std::string& command : Commands()) EXPECT_THAT(Mvault({command, "--help"}).out, HasSubstr(kExitCodesHelp));
}

// Adds a document's keys, at every depth. What some are keyed by is data.
void CollectKeys(const nlohmann::json& json, Words* keys) {
  static const Words kKeyedByData = {"checksums", "modes", "operators", "tensors_by_mode"};
  if (json.is_array()) {
    for (const nlohmann::json& item : json) CollectKeys(item, keys);
  }
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    keys->insert(key);
    if (kKeyedByData.count(key) == 0) CollectKeys(value, keys);
  }
}

// What stands in backticks in a command's section where it describes keys: in its paragraphs that begin with "JSON" and
// in its tables of keys.
Words DescribedKeys(const std::string& command) {
  Words keys;
  bool described = false;
  for (const std::string& line : SectionOf(command)) {
    if (line.empty()) described = false;
    if (absl::StartsWith(line, "JSON") || absl::StartsWith(line, "| Key")) described = true;
    if (described) keys.merge(Matches(line, "`([a-z][a-z0-9_]*)`"));
  }
  return keys;
}

Words Without(const Words& words, const Words& others) {
  Words rest;
  std::set_difference(words.begin(), words.end(), others.begin(), others.end(), std::inserter(rest, rest.end()));
  return rest;
}

// What the description of a command's keys has besides those keys.
struct OtherWords {
  std::string see;  // The command in whose section the rest of the keys is described.
  Words no_keys;
};

// Runs each command line with --json, and compares the keys of all that they print with those described.
void CompareKeys(const std::string& command, const std::vector<std::vector<std::string>>& command_lines,
                 const OtherWords& other = {}) {
  SCOPED_TRACE(command);
  Words keys;
  for (std::vector<std::string> arguments : command_lines) {
    arguments.insert(arguments.begin(), command);
    arguments.push_back("--json");
    CollectKeys(Mvault(arguments).Json(), &keys);
  }
  EXPECT_FALSE(keys.empty());
  const Words described = Without(DescribedKeys(command), other.no_keys);
  EXPECT_THAT(Without(described, keys), IsEmpty()) << "are described only";
  const Words rest = Without(keys, described);
  EXPECT_THAT(other.see.empty() ? rest : Without(rest, DescribedKeys(other.see)), IsEmpty()) << "are not described";
}

TEST(DocsTest, KeysOfJsonDocumentsAreThoseDescribed) {
  const CliModels models;
  const std::string vault = models.Pack();
  const std::string few = "new=" + models.variant("few");
  CompareKeys(
      "pack",
      {{"--base", models.base(), "--variant", few, "--work", models.File("work"), "-o", models.File("one.mvlt")}},
      {.see = "info", .no_keys = {"host", "info"}});
  CompareKeys("ls", {{vault}});
  const EvalFiles talking;
  const std::string talks = PackLanguage(talking);
  const std::string tells = PackClassifier(models.folder());
  const std::string scaled = models.folder().Write(
      "scaled.tflite", MakeTflite({{{"w", 9, {2, 2}, 1, {0.5f, 0.25f}, {0, 3}}}}, {{}, {"four"}}));
  const std::string shards = WriteShards(models.folder());
  CompareKeys("info", {{vault}, {vault, "free"}, {vault, "base"}, {talks}, {scaled}, {shards}},
              {.see = "pack", .no_keys = {"diff", "features", "malformed", "pack", "tokens"}});
  CompareKeys("run", {{talks, "alpha", "--prompt", "a"}, {tells, "ward", "--features", "1 2 3"}});
  CompareKeys("checksums", {{vault}});
  CompareKeys("restore", {{vault, "few", "-o", models.File("few")}}, {.see = "", .no_keys = {"checksums", "digests"}});
  CompareKeys("add", {{vault, "--variant", few}}, {.see = "", .no_keys = {"pack"}});
  CompareKeys("replace", {{vault, "--variant", few}}, {.see = "", .no_keys = {"pack"}});
  CompareKeys("rename", {{vault, "new", "newer"}});
  CompareKeys("rm", {{vault, "newer"}});
  CompareKeys("compact", {{vault}});
  CompareKeys("diff", {{vault, "few", "base"}});
  CompareKeys("flash-diff", {{vault, vault}});
  CompareKeys("cluster", {{models.variants()}});
  CompareKeys("plan", {{"--base", models.base()},
                       {"--base", models.base(), "--models", models.variants()},
                       {"--base", talking.File("int8/base.safetensors"), "--model", talking.File("corpus.json")}});
  CompareKeys("verify", {{vault, "--against", models.folder().Write("sums", std::string(32, '0') + "  data/few\n")}});
  const FakeBoard board({});
  std::vector<std::string> all = {vault, "--all", "--energy"}, few_functions = {vault, "few", "--functions"};
  for (std::vector<std::string>* arguments : {&all, &few_functions}) {
    for (const std::string& option : board.Options()) arguments->push_back(option);
  }
  std::vector<std::string> asked = {talks, "alpha", "--ask", "a"};
  board.SetBehaviour(
      "if [ \"$name\" = alpha ]; then echo answer prompt=1 tokens=2 scores=0 status=ok place=- number=0 offset=0 "
      "variables=1 loader=1 engine=1 cache=1 activations=1 parameters=1 list=1 ram_code=1 stack=1 name=alpha; else\n"
      "echo update status=ok; echo boot status=ok\n" +
      std::string(kFakeBehaviour) + "\nfi\n");
  for (const std::string& option : board.Options()) asked.push_back(option);
  std::vector<std::string> updated = {talks, "--update", vault};
  for (const std::string& option : board.Options()) updated.push_back(option);
  CompareKeys("board", {all, few_functions, asked, updated}, {.see = "run", .no_keys = {"run"}});
}

TEST(DocsTest, KeysOfSignaturesAreThoseDescribed) {
  const CliModels models;
  const std::string vault = models.Pack();
  const auto file = [&](const std::string& name) { return models.File(name); };
  CompareKeys("keygen", {{"--out", file("k")}, {"--out", file("t"), "--tenant"}});
  CompareKeys("sign", {{vault, "--key", file("k.key"), "--signer", file("t.pub")}, {vault, "--key", file("t.key")}});
  CompareKeys("revoke", {{vault, "few", "--list", file("l"), "--key", file("k.key")}});
  CompareKeys("log", {{vault}});
  CompareKeys("rotate", {{vault, "--key", file("k.key"), "--key", file("t.key"), "--to", file("k.pub")}},
              {.see = "sign", .no_keys = {}});
}

TEST(DocsTest, KeysOfAnEvaluationAndAFitAreThoseDescribed) {
  const EvalFiles files;
  CompareKeys("eval", {{files.File("int8"), "--model", files.File("corpus.json"), "--tokens", files.File("heldout")}});
  CompareKeys("fit",
              {{"--base", files.File("base.safetensors"), "--variants", files.File("variants"), "--budget", "64KiB",
                "--lambda", "1e-4", "--json-report", files.File("fit.json"), "-o", files.File("fit.mvlt")}});
}

TEST(DocsTest, CodingsOfTensorsAreNamed) {
  const CliModels models;
  const std::string vault = models.Pack();
  std::string section;
  for (const std::string& line : SectionOf("info")) absl::StrAppend(&section, line, "\n");
  const nlohmann::json modes = Mvault({"info", vault, "--json"}).Json()["tensors_by_mode"];
  EXPECT_GE(modes.size(), 3u);
  for (const auto& [mode, count] : modes.items()) EXPECT_THAT(section, HasSubstr("`" + mode + "`"));
}

}  // namespace
}  // namespace modelvault
