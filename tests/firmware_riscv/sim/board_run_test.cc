// `mvault board` with the real firmware in the real emulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

TEST(BoardRunTest, EveryModelComesBackAsOnTheHost) {
  const CliModels models;
  const std::string vault = models.Pack();
  const ProgramRun run = Mvault({"board", vault, "--all", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json.at("results").size(), models.files().size());
  for (const nlohmann::json& result : json.at("results")) {
    SCOPED_TRACE(result.at("name").get<std::string>());
    EXPECT_EQ(result.at("ok"), true);
    EXPECT_EQ(result.at("xxh64"), result.at("host_xxh64"));
    EXPECT_GT(result.at("one_pass_ms"), 0);
    EXPECT_GT(result.at("use_ms"), 0);
    EXPECT_GT(result.at("flash_reads"), 0);
    EXPECT_GT(result.at("stack_bytes"), 0);
  }
}

TEST(BoardRunTest, FunctionsAreNamed) {
  const CliModels models;
  const ProgramRun run = Mvault({"board", models.Pack(), "few", "--functions"});
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, testing::HasSubstr("SegmentDecoder::"));
}

TEST(BoardRunTest, EnergyAddsUp) {
  const CliModels models;
  const ProgramRun run = Mvault({"board", models.Pack(), "few", "--energy", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  double groups = 0;
  for (const nlohmann::json& group : json.at("energy").at("groups")) {
    const std::string name = group.at("group");
    if (name == "open" || name == "verify" || name == "use") groups += group.at("sum_uj").get<double>();
    EXPECT_GT(group.at("counts").at("flash_fetch_words"), 0);
    EXPECT_GT(group.at("counts").at("ram_data_words"), 0);
  }
  const nlohmann::json& boot = json.at("energy").at("works").at(0);
  EXPECT_NEAR(boot.at("sum_uj"), groups, 1e-6 * groups);
  EXPECT_EQ(boot.at("counts").at("flash_data_words"), json.at("flash_reads"));
  EXPECT_EQ(boot.at("counts").at("flash_data_bytes"), json.at("flash_read_bytes"));
}

TEST(BoardRunTest, ADamagedVariantIsNotVerified) {
  const CliModels models;
  const std::string vault = models.Pack();
  // Somewhere in the variants: in front of INDEX and MANIFEST, behind MODEL, CHUNKS and BASE.
  std::string bytes = models.folder().Read("all.mvlt");
  const nlohmann::json info = Mvault({"info", vault, "--json"}).Json();
  const nlohmann::json& sections = info.at("sections");
  const uint64_t behind = sections.at("index").get<uint64_t>() + sections.at("manifest").get<uint64_t>();
  char& damaged = bytes[bytes.size() - static_cast<size_t>(behind) - 300];
  damaged = static_cast<char>(~damaged);
  models.folder().Write("all.mvlt", bytes);
  const ProgramRun run = Mvault({"board", vault, "--all", "--json"});
  EXPECT_EQ(run.exit_code, 1) << run;
  const nlohmann::json json = run.Json();
  size_t failed = 0;
  for (const nlohmann::json& result : json.at("results")) {
    if (result.at("ok") == true) continue;
    ++failed;
    EXPECT_NE(result.at("status"), "ok");
    EXPECT_EQ(result.at("host_xxh64"), nullptr);
  }
  EXPECT_GE(failed, 1u);
  EXPECT_LT(failed, models.files().size());
}

}  // namespace
}  // namespace modelvault
