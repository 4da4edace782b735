// `mvault board --key` with the real firmware in the real emulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using testing::Contains;

class BoardTrustRunTest : public testing::Test {
 protected:
  BoardTrustRunTest() : vault_(models_.Pack()) {
    for (const char* name : {"ann", "eve"}) Run({"keygen", "--out", File(name)});
  }

  std::string File(const std::string& name) const { return models_.folder().File(name); }
  static void Run(const std::vector<std::string>& arguments) {
    const ProgramRun run = Mvault(arguments);
    EXPECT_EQ(run.exit_code, 0) << run;
  }
  // The board's word for the variant "few".
  std::string Status(std::vector<std::string> options, int exit_code = 1) const {
    options.insert(options.begin(), {"board", vault_, "few", "--uncounted", "--json"});
    const ProgramRun run = Mvault(options);
    EXPECT_EQ(run.exit_code, exit_code) << run;
    return run.Json().at("status").get<std::string>();
  }

  const CliModels models_;
  const std::string vault_;
};

TEST_F(BoardTrustRunTest, TheBoardJudges) {
  const std::string ann = File("ann.pub"), key = File("ann.key"), list = File("list");
  EXPECT_EQ(Status({"--key", ann}), "unsigned");
  Run({"sign", vault_, "--key", key});
  EXPECT_EQ(Status({}, 0), "ok");
  EXPECT_EQ(Status({"--key", ann}, 0), "ok");
  EXPECT_EQ(Status({"--key", File("eve.pub")}), "untrusted");
  EXPECT_EQ(Status({"--key", ann, "--min-version", "2"}), "rolled-back");
  Run({"revoke", vault_, "few", "--list", list, "--key", key});
  EXPECT_EQ(Status({"--key", ann, "--revocations", list}), "revoked");
  EXPECT_EQ(Mvault({"board", vault_, "few", "--min-version", "2"}).exit_code, 2);
}

TEST_F(BoardTrustRunTest, ProvingIsAPhase) {
  Run({"sign", vault_, "--key", File("ann.key")});
  const ProgramRun run = Mvault({"board", vault_, "few", "--key", File("ann.pub"), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  std::vector<std::string> phases;
  for (const nlohmann::json& phase : json.at("phases")) phases.push_back(phase.at("phase"));
  EXPECT_THAT(phases, Contains("proof: vault"));
  EXPECT_THAT(phases, Contains("proof: variant"));
  EXPECT_GT(json.at("proof_stack_bytes"), 0);
}

TEST_F(BoardTrustRunTest, ASealedVariantIsMeasuredOnABoardOfItsGroup) {
  Run({"keygen", "--out", File("ward"), "--device"});
  Run({"keygen", "--out", File("acme"), "--tenant"});
  Run({"sign", vault_, "--key", File("ann.key")});
  Run({"tenant", "add", vault_, "--prefix", "acme.", "--tenant", File("acme.pub"), "--content-key",
       File("acme.content"), "--device", File("ward.pub")});
  Run({"restore", vault_, "few", "-o", File("sealed.safetensors")});
  Run({"add", vault_, "--variant", "acme.few=" + File("sealed.safetensors"), "--tenant", File("acme.key"),
       "--content-key", File("acme.content")});
  Run({"sign", vault_, "--key", File("ann.key")});
  const std::vector<std::string> command = {"board", vault_,           "acme.few", "--key",      File("ann.pub"),
                                            "--key", File("ward.key"), "--json",   "--uncounted"};
  const ProgramRun run = Mvault(command);
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_EQ(run.Json().at("matches_host"), true);
}

// The golden vault with tenants, and the keys beside it.
TEST_F(BoardTrustRunTest, TheGoldenVaultsTenantsAreRestoredOnBoardsOfTheirGroups) {
  const std::string golden = MODELVAULT_GOLDEN;
  for (const char* key : {"ward.key", "clinic.key"}) {
    std::filesystem::copy(golden + "/keys-1.4/" + key, File(key));
    std::filesystem::permissions(File(key), std::filesystem::perms(0600));
  }
  const auto board = [&](const char* name, const char* key, std::vector<std::string> options) {
    options.insert(options.begin(), {"board", golden + "/v1.4-tenants.mvlt", name, "--uncounted", "--json", "--key",
                                     golden + "/keys-1.4/root.pub", "--key", File(key)});
    return Mvault(options);
  };
  for (const auto& [name, key] : {std::pair("acme.heart", "ward.key"), std::pair("beta.liver", "clinic.key")}) {
    const ProgramRun run = board(name, key, {});
    ASSERT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(run.Json().at("matches_host"), true);
  }
  const ProgramRun revoked = board("beta.liver", "clinic.key", {"--revocations", golden + "/v1.4-tenants.revocations"});
  EXPECT_EQ(revoked.exit_code, 1);
  EXPECT_EQ(revoked.Json().at("status"), "revoked");
}

}  // namespace
}  // namespace modelvault
