// The real program, run as users and scripts run it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"
#include "tools/mvault/program.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const char* const kCommands[] = {"pack",   "ls", "info",    "verify", "checksums", "restore", "add", "replace",
                                 "rename", "rm", "compact", "diff",   "plan",      "eval",    "help"};

class MvaultTest : public testing::Test {
 protected:
  std::string Read(const std::string& name) const { return models_.folder().Read(name); }
  bool Exists(const std::string& name) const { return std::filesystem::exists(models_.File(name)); }
  std::vector<std::string> Names() const { return models_.folder().Names(); }

  // The file that `name` comes back as; empty on failure.
  std::string Restored(const std::string& vault, const std::string& name) {
    const std::string file = "restored.safetensors";
    const ProgramRun run = Mvault({"restore", vault, name, "-o", models_.File(file)});
    EXPECT_EQ(run.exit_code, 0) << name << ": " << run.err;
    const std::string bytes = Read(file);
    std::filesystem::remove(models_.File(file));
    return bytes;
  }

  // Names of the variants, as ls gives them.
  std::vector<std::string> Listed(const std::string& vault) {
    std::vector<std::string> names;
    const nlohmann::json json = Mvault({"ls", vault, "--json"}).Json();
    for (const auto& variant : json["variants"]) names.push_back(variant["name"]);
    return names;
  }

  CliModels models_;
};

// One failure: its exit code, nothing on standard output, one line that says why.
testing::Matcher<const ProgramRun&> Fails(int exit_code, const std::string& message) {
  return AllOf(testing::Field(&ProgramRun::exit_code, exit_code), testing::Field(&ProgramRun::out, ""),
               testing::Field(
                   &ProgramRun::err,
                   AllOf(StartsWith("mvault: error: "), HasSubstr(message), EndsWith("\n"),
                         testing::ResultOf(
                             [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }, 1))));
}

// --- Help, version, usage ---

TEST_F(MvaultTest, EveryCommandHasHelpWithExamplesAndExitCodes) {
  for (const std::string command : kCommands) {
    const ProgramRun help = Mvault({command, "--help"});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("Usage: mvault " + command)) << command;
    if (command != "help") {
      EXPECT_THAT(help.out, HasSubstr("--json")) << command;
      EXPECT_THAT(help.out, HasSubstr("Examples:\n  mvault " + command)) << command;
      EXPECT_THAT(help.out, HasSubstr("Exit codes:")) << command;
    }
    EXPECT_EQ(help.err, "") << command;
    EXPECT_EQ(Mvault({"help", command}).out, help.out) << command;
  }
  const ProgramRun help = Mvault({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const std::string command : kCommands) EXPECT_THAT(help.out, HasSubstr("\n  " + command + " ")) << command;
  EXPECT_THAT(help.out, HasSubstr("Exit codes:"));
  EXPECT_EQ(Mvault({"help"}).out, help.out);
}

TEST_F(MvaultTest, TellsItsVersion) {
  const ProgramRun run = Mvault({"--version"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, testing::MatchesRegex("mvault [0-9]+\\.[0-9]+\\.[0-9]+ \\(vault format 1\\.5\\)\n"));
}

TEST_F(MvaultTest, WrongCommandLinesAreUsageErrors) {
  const std::string vault = models_.Pack();
  const std::vector<std::vector<std::string>> kWrong = {
      {},
      {"unpack"},
      {"help", "unpack"},
      {"--json"},
      {"pack"},
      {"pack", "--base", models_.base(), "-o", models_.File("new")},
      {"pack", "--base", models_.base(), "--variants", models_.variants()},
      {"pack", "--base", models_.base(), "--variant", "few", "-o", models_.File("new")},
      {"pack", "--base", models_.base(), "--variant", "few=", "-o", models_.File("new")},
      {"pack", "--base", models_.base(), "--variants", models_.variants(), "-o", models_.File("new"), "--budget", "1M"},
      {"pack", "--base", models_.base(), "--variants", models_.variants(), "-o", models_.File("new"), "--threads",
       "-1"},
      {"pack", "--base", models_.base(), "--variants", models_.variants(), "-o", models_.File("new"), "--chunk-size",
       "100"},
      {"pack", "--base", models_.base(), "--variants", models_.variants(), "-o", models_.File("new"), "--segment-size",
       "5GiB"},
      {"ls"},
      {"ls", vault, "more"},
      {"ls", vault, "--sort", "colour"},
      {"info", vault, "few", "many"},
      {"verify"},
      {"restore", vault, "few"},
      {"restore", vault, "-o", models_.File("new")},
      {"restore", vault, "few", "--base", "-o", models_.File("new")},
      {"restore", vault, "few", "-o", "-"},
      {"restore", vault, "few", "-o", vault},
      {"add", vault},
      {"replace", vault},
      {"rename", vault, "few"},
      {"rm", vault},
      {"rm", vault, "few", "--force"},
      {"verify", vault, "--", "-x"},
      {"diff", vault, "few"},
      {"plan"},
      {"plan", "--base", models_.base(), "--variants", "0"},
      {"plan", "--base", models_.base(), "--variants", "many"},
  };
  const std::vector<std::string> names = Names();
  for (const std::vector<std::string>& arguments : kWrong) {
    EXPECT_THAT(Mvault(arguments), Fails(2, "")) << testing::PrintToString(arguments);
  }
  EXPECT_EQ(Names(), names) << "no file may be left behind";
  EXPECT_THAT(Mvault({"restore", vault, "few", "-o", "-"}), Fails(2, "not written to standard output"));
}

TEST_F(MvaultTest, PackRefusesToReplaceItsInputs) {
  const std::string base = Read("base.safetensors");
  EXPECT_THAT(Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "-o",
                      models_.File("departments/../base.safetensors")}),
              Fails(2, "is one of the files to be packed"));
  EXPECT_THAT(
      Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "-o", models_.variant("few")}),
      Fails(2, "is one of the files to be packed"));
  EXPECT_EQ(Read("base.safetensors"), base);
  EXPECT_EQ(Read("departments/few.safetensors"), models_.files().at("few"));
}

// --- pack, restore ---

