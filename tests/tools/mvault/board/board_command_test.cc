// `mvault board` with boards that are faked, also badly. The real one: tests/firmware_riscv/sim/board_run_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "tests/tools/mvault/board/fake_board.h"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::map<std::string, std::string> HashesOf(const std::string& vault) {
  const nlohmann::json list = Mvault({"ls", vault, "--json"}).Json();
  std::map<std::string, std::string> hashes = {{"base", list.at("base").at("xxh64").get<std::string>()}};
  for (const nlohmann::json& v : list.at("variants")) {
    hashes[v.at("name").get<std::string>()] = v.at("xxh64").get<std::string>();
  }
  return hashes;
}

class BoardCommandTest : public testing::Test {
 protected:
  BoardCommandTest() : vault_(models_.Pack()), hashes_(HashesOf(vault_)), board_(hashes_) {}

  ProgramRun Run(std::vector<std::string> arguments, bool with_plugin = true) const {
    arguments.insert(arguments.begin(), {"board", vault_});
    for (const std::string& option : board_.Options(with_plugin)) arguments.push_back(option);
    return Mvault(arguments);
  }

  const CliModels models_;
  const std::string vault_;
  const std::map<std::string, std::string> hashes_;
  const FakeBoard board_;
};

TEST_F(BoardCommandTest, TellsWhatTheBoardMeasured) {
  const ProgramRun run = Run({"few", "--mhz", "10", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json.at("name"), "few");
  EXPECT_EQ(json.at("ok"), true);
  EXPECT_EQ(json.at("status"), "ok");
  EXPECT_EQ(json.at("xxh64"), hashes_.at("few"));
  EXPECT_EQ(json.at("host_xxh64"), hashes_.at("few"));
  EXPECT_EQ(json.at("matches_host"), true);
  EXPECT_EQ(json.at("data_bytes"), 1234);
  EXPECT_EQ(json.at("instructions"), 900 + 2 * (15000 + 3500 + 50) + 100);
  EXPECT_EQ(json.at("cycles"), 60000);
  EXPECT_EQ(json.at("flash_reads"), 820);
  EXPECT_EQ(json.at("flash_read_bytes"), 3280);
  EXPECT_DOUBLE_EQ(json.at("total_ms"), 6.0);
  EXPECT_DOUBLE_EQ(json.at("one_pass_ms"), 3.07);
  EXPECT_EQ(json.at("window_bytes"), 4096);
  EXPECT_EQ(json.at("ram_bytes"), 26700);
  EXPECT_EQ(json.at("phases").size(), 8u);
  EXPECT_EQ(json.at("error"), nullptr);
}

TEST_F(BoardCommandTest, TextNamesTheFigures) {
  const ProgramRun run = Run({"few", "--mhz", "10", "--functions"});
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, AllOf(HasSubstr("3.07 ms: open 0.15, verify 2.92"), HasSubstr("6.00 ms: open 0.15"),
                             HasSubstr("modelled"), HasSubstr("26,700 bytes"), HasSubstr("  Slow "),
                             HasSubstr("verify: hash"), HasSubstr(hashes_.at("few"))));
  EXPECT_EQ(run.err, "");
}

// Some programs raise the soft limit of open files to the hard one; a child that closes them all then takes minutes.
TEST_F(BoardCommandTest, TheEmulatorHasTheLimitsOfTheShellAndNoFilesOfOurs) {
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const struct rlimit narrow = {std::min<rlim_t>(old.rlim_max, 203), old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &narrow), 0);
  FakeBoard board(hashes_);
  const TempFolder seen;
  const std::string fine =
      "echo \"measure status=ok bytes=1 xxh64=$hash expected=$hash tile=4096 static_ram=1 "
      "ram_code=1 stack=1 name=$name\"\nexit 0\n";
  board.SetBehaviour("ulimit -Sn > " + seen.File("limit") + "\nls -l /proc/$$/fd > " + seen.File("files") + "\n" +
                     fine);
  std::vector<std::string> arguments = {"board", vault_, "--all", "--jobs", "3"};
  for (const std::string& option : board.Options()) arguments.push_back(option);
  const ProgramRun run = Mvault(arguments);
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_EQ(seen.Read("limit"), std::to_string(narrow.rlim_cur) + "\n");
  const std::string files = seen.Read("files");
  EXPECT_THAT(files, HasSubstr("/dev/null"));
  for (const char* ours : {"all.mvlt", "vault.img", "code.img"})
    EXPECT_EQ(files.find(ours), std::string::npos) << files;
}

