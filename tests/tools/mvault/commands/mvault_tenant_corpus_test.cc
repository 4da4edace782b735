// The hospital: 100 departments of one base, of four owners who neither see nor trust one another, in one vault.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/temp_folder.h"
#include "tests/tools/mvault/program_run.h"
#include "vault/format.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

const std::string kCorpus = std::string(MODELVAULT_CORPUS_DIR) + "/medquad-260k/int8/";
constexpr uint64_t kFlash = 1u << 20;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

ProgramRun Done(const std::vector<std::string>& arguments) {
  ProgramRun run = Mvault(arguments);
  EXPECT_EQ(run.exit_code, 0) << arguments[0] << ": " << run.err;
  return run;
}

// What each part takes, on standard output.
void PrintParts(const std::string& vault) {
  const nlohmann::json json = Done({"info", vault, "--json"}).Json();
  for (const auto& [part, bytes] : json["sections"].items()) printf("%-12s %8d\n", part.c_str(), bytes.get<int>());
}

TEST(MvaultTenantCorpusTest, AHundredSealedDepartmentsOfFourOwnersFitAndComeBack) {
  const TempFolder folder;
  const std::string vault = folder.File("hospital.mvlt");
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(kCorpus + "variants")) files[entry.path().stem()] = entry.path();
  ASSERT_EQ(files.size(), 100u);
  Done({"keygen", "--out", folder.File("hospital")});
  Done({"keygen", "--device", "--out", folder.File("ward")});
  Done({"pack", "--base", kCorpus + "base.safetensors", "--base-only", "--profile", "small", "-o", vault});
  Done({"sign", vault, "--key", folder.File("hospital.key")});
  std::map<std::string, std::string> owners;  // By department.
  const std::vector<std::string> tenants = {"heart.", "head.", "hand.", "rest."};
  auto next = files.begin();
  for (const std::string& prefix : tenants) {
    const std::string key = folder.File(prefix + "keys");
    Done({"keygen", "--tenant", "--out", key});
    Done({"tenant", "add", vault, "--prefix", prefix, "--tenant", key + ".pub", "--content-key", key + ".content",
          "--device", folder.File("ward.pub")});
    std::vector<std::string> add = {"add", vault, "--tenant", key + ".key", "--content-key", key + ".content"};
    for (int i = 0; i < 25; ++i, ++next) {
      add.push_back("--variant");
      add.push_back(absl::StrCat(next->first, "=", next->second));
      owners[next->first] = prefix;
    }
    Done(add);
  }
  Done({"sign", vault, "--key", folder.File("hospital.key")});
  PrintParts(vault);
  const uint64_t size = fs::file_size(vault);
  printf("%-12s %8d\n", "file", static_cast<int>(size));
  EXPECT_LE(size, kFlash);

  const std::string bytes = ReadFile(vault);
  for (const auto& [department, prefix] : owners) {
    SCOPED_TRACE(department);
    EXPECT_FALSE(absl::StrContains(bytes, department));
    const std::string key = folder.File(prefix + "keys.content");
    Done({"restore", vault, prefix + department, "-o", folder.File("restored"), "--key", key, "--key",
          folder.File("hospital.pub")});
    EXPECT_TRUE(ReadFile(folder.File("restored")) == ReadFile(files[department]));
  }
  EXPECT_THAT(Done({"verify", vault, "--key", folder.File("hospital.pub")}).out,
              testing::HasSubstr("1 model restored, all digests verified; 100 sealed for others"));
  EXPECT_THAT(Done({"verify", vault, "--key", folder.File("hospital.pub"), "--key", folder.File("ward.key")}).out,
              testing::HasSubstr("101 models restored"));
}

}  // namespace
}  // namespace modelvault