TEST_F(MvaultTest, EveryModelComesBackByteForByte) {
  const std::string vault = models_.Pack();
  for (const auto& [name, bytes] : models_.files()) EXPECT_EQ(Restored(vault, name), bytes) << name;
  const ProgramRun base = Mvault({"restore", vault, "--base", "-o", models_.File("b"), "--threads", "3", "--json"});
  EXPECT_EQ(Read("b"), models_.files().at("base"));
  EXPECT_EQ(base.Json(), (nlohmann::json{{"vault", vault},
                                         {"name", "base"},
                                         {"tensor", nullptr},
                                         {"output", models_.File("b")},
                                         {"bytes", models_.files().at("base").size()},
                                         {"verified", "digests"}}));
}

TEST_F(MvaultTest, PackReportsWhereTheBytesGo) {
  const std::string vault = models_.File("all.mvlt");
  const ProgramRun run = Mvault(
      {"pack", "--base", models_.base(), "--variants", models_.variants(), "--budget", "1MiB", "-o", vault, "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "") << "no progress where there is no terminal";
  const nlohmann::json json = run.Json();
  const uint64_t size = std::filesystem::file_size(vault);
  EXPECT_EQ(json["vault"], vault);
  EXPECT_EQ(json["bytes"], size);
  EXPECT_EQ(json["budget"], 1 << 20);
  EXPECT_EQ(json["base_file_bytes"], models_.files().at("base").size());
  uint64_t input = 0;
  for (const auto& [name, bytes] : models_.files()) input += bytes.size();
  EXPECT_EQ(json["input_bytes"], input);
  std::vector<std::string> names;
  for (const auto& variant : json["variants"]) {
    names.push_back(variant["name"]);
    EXPECT_EQ(variant["file_bytes"], models_.files().at(names.back()).size());
  }
  EXPECT_THAT(names, ElementsAre("few", "free", "half", "many", "odd", "twin"));
  for (const char* kind : {"sections", "parts"}) {
    uint64_t sum = 0;
    for (const auto& [key, bytes] : json[kind].items()) sum += bytes.get<uint64_t>();
    EXPECT_EQ(sum, size) << kind;
  }

  const ProgramRun text = Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "-o", vault});
  EXPECT_THAT(text.out, AllOf(HasSubstr("a base and 6 variants"), HasSubstr("base: INT8"), HasSubstr("base: F32"),
                              HasSubstr("trits"), HasSubstr("scales"), HasSubstr("file headers"), HasSubstr("INDEX")));
}

TEST_F(MvaultTest, PackTellsTheProfileAndWhatTheOtherWouldTake) {
  const std::string vault = models_.File("all.mvlt");
  const auto pack = [&](const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"pack", "--base", models_.base(), "--variants", models_.variants(),
                                          "-o",   vault};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return Mvault(arguments);
  };
  const nlohmann::json small = pack({"--json"}).Json();
  EXPECT_EQ(small["profile"], "small");
  const nlohmann::json fast = pack({"--profile", "fast", "--json"}).Json();
  EXPECT_EQ(fast["profile"], "fast");
  EXPECT_EQ(fast["bytes"], small["other_profile_bytes"]);
  EXPECT_EQ(small["bytes"], fast["other_profile_bytes"]);
  EXPECT_EQ(pack({"--budget", "1MiB", "--json"}).Json()["profile"], "fast");
  EXPECT_EQ(pack({"--budget", "1MiB", "--profile", "small", "--json"}).Json()["profile"], "small");
  EXPECT_THAT(pack({"--profile", "fast"}).out, HasSubstr("profile: fast; small would take "));
  EXPECT_THAT(pack({"--profile", "quick"}), Fails(2, "--profile"));
  EXPECT_EQ(Mvault({"verify", vault}).exit_code, 0);
}

TEST_F(MvaultTest, EqualInputGivesEqualBytesHoweverItIsNamed) {
  std::vector<std::string> arguments = {"pack", "--base", models_.base(), "-o", models_.File("pairs.mvlt")};
  for (const char* name : {"twin", "odd", "many", "half", "free", "few"}) {
    arguments.insert(arguments.end(), {"--variant", absl::StrCat(name, "=", models_.variant(name))});
  }
  arguments.insert(arguments.end(), {"--threads", "3", "--segment-size", "4096"});
  ASSERT_EQ(Mvault(arguments).exit_code, 0);
  models_.Pack("folder.mvlt");
  EXPECT_EQ(Read("pairs.mvlt"), Read("folder.mvlt"));
}

TEST_F(MvaultTest, AFolderGivesItsVisibleSafetensorsFiles) {
  models_.folder().Write("departments/notes.txt", "no model");
  models_.folder().Write("departments/._few.safetensors", "what some systems leave behind");
  models_.folder().Write("departments/with.dots.safetensors", models_.files().at("few"));
  EXPECT_THAT(Listed(models_.Pack()), ElementsAre("few", "free", "half", "many", "odd", "twin", "with.dots"));
}

TEST_F(MvaultTest, OverBudgetIsAnErrorOfItsOwnThatSaysWhatWouldFit) {
  const std::string vault = models_.File("all.mvlt");
  const ProgramRun run =
      Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "--budget", "16KiB", "-o", vault});
  EXPECT_THAT(run, Fails(4, "budget 16384"));
  EXPECT_THAT(run.err, AllOf(HasSubstr(vault), HasSubstr("the costliest variants are 'free'"), HasSubstr("would fit")));
  EXPECT_FALSE(Exists("all.mvlt"));
}