// The sum of what the fake counts say for a boot, by the table; in uJ at 10 MHz. Seven phases: opening, three a pass.
TEST_F(BoardCommandTest, EnergyIsCountsTimesATable) {
  constexpr char kTable[] =
      "flash_byte 1000 pJ t\nflash_wake 1 pJ t\nram_word 1000 pJ t\ninstruction 100 pJ t\nmultiplication 10 pJ t\n"
      "division 20 pJ t\nwaiting_cycle 10 pJ t\nmcu_active 1000 uW t\nmcu_asleep 1 uW t\nram_kib_kept 0 uW t\n"
      "flash_standby 0 uW t\nflash_power_down 0 uW t\n";
  const std::string table = models_.folder().Write("energy.txt", kTable);
  const ProgramRun run = Run({"few", "--mhz", "10", "--json", "--energy", "--energy-table", table});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json.at("energy_options").at("table"), table);
  EXPECT_EQ(json.at("energy_options").at("period_s"), 60);
  EXPECT_EQ(json.at("energy_options").at("rows").size(), 12u);
  const nlohmann::json& boot = json.at("energy").at("works").at(0);
  EXPECT_EQ(boot.at("work"), "boot");
  EXPECT_DOUBLE_EQ(boot.at("ms"), 6.0);
  EXPECT_NEAR(boot.at("flash_uj"), 820 * 4 * 1e-3, 1e-9);
  EXPECT_NEAR(boot.at("ram_uj"), 7 * 1150 * 1e-3, 1e-9);
  EXPECT_NEAR(boot.at("multiply_uj"), 7 * (11 * 100 + 10 * 10 + 20) * 1e-6, 1e-9);
  EXPECT_NEAR(boot.at("instructions_uj"), (38100 - 77) * 1e-4, 1e-9);
  EXPECT_NEAR(boot.at("waiting_uj"), (60000 - 38100) * 1e-5, 1e-9);
  EXPECT_NEAR(boot.at("static_uj"), 6.0, 1e-9);
  EXPECT_EQ(boot.at("counts").at("branches"), 140);
  EXPECT_EQ(boot.at("counts").at("other_instructions"), 38100 - 7 * 31);
  EXPECT_EQ(boot.at("clocks").size(), 4u);
  EXPECT_EQ(json.at("energy").at("groups").size(), 4u);                               // Start-up, too.
  EXPECT_TRUE(json.at("energy").at("weights_kept").at("longest_pause_s").is_null());  // Keeping costs nothing here.
}

TEST_F(BoardCommandTest, EnergyIsToldInText) {
  const ProgramRun one = Run({"few", "--energy", "--energy-period", "0.5"});
  ASSERT_EQ(one.exit_code, 0) << one;
  EXPECT_THAT(one.out, AllOf(HasSubstr("energy, modelled with the built-in table"), HasSubstr("\na boot "),
                             HasSubstr("a boot every 0.5 s"), HasSubstr("at 15 MHz"), HasSubstr("keeping pays")));
  const ProgramRun all = Run({"--all", "--energy"});
  ASSERT_EQ(all.exit_code, 0) << all;
  EXPECT_THAT(all.out, HasSubstr("energy, modelled: a boot takes "));
  EXPECT_THAT(Run({"few"}).out, testing::Not(HasSubstr("energy")));
}

TEST_F(BoardCommandTest, EnergyOfAPhaseThatComesOftenIsToldForOneTime) {
  board_.folder().Write("counts", absl::StrReplaceAll(kFakeCounts, {{"\"phase\": 8", "\"phase\": 31"},
                                                                    {"\"begun\": 1", "\"begun\": 4"}}));
  const ProgramRun run = Run({"few", "--energy", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json works = run.Json().at("energy").at("works");
  ASSERT_EQ(works.size(), 2u);
  EXPECT_EQ(works.at(1).at("work"), "phase 31");
  EXPECT_EQ(works.at(1).at("counts").at("branches"), 5);
  const ProgramRun text = Run({"few", "--energy"});
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("\na phase 31 "), HasSubstr("a phase 31 every 60 s"), HasSubstr("data of a phase 31")));
}

