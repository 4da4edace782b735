// The program run_measured, as the scripts use it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/temp_folder.h"

namespace {

using modelvault::TempFolder;

// Exit status of run_measured on a shell command.
int RunMeasured(const std::string& report, const std::string& command) {
  const std::string line = std::string(RUN_MEASURED) + " '" + report + "' " + command + " 2>/dev/null";
  return WEXITSTATUS(std::system(line.c_str()));
}

TEST(RunMeasuredTest, ReportsWhatACommandTook) {
  const TempFolder folder;
  ASSERT_EQ(RunMeasured(folder.File("small"), "true"), 0);
  const nlohmann::json small = nlohmann::json::parse(folder.Read("small"));
  EXPECT_GE(small["wall_s"], 0.0);
  EXPECT_GE(small["user_s"], 0.0);
  EXPECT_GE(small["system_s"], 0.0);
  // A shell that holds 64 MB in a variable.
  ASSERT_EQ(RunMeasured(folder.File("large"), "sh -c 'x=$(head -c 64000000 /dev/zero | tr \"\\0\" x); true'"), 0);
  const nlohmann::json large = nlohmann::json::parse(folder.Read("large"));
  EXPECT_GT(large["peak_rss_bytes"], 64'000'000);
  EXPECT_LT(small["peak_rss_bytes"], 32'000'000);
}

TEST(RunMeasuredTest, ExitsAsTheCommandDid) {
  const TempFolder folder;
  EXPECT_EQ(RunMeasured(folder.File("report"), "sh -c 'exit 7'"), 7);
  EXPECT_FALSE(folder.Read("report").empty());
  EXPECT_EQ(RunMeasured(folder.File("report"), "sh -c 'kill -9 $$'"), 128 + 9);
  EXPECT_EQ(RunMeasured(folder.File("report"), folder.File("no-such-program")), 127);
}

TEST(RunMeasuredTest, AReportThatCannotBeWrittenIsAnError) {
  const TempFolder folder;
  EXPECT_EQ(RunMeasured(folder.File("no-such-folder/report"), "true"), 126);
}

}  // namespace