TEST_F(MvaultTest, PackNamesWhatIsWrongWithItsInputs) {
  const std::string vault = models_.File("new.mvlt");
  const auto pack = [&](const std::string& base, const std::string& variant) {
    return Mvault({"pack", "--base", base, "--variant", variant, "-o", vault});
  };
  const std::string few = models_.variant("few");
  models_.folder().Write("empty.safetensors", "");
  models_.folder().Write("text.safetensors", "this is no model at all");
  FileModel other = models_.base_model();
  for (FileTensor& tensor : other.tensors) tensor.name = "model." + tensor.name;
  models_.folder().Write("other.safetensors", Serialize(other));

  EXPECT_THAT(pack(models_.File("none"), "few=" + few), Fails(7, models_.File("none")));
  EXPECT_THAT(pack(models_.base(), "few=" + models_.File("none")), Fails(7, models_.File("none")));
  EXPECT_THAT(pack(models_.base(), "few=" + models_.variants()), Fails(3, models_.variants()));
  EXPECT_THAT(pack(models_.File("empty.safetensors"), "few=" + few), Fails(3, "empty.safetensors"));
  EXPECT_THAT(pack(models_.base(), "few=" + models_.File("text.safetensors")), Fails(3, "text.safetensors"));
  const ProgramRun renamed = pack(models_.File("other.safetensors"), "few=" + few);
  EXPECT_EQ(renamed.exit_code, 3);
  EXPECT_THAT(renamed.err, HasSubstr("tensors match with --rename =model."));
  EXPECT_THAT(pack(models_.base(), "base=" + few), Fails(3, "reserved"));
  EXPECT_THAT(pack(models_.base(), "a/b=" + few), Fails(3, "variant name 'a/b'"));
  EXPECT_THAT(pack(models_.base(), "..=" + few), Fails(3, "reserved"));
  EXPECT_THAT(pack(models_.base(), "=" + few), Fails(3, "name is empty"));
  EXPECT_THAT(pack(models_.base(), std::string(300, 'n') + "=" + few), Fails(3, "300 bytes"));
  EXPECT_THAT(pack(models_.base(), "a\x1b[31m=" + few), Fails(3, "\\x1b[31m"));
  EXPECT_THAT(Mvault({"pack", "--base", models_.base(), "--variants", models_.File("none"), "-o", vault}),
              Fails(7, models_.File("none")));
  std::filesystem::create_directory(models_.File("void"));
  EXPECT_THAT(Mvault({"pack", "--base", models_.base(), "--variants", models_.File("void"), "-o", vault}),
              Fails(3, "no *.safetensors"));
  EXPECT_THAT(Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "--variant", "few=" + few,
                      "-o", vault}),
              Fails(8, "'few' is given twice"));
  EXPECT_THAT(Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "-o",
                      models_.File("no/such/folder/new.mvlt")}),
              testing::Field(&ProgramRun::exit_code, testing::AnyOf(5, 7)));
  EXPECT_FALSE(Exists("new.mvlt"));
}

TEST_F(MvaultTest, NamesAndPathsMayHoldOddCharacters) {
  const std::string odd = models_.folder().Write("a=b.safetensors", models_.files().at("few"));
  const std::string vault = models_.File("odd names.mvlt");
  const std::map<std::string, std::string> files = {{"two words", odd},      {"[x,y]", odd}, {"verify", odd},
                                                    {"h\xC3\xB4pital", odd}, {"%%", odd},    {"{}", odd}};
  std::vector<std::string> arguments = {"pack", "--base", models_.base(), "-o", vault};
  for (const auto& [name, path] : files) arguments.insert(arguments.end(), {"--variant", name + "=" + path});
  ASSERT_EQ(Mvault(arguments).exit_code, 0);
  for (const auto& [name, path] : files) {
    EXPECT_EQ(Restored(vault, name), models_.files().at("few")) << name;
    EXPECT_EQ(Mvault({"verify", vault, name}).exit_code, 0) << name;
    EXPECT_EQ(Mvault({"info", vault, name}).exit_code, 0) << name;
    EXPECT_EQ(Mvault({"diff", vault, name, "two words"}).exit_code, 0) << name;
  }
  EXPECT_EQ(Mvault({"rm", vault, "[x,y]", "verify"}).exit_code, 0);
  EXPECT_THAT(Listed(vault), ElementsAre("%%", "h\xC3\xB4pital", "two words", "{}"));
}