TEST_F(BoardCommandTest, EnergyOfAllIsSummedUp) {
  const ProgramRun run = Run({"--all", "--energy", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  const nlohmann::json& boot = json.at("results").at(1).at("energy").at("works").at(0);
  EXPECT_EQ(json.at("summary").at("median_boot_uj"), boot.at("sum_uj"));  // All are the same.
  EXPECT_EQ(json.at("summary").at("worst_boot_uj"), boot.at("sum_uj"));
  EXPECT_NE(json.at("summary").at("worst_boot_name"), "base");
  EXPECT_TRUE(json.at("energy_options").at("table").is_null());
}

TEST_F(BoardCommandTest, ABadTableOfEnergiesIsToldBeforeAnythingRuns) {
  const std::string table = models_.folder().Write("energy.txt", "flash_byte 1 pJ x\nflash_bite 1 pJ x\n");
  board_.SetBehaviour("exit 9");
  const ProgramRun run = Run({"few", "--energy", "--energy-table", table});
  EXPECT_EQ(run.exit_code, 3) << run;
  EXPECT_THAT(run.err, HasSubstr(table + ": line 2: 'flash_bite': unknown key"));
  EXPECT_EQ(Run({"few", "--energy", "--energy-table", table + ".none"}).exit_code, 7);
  const ProgramRun without = Run({"few", "--energy-table", table});
  EXPECT_EQ(without.exit_code, 2) << without;
  EXPECT_THAT(without.err, HasSubstr("--energy-table goes with --energy"));
  EXPECT_EQ(Run({"few", "--energy", "--energy-period", "0"}).exit_code, 2);
}

TEST_F(BoardCommandTest, BaseIsAModelLikeAnother) {
  for (const char* base : {"--base", "base"}) {
    const ProgramRun run = Run({base, "--json"});
    ASSERT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(run.Json().at("name"), "base");
    EXPECT_EQ(run.Json().at("xxh64"), hashes_.at("base"));
  }
}

TEST_F(BoardCommandTest, AllMeasuresEveryModel) {
  const ProgramRun run = Run({"--all", "--json", "--jobs", "2"});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json json = run.Json();
  ASSERT_EQ(json.at("results").size(), hashes_.size());
  EXPECT_EQ(json.at("results").at(0).at("name"), "base");
  for (const nlohmann::json& result : json.at("results")) {
    EXPECT_EQ(result.at("ok"), true) << result;
    EXPECT_EQ(result.at("xxh64"), hashes_.at(result.at("name").get<std::string>()));
  }
  EXPECT_EQ(json.at("summary").at("models"), hashes_.size() - 1);
  const ProgramRun text = Run({"--all"});
  EXPECT_EQ(text.exit_code, 0) << text;
  EXPECT_THAT(text.out, AllOf(HasSubstr("median"), HasSubstr("worst"), HasSubstr("7 of 7 models verified")));
}

TEST_F(BoardCommandTest, ABoardThatDoesNotVerifyIsAFailure) {
  board_.SetBehaviour(R"(
echo "measure status=digest-mismatch bytes=5 xxh64=0000000000000000 expected=$hash tile=4096 static_ram=1 ram_code=1 stack=1 name=$name"
exit 1
)");
  const ProgramRun run = Run({"few", "--json"});
  EXPECT_EQ(run.exit_code, 1) << run;
  EXPECT_THAT(run.err, AllOf(StartsWith("mvault: error: "), HasSubstr("'few'"), HasSubstr("digest-mismatch")));
  EXPECT_EQ(run.Json().at("ok"), false);
  EXPECT_EQ(run.Json().at("matches_host"), false);
  EXPECT_THAT(run.Json().at("error").get<std::string>(), HasSubstr("digest-mismatch"));
}

TEST_F(BoardCommandTest, OneBadModelDoesNotStopTheOthers) {
  board_.SetBehaviour(R"(
[ "$name" != many ] || hash=0123456789abcdef
echo "measure status=ok bytes=5 xxh64=$hash expected=$hash tile=4096 static_ram=1 ram_code=1 stack=1 name=$name"
exit 0
)");
  const ProgramRun run = Run({"--all", "--json"});
  EXPECT_EQ(run.exit_code, 1) << run;
  EXPECT_THAT(run.err, AllOf(HasSubstr("'many'"), HasSubstr("the board restored 0123456789abcdef, the host")));
  const nlohmann::json json = run.Json();
  size_t failed = 0;
  for (const nlohmann::json& result : json.at("results")) failed += result.at("ok") == true ? 0 : 1;
  EXPECT_EQ(failed, 1u);
  EXPECT_EQ(json.at("results").size(), hashes_.size());
}

TEST_F(BoardCommandTest, AGoodWordIsNotBelievedAlone) {
  // A bad exit code, another model, a hash that is not the stored one.
  for (
      const char* behaviour :
      {R"(echo "measure status=ok bytes=5 xxh64=$hash expected=$hash tile=1 static_ram=1 ram_code=1 stack=1 name=$name"; exit 1)",
       R"(echo "measure status=ok bytes=5 xxh64=$hash expected=$hash tile=1 static_ram=1 ram_code=1 stack=1 name=other"; exit 0)",
       R"(echo "measure status=ok bytes=5 xxh64=$hash expected=0 tile=1 static_ram=1 ram_code=1 stack=1 name=$name"; exit 0)"}) {
    board_.SetBehaviour(behaviour);
    EXPECT_EQ(Run({"few"}).exit_code, 1) << behaviour;
  }
}

TEST_F(BoardCommandTest, AProgramThatTrapsIsReportedWithItsLastWords) {
  board_.SetBehaviour("echo; echo 'trap cause=5'; echo; exit 2");
  const ProgramRun run = Run({"few"});
  EXPECT_EQ(run.exit_code, 70);
  EXPECT_THAT(run.err, AllOf(HasSubstr("no result"), HasSubstr("code 2"), HasSubstr("trap cause=5")));
}

TEST_F(BoardCommandTest, AnEmulatorThatFailsIsReportedWithItsError) {
  board_.SetBehaviour("echo 'cannot load plugin' >&2; exit 1");
  const ProgramRun run = Run({"few"});
  EXPECT_EQ(run.exit_code, 70);
  EXPECT_THAT(run.err, HasSubstr("cannot load plugin"));
}

TEST_F(BoardCommandTest, CountsThatAreNoneAreReported) {
  board_.SetBehaviour(R"(
echo broken >"$out"
echo "measure status=ok bytes=5 xxh64=$hash expected=$hash tile=1 static_ram=1 ram_code=1 stack=1 name=$name"
exit 0
)");
  const ProgramRun run = Run({"few"});
  EXPECT_EQ(run.exit_code, 70);
  EXPECT_THAT(run.err, HasSubstr("cycle plugin's report"));
}

TEST_F(BoardCommandTest, AnEmulatorTooNewForThePluginStillProvesTheHashes) {
  board_.SetVersion("QEMU emulator version 11.0.2 (Debian 1:11.0.2+ds-2)\nCopyright (c) 2003-2025\n");
  board_.SetBehaviour(R"(
[ -z "$out" ] || { echo "it got a plugin" >&2; exit 7; }
echo "measure status=ok bytes=1234 xxh64=$hash expected=$hash tile=4096 static_ram=20000 ram_code=6000 stack=700 name=$name"
)");
  const ProgramRun run = Run({"few", "--json"}, /*with_plugin=*/false);
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.err, AllOf(StartsWith("mvault: note: the cycle plugin is for QEMU up to 10.x; "),
                             HasSubstr(" is 11.0.2: cycles are not counted\n")));
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json.at("ok"), true);
  EXPECT_EQ(json.at("matches_host"), true);
  EXPECT_EQ(json.at("ram_bytes"), 26700);
  EXPECT_THAT(json.at("uncounted").get<std::string>(), StartsWith("the cycle plugin is for QEMU up to 10.x"));
  for (const char* key : {"total_ms", "one_pass_ms", "cycles", "instructions", "flash_reads"}) {
    EXPECT_TRUE(json.at(key).is_null()) << key;
  }
  EXPECT_TRUE(json.at("phases").empty());
  EXPECT_TRUE(Run({"few", "--json", "--energy"}, /*with_plugin=*/false).Json().at("energy").is_null());

  const ProgramRun text = Run({"few"}, /*with_plugin=*/false);
  EXPECT_EQ(text.exit_code, 0) << text;
  EXPECT_THAT(text.out, AllOf(HasSubstr("verified in both passes"), HasSubstr("not counted: the cycle plugin")));
  EXPECT_THAT(text.out, testing::Not(HasSubstr(" ms")));
  const ProgramRun all = Run({"--all"}, /*with_plugin=*/false);
  EXPECT_EQ(all.exit_code, 0) << all;
  EXPECT_THAT(all.out, HasSubstr("cycles were not counted\n"));
  const ProgramRun all_json = Run({"--all", "--json"}, /*with_plugin=*/false);
  EXPECT_TRUE(all_json.Json().at("summary").at("worst_name").is_null());
  const ProgramRun energy = Run({"--all", "--energy"}, /*with_plugin=*/false);
  EXPECT_THAT(energy.out, HasSubstr("energy is not told without counts\n"));
  const ProgramRun energy_json = Run({"--all", "--json", "--energy"}, /*with_plugin=*/false);
  EXPECT_TRUE(energy_json.Json().at("summary").at("median_boot_uj").is_null());
}

