// Fine-tunes whose tensors are not quite the base's, and files that are no models, by the program itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class MatchTest : public testing::Test {
 protected:
  // Writes the variant "few" with other names.
  std::string Renamed(const std::string& file, const std::string& prefix) {
    FileModel model = models_.few_model();
    for (FileTensor& tensor : model.tensors) tensor.name = prefix + tensor.name;
    return models_.folder().Write(file, Serialize(model));
  }

  CliModels models_;
};

TEST_F(MatchTest, ARenamedVariantPacksAsTheMessageSaysAndKeepsItsNames) {
  const std::string path = Renamed("compiled.safetensors", "_orig_mod.");
  const std::string vault = models_.File("v.mvlt");
  std::vector<std::string> pack = {
      "pack", "--base", models_.base(), "--variant", "compiled=" + path, "--variant", "many=" + models_.variant("many"),
      "-o",   vault};
  const ProgramRun refused = Mvault(pack);
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("mvault: error: 1 of 2 variants does not match"),
                                 HasSubstr("compiled model"), HasSubstr("tensors match with --rename _orig_mod.=\n")));
  // No line but the first begins as an error.
  const std::vector<std::string> lines = absl::StrSplit(refused.err, '\n', absl::SkipEmpty());
  ASSERT_GT(lines.size(), 3u);
  for (size_t i = 1; i < lines.size(); ++i) EXPECT_THAT(lines[i], StartsWith("  "));

  pack.insert(pack.end(), {"--rename", "_orig_mod.="});
  const ProgramRun packed = Mvault(pack);
  ASSERT_EQ(packed.exit_code, 0) << packed;
  EXPECT_EQ(Mvault({"verify", vault}).exit_code, 0);
  const std::string back = models_.File("back.safetensors");
  ASSERT_EQ(Mvault({"restore", vault, "compiled", "-o", back}).exit_code, 0);
  EXPECT_TRUE(models_.folder().Read("back.safetensors") == models_.folder().Read("compiled.safetensors"));
  const ProgramRun one = Mvault(
      {"restore", vault, "compiled", "--tensor", "_orig_mod." + models_.few_model().tensors.front().name, "-o", back});
  EXPECT_EQ(one.exit_code, 0) << one;
  EXPECT_EQ(Mvault({"info", vault, "compiled"}).exit_code, 0);
}

TEST_F(MatchTest, AddAndReplaceTakeTheSameOption) {
  const std::string vault = models_.Pack();
  const std::string path = Renamed("wrapped.safetensors", "module.");
  for (const char* command : {"add", "replace"}) {
    EXPECT_EQ(Mvault({command, vault, "--variant", "new=" + path}).exit_code, 3) << command;
    const ProgramRun run = Mvault({command, vault, "--variant", "new=" + path, "--rename", "module.="});
    EXPECT_EQ(run.exit_code, 0) << run;
  }
  EXPECT_EQ(Mvault({"verify", vault}).exit_code, 0);
}

TEST_F(MatchTest, ARenameThatIsNoneIsAUsageError) {
  const ProgramRun run = Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "--rename", "x",
                                 "-o", models_.File("v.mvlt")});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("'x' is not FROM=TO"));
}

TEST_F(MatchTest, ARuleThatMatchesNothingIsAnErrorBeforeAnyWork) {
  const std::string path = Renamed("compiled.safetensors", "_orig_mod.");
  const std::string vault = models_.Pack();
  const std::string before = models_.folder().Read("all.mvlt");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"pack", "--base", models_.base(), "-o", vault}, {"add", vault}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--variant", "new=" + path, "--rename", "_orig_mud.="});
    const ProgramRun run = Mvault(arguments);
    EXPECT_EQ(run.exit_code, 7) << run;
    EXPECT_THAT(run.err, HasSubstr("error: --rename _orig_mud.=: no tensor of a variant has that in its name; there is "
                                   "'_orig_mod.'\n"));
  }
  EXPECT_TRUE(models_.folder().Read("all.mvlt") == before);
}

