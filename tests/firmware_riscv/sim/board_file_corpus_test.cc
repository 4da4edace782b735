// Real TFLite files, packed with --whole-file: what the emulated board restores is the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/temp_folder.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

constexpr char kFolder[] = MODELVAULT_CORPUS_DIR "/wake-word/";

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The board tells of each model how many bytes it restored, and their hash.
TEST(BoardFileCorpusTest, TheBoardRestoresWholeFiles) {
  const std::map<std::string, std::string> files = {
      {"base", "v2-choo_choo_homie"}, {"home", "v2-hey_home_assistant"}, {"peppa", "v2-hey_peppa_pig"}};
  const auto path = [](const std::string& file) { return absl::StrCat(kFolder, file, ".tflite"); };
  const TempFolder folder;
  const std::string vault = folder.File("words.mvlt");
  std::vector<std::string> pack = {"pack", "--whole-file", "-o", vault};
  for (const auto& [name, file] : files) {
    const bool base = name == "base";
    pack.push_back(base ? "--base" : "--variant");
    pack.push_back(base ? path(file) : absl::StrCat(name, "=", path(file)));
  }
  const ProgramRun packed = Mvault(pack);
  ASSERT_EQ(packed.exit_code, 0) << packed;

  const ProgramRun run = Mvault({"board", vault, "--all", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  ASSERT_EQ(json.at("results").size(), files.size());
  for (const nlohmann::json& result : json.at("results")) {
    const std::string name = result.at("name");
    SCOPED_TRACE(name);
    ASSERT_EQ(files.count(name), 1u);
    const std::string bytes = ReadFile(path(files.at(name)));
    EXPECT_EQ(result.at("ok"), true);
    EXPECT_EQ(result.at("data_bytes"), bytes.size());
    EXPECT_EQ(result.at("xxh64"), absl::StrFormat("%016x", XXH64(bytes.data(), bytes.size(), 0)));
  }
}

}  // namespace
}  // namespace modelvault