TEST_F(BoardCommandTest, WhichEmulatorThePluginIsForIsSaidBeforeAnythingIsBuilt) {
  board_.SetVersion("QEMU emulator version 11.0.0\n");
  const ProgramRun run = Run({"few", "--partition", "1"}, /*with_plugin=*/false);
  EXPECT_EQ(run.exit_code, 4) << run;
  EXPECT_THAT(run.err, StartsWith("mvault: note: the cycle plugin is for QEMU up to 10.x; "));
}

TEST_F(BoardCommandTest, AnEmulatorThatRefusesThePluginStillProvesTheHashes) {
  board_.SetBehaviour(R"(
if [ -n "$out" ]; then rm "$out"; echo "plugin requires API version 1, but this is 2" >&2; exit 1; fi
echo "measure status=ok bytes=1234 xxh64=$hash expected=$hash tile=4096 static_ram=20000 ram_code=6000 stack=700 name=$name"
)");
  const ProgramRun run = Run({"few", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.Json().at("uncounted").get<std::string>(),
              HasSubstr("does not load the cycle plugin: plugin requires API version 1, but this is 2"));
  EXPECT_TRUE(run.Json().at("total_ms").is_null());
}

TEST_F(BoardCommandTest, AnEmulatorOfThePluginsTimeIsGivenIt) {
  for (const char* version : {"QEMU emulator version 10.2.1\n", "QEMU emulator version 7.2.22 (Debian)\n", "none\n"}) {
    board_.SetVersion(version);
    // The plugin that was built, if it was.
    EXPECT_THAT(Run({"few"}, /*with_plugin=*/false).err, testing::Not(HasSubstr("the cycle plugin is for")));
  }
  board_.SetVersion("QEMU emulator version 11.0.2\n");
  const ProgramRun own = Run({"few", "--json"});  // Whoever names a plugin gets it.
  ASSERT_EQ(own.exit_code, 0) << own;
  EXPECT_TRUE(own.Json().at("uncounted").is_null());
  EXPECT_EQ(own.Json().at("cycles"), 60000);
}

TEST_F(BoardCommandTest, TheBoardGetsTheVaultTheStrapAndTheWaitStates) {
  board_.SetBehaviour(R"(
for argument; do
  case "$argument" in
    *unit=1,*) image=${argument##*file=}; cp --sparse=always "${image%%,*}" "$here/vault.img" ;;
    *wait=24*) echo "wait states as asked" ;;
  esac
done
dd if="$code" bs=1 skip=262144 count=256 2>/dev/null >"$here/strap"
dd if="$code" bs=1 count=8 2>/dev/null >"$here/code"
stat -c %s "$code" >"$here/code_size"
echo "last words"
exit 3
)");
  const ProgramRun run = Run({"few", "--mhz", "240", "--tile", "512"});
  EXPECT_EQ(run.exit_code, 70);
  EXPECT_EQ(board_.folder().Read("strap"), std::string("MVST\2\0\0\0\0\2\0\0\0\0\0\0few", 19) + std::string(237, '\0'));
  EXPECT_EQ(board_.folder().Read("code"), "firmware");
  EXPECT_EQ(board_.folder().Read("code_size"), "33554432\n");
  const std::string vault = models_.folder().Read("all.mvlt"), image = board_.folder().Read("vault.img");
  ASSERT_EQ(image.size(), 32u << 20);
  EXPECT_TRUE(image.substr(0, vault.size()) == vault);
  EXPECT_EQ(image.find_first_not_of('\0', vault.size()), std::string::npos);
}

