// The cycle plugin in emulators with each version of the interface for plugins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <string>

#include "nlohmann/json.hpp"
#include "tests/temp_folder.h"

namespace modelvault {
namespace {

using testing::HasSubstr;

class PluginVersionsTest : public testing::Test {
 protected:
  // The exit code of the fake emulator of this name; `said_` has its errors.
  int Run(const std::string& emulator) {
    const std::string command = std::string(MODELVAULT_FAKE_EMULATORS) + emulator + " " + MODELVAULT_CYCLE_PLUGIN +
                                " out=" + folder_.File("counts") + " wait=12 2>" + folder_.File("said");
    const int status = system(command.c_str());
    said_ = folder_.Read("said");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  TempFolder folder_;
  std::string said_;
};

TEST_F(PluginVersionsTest, CountsAreTheSameInEveryVersion) {
  for (const char* version : {"1", "2", "3", "4", "5"}) {
    SCOPED_TRACE(version);
    ASSERT_EQ(Run(std::string("fake_emulator_") + version), 0) << said_;
    EXPECT_EQ(said_, "");
    const nlohmann::json phase = nlohmann::json::parse(folder_.Read("counts")).at("phases").at(0);
    EXPECT_EQ(phase.at("instructions"), 3);
    EXPECT_EQ(phase.at("executing"), 4) << "the sum waits for the load";
    EXPECT_EQ(phase.at("multiplications"), 1);
    EXPECT_EQ(phase.at("flash_reads"), 1);
    EXPECT_EQ(phase.at("cycles"), 16);
  }
}

TEST_F(PluginVersionsTest, AVersionThatIsNotKnownIsSaid) {
  EXPECT_EQ(Run("fake_emulator_6"), 4);
  EXPECT_THAT(said_, HasSubstr("interface for plugins has version 6; this plugin knows 1 to 5, so there are no cycle"));
  EXPECT_EQ(folder_.ReadIfThere("counts"), "");
}

TEST_F(PluginVersionsTest, AFunctionThatIsMissingIsNamed) {
  EXPECT_EQ(Run("fake_emulator_lacking"), 4);
  EXPECT_EQ(said_, "modelvault_cycles: no cycle counts: this emulator lacks the function: qemu_plugin_mem_is_store\n");
}

}  // namespace
}  // namespace modelvault
