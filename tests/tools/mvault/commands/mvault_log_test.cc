// log: what was done to a signed vault, by whom.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "nlohmann/json.hpp"
#include "tests/tools/mvault/commands/signed_files.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class MvaultLogTest : public testing::Test {
 protected:
  MvaultLogTest() { ::setenv("SOURCE_DATE_EPOCH", "1700000000", 1); }
  ~MvaultLogTest() override { ::unsetenv("SOURCE_DATE_EPOCH"); }

  ProgramRun Log(const Arguments& options) const { return Mvault(Arguments{"log", files_.vault()} + options); }
  void Run(const Arguments& arguments) const {
    const ProgramRun run = Mvault(arguments);
    ASSERT_EQ(run.exit_code, 0) << run;
  }

  const SignedFiles files_;
};

TEST_F(MvaultLogTest, TellsNothingOfAVaultThatWasNeverSigned) {
  const ProgramRun run = Log({});
  EXPECT_EQ(run.exit_code, 7) << run;
  EXPECT_THAT(run.err, HasSubstr("has no log: it begins with 'mvault sign'"));
}

TEST_F(MvaultLogTest, TellsWhatWasDoneByWhom) {
  ASSERT_EQ(files_.Sign(files_.Secrets({"ann"})).exit_code, 0);
  const Json before = Log({"--json"}).Json();
  const std::string first = before["entries"][0]["actions"][0]["action"];
  EXPECT_EQ(first, "begun");
  const Json names = Mvault({"ls", files_.vault(), "--json"}).Json()["variants"];
  const std::string gone = names[0]["name"];
  Run(Arguments{"rm", files_.vault(), gone} + files_.Secrets({"ann"}));
  Run({"compact", files_.vault()});

  const ProgramRun text = Log({});
  EXPECT_EQ(text.exit_code, 0) << text;
  EXPECT_THAT(text.out, AllOf(HasSubstr("begun with "), HasSubstr("removed " + gone), HasSubstr("compacted"),
                              HasSubstr("2023-11-14T22:13:20Z"), HasSubstr(files_.Id("ann"))));
  const Json log = Log({"--json"}).Json();
  ASSERT_EQ(log["entries"].size(), 3u);
  EXPECT_EQ(log["entries"][1]["actions"][0]["action"], "removed");
  EXPECT_EQ(log["entries"][1]["actions"][0]["name"], gone);
  for (const size_t i : {0u, 1u}) EXPECT_EQ(log["entries"][i]["signed_by"], Json::array({files_.Id("ann")})) << i;
  EXPECT_EQ(log["entries"][2]["signed_by"], Json::array());  // Not yet.

  // It goes on from what was known; of another vault it does not.
  const std::string known = before["digest"];
  const Json since = Log({"--json", "--since", known}).Json();
  EXPECT_EQ(since["entries"].size(), 2u);
  EXPECT_EQ(since["entries"][0]["number"], 2);
  EXPECT_EQ(since["digest"], log["digest"]);
  const ProgramRun other = Log({"--since", std::string(64, '0')});
  EXPECT_EQ(other.exit_code, 11) << other;
  EXPECT_THAT(other.err, HasSubstr("its log of 3 entries does not go on from 0000"));

  // With keys the vault has to be signed.
  EXPECT_EQ(Log(files_.Publics({"ann"})).exit_code, 11);
  ASSERT_EQ(files_.Sign(files_.Secrets({"ann"})).exit_code, 0);
  EXPECT_EQ(Log(files_.Publics({"ann"})).exit_code, 0);
  EXPECT_EQ(Log(files_.Publics({"bob"})).exit_code, 11);
}

}  // namespace
}  // namespace modelvault