TEST_F(BoardCommandTest, NothingIsLeftBehind) {
  const TempFolder temp;
  std::string command = "TMPDIR='" + temp.path() + "' '" MODELVAULT_PROGRAM "' board '" + vault_ + "' --all >/dev/null";
  for (const std::string& option : board_.Options()) command += " '" + option + "'";
  EXPECT_EQ(system(command.c_str()), 0);
  EXPECT_TRUE(temp.Names().empty());
}

TEST_F(BoardCommandTest, AVaultMustFitThePartition) {
  const ProgramRun run = Run({"few", "--partition", "4KiB"});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.err, AllOf(HasSubstr("all.mvlt"), HasSubstr("4,096"), HasSubstr("--partition")));
}

TEST_F(BoardCommandTest, MissingPiecesAreNamed) {
  ProgramRun run = Mvault({"board", vault_, "few", "--emulator", "no-such-emulator"});
  EXPECT_EQ(run.exit_code, 7);
  EXPECT_THAT(run.err, AllOf(HasSubstr("no-such-emulator"), HasSubstr("qemu-system-misc"), HasSubstr("--emulator")));
  run = Mvault({"board", vault_, "few", "--emulator", models_.File("nothing")});
  EXPECT_EQ(run.exit_code, 7);
  EXPECT_THAT(run.err, HasSubstr(models_.File("nothing")));
  std::filesystem::remove(board_.folder().File("modelvault_board.bin"));
  run = Run({"few"});
  EXPECT_EQ(run.exit_code, 7);
  EXPECT_THAT(run.err, AllOf(HasSubstr("modelvault_board.bin"), HasSubstr("--firmware")));
  board_.folder().Write("modelvault_board.bin", "firmware");
  std::filesystem::remove(board_.folder().File("modelvault_cycles.so"));
  run = Run({"few"});
  EXPECT_EQ(run.exit_code, 7);
  EXPECT_THAT(run.err, AllOf(HasSubstr("modelvault_cycles.so"), HasSubstr("--plugin")));
}

TEST_F(BoardCommandTest, FirmwareThatReachesTheStrapIsRefused) {
  for (const size_t size : {size_t{0}, size_t{0x40001}}) {
    board_.folder().Write("modelvault_board.bin", std::string(size, 'x'));
    const ProgramRun run = Run({"few"});
    EXPECT_EQ(run.exit_code, 3);
    EXPECT_THAT(run.err, HasSubstr("modelvault_board.bin"));
  }
}

TEST_F(BoardCommandTest, CommandLinesThatMakeNoSense) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"few", "--base"},
                                             {"few", "--all"},
                                             {"--base", "--all"},
                                             {"few", "--tile", "255"},
                                             {"few", "--tile", "1MiB"},
                                             {"few", "--partition", "33MiB"},
                                             {"few", "--partition", "0"},
                                             {"few", "--mhz", "0"},
                                             {"few", "--flash-mbps", "0"},
                                             {"few", "--jobs", "-1"}}) {
    EXPECT_EQ(Run(arguments).exit_code, 2) << testing::PrintToString(arguments);
  }
  EXPECT_EQ(Run({"nobody"}).exit_code, 7);
}

}  // namespace
}  // namespace modelvault