TEST_F(MvaultTest, OneTensorComesBackInAFileOfItsOwn) {
  const std::string vault = models_.Pack();
  for (const FileTensor& tensor : models_.few_model().tensors) {
    const ProgramRun run =
        Mvault({"restore", vault, "few", "--tensor", tensor.name, "-o", models_.File("t"), "--json"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.Json()["verified"], "checksums");
    EXPECT_EQ(run.Json()["tensor"], tensor.name);
    EXPECT_EQ(Read("t"), Serialize({{tensor}, {}})) << tensor.name;
  }
  EXPECT_THAT(Mvault({"restore", vault, "few", "--tensor", "none\x1b", "-o", models_.File("u")}),
              Fails(7, "no tensor 'none\\x1b'"));
  EXPECT_FALSE(Exists("u"));
}

TEST_F(MvaultTest, RestoreReplacesAFileOnlyWhenAllIsWell) {
  const std::string vault = models_.Pack();
  models_.folder().Write("old", "what was there");
  EXPECT_THAT(Mvault({"restore", vault, "nobody", "-o", models_.File("old")}), Fails(7, "nobody"));
  EXPECT_THAT(Mvault({"restore", models_.File("none.mvlt"), "few", "-o", models_.File("old")}), Fails(7, "none.mvlt"));
  EXPECT_THAT(Mvault({"restore", models_.base(), "few", "-o", models_.File("old")}), Fails(3, "base.safetensors"));
  EXPECT_EQ(Read("old"), "what was there");
  EXPECT_EQ(Mvault({"restore", vault, "few", "-o", models_.File("old")}).exit_code, 0);
  EXPECT_EQ(Read("old"), models_.files().at("few"));
  EXPECT_THAT(Mvault({"restore", vault, "few", "-o", models_.variants()}), Fails(3, models_.variants()));
}

// --- vaults for hosts alone ---

TEST_F(MvaultTest, AVaultForHostsIsLikeAnyOtherButForBoards) {
  const std::string vault = models_.File("host.mvlt");
  std::vector<std::string> pack = {"pack",
                                   "--base",
                                   models_.base(),
                                   "--variants",
                                   models_.variants(),
                                   "--chunk-size",
                                   "1KiB",
                                   "--segment-size",
                                   "4KiB",
                                   "--profile",
                                   "host",
                                   "-o",
                                   vault,
                                   "--json"};
  const nlohmann::json packed = Mvault(pack).Json();
  EXPECT_EQ(packed["profile"], "host");
  EXPECT_EQ(packed["other_profile_bytes"], nullptr);
  const nlohmann::json whole = Mvault({"info", vault, "--json"}).Json();
  EXPECT_EQ(whole["format"], "1.5");
  uint64_t sum = 0;
  for (const auto& [key, bytes] : whole["parts"].items()) sum += bytes.get<uint64_t>();
  EXPECT_EQ(sum, whole["bytes"]);
  EXPECT_EQ(whole["base_tensors"][0]["coding"], "blocks");
  const nlohmann::json few = Mvault({"info", vault, "few", "--json"}).Json();
  sum = few["head_bytes"];
  for (const auto& tensor : few["tensors"]) sum += tensor["stored_bytes"].get<uint64_t>();
  EXPECT_EQ(sum, few["stored_bytes"]);
  EXPECT_EQ(Mvault({"verify", vault}).exit_code, 0);
  for (const auto& [name, file] : models_.files()) {
    for (const std::string threads : {"1", "3"}) {
      const std::string out = models_.File("restored");
      EXPECT_EQ(Mvault({"restore", vault, name, "-o", out, "--threads", threads}).exit_code, 0);
      EXPECT_TRUE(Read("restored") == file) << name;
    }
  }
  const std::string tensor = models_.File("tensor");
  EXPECT_EQ(Mvault({"restore", vault, "few", "--tensor", "layer.w", "-o", tensor}).exit_code, 0);
  EXPECT_THAT(Read("tensor"), testing::EndsWith(models_.few_model().tensors[2].data));
  EXPECT_EQ(Mvault({"diff", vault, "few", "twin", "--json"}).exit_code, 1);
  EXPECT_EQ(Mvault({"rename", vault, "few", "fewer"}).exit_code, 0);
  EXPECT_EQ(Mvault({"rm", vault, "many"}).exit_code, 0);
  EXPECT_EQ(Mvault({"compact", vault}).exit_code, 0);
  EXPECT_EQ(Mvault({"verify", vault}).exit_code, 0);

  // Signed, and with a tenant's variant that is sealed.
  const std::string release = models_.File("release"), acme = models_.File("acme");
  EXPECT_EQ(Mvault({"keygen", "--out", release}).exit_code, 0);
  EXPECT_EQ(Mvault({"keygen", "--tenant", "--out", acme}).exit_code, 0);
  EXPECT_EQ(Mvault({"sign", vault, "--key", release + ".key"}).exit_code, 0);
  EXPECT_EQ(Mvault({"tenant", "add", vault, "--prefix", "acme.", "--tenant", acme + ".pub", "--content-key",
                    acme + ".content", "--key", release + ".key"})
                .exit_code,
            0);
  EXPECT_EQ(Mvault({"add", vault, "--variant", "acme.few=" + models_.variant("few"), "--tenant", acme + ".key",
                    "--content-key", acme + ".content", "--key", release + ".key"})
                .exit_code,
            0);
  EXPECT_EQ(Mvault({"restore", vault, "acme.few", "-o", models_.File("restored"), "--key", release + ".pub", "--key",
                    acme + ".content"})
                .exit_code,
            0);
  EXPECT_TRUE(Read("restored") == models_.files().at("few"));
  EXPECT_EQ(Mvault({"verify", vault, "--key", release + ".pub", "--key", acme + ".content"}).exit_code, 0);

  EXPECT_THAT(Mvault({"board", vault, "--base"}), Fails(3, "boards do not read"));
  EXPECT_THAT(Mvault({"flash-diff", vault, vault, "-o", models_.File("patch")}), Fails(3, "boards do not read"));
  EXPECT_EQ(Mvault({"fit", "--profile", "host"}).exit_code, 2);
}

// --- ls, info, checksums ---

TEST_F(MvaultTest, LsListsAllModels) {
  const std::string vault = models_.Pack();
  const nlohmann::json json = Mvault({"ls", vault, "--json"}).Json();
  EXPECT_EQ(json["bytes"], std::filesystem::file_size(vault));
  EXPECT_EQ(json["weights"], 96 * 64 + 64 * 172);
  EXPECT_EQ(json["base"]["name"], "base");
  EXPECT_THAT(Listed(vault), ElementsAre("few", "free", "half", "many", "odd", "twin"));
  std::map<std::string, nlohmann::json> by_name;
  for (const auto& variant : json["variants"]) by_name[variant["name"]] = variant;
  EXPECT_EQ(by_name["twin"]["stored_bytes"], 0);
  EXPECT_EQ(by_name["twin"]["xxh3_128"], json["base"]["xxh3_128"]);
  EXPECT_EQ(by_name["twin"]["xxh64"], json["base"]["xxh64"]);
  EXPECT_GT(by_name["many"]["stored_bytes"], by_name["few"]["stored_bytes"]);
  EXPECT_DOUBLE_EQ(by_name["many"]["bits_per_weight"].get<double>(),
                   8 * by_name["many"]["stored_bytes"].get<double>() / (96 * 64 + 64 * 172));

  const std::vector<std::string> lines = absl::StrSplit(Mvault({"ls", vault, "--sort", "size"}).out, '\n');
  ASSERT_EQ(lines.size(), 10u);  // Heading, base, six variants, total, nothing.
  EXPECT_THAT(lines[1], StartsWith("base "));
  EXPECT_THAT(lines[2], StartsWith("free "));
  EXPECT_THAT(lines[7], StartsWith("twin "));
  EXPECT_THAT(lines[2], HasSubstr(by_name["free"]["xxh3_128"].get<std::string>().substr(0, 12)));
}

TEST_F(MvaultTest, InfoAccountsForTheVaultAndItsModels) {
  const std::string vault = models_.Pack();
  const nlohmann::json whole = Mvault({"info", vault, "--json"}).Json();
  EXPECT_EQ(whole["segment_size"], 4096);
  EXPECT_EQ(whole["variants"], 6);
  EXPECT_EQ(whole["format"], "1.0");
  uint64_t sum = 0;
  for (const auto& [key, bytes] : whole["parts"].items()) sum += bytes.get<uint64_t>();
  EXPECT_EQ(sum, whole["bytes"]);
  ASSERT_EQ(whole["base_tensors"].size(), 9u);
  EXPECT_GT(whole["base_tensors"][0]["repeated_rows"], 0);
  sum = 0;
  for (const auto& tensor : whole["base_tensors"]) sum += tensor["stored_bytes"].get<uint64_t>();
  EXPECT_EQ(sum, whole["sections"]["base"]);

  const nlohmann::json few = Mvault({"info", vault, "few", "--json"}).Json();
  EXPECT_EQ(few["file_bytes"], models_.files().at("few").size());
  EXPECT_EQ(few["header_bytes"].get<uint64_t>() + few["data_bytes"].get<uint64_t>(), few["file_bytes"]);
  sum = few["head_bytes"];
  std::map<std::string, nlohmann::json> tensors;
  for (const auto& tensor : few["tensors"]) {
    tensors[tensor["name"]] = tensor;
    sum += tensor["stored_bytes"].get<uint64_t>();
  }
  EXPECT_EQ(sum, few["stored_bytes"]);
  uint64_t differing = 0;
  const std::string& a = models_.base_model().tensors[2].data;
  const std::string& b = models_.few_model().tensors[2].data;
  for (size_t i = 0; i < a.size(); ++i) differing += a[i] != b[i] ? 1 : 0;
  EXPECT_EQ(tensors["layer.w"]["differing"], differing);
  EXPECT_DOUBLE_EQ(tensors["layer.w"]["density"].get<double>(), static_cast<double>(differing) / (64 * 172));
  EXPECT_EQ(tensors["layer.w"]["least_scale"], 2);
  EXPECT_EQ(tensors["layer.w"]["most_scale"], 2);
  EXPECT_EQ(tensors["layer.norm"]["differing"], 0);
  EXPECT_EQ(tensors["layer.norm"]["modes"], (nlohmann::json{{"same", 1}}));
  EXPECT_EQ(tensors["layer.norm"]["least_scale"], nullptr);

  const nlohmann::json base = Mvault({"info", vault, "base", "--json"}).Json();
  EXPECT_EQ(base["tensors"], whole["base_tensors"]);
  EXPECT_EQ(base["xxh3_128"], whole["base_xxh3_128"]);

  EXPECT_THAT(Mvault({"info", vault}).out, AllOf(HasSubstr("chunks of 4,096 bytes"), HasSubstr("layer.w")));
  EXPECT_THAT(Mvault({"info", vault, "few"}).out, AllOf(HasSubstr("XXH3-128"), HasSubstr("layer.w"), HasSubstr("gap")));
  EXPECT_THAT(Mvault({"info", vault, "twin"}).out,
              HasSubstr("9 tensors more with the base's values, which take no bytes"));
  EXPECT_THAT(Mvault({"info", vault, "half"}).out, HasSubstr("F16"));
  EXPECT_THAT(Mvault({"info", vault, "nobody"}), Fails(7, "nobody"));
}

TEST_F(MvaultTest, InfoTellsWhatIsTheVariantsOwn) {
  FileModel base{{{"w", "I8", {512}, std::string(512, '\1')}, {"v", "F32", {64}, std::string(256, '\0')}}, {}};
  FileModel variant = base;
  variant.tensors[1] = {"v", "F8_E4M3", {64}, std::string(64, '\1')};
  variant.tensors.push_back({"none", "I8", {0}, ""});
  const std::string path = models_.folder().Write("own-base.safetensors", Serialize(base));
  const std::string other = models_.folder().Write("own.safetensors", Serialize(variant));
  const std::string vault = models_.File("own.mvlt");
  ASSERT_EQ(Mvault({"pack", "--base", path, "--variant", "own=" + other, "-o", vault}).exit_code, 0);
  const ProgramRun info = Mvault({"info", vault, "own"});
  EXPECT_THAT(info.out,
              AllOf(HasSubstr("\nnone "), HasSubstr("\n1 tensor more with the base's values, which takes no bytes")));
  const auto differing = [](const nlohmann::json& tensors) {
    for (const auto& t : tensors) {
      if (t["name"] == "v") return std::pair(t["elements"].get<uint64_t>(), t["differing"].get<uint64_t>());
    }
    return std::pair<uint64_t, uint64_t>();
  };
  const std::pair<uint64_t, uint64_t> all(64, 64);
  EXPECT_EQ(differing(Mvault({"info", vault, "own", "--json"}).Json()["tensors"]), all);
  EXPECT_EQ(differing(Mvault({"diff", vault, "own", "base", "--json"}).Json()["tensors"]), all);
  EXPECT_EQ(differing(Mvault({"diff", vault, "base", "own", "--json"}).Json()["tensors"]), all);
}

TEST_F(MvaultTest, ControlCharactersFromFilesNeverReachTheTerminal) {
  FileModel base = models_.base_model();
  base.tensors[2].name = "layer\x1b[2J\xE2\x80\xAE.w";
  FileModel variant = models_.few_model();
  variant.tensors[2].name = base.tensors[2].name;
  const std::string path = models_.folder().Write("evil.safetensors", Serialize(base));
  const std::string other = models_.folder().Write("evil-few.safetensors", Serialize(variant));
  const std::string vault = models_.File("evil.mvlt");
  ASSERT_EQ(Mvault({"pack", "--base", path, "--variant", "few=" + other, "-o", vault}).exit_code, 0);
  const std::vector<std::vector<std::string>> kCommandLines = {
      {"info", vault},
      {"info", vault, "few"},
      {"info", vault, "few", "--json"},
      {"diff", vault, "few", "base"},
      {"diff", vault, "few", "base", "--json"},
      {"restore", vault, "few", "--tensor", "\x1b[2J", "-o", models_.File("new")},
      {"restore", vault, "\x1b[2J", "-o", models_.File("new")},
      {"ls", "\x1b[2J"},
      {"\x1b[2J"},
      {"ls", vault, "--\x1b[2J"},
      {"pack", "--base", path, "--variant", "few=" + models_.variant("few"), "-o", models_.File("new")},
  };
  for (const std::vector<std::string>& arguments : kCommandLines) {
    const ProgramRun run = Mvault(arguments);
    EXPECT_THAT(run.out + run.err, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\xE2\x80\xAE"))))
        << testing::PrintToString(arguments);
  }
  EXPECT_THAT(Mvault({"info", vault}).out, HasSubstr("layer\\x1b[2J\\xe2\\x80\\xae.w"));
  EXPECT_EQ(Mvault({"info", vault, "--json"}).Json()["base_tensors"][2]["name"], base.tensors[2].name);
  EXPECT_EQ(Mvault({"restore", vault, "few", "--tensor", base.tensors[2].name, "-o", models_.File("t")}).exit_code, 0);
}

TEST_F(MvaultTest, ChecksumsAreWhatVerifyComparesWith) {
  const std::string vault = models_.Pack();
  const ProgramRun sums = Mvault({"checksums", vault});
  ASSERT_EQ(sums.exit_code, 0) << sums.err;
  const std::vector<std::string> lines = absl::StrSplit(sums.out, '\n');
  EXPECT_EQ(lines.size(), 1 + 2 * 7 + 1u);  // A comment, two for each model, nothing.
  const nlohmann::json ls = Mvault({"ls", vault, "--json"}).Json();
  EXPECT_THAT(lines, Contains(absl::StrCat(ls["base"]["xxh3_128"].get<std::string>(), "  data/base")));
  EXPECT_EQ(Mvault({"checksums", vault, "--json"}).Json()["checksums"]["data/base"], ls["base"]["xxh3_128"]);
  const std::string list = models_.folder().Write("all.sums", sums.out);
  const ProgramRun run = Mvault({"verify", vault, "--against", list, "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.Json(), (nlohmann::json{{"vault", vault},
                                        {"ok", true},
                                        {"models", 7},
                                        {"sealed", 0},
                                        {"signature", nullptr},
                                        {"against", list},
                                        {"failures", nlohmann::json::array()}}));
}

// --- verify ---

TEST_F(MvaultTest, VerifyAcceptsAnIntactVaultWholeOrInPart) {
  const std::string vault = models_.Pack();
  EXPECT_EQ(Mvault({"verify", vault, "--json"}).Json()["models"], 7);
  EXPECT_EQ(Mvault({"verify", vault, "--threads", "1"}).exit_code, 0);
  EXPECT_EQ(Mvault({"verify", vault, "--threads", "64"}).exit_code, 0);
  EXPECT_EQ(Mvault({"verify", vault, "few", "base", "few", "--json"}).Json()["models"], 2);
  EXPECT_THAT(Mvault({"verify", vault, "few", "nobody"}), Fails(7, "nobody"));
}

TEST_F(MvaultTest, VerifyReportsEveryDifferenceFromAList) {
  const std::string vault = models_.Pack();
  std::string text = Mvault({"checksums", vault}).out;
  const size_t few = text.find("  data/few\n") - 1;
  text[few] = text[few] == '0' ? '1' : '0';
  text.replace(text.find("header/many"), 11, "header/more");
  const std::string list = models_.folder().Write("changed.sums", text);
  const ProgramRun run = Mvault({"verify", vault, "--against", list, "--json"});
  EXPECT_EQ(run.exit_code, 1);
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["ok"], false);
  ASSERT_EQ(json["failures"].size(), 3u);
  EXPECT_EQ(json["failures"][0]["name"], "few");
  EXPECT_THAT(json["failures"][0]["error"], AllOf(HasSubstr("data/few: expected "), HasSubstr("found ")));
  EXPECT_EQ(json["failures"][1]["name"], "more");
  EXPECT_THAT(json["failures"][1]["error"], HasSubstr("missing from the vault"));
  EXPECT_EQ(json["failures"][2]["name"], "many");
  EXPECT_THAT(json["failures"][2]["error"], HasSubstr("extra in the vault"));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 3) << run.err;
  EXPECT_EQ(Mvault({"verify", vault, "--against", list, "free", "base"}).exit_code, 0) << "only these count";
  EXPECT_EQ(Mvault({"verify", vault, "--against", list, "few"}).exit_code, 1);

  EXPECT_THAT(Mvault({"verify", vault, "--against", models_.base()}),
              Fails(3, "expected text; it is a safetensors file"));
  EXPECT_THAT(Mvault({"verify", vault, "--against", models_.File("none")}), Fails(7, "none"));
  // Another vault of the same names.
  const CliModels others(/*seed=*/7);
  const ProgramRun other = Mvault(
      {"verify", others.Pack(), "--against", models_.folder().Write("all.sums", Mvault({"checksums", vault}).out)});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.out, HasSubstr("failures in 7 models"));
}

