// mvault tenant, and what tenants add, see and take away by the other commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/tools/mvault/commands/signed_files.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A vault that ann has signed; bob and cat are tenants' signers.
class MvaultTenantTest : public testing::Test {
 protected:
  MvaultTenantTest() {
    uint8_t seed = 100;
    for (const char* name : {"bob", "cat"}) Write(name, ".content", KeyKind::kContentSecret, seed++);
    for (const char* name : {"ward", "home"}) {
      SecretBytes secret = Write(name, ".key", KeyKind::kDeviceSecret, seed++);
      EXPECT_TRUE(WriteKeyFile(files_.File(std::string(name) + ".pub"), KeyKind::kDevicePublic,
                               PublicKeyOf(KeyKind::kDeviceSecret, secret))
                      .ok());
    }
    EXPECT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
  }

  SecretBytes Write(const std::string& name, const std::string& suffix, KeyKind kind, uint8_t seed) const {
    SecretBytes secret(kKeySize);
    for (uint8_t& byte : secret.span()) byte = seed;
    EXPECT_TRUE(WriteKeyFile(files_.File(name + suffix), kind, {secret.data(), secret.size()}).ok());
    return secret;
  }
  std::string File(const std::string& name) const { return files_.File(name); }
  ProgramRun Tenant(const std::string& action, const Arguments& options) const {
    return Mvault(Arguments{"tenant", action, files_.vault()} + options);
  }
  // "bob" seals under "bob.", for the ward.
  ProgramRun AddBob(const Arguments& options = {}) const {
    return Tenant("add", Arguments{"--prefix", "bob.", "--tenant", File("bob.pub"), "--content-key",
                                   File("bob.content"), "--device", File("ward.pub")} +
                             options);
  }
  ProgramRun Command(const std::string& command, const Arguments& options) const {
    return Mvault(Arguments{command, files_.vault()} + options);
  }
  Arguments BobsKeys() const { return {"--tenant", File("bob.key"), "--content-key", File("bob.content")}; }
  ProgramRun AddBobsVariant(const std::string& name = "heart") const {
    return Command("add", Arguments{"--variant", absl::StrCat(name, "=", files_.models().variant("few"))} + BobsKeys());
  }
  ProgramRun Restore(const std::string& name, const Arguments& options) const {
    return Command("restore", Arguments{name, "-o", File("restored")} + options);
  }
  std::string Read(const std::string& name) const { return files_.models().folder().Read(name); }

  const SignedFiles files_;
};

TEST_F(MvaultTenantTest, SealsSignsAndGivesBack) {
  ASSERT_THAT(AddBob(), Succeeds());
  EXPECT_THAT(AddBobsVariant(), Succeeds("bob.heart: "));
  EXPECT_FALSE(absl::StrContains(files_.Bytes(), "heart"));
  EXPECT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds("1 of 1 signature"));
  for (const std::string& key : {File("bob.content"), File("ward.key")}) {
    EXPECT_THAT(Restore("bob.heart", {"--key", key, "--key", files_.Public("ann")}), Succeeds("digests verified"));
    EXPECT_EQ(Read("restored"), Read("departments/few.safetensors"));
    EXPECT_THAT(Command("diff", {"bob.heart", "few", "--key", key}), Succeeds());
    EXPECT_THAT(Command("info", {"bob.heart", "--key", key}), Succeeds());
    EXPECT_THAT(Command("verify", {"--key", key, "--json"}).Json()["sealed"], 0);
  }
  EXPECT_THAT(Restore("bob.heart", {}), Fails(7, "no variant 'bob.heart'"));
  EXPECT_THAT(Restore("bob.heart", {"--key", File("cat.content")}), Fails(7, "no variant 'bob.heart'"));
  EXPECT_THAT(Restore("bob.heart", {"--key", File("home.key")}), Fails(7, "no variant 'bob.heart'"));
}

TEST_F(MvaultTenantTest, OthersSeeAnOpaqueName) {
  ASSERT_THAT(AddBob(), Succeeds());
  ASSERT_THAT(AddBobsVariant(), Succeeds());
  const ProgramRun listed = Command("ls", {});
  EXPECT_THAT(listed, Succeeds("sealed"));
  const size_t at = listed.out.find("bob.~");
  ASSERT_NE(at, std::string::npos) << listed;
  const std::string name = listed.out.substr(at, 21);
  EXPECT_THAT(listed.out, Not(HasSubstr("heart")));
  EXPECT_THAT(Command("ls", {"--key", File("bob.content")}), Succeeds("bob.heart"));
  EXPECT_THAT(Restore(name, {}), Fails(11, "is sealed by tenant 'bob.'; needs its key"));
  EXPECT_THAT(Command("verify", {}), Succeeds("; 1 sealed for others, their checksums compared"));
  EXPECT_THAT(Command("verify", {name}), Fails(11, "needs its key"));
  EXPECT_THAT(Command("info", {}), Succeeds("variants: sealed"));
  EXPECT_THAT(Command("checksums", {}).out, Not(HasSubstr("bob.")));
  // To be removed by who has no key.
  EXPECT_THAT(Command("rm", {name}), Succeeds());
  EXPECT_THAT(Command("ls", {}).out, Not(HasSubstr("bob.~")));
}

