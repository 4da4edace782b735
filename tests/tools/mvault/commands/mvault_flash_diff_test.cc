#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "firmware_riscv/update/patch_reader.h"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/commands/signed_files.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

// What a patch may take beside what a change brings: its header, and for each sector a checksum and a few pieces.
constexpr uint64_t kPatchHeader = 128;
constexpr uint64_t kPerSector = 16;

class FlashDiffTest : public testing::Test {
 protected:
  // Sizes of INDEX and MANIFEST, which a change writes anew, and of the header.
  uint64_t RewrittenBytes(const std::string& vault) const {
    const std::string bytes = models_.folder().Read(vault);
    const uint8_t* const sections = reinterpret_cast<const uint8_t*>(bytes.data()) + 72;
    return 256 + LoadLe64(sections + 24 * 3 + 8) + LoadLe64(sections + 24 * 4 + 8);
  }
  std::string File(const std::string& name) const { return models_.File(name); }

  CliModels models_;
};

TEST_F(FlashDiffTest, AnAddedVariantCostsAtMostItsBlobIndexManifestAndHeader) {
  const std::string old_vault = models_.Pack("old.mvlt");
  for (const std::string name : {"few", "many", "free"}) {
    SCOPED_TRACE(name);
    std::filesystem::copy_file(old_vault, File("new.mvlt"), std::filesystem::copy_options::overwrite_existing);
    const ProgramRun added =
        Mvault({"add", File("new.mvlt"), "--variant", absl::StrCat("again=", models_.variant(name)), "--json"});
    ASSERT_EQ(added.exit_code, 0) << added.err;
    const uint64_t blob = added.Json()["variants"][0]["stored_bytes"];
    const ProgramRun run = Mvault({"flash-diff", old_vault, File("new.mvlt"), "-o", File("p.mvpatch"), "--json"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const nlohmann::json json = run.Json();
    const uint64_t patch = json["patch_bytes"];
    EXPECT_EQ(patch, models_.folder().Read("p.mvpatch").size());
    EXPECT_LE(patch, blob + RewrittenBytes("new.mvlt") + kPatchHeader + kPerSector * json["sectors"].get<uint64_t>());
  }
}

// Boards that run the old one would refuse them.
TEST(FlashDiffSignedTest, OlderUnsignedAndForeignVaultsAreNoUpdates) {
  const SignedFiles files;
  const std::string unsigned_vault = files.File("unsigned.mvlt");
  std::filesystem::copy_file(files.vault(), unsigned_vault);
  const std::string other = files.File("other.mvlt");
  std::filesystem::copy_file(files.vault(), other);
  ASSERT_THAT(Mvault(Arguments{"sign", other} + files.Secrets({"ann"})), Succeeds());
  ASSERT_THAT(files.Sign(files.Secrets({"ann"})), Succeeds());
  const std::string second = files.File("second.mvlt");
  std::filesystem::copy_file(files.vault(), second);
  ASSERT_THAT(Mvault(Arguments{"rename", second, "few", "first"} + files.Secrets({"ann"})), Succeeds());
  const auto diff = [](const std::string& from, const std::string& to) {
    return Mvault({"flash-diff", from, to, "--json"});
  };
  EXPECT_THAT(diff(files.vault(), unsigned_vault), Fails(11, "it has no signature"));
  EXPECT_THAT(diff(files.vault(), other), Fails(11, "it has another id"));
  EXPECT_THAT(diff(second, files.vault()), Fails(11, "it has version 1, before 2"));
  const ProgramRun good = diff(files.vault(), second);
  ASSERT_THAT(good, Succeeds());
  EXPECT_EQ(good.Json()["version"], 2);
  EXPECT_TRUE(diff(unsigned_vault, unsigned_vault).Json()["version"].is_null());
  EXPECT_THAT(diff(unsigned_vault, second), Succeeds());
}

TEST_F(FlashDiffTest, WithoutAnOutputNothingIsWritten) {
  const std::string vault = models_.Pack();
  const auto names = models_.folder().Names();
  const ProgramRun run = Mvault({"flash-diff", vault, vault});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("patch: "));
  EXPECT_THAT(run.out, HasSubstr("modelled time: "));
  EXPECT_EQ(models_.folder().Names(), names);
}

TEST_F(FlashDiffTest, WhatTheSlotHoldsIsNotWritten) {
  const std::string vault = models_.Pack();
  const ProgramRun run = Mvault({"flash-diff", vault, vault, "--held", vault, "--sector", "256", "--json"});
  const nlohmann::json json = run.Json();
  EXPECT_EQ(json["written_sectors"], 0);
  EXPECT_EQ(json["sectors"], (std::filesystem::file_size(vault) + 255) / 256);
  EXPECT_EQ(Mvault({"flash-diff", vault, vault, "--sector", "256", "--json"}).Json()["written_sectors"],
            json["sectors"]);
}

TEST_F(FlashDiffTest, AnAddedVariantChangesFewSectorsOfTheOnlySlot) {
  const std::string old_vault = models_.Pack("old.mvlt");
  std::filesystem::copy_file(old_vault, File("new.mvlt"));
  const ProgramRun added =
      Mvault({"add", File("new.mvlt"), "--variant", absl::StrCat("again=", models_.variant("few")), "--json"});
  ASSERT_EQ(added.exit_code, 0) << added.err;
  const auto diff = [&](const std::string& slots) {
    const ProgramRun run = Mvault({"flash-diff", old_vault, File("new.mvlt"), "--sector", "256", "--slots", slots, "-o",
                                   File("p" + slots), "--json"});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return run.Json();
  };
  const nlohmann::json one = diff("1"), two = diff("2");
  EXPECT_EQ(one["slots"], 1);
  EXPECT_LT(one["written_sectors"], two["written_sectors"]);
  EXPECT_EQ(one["sectors"], two["sectors"]);
  EXPECT_GE(one["patch_bytes"], two["patch_bytes"]);
  EXPECT_EQ(models_.folder().Read("p1")[kPatchFlagsOffset], 1);
  EXPECT_EQ(models_.folder().Read("p2")[kPatchFlagsOffset], 0);
}

TEST_F(FlashDiffTest, WhatCannotBeIsRefused) {
  const std::string vault = models_.Pack();
  const auto run = [&](const std::vector<std::string>& options, const std::string& new_vault) {
    std::vector<std::string> arguments = {"flash-diff", vault, new_vault, "-o", File("p.mvpatch")};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return Mvault(arguments);
  };
  EXPECT_EQ(run({}, File("none.mvlt")).exit_code, 7);
  EXPECT_EQ(run({}, models_.base()).exit_code, 3);
  const ProgramRun small = run({"--slot-size", "1KiB"}, vault);
  EXPECT_EQ(small.exit_code, 4);
  EXPECT_THAT(small.err, HasSubstr("do not fit into a slot of 1,024 (see --slot-size)"));
  EXPECT_EQ(run({"--slots", "0"}, vault).exit_code, 2);
  EXPECT_EQ(run({"--slots", "3"}, vault).exit_code, 2);
  EXPECT_EQ(run({"--slots", "1", "--held", vault}, vault).exit_code, 2);
  for (const char* sector : {"100", "3000", "2MiB", "8GiB"}) {
    const ProgramRun odd = run({"--sector", sector}, vault);
    EXPECT_EQ(odd.exit_code, 2) << sector;
    EXPECT_THAT(odd.err, HasSubstr("a power of two from 256")) << sector;
  }
  EXPECT_FALSE(std::filesystem::exists(File("p.mvpatch")));
}

}  // namespace
}  // namespace modelvault