TEST_F(MvaultTest, OneDamagedVariantDoesNotHideTheOthers) {
  const std::string vault = models_.Pack();
  ASSERT_EQ(Mvault({"verify", vault}).exit_code, 0);
  std::string bytes = Read("all.mvlt");
  // The first byte that belongs to "few" and the last that belongs to "odd".
  for (const char* name : {"few", "odd"}) {
    const auto reader = VaultReader::Open(FileSystem::Default(), vault);
    const VaultVariant& variant = **(*reader)->Find(name);
    bytes[static_cast<size_t>(variant.offset + variant.stored_size - 1)] ^= 0x10;
  }
  models_.folder().Write("all.mvlt", bytes);
  const ProgramRun run = Mvault({"verify", vault, "--json"});
  EXPECT_EQ(run.exit_code, 1);
  const nlohmann::json json = run.Json();
  ASSERT_EQ(json["failures"].size(), 2u) << run.err;
  EXPECT_EQ(json["failures"][0]["name"], "few");
  EXPECT_EQ(json["failures"][1]["name"], "odd");
  EXPECT_THAT(run.err, AllOf(HasSubstr("'few'"), HasSubstr("'odd'")));
  EXPECT_EQ(Mvault({"verify", vault, "many", "base"}).exit_code, 0);
  EXPECT_EQ(Restored(vault, "many"), models_.files().at("many"));
  EXPECT_THAT(Mvault({"restore", vault, "few", "-o", models_.File("new")}), Fails(3, "variant 'few'"));
  EXPECT_THAT(Mvault({"info", vault, "few"}), Fails(3, "variant 'few'"));
  EXPECT_THAT(Mvault({"info", vault}), Fails(3, "variant 'few'"));
  EXPECT_THAT(Mvault({"diff", vault, "few", "many"}), Fails(3, "variant 'few'"));
  EXPECT_FALSE(Exists("new"));
  // A damaged variant can be removed or replaced.
  EXPECT_EQ(Mvault({"rm", vault, "odd"}).exit_code, 0);
  EXPECT_EQ(Mvault({"replace", vault, "--variant", "few=" + models_.variant("few")}).exit_code, 0);
  EXPECT_EQ(Mvault({"verify", vault}).exit_code, 0);
}