TEST_F(MvaultTenantTest, ASealedVariantIsRevokedByEitherName) {
  ASSERT_THAT(AddBob(), Succeeds());
  ASSERT_THAT(AddBobsVariant(), Succeeds());
  ASSERT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
  const ProgramRun listed = Command("ls", {});
  const std::string opaque = listed.out.substr(listed.out.find("bob.~"), 21);
  const auto revoke = [&](const Arguments& names) {
    std::filesystem::remove(File("list"));
    return Command("revoke", names + Arguments{"--list", File("list")} + files_.Secrets({"ann"}));
  };
  const auto list = [&] { return Read("list"); };
  EXPECT_THAT(revoke({"bob.heart"}), Fails(7, "no variant 'bob.heart'"));
  ASSERT_THAT(revoke({opaque}), Succeeds());
  const std::string by_opaque_name = list();
  for (const Arguments& names : {Arguments{"bob.heart"}, Arguments{opaque}, Arguments{"bob.heart", "--gone"}}) {
    ASSERT_THAT(revoke(names + Arguments{"--content-key", File("bob.content")}), Succeeds());
    EXPECT_EQ(list(), by_opaque_name);
  }
  EXPECT_THAT(revoke({"bob.heart", "--content-key", File("cat.content")}), Fails(7, "no variant 'bob.heart'"));
  EXPECT_THAT(revoke({"few", "--content-key", File("bob.content")}), Succeeds("1 entry revoked"));
  // Also of one that is not there any more.
  ASSERT_THAT(Command("rm", {opaque}), Succeeds());
  EXPECT_THAT(revoke({"bob.heart", "--content-key", File("bob.content")}), Fails(7, "no variant 'bob.heart'"));
  ASSERT_THAT(revoke({"bob.heart", "--gone", "--content-key", File("bob.content")}), Succeeds());
  EXPECT_EQ(list(), by_opaque_name);
  // Who does not know the content key revokes a name that no variant has.
  ASSERT_THAT(revoke({"bob.heart", "--gone", "--content-key", File("cat.content")}), Succeeds());
  EXPECT_NE(list(), by_opaque_name);
}

TEST_F(MvaultTenantTest, ATenantChangesItsOwn) {
  ASSERT_THAT(AddBob(), Succeeds());
  ASSERT_THAT(AddBobsVariant(), Succeeds());
  EXPECT_THAT(Command("replace", Arguments{"--variant", "bob.heart=" + files_.models().variant("many")} + BobsKeys()),
              Succeeds("bob.heart"));
  ASSERT_THAT(Restore("bob.heart", {"--key", File("bob.content")}), Succeeds());
  EXPECT_EQ(Read("restored"), Read("departments/many.safetensors"));
  EXPECT_THAT(AddBobsVariant("bob.heart"), Fails(8, "there is a variant 'bob.heart' already"));
  EXPECT_THAT(Command("rename", Arguments{"bob.heart", "bob.head"} + BobsKeys()), Fails(3, "is sealed under its name"));
  EXPECT_THAT(Command("rm", Arguments{"bob.heart"} + BobsKeys()), Succeeds());
  EXPECT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
}

TEST_F(MvaultTenantTest, NamesAreTheTenantsOwn) {
  ASSERT_THAT(AddBob(), Succeeds());
  ASSERT_THAT(Tenant("add", {"--prefix", "cat.", "--tenant", File("cat.pub")}), Succeeds());
  EXPECT_THAT(AddBobsVariant("cat.heart"), Fails(3, "would be of tenant 'cat.', whose key this is not"));
  // Without the tenant's key there is no prefix, and no seal without the content key.
  const Arguments heart = {"--variant", "bob.heart=" + files_.models().variant("few")};
  EXPECT_THAT(Command("add", heart), Fails(11, "whose variants are sealed: needs its content key"));
  EXPECT_THAT(Command("add", heart + Arguments{"--content-key", File("cat.content")}),
              Fails(11, "needs its content key"));
  EXPECT_THAT(Command("add", heart + Arguments{"--tenant", File("dan.key")}), Fails(7, "has no tenant with the key"));
  // Two prefixes of one key.
  ASSERT_THAT(Tenant("add", {"--prefix", "bobs-", "--tenant", File("bob.pub")}), Succeeds());
  EXPECT_THAT(AddBobsVariant(), Fails(3, "begins with none of the tenant's 2 prefixes"));
  EXPECT_THAT(AddBobsVariant("bobs-heart"), Succeeds("bobs-heart"));
}

