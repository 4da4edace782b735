// `mvault board --update` with the real firmware in the real emulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/tools/mvault/commands/signed_files.h"

namespace modelvault {
namespace {

using testing::StartsWith;

class BoardUpdateRunTest : public testing::Test {
 protected:
  BoardUpdateRunTest() : new_(files_.File("new.mvlt")) {
    EXPECT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
    std::filesystem::copy_file(files_.vault(), new_);
    EXPECT_THAT(Mvault(Arguments{"rename", new_, "many", "more"} + files_.Secrets({"ann"})), Succeeds());
  }

  std::string Diff(const std::string& from, const std::string& to, const std::string& slots = "2") const {
    const std::string patch = files_.File("patch" + slots);
    EXPECT_THAT(Mvault({"flash-diff", from, to, "-o", patch, "--slots", slots}), Succeeds());
    return patch;
  }
  ProgramRun Board(const Arguments& options) const {
    return Mvault(Arguments{"board", files_.vault(), "few"} + options + files_.Publics({"ann"}));
  }

  const SignedFiles files_;
  const std::string new_;
};

TEST_F(BoardUpdateRunTest, ThePatchIsAppliedAlsoWhereThePowerIsCut) {
  const ProgramRun run = Board({"--update", Diff(files_.vault(), new_), "--cut-after", "200", "--json"});
  ASSERT_THAT(run, Succeeds());
  const nlohmann::json starts = run.Json().at("starts");
  ASSERT_EQ(starts.size(), 4u);
  EXPECT_EQ(starts[0]["version"], 1);
  EXPECT_EQ(starts[1]["cut"], true);
  EXPECT_EQ(starts[2]["update"]["status"], "ok");
  EXPECT_EQ(starts[3]["slot"], 1);
  EXPECT_EQ(starts[3]["slot_source"], "trial");
  EXPECT_EQ(starts[3]["version"], 2);
  EXPECT_EQ(starts[3]["boot"]["name"], "few");
}

TEST_F(BoardUpdateRunTest, WithOneSlotTheVaultIsWrittenOver) {
  const ProgramRun run = Board({"--slots", "1", "--update", Diff(files_.vault(), new_, "1")});
  ASSERT_THAT(run, Succeeds());
  EXPECT_THAT(run.out, testing::HasSubstr("1 of 1 sectors written, 0 kept, 0 done before\n"
                                          "start: slot 0, version 2: ok, few from selected\n"));
}

TEST_F(BoardUpdateRunTest, APatchMayComeOverTheSerialLine) {
  const ProgramRun run = Board({"--update-uart", Diff(files_.vault(), new_), "--cut-after", "600", "--json"});
  ASSERT_THAT(run, Succeeds());
  const nlohmann::json starts = run.Json().at("starts");
  ASSERT_EQ(starts.size(), 4u);
  EXPECT_EQ(starts[1]["cut"], true);
  EXPECT_GT(starts[1]["frames"], 0);
  EXPECT_EQ(starts[2]["update"]["status"], "ok");
  EXPECT_TRUE(starts[0]["frames"].is_null());
  EXPECT_EQ(starts[3]["slot"], 1);
  EXPECT_EQ(starts[3]["version"], 2);
}

TEST_F(BoardUpdateRunTest, APatchThatIsRefusedIsExitCodeOne) {
  const ProgramRun run = Board({"--update", Diff(new_, new_)});
  EXPECT_EQ(run.exit_code, 1) << run;
  EXPECT_THAT(run.out, testing::HasSubstr(": other-vault, "));
  EXPECT_THAT(run.out, StartsWith("start: slot 0, version 1: ok, few from selected\n"));
}

TEST_F(BoardUpdateRunTest, WhatDoesNotGoTogetherIsAMistake) {
  EXPECT_EQ(Board({"--cut-after", "1"}).exit_code, 2);
  EXPECT_EQ(Board({"--update", "p", "--energy"}).exit_code, 2);
  EXPECT_EQ(Board({"--update", "p", "--cut-after", "1", "--uncounted"}).exit_code, 2);
  EXPECT_EQ(Board({"--update", "p", "--slots", "3"}).exit_code, 2);
  EXPECT_EQ(Board({"--update", files_.File("none")}).exit_code, 7);
}

}  // namespace
}  // namespace modelvault