TEST_F(MvaultTest, DamageAnywhereIsFoundAndLeavesNoFileBehind) {
  models_.Pack();
  const std::string intact = Read("all.mvlt");
  FileSystem& disk = FileSystem::Default();
  const std::vector<std::string> names = Names();
  for (size_t at = 0; at < intact.size(); at += 97) {
    SCOPED_TRACE(absl::StrCat("bit flipped at offset ", at));
    std::string damaged = intact;
    damaged[at] ^= static_cast<char>(1 << (at % 8));
    const std::string vault = models_.folder().Write("all.mvlt", damaged);
    const ProgramRun verified = MvaultOn(disk, {"verify", vault, "--threads", "1"});
    EXPECT_TRUE(verified.exit_code == 1 || verified.exit_code == 3) << verified;
    EXPECT_THAT(verified.err, HasSubstr(vault));
    for (const auto& [name, bytes] : models_.files()) {
      const ProgramRun restored =
          MvaultOn(disk, {"restore", vault, name, "-o", models_.File("restored"), "--threads", "1"});
      if (restored.exit_code == 0) {
        EXPECT_EQ(Read("restored"), bytes) << name;
        std::filesystem::remove(models_.File("restored"));
      } else {
        EXPECT_TRUE(restored.exit_code == 3 || restored.exit_code == 7) << restored;
      }
      EXPECT_EQ(Names(), names);
    }
  }
}

