// `mvault chat`: the emulated board with a variant selected, and its console on the program's own input and output.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/tools/eval/tiny_models.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/tools/packing/talking_vaults.h"

namespace modelvault {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class BoardChatTest : public testing::Test {
 protected:
  EvalFiles files_;
  std::string vault_ = PackLanguage(files_);
};

TEST_F(BoardChatTest, TheVariantIsBootedAndAnswers) {
  const nlohmann::json host = Mvault({"run", vault_, "alpha", "--prompt", "abc", "--tokens", "9", "--json"}).Json();
  // The last line has no end, and nobody says exit.
  const ProgramRun run = Mvault({"chat", vault_, "alpha"}, "set tokens 9\nask abc");
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out,
              StartsWith("vault: a base and 3 variants\nboot: restoring alpha\nboot status=ok source=selected "));
  EXPECT_THAT(run.out, HasSubstr(absl::StrCat("> ask abc\n", host["text"].get<std::string>(), "\n")));
  EXPECT_THAT(run.out, testing::EndsWith("> exit\n"));
  EXPECT_EQ(run.err, "");
}

TEST_F(BoardChatTest, WhatTheBoardWritesIsGoneAfterwards) {
  const std::string before = files_.folder().Read("talks.mvlt");
  EXPECT_THAT(Mvault({"chat", vault_, "alpha"}, "select beta\nboot\nexit\n").out, HasSubstr("source=trial"));
  EXPECT_THAT(Mvault({"chat", vault_, "alpha"}).out, HasSubstr("source=selected"));
  EXPECT_THAT(Mvault({"chat", vault_, "base"}).out, HasSubstr("source=selected"));
  EXPECT_EQ(files_.folder().Read("talks.mvlt"), before);
}

TEST_F(BoardChatTest, WhatCannotBeAskedIsRefused) {
  const auto expect_error = [&](const std::vector<std::string>& arguments, int exit_code, const std::string& message) {
    const ProgramRun run = Mvault(arguments);
    EXPECT_EQ(run.exit_code, exit_code) << run;
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, HasSubstr(message));
  };
  expect_error({"chat", vault_}, 2, "NAME is required");
  expect_error({"chat", vault_, "nobody"}, 7, "no variant 'nobody'");
  expect_error({"chat", files_.File("none.mvlt"), "base"}, 7, "none.mvlt");
  expect_error({"chat", vault_, "alpha", "--emulator", "/nowhere/qemu"}, 7, "there is no emulator /nowhere/qemu");
  const std::string silent = files_.File("silent.mvlt");
  ASSERT_EQ(Mvault({"pack", "--base", files_.File("int8/base.safetensors"), "--variants", files_.File("int8/variants"),
                    "-o", silent})
                .exit_code,
            0);
  expect_error({"chat", silent, "base"}, 7,
               "the vault does not say what its models compute: pack or fit it with --model");
}

}  // namespace
}  // namespace modelvault