// A head that was tied to an embedding that was trained, and thus is unlike the base's, is no cheaper than that.
TEST_F(MatchTest, TheNoteTellsWhatTensorsWithoutAMatchCost) {
  FileModel model = models_.few_model();
  FileTensor extra = model.tensors.front();
  extra.name = "zz.extra";
  model.tensors.push_back(extra);
  const std::string path = models_.folder().Write("more.safetensors", Serialize(model));
  const std::string vault = models_.Pack();
  const ProgramRun plain = Mvault({"add", vault, "--variant", "plain=" + models_.variant("few"), "--json"});
  const ProgramRun run = Mvault({"add", vault, "--variant", "more=" + path, "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const std::string note = run.Json()["note"];
  const std::string before = "what has no match takes ";
  const size_t at = note.find(before);
  ASSERT_NE(at, std::string::npos) << note;
  const std::string digits = note.substr(at + before.size(), note.find(" bytes of the vault") - at - before.size());
  const auto stored = [](const ProgramRun& r) { return r.Json()["variants"][0]["stored_bytes"].get<double>(); };
  const double difference = stored(run) - stored(plain);
  EXPECT_NEAR(std::stod(absl::StrReplaceAll(digits, {{",", ""}})), difference, difference / 10) << note;
  EXPECT_THAT(Mvault({"pack", "--base", models_.base(), "--variant", "more=" + path, "-o", vault}).out,
              AllOf(HasSubstr("bytes in the files, is stored with it"), HasSubstr("  what has no match takes ")));
}

#ifdef __SSE2__
TEST_F(MatchTest, DiffComparesBitsWhateverTheProcessorTakesForZero) {
  // Below the normal range of F32, and of F64.
  const std::string small("\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0", 16);
  const std::string zero(4, '\0');
  const std::string base =
      models_.folder().Write("b", Serialize({{{"w", "F32", {4}, small}, {"x", "F64", {2}, small}}, {}}));
  const std::string zeros =
      models_.folder().Write("z", Serialize({{{"w", "BF16", {4}, zero + zero}, {"x", "BF16", {2}, zero}}, {}}));
  const std::string vault = models_.File("v.mvlt");
  ASSERT_EQ(Mvault({"pack", "--base", base, "--variant", "zeros=" + zeros, "-o", vault}).exit_code, 0);
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x40;
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | kFlushToZero | kDenormalsAreZero);
  const ProgramRun run = MvaultOn(FileSystem::Default(), {"diff", vault, "base", "zeros", "--json"});
  _mm_setcsr(before);
  EXPECT_EQ(run.exit_code, 1) << run;
  EXPECT_EQ(run.Json()["differing"], 6);
}
#endif

TEST_F(MatchTest, AFileThatIsNoModelIsCalledWhatItIs) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"},
      {"<!DOCTYPE html><html>", "an HTML page"},
      {"\x1f\x8b\x08", "gzip-compressed"},
      {"", "it is empty"},
  };
  for (const auto& [content, expected] : kinds) {
    const std::string path = models_.folder().Write("departments/radiology.safetensors", content);
    const ProgramRun run =
        Mvault({"pack", "--base", models_.base(), "--variants", models_.variants(), "-o", models_.File("v.mvlt")});
    EXPECT_EQ(run.exit_code, 3);
    EXPECT_THAT(run.err, AllOf(HasSubstr(path), HasSubstr(expected), HasSubstr("--without radiology\n")));
  }
  const std::vector<std::string> without = {
      "pack",      "--base",   models_.base(), "--variants", models_.variants(), "-o", models_.File("v.mvlt"),
      "--without", "radiology"};
  EXPECT_EQ(Mvault(without).exit_code, 0);
  std::vector<std::string> unknown = without;
  unknown.insert(unknown.end(), {"--without", "nobody"});
  const ProgramRun run = Mvault(unknown);
  EXPECT_EQ(run.exit_code, 7);
  EXPECT_THAT(run.err, HasSubstr("--without nobody: no such variant"));
}

}  // namespace
}  // namespace modelvault