TEST_F(MvaultTenantTest, NobodySignsTheVaultForATenant) {
  ASSERT_THAT(AddBob(), Succeeds());
  // With the content key alone it is sealed, and not signed.
  ASSERT_THAT(Command("add", {"--variant", "bob.heart=" + files_.models().variant("few"), "--content-key",
                              File("bob.content")}),
              Succeeds());
  EXPECT_THAT(files_.Sign(files_.Secrets({"ann"})), Fails(11, "tenant 'bob.' has not signed its variants as they are"));
  EXPECT_EQ(Tenant("ls", {"--json"}).Json()["tenants"][0]["signed"], false);
  EXPECT_THAT(Tenant("sign", {"--tenant", File("cat.key")}), Fails(7, "has no tenant with the key"));
  EXPECT_THAT(Tenant("sign", {"--tenant", File("bob.key")}), Succeeds());
  const nlohmann::json tenant = Tenant("ls", {"--json"}).Json()["tenants"][0];
  EXPECT_EQ(tenant["signed"], true);
  EXPECT_EQ(tenant["prefix"], "bob.");
  EXPECT_EQ(tenant["variants"], 1);
  EXPECT_EQ(tenant["sealed"], true);
  EXPECT_EQ(tenant["device_groups"].size(), 1u);
  EXPECT_THAT(Tenant("ls", {}), Succeeds("1 tenant"));
  EXPECT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds("1 of 1 signature"));
}

TEST_F(MvaultTenantTest, ATenantGoesWithItsVariants) {
  ASSERT_THAT(AddBob(), Succeeds());
  ASSERT_THAT(AddBobsVariant(), Succeeds());
  EXPECT_THAT(Tenant("rm", {"--prefix", "cat."}), Fails(7, "has no tenant 'cat.'"));
  const ProgramRun removed = Tenant("rm", {"--prefix", "bob."});
  EXPECT_THAT(removed, Succeeds());
  EXPECT_THAT(removed.err, HasSubstr("with the tenant 'bob.' its variant goes: bob.~"));
  EXPECT_THAT(Command("ls", {}).out, Not(HasSubstr("bob.")));
  EXPECT_THAT(Tenant("ls", {}), Succeeds("0 tenants"));
}

TEST_F(MvaultTenantTest, TenantsAreAddedOnceAndReplacedWhenAsked) {
  ASSERT_THAT(AddBob(), Succeeds());
  EXPECT_THAT(AddBob(), Fails(8, "there is a tenant 'bob.' already"));
  EXPECT_THAT(Tenant("add", {"--prefix", "bob.x.", "--tenant", File("cat.pub")}),
              Fails(3, "one begins with the other"));
  ASSERT_THAT(AddBobsVariant(), Succeeds());
  EXPECT_THAT(AddBob({"--device", File("home.pub"), "--replace"}), Succeeds());
  EXPECT_THAT(Restore("bob.heart", {"--key", File("home.key")}), Succeeds());
  // Without the content key nobody could open what is there.
  EXPECT_THAT(Tenant("add", {"--prefix", "bob.", "--tenant", File("bob.pub"), "--replace"}),
              Fails(3, "sealed with another content key"));
  EXPECT_THAT(Tenant("add", {"--tenant", File("bob.pub")}), Fails(2, "give --prefix"));
  EXPECT_THAT(Tenant("add", {"--prefix", "x."}), Fails(2, "--tenant is the tenant's public key"));
  EXPECT_THAT(Tenant("ls", {"--prefix", "x."}), Fails(2, "--prefix is of add and rm"));
}

TEST_F(MvaultTenantTest, AVaultThatNobodySignsHasNoTenants) {
  files_.models().Pack("plain.mvlt");
  EXPECT_THAT(Mvault({"tenant", "add", File("plain.mvlt"), "--prefix", "bob.", "--tenant", File("bob.pub")}),
              Fails(11, "'mvault sign' gives it one"));
}

TEST_F(MvaultTenantTest, KeysSayThemselvesWhatTheyAreFor) {
  EXPECT_THAT(Command("ls", {"--key", File("bob.content"), "--min-version", "1"}),
              Fails(3, "a public key must be among"));
  EXPECT_THAT(Command("verify", {"--key", File("bob.content"), "--require-signature"}), Fails(2, "a public key among"));
  EXPECT_THAT(Command("ls", {"--key", File("bob.key")}), Fails(3, "expected a public signing key"));
}

TEST_F(MvaultTenantTest, ABaseIsPackedAloneForTenantsToCome) {
  const Arguments base = {"pack", "--base", files_.models().base(), "-o", File("base.mvlt")};
  EXPECT_THAT(Mvault(base), Fails(2, "or --base-only"));
  EXPECT_THAT(Mvault(base + Arguments{"--base-only"}), Succeeds("a base and 0 variants"));
  EXPECT_THAT(Mvault(base + Arguments{"--base-only", "--variants", files_.models().variants()}),
              Fails(2, "leaves no room"));
  EXPECT_THAT(Mvault({"verify", File("base.mvlt")}), Succeeds("1 model restored"));
}

}  // namespace
}  // namespace modelvault
