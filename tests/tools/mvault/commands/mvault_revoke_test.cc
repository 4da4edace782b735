// Revocation lists: made, signed, extended, and held against vaults.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/tools/mvault/commands/signed_files.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MvaultRevokeTest : public testing::Test {
 protected:
  MvaultRevokeTest() { EXPECT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds()); }

  ProgramRun Revoke(const Arguments& options) const {
    return Mvault(Arguments{"revoke", files_.vault(), "--list", list_} + options);
  }
  Arguments Trusting(const Arguments& names = {"ann"}) const {
    return files_.Publics(names) + Arguments{"--revocations", list_};
  }
  ProgramRun Restore(const std::string& name, const Arguments& options) const {
    return Mvault(Arguments{"restore", files_.vault(), name, "-o", files_.File("out")} + options);
  }

  const SignedFiles files_;
  const std::string list_ = files_.File("all.mvrl");
};

TEST_F(MvaultRevokeTest, ARevokedVariantIsRefusedByName) {
  ASSERT_THAT(Revoke(Arguments{"few"} + files_.Secrets({"ann"})),
              Succeeds("number 1, 1 entry revoked, 1 of 1 signature\n"));
  EXPECT_THAT(Restore("few", Trusting()), Fails(11, "variant 'few': revoked in every version; this is version 1"));
  EXPECT_FALSE(std::filesystem::exists(files_.File("out")));
  EXPECT_THAT(Restore("many", Trusting()), Succeeds());
  EXPECT_THAT(Restore("base", Trusting()), Succeeds());
  EXPECT_THAT(Restore("few", files_.Publics({"ann"})), Succeeds());
  EXPECT_THAT(Mvault(Arguments{"info", files_.vault(), "few"} + Trusting()), Fails(11, "revoked"));

  const ProgramRun verify = files_.Verify(Trusting());
  EXPECT_THAT(verify, Fails(11, "variant 'few': revoked"));
  EXPECT_THAT(verify.out, HasSubstr("1 failure in "));
  EXPECT_THAT(files_.Verify(Arguments{"many"} + Trusting()), Succeeds());

  const ProgramRun ls = Mvault(Arguments{"ls", files_.vault(), "--json"} + Trusting());
  for (const auto& variant : ls.Json()["variants"]) EXPECT_EQ(variant["revoked"], variant["name"] == "few") << variant;
  EXPECT_TRUE(Mvault({"ls", files_.vault(), "--json"}).Json()["base"]["revoked"].is_null());
  EXPECT_THAT(Mvault(Arguments{"ls", files_.vault()} + Trusting()).out, HasSubstr("  revoked\n"));
}

TEST_F(MvaultRevokeTest, LaterVersionsMayBeTakenAgain) {
  ASSERT_THAT(Revoke(Arguments{"few", "--below-version", "2"} + files_.Secrets({"ann"})), Succeeds());
  EXPECT_THAT(Restore("few", Trusting()), Fails(11, "in versions below 2; this is version 1"));
  const std::string few = "few=" + files_.models().variant("many");
  ASSERT_THAT(Mvault(Arguments{"replace", files_.vault(), "--variant", few} + files_.Secrets({"ann"})), Succeeds());
  EXPECT_THAT(Restore("few", Trusting()), Succeeds());
}

TEST_F(MvaultRevokeTest, AListIsExtendedAndAnOldOneRefused) {
  ASSERT_THAT(Revoke(Arguments{"few"} + files_.Secrets({"ann"})), Succeeds());
  const std::string first = files_.models().folder().Read("all.mvrl");
  const ProgramRun second = Revoke(Arguments{"many", "twin", "--json"} + files_.Secrets({"ann"}));
  ASSERT_EQ(second.exit_code, 0) << second;
  EXPECT_EQ(second.Json()["number"], 2);
  EXPECT_EQ(second.Json()["entries"].size(), 3u);
  EXPECT_THAT(Restore("many", Trusting()), Fails(11, "revoked"));
  EXPECT_THAT(Restore("free", Trusting() + Arguments{"--min-revocations", "2"}), Succeeds());
  files_.models().folder().Write("all.mvrl", first);
  EXPECT_THAT(Restore("free", Trusting() + Arguments{"--min-revocations", "2"}),
              Fails(11, "an older one: number 1, expected at least 2"));
}