TEST_F(MvaultTest, CutVaultsAreRefused) {
  models_.Pack();
  const std::string intact = Read("all.mvlt");
  for (const size_t size : {size_t{0}, size_t{1}, size_t{255}, size_t{256}, intact.size() / 2, intact.size() - 1}) {
    const std::string vault = models_.folder().Write("cut.mvlt", intact.substr(0, size));
    for (const char* command : {"ls", "info", "verify", "checksums", "compact"}) {
      EXPECT_THAT(Mvault({command, vault}), Fails(3, "cut.mvlt")) << command << " of " << size << " bytes";
    }
    EXPECT_THAT(Mvault({"restore", vault, "few", "-o", models_.File("new")}), Fails(3, "cut.mvlt"));
    EXPECT_THAT(Mvault({"add", vault, "--variant", "new=" + models_.variant("few")}), Fails(3, "cut.mvlt"));
    EXPECT_EQ(Read("cut.mvlt").size(), size) << "nothing may change it";
  }
  const std::string longer = models_.folder().Write("cut.mvlt", intact + "x");
  EXPECT_THAT(Mvault({"ls", longer}), Fails(3, "cut.mvlt"));
  EXPECT_FALSE(Exists("new"));
}

TEST_F(MvaultTest, AVaultOfAnotherVersionIsUnsupported) {
  models_.Pack();
  std::string bytes = Read("all.mvlt");
  for (const auto& [major, minor] : {std::pair(0, 2), std::pair(2, 9)}) {  // One before this one and a later one.
    bytes[8] = static_cast<char>(major);
    bytes[10] = static_cast<char>(minor);
    RepairChecksums(&bytes);
    EXPECT_THAT(Mvault({"ls", models_.folder().Write("other.mvlt", bytes)}),
                Fails(9, absl::StrCat("other.mvlt: vault format ", major, ".", minor, ", this program reads 1.0")));
  }
}

// --- add, replace, rename, rm, compact ---

TEST_F(MvaultTest, VaultsChangeWithoutTouchingOtherVariants) {
  const std::string vault = models_.File("all.mvlt");
  ASSERT_EQ(Mvault({"pack", "--base", models_.base(), "--variant", "few=" + models_.variant("few"), "--variant",
                    "many=" + models_.variant("many"), "-o", vault})
                .exit_code,
            0);
  ModelFiles expected = {
      {"base", models_.files().at("base")}, {"few", models_.files().at("few")}, {"many", models_.files().at("many")}};
  const auto check = [&](const std::string& what) {
    SCOPED_TRACE("after " + what);
    EXPECT_EQ(Mvault({"verify", vault}).exit_code, 0);
    std::vector<std::string> names;
    for (const auto& [name, bytes] : expected) {
      EXPECT_EQ(Restored(vault, name), bytes) << name;
      if (name != "base") names.push_back(name);
    }
    EXPECT_EQ(Listed(vault), names);
  };
  const uint64_t packed = std::filesystem::file_size(vault);

  const ProgramRun add = Mvault({"add", vault, "--variant", "odd=" + models_.variant("odd"), "--variant",
                                 "twin=" + models_.variant("twin"), "--json"});
  ASSERT_EQ(add.exit_code, 0) << add.err;
  EXPECT_EQ(add.Json()["command"], "add");
  EXPECT_EQ(add.Json()["old_bytes"], packed);
  EXPECT_EQ(add.Json()["new_bytes"], std::filesystem::file_size(vault));
  EXPECT_EQ(add.Json()["variants"][1]["name"], "twin");
  EXPECT_EQ(add.Json()["variants"][1]["stored_bytes"], 0);
  expected["odd"] = models_.files().at("odd");
  expected["twin"] = models_.files().at("twin");
  check("add");

  EXPECT_EQ(Mvault({"replace", vault, "--variant", "few=" + models_.variant("free"), "--json"}).Json()["command"],
            "replace");
  expected["few"] = models_.files().at("free");
  check("replace");

  const ProgramRun rename = Mvault({"rename", vault, "few", "something else"});
  EXPECT_EQ(rename.exit_code, 0) << rename.err;
  EXPECT_THAT(rename.out, HasSubstr("4 variants (before: "));
  expected["something else"] = expected["few"];
  expected.erase("few");
  check("rename");

  const nlohmann::json rm = Mvault({"rm", vault, "many", "twin", "--json"}).Json();
  EXPECT_EQ(rm["command"], "rm");
  EXPECT_EQ(rm["old_variants"], 4);
  EXPECT_EQ(rm["new_variants"], 2);
  expected.erase("many");
  expected.erase("twin");
  check("rm");

  const nlohmann::json compact = Mvault({"compact", vault, "--json"}).Json();
  EXPECT_EQ(compact["command"], "compact");
  EXPECT_LT(compact["new_bytes"], compact["old_bytes"]);
  EXPECT_EQ(compact["new_bytes"], std::filesystem::file_size(vault));
  check("compact");
  EXPECT_EQ(Mvault({"compact", vault, "--json"}).Json()["new_bytes"], compact["new_bytes"]) << "nothing left to close";
}