TEST_F(MvaultRevokeTest, ListsOfOthersAreRefused) {
  ASSERT_THAT(Revoke(Arguments{"few"} + files_.Secrets({"ann"})), Succeeds());
  const std::string list = files_.models().folder().Read("all.mvrl");
  // Of another vault with the same key.
  const std::string other = files_.models().Pack("other.mvlt");
  ASSERT_THAT(Mvault(Arguments{"sign", other} + files_.Secrets({"ann"})), Succeeds());
  EXPECT_THAT(Mvault(Arguments{"ls", other} + Trusting()), Fails(11, "is of another vault"));
  EXPECT_THAT(Mvault(Arguments{"revoke", other, "few", "--list", list_} + files_.Secrets({"ann"})),
              Fails(11, "of another vault"));
  // Cut off, changed, with something behind.
  for (const size_t size : {size_t{0}, size_t{20}, list.size() - 1}) {
    files_.models().folder().Write("all.mvrl", list.substr(0, size));
    EXPECT_THAT(Restore("many", Trusting()), Fails(3, "cut off"));
  }
  files_.models().folder().Write("all.mvrl", list + "x");
  EXPECT_THAT(Restore("many", Trusting()), Fails(3, "after the end"));
  std::string changed = list;
  changed[24] = 9;  // Its number.
  files_.models().folder().Write("all.mvrl", changed);
  EXPECT_THAT(Restore("many", Trusting() + Arguments{"--min-revocations", "5"}), Fails(11, "wrong signature"));
  EXPECT_THAT(Revoke(Arguments{"many"} + files_.Secrets({"ann"})), Fails(11, "is not signed"));
}

TEST_F(MvaultRevokeTest, MistakesMakeNoList) {
  EXPECT_THAT(Revoke({"few"}), Fails(2, "who signs the list?"));
  EXPECT_THAT(Revoke(Arguments{"few"} + files_.Secrets({"bob"})), Fails(11, "is not of the key set"));
  EXPECT_THAT(Revoke(Arguments{"fewe"} + files_.Secrets({"ann"})), Fails(7, "'fewe'"));
  EXPECT_THAT(Revoke(Arguments{"--tenant", "clinic/"} + files_.Secrets({"ann"})), Fails(7, "no tenant 'clinic/'"));
  EXPECT_THAT(Revoke(Arguments{"few", "--below-version", "0"} + files_.Secrets({"ann"})), Fails(2, "begin with 1"));
  EXPECT_FALSE(std::filesystem::exists(list_));
  EXPECT_THAT(Restore("few", Trusting()), Fails(7, "all.mvrl"));
  EXPECT_THAT(Revoke(Arguments{"fewe", "--gone"} + files_.Secrets({"ann"})), Succeeds());
  const std::string fresh = files_.models().Pack("fresh.mvlt");
  EXPECT_THAT(Mvault(Arguments{"revoke", fresh, "few", "--list", list_} + files_.Secrets({"ann"})),
              Fails(11, "not signed"));
}

TEST_F(MvaultRevokeTest, SeveralSignAndNewKeysTakeOver) {
  ASSERT_THAT(Mvault(Arguments{"rotate", files_.vault()} + files_.Secrets({"ann"}) +
                     files_.Options("--to", {"bob", "cat"}, ".pub")),
              Succeeds());
  ASSERT_THAT(files_.Sign(files_.Secrets({"bob", "cat"})), Succeeds());
  ASSERT_THAT(Revoke(Arguments{"few"} + files_.Secrets({"bob"})),
              Succeeds(absl::StrCat("1 of 2 signatures; needs one more of: ", files_.Id("cat"))));
  EXPECT_THAT(Restore("many", Trusting()), Fails(11, "too few signatures, expected at least 2 of 2"));
  EXPECT_THAT(Revoke(Arguments{"many"} + files_.Secrets({"bob"})), Fails(11, "is not signed, 1 of 2"));
  ASSERT_THAT(Revoke(files_.Secrets({"cat"})), Succeeds("number 1, 1 entry revoked, 2 of 2 signatures"));
  EXPECT_THAT(Restore("many", Trusting()), Succeeds());
  EXPECT_THAT(Restore("few", Trusting()), Fails(11, "revoked"));

  ASSERT_THAT(Mvault(Arguments{"rotate", files_.vault()} + files_.Secrets({"bob", "cat"}) +
                     files_.Options("--to", {"dan"}, ".pub")),
              Succeeds());
  // Until the new keys have signed the vault, nobody says that there were others.
  EXPECT_THAT(Revoke(files_.Secrets({"dan"})), Fails(11, "not signed"));
  ASSERT_THAT(files_.Sign(files_.Secrets({"dan"})), Succeeds());
  EXPECT_THAT(Restore("many", Trusting()), Fails(11, "of another key set than the vault's last one"));
  ASSERT_THAT(Revoke(files_.Secrets({"dan"})), Succeeds("number 2, 1 entry revoked, 1 of 1 signature"));
  EXPECT_THAT(Restore("many", Trusting()), Succeeds());
  EXPECT_THAT(Restore("few", Trusting()), Fails(11, "revoked"));
}

}  // namespace
}  // namespace modelvault