TEST_F(MvaultTest, ChangesThatCannotBeMadeLeaveTheVaultAsItWas) {
  const std::string vault = models_.Pack();
  const std::string before = Read("all.mvlt");
  const std::string few = models_.variant("few");
  EXPECT_THAT(Mvault({"add", vault, "--variant", "few=" + few}), Fails(8, "few"));
  EXPECT_THAT(Mvault({"add", vault, "--variant", "base=" + few}), Fails(3, "reserved"));
  EXPECT_THAT(Mvault({"add", vault, "--variant", "new=" + models_.File("none")}), Fails(7, "none"));
  EXPECT_THAT(Mvault({"add", vault, "--variant", "new=" + few, "--budget", "10KB"}), Fails(4, "budget 10000"));
  EXPECT_THAT(Mvault({"replace", vault, "--variant", "new=" + few}), Fails(7, "new"));
  EXPECT_THAT(Mvault({"rename", vault, "nobody", "somebody"}), Fails(7, "nobody"));
  EXPECT_THAT(Mvault({"rename", vault, "few", "many"}), Fails(8, "many"));
  EXPECT_THAT(Mvault({"rename", vault, "few", "a/b"}), Fails(3, "a/b"));
  EXPECT_THAT(Mvault({"rename", vault, "base", "few"}), Fails(7, "base"));
  EXPECT_THAT(Mvault({"rm", vault, "many", "nobody"}), Fails(7, "nobody"));
  EXPECT_THAT(Mvault({"rm", vault, "many", "many"}), Fails(3, "many"));
  EXPECT_THAT(Mvault({"rm", vault, "base"}), Fails(7, "base"));
  EXPECT_THAT(Mvault({"rm", vault, ""}), Fails(7, "''"));
  FileModel other = models_.few_model();
  for (FileTensor& tensor : other.tensors) tensor.name = "x." + tensor.name;
  const std::string path = models_.folder().Write("other.safetensors", Serialize(other));
  const ProgramRun refused = Mvault({"add", vault, "--variant", "new=" + path});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("other.safetensors"));
  EXPECT_EQ(Read("all.mvlt"), before);
  EXPECT_THAT(Names(), ElementsAre("all.mvlt", "base.safetensors", "departments", "other.safetensors"));
}

// --- diff, plan ---

TEST_F(MvaultTest, DiffCountsWhatDiffers) {
  const std::string vault = models_.Pack();
  const ProgramRun run = Mvault({"diff", vault, "base", "few", "--json"});
  EXPECT_EQ(run.exit_code, 1);
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["identical"], false);
  EXPECT_EQ(json["headers_identical"], true);
  ASSERT_EQ(json["tensors"].size(), 9u);
  uint64_t total = 0;
  for (size_t i = 0; i < 9; ++i) {
    const FileTensor& a = models_.base_model().tensors[i];
    const FileTensor& b = models_.few_model().tensors[i];
    uint64_t differing = 0;
    for (size_t j = 0; j < a.data.size(); ++j) differing += a.data[j] != b.data[j] ? 1 : 0;
    total += differing;
    EXPECT_EQ(json["tensors"][i]["name"], a.name);
    EXPECT_EQ(json["tensors"][i]["differing"], differing) << a.name;
    if (differing > 0) {
      EXPECT_EQ(json["tensors"][i]["max_difference"], 2) << a.name;
    } else {
      EXPECT_EQ(json["tensors"][i]["max_difference"], nullptr) << a.name;
    }
  }
  EXPECT_GT(total, 100u);
  EXPECT_EQ(json["differing"], total);
  const ProgramRun text = Mvault({"diff", vault, "few", "base"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.out, AllOf(HasSubstr("layer.w"), Not(HasSubstr("layer.norm")), HasSubstr("2 of 9 tensors differ")));
}

TEST_F(MvaultTest, DiffOfModelsThatAreTheSame) {
  const std::string vault = models_.Pack();
  for (const auto& [a, b] : {std::pair("twin", "base"), std::pair("few", "few"), std::pair("base", "base")}) {
    const ProgramRun run = Mvault({"diff", vault, a, b, "--json"});
    EXPECT_EQ(run.exit_code, 0) << a << " " << b;
    EXPECT_EQ(run.Json()["identical"], true);
    EXPECT_EQ(run.Json()["differing"], 0);
  }
}

TEST_F(MvaultTest, DiffPairsTensorsByNameAcrossOrdersAndDtypes) {
  const std::string vault = models_.Pack();
  const nlohmann::json odd = Mvault({"diff", vault, "odd", "base", "--json"}).Json();
  EXPECT_EQ(odd["headers_identical"], false);
  EXPECT_EQ(odd["tensors"][0]["name"], "layer.norm");
  EXPECT_EQ(odd["tensors"][3]["name"], "embed");
  EXPECT_LE(odd["tensors"][3]["max_difference"], 3);
  EXPECT_LT(odd["tensors"][3]["differing"], 96 * 64 / 20);
  const nlohmann::json half = Mvault({"diff", vault, "half", "base", "--json"}).Json();
  EXPECT_EQ(half["tensors"][1]["dtype_a"], "F16");
  EXPECT_EQ(half["tensors"][1]["dtype_b"], "F32");
  EXPECT_GT(half["tensors"][1]["differing"], 90);
  EXPECT_LT(half["tensors"][1]["max_difference"], 1e-3);  // Rounding only.
  EXPECT_EQ(half["tensors"][2]["differing"], 0);
  EXPECT_THAT(Mvault({"diff", vault, "half", "base"}).out, HasSubstr("F16 / F32"));
  EXPECT_THAT(Mvault({"diff", vault, "half", "nobody"}), Fails(7, "nobody"));
}

TEST_F(MvaultTest, PlanSaysWhatFits) {
  const ProgramRun run = Mvault({"plan", "--base", models_.base(), "--budget", "100KB", "--variants", "20", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["budget"], 100'000);
  EXPECT_EQ(json["variants"], 20);
  EXPECT_EQ(json["fits"], true);
  EXPECT_GT(json["density"], 0.5);
  EXPECT_NEAR(json["bits_per_weight"].get<double>(),
              8 * json["bytes_left_per_variant"].get<double>() / (96 * 64 + 64 * 172), 1e-9);
  EXPECT_THAT(Mvault({"plan", "--base", models_.base()}).out,
              AllOf(HasSubstr("1,048,576"), HasSubstr("Each of 100 variants may take ")));
  const ProgramRun tight = Mvault({"plan", "--base", models_.base(), "--budget", "5000", "--json"});
  EXPECT_EQ(tight.exit_code, 4);
  EXPECT_EQ(tight.Json()["fits"], false);
  EXPECT_THAT(tight.err, HasSubstr("budget 5000"));
  EXPECT_THAT(Mvault({"plan", "--base", models_.File("none")}), Fails(7, "none"));
}

TEST_F(MvaultTest, OutputThatCannotBeWrittenIsAnError) {
  const std::string vault = models_.Pack();
  FILE* const full = fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  FILE* const err = tmpfile();
  const char* arguments[] = {"mvault", "ls", vault.c_str()};
  EXPECT_EQ(RunMvault(3, arguments, FileSystem::Default(), full, err), 5);
  fclose(full);
  EXPECT_GT(ftell(err), 0);
  fclose(err);
}

}  // namespace
}  // namespace modelvault
