// keygen, sign, rotate, and the commands that take a vault only from those who are trusted, or sign it again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/tools/mvault/commands/signed_files.h"
#include "tests/tools/mvault/program_run.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(MvaultKeygenTest, MakesPairsThatNothingOverwrites) {
  const TempFolder folder;
  const auto run = [&](const Arguments& options) {
    return Mvault(Arguments{"keygen", "--out", folder.File("k")} + options);
  };
  const ProgramRun made = run({"--tenant", "--json"});
  EXPECT_EQ(made.exit_code, 0) << made;
  EXPECT_EQ(made.Json()["kind"], "tenant");
  for (const char* name : {"k.key", "k.content"}) {
    struct stat info = {};
    ASSERT_EQ(::stat(folder.File(name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u) << name;
  }
  const std::string before = folder.Read("k.key");
  EXPECT_THAT(run({}), Fails(8, "k.key: is there already"));
  EXPECT_EQ(folder.Read("k.key"), before);
  // Nor is half a pair made.
  std::filesystem::remove(folder.File("k.key"));
  EXPECT_THAT(run({"--device"}), Fails(8, "k.pub: is there already"));
  EXPECT_FALSE(std::filesystem::exists(folder.File("k.key")));
  EXPECT_THAT(Mvault({"keygen", "--out", folder.File("d"), "--device"}), Succeeds("X25519"));
  EXPECT_THAT(run({"--device", "--tenant"}), Fails(2, "two owners"));
  EXPECT_THAT(Mvault({"keygen", "--out", folder.File("x.key")}), Fails(2, "are added"));
}

TEST(MvaultKeygenTest, OpensslReadsItsKeysAndItReadsOpensslsKeys) {
  const TempFolder folder;
  for (const char* kind : {"ed25519", "x25519"}) {
    const std::string name = folder.File(kind);
    Arguments keygen = {"keygen", "--out", name};
    if (std::string(kind) == "x25519") keygen.push_back("--device");
    ASSERT_THAT(Mvault(keygen), Succeeds());
    ASSERT_EQ(std::system(absl::StrCat("openssl pkey -in ", name, ".key -pubout -out ", name, ".again").c_str()), 0);
    EXPECT_EQ(folder.Read(absl::StrCat(kind, ".again")), folder.Read(absl::StrCat(kind, ".pub")));
  }
  const SignedFiles files;
  const std::string own = files.File("own");
  ASSERT_EQ(std::system(absl::StrCat("umask 077; openssl genpkey -algorithm ed25519 -out ", own, ".key && ",
                                     "openssl pkey -in ", own, ".key -pubout -out ", own, ".pub")
                            .c_str()),
            0);
  EXPECT_THAT(files.Sign(files.Secrets({"own"})), Succeeds("1 of 1 signature\n"));
  EXPECT_THAT(files.Verify(files.Publics({"own"})), Succeeds(absl::StrCat("signed by ", files.Id("own"))));
}

TEST(MvaultSignTest, ASignedVaultIsTakenAndAnUnsignedOneIsNot) {
  const SignedFiles files;
  EXPECT_THAT(files.Verify(files.Publics({"ann"})), Fails(11, "not signed"));
  EXPECT_THAT(files.Verify({}), Succeeds());
  EXPECT_THAT(files.Verify({"--require-signature"}), Fails(2, "--require-signature needs --key"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann"})), Succeeds("version 1, 1 of 1 signature\n"));
  EXPECT_THAT(files.Verify(Arguments{"--require-signature"} + files.Publics({"ann"})),
              Succeeds(absl::StrCat("signed by ", files.Id("ann"), ", version 1\n")));
  EXPECT_THAT(files.Verify(files.Publics({"bob"})), Fails(11, "signed by others"));
  EXPECT_THAT(files.Verify({}),
              Succeeds(absl::StrCat("signed by ", files.Id("ann"), ", version 1 (not checked: no --key)")));
  for (const Arguments& command :
       {Arguments{"ls", files.vault()}, Arguments{"info", files.vault()}, Arguments{"info", files.vault(), "few"},
        Arguments{"restore", files.vault(), "few", "-o", files.File("few")}}) {
    EXPECT_THAT(Mvault(command + files.Publics({"ann"})), Succeeds()) << command[0];
    EXPECT_THAT(Mvault(command + files.Publics({"bob"})), Fails(11, "signed by others")) << command[0];
  }
  EXPECT_EQ(files.models().folder().Read("few"), files.models().folder().Read("departments/few.safetensors"));
}

TEST(MvaultSignTest, InfoTellsWhoSignedAndWhatIsMissing) {
  const SignedFiles files;
  EXPECT_TRUE(Mvault({"info", files.vault(), "--json"}).Json()["signature"].is_null());
  ASSERT_THAT(files.Sign(files.Secrets({"ann"}) + files.Options("--signer", {"bob", "cat"}, ".pub") +
                         Arguments{"--threshold", "2", "--not-before", "2020-01-01", "--not-after", "4000000000"}),
              Succeeds(absl::StrCat("1 of 2 signatures; needs one more of: ")));
  const ProgramRun text = Mvault({"info", files.vault()});
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("version 1, valid from 2020-01-01T00:00:00Z until 2096-10-02T07:06:40Z\n"),
                    HasSubstr("key set 1: 2 of "), HasSubstr("signed by " + files.Id("ann")),
                    HasSubstr("needs one more of: "), HasSubstr("(not checked: no --key)"), HasSubstr("SIGNATURE")));
  const nlohmann::json signature = Mvault({"info", files.vault(), "--json"}).Json()["signature"];
  EXPECT_EQ(signature["vault_id"].get<std::string>().size(), 32u);
  EXPECT_EQ(signature["version"], 1);
  EXPECT_EQ(signature["not_before"], "2020-01-01T00:00:00Z");
  EXPECT_EQ(signature["key_sets"].size(), 1u);
  EXPECT_EQ(signature["key_sets"][0]["keys"].size(), 3u);
  EXPECT_EQ(signature["root"]["signed_by"][0]["key_id"], files.Id("ann"));
  EXPECT_EQ(signature["root"]["missing"].size(), 2u);
  EXPECT_EQ(signature["root"]["complete"], false);
  EXPECT_EQ(signature["checked"], false);
}

TEST(MvaultSignTest, TwoOfThreeSignInAnyOrder) {
  const SignedFiles files;
  const std::string unsigned_bytes = files.Bytes();
  const Arguments all = files.Publics({"ann", "bob", "cat"}) + Arguments{"--threshold", "2"};
  Arguments order = {"ann", "bob", "cat"};
  do {
    SCOPED_TRACE(absl::StrCat(order[0], " ", order[1], " ", order[2]));
    files.SetBytes(unsigned_bytes);
    const Arguments first = files.Secrets({order[0]}) + files.Options("--signer", {order[1], order[2]}, ".pub") +
                            Arguments{"--threshold", "2"};
    EXPECT_THAT(files.Sign(first), Succeeds("1 of 2 signatures; needs one more of: "));
    EXPECT_THAT(files.Verify(all), Fails(11, "has 1 signatures, expected at least 2 of 3"));
    // The same signer twice is one.
    EXPECT_THAT(files.Sign(files.Secrets({order[0]})), Succeeds("1 of 2 signatures"));
    EXPECT_THAT(files.Verify(all), Fails(11, "has 1 signatures"));
    EXPECT_THAT(files.Sign(files.Secrets({order[1]})), Succeeds("2 of 2 signatures\n"));
    EXPECT_THAT(files.Verify(all), Succeeds("version 1"));
    // The keys without their threshold are another key set.
    EXPECT_THAT(files.Verify(files.Publics({"ann", "bob", "cat"})), Fails(11, "expected 3 of the keys"));
    EXPECT_THAT(files.Verify(files.Publics({order[0]})), Fails(11, "signed by others"));
    EXPECT_THAT(files.Sign(files.Secrets({order[2]})), Succeeds("3 of 2 signatures\n"));
    EXPECT_THAT(files.Verify(all), Succeeds());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MvaultSignTest, MistakesChangeNothing) {
  const SignedFiles files;
  const std::string unsigned_bytes = files.Bytes();
  EXPECT_THAT(files.Sign({}), Fails(2, "who signs?"));
  EXPECT_THAT(files.Sign({"--key", files.Public("ann")}), Fails(3, "expected a secret signing key"));
  EXPECT_THAT(files.Sign({"--key", files.File("none.key")}), Fails(7, "none.key"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann", "ann"})), Fails(3, "is given twice"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann"}) + files.Options("--signer", {"ann"}, ".pub")), Fails(3, "given twice"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann"}) + Arguments{"--threshold", "2"}), Fails(3, "--threshold 2 of 1"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann"}) + Arguments{"--not-after", "tomorrow"}), Fails(2, "no time"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann"}) + Arguments{"--not-before", "2030-01-01", "--not-after", "2029-01-01"}),
              Fails(3, "out of range"));
  std::filesystem::create_symlink(files.Secret("ann"), files.Secret("link"));
  EXPECT_THAT(files.Sign(files.Secrets({"link"})), Fails(3, "a symbolic link"));
  ASSERT_EQ(::chmod(files.Secret("bob").c_str(), 0644), 0);
  EXPECT_THAT(files.Sign(files.Secrets({"bob"})), Fails(3, "mode 0644"));
  EXPECT_EQ(files.Bytes(), unsigned_bytes);

  ASSERT_THAT(files.Sign(files.Secrets({"ann"})), Succeeds());
  const std::string signed_bytes = files.Bytes();
  EXPECT_THAT(files.Sign(files.Secrets({"cat"})), Fails(11, "is not of the key set"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann"}) + files.Options("--signer", {"cat"}, ".pub")), Fails(11, "is not of"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann"}) + Arguments{"--threshold", "2"}), Fails(3, "'mvault rotate'"));
  EXPECT_THAT(files.Verify({"--key", files.Secret("ann")}), Fails(3, "expected a public signing key"));
  EXPECT_THAT(files.Verify(files.Publics({"ann", "ann"})), Fails(3, "given twice"));
  for (const Arguments& option : {Arguments{"--threshold", "1"},
                                  {"--min-version", "1"},
                                  {"--at", "2026-01-01"},
                                  {"--revocations", files.File("l")},
                                  {"--min-revocations", "2"}}) {
    EXPECT_THAT(files.Verify(option), Fails(2, option[0] + " needs --key"));
  }
  EXPECT_EQ(files.Bytes(), signed_bytes);
}

TEST(MvaultSignTest, SignersElsewhereSignWhatIsWrittenForThem) {
  const SignedFiles files;
  const auto elsewhere = [&](const std::string& name) {
    return std::system(absl::StrCat("openssl pkeyutl -sign -inkey ", files.Secret(name), " -rawin -in ",
                                    files.File("msg"), " -out ", files.File(name + ".sig"))
                           .c_str());
  };
  const Arguments with_ann =
      Arguments{"--signature-in", files.File("ann.sig")} + files.Options("--signer", {"ann"}, ".pub");
  EXPECT_THAT(
      files.Sign(files.Options("--signer", {"ann", "bob"}, ".pub") + Arguments{"--digest-out", files.File("msg")}),
      Succeeds("0 of 2 signatures; needs 2 more of: "));
  EXPECT_EQ(files.models().folder().Read("msg").size(), 48u);
  ASSERT_EQ(elsewhere("ann"), 0);
  ASSERT_EQ(elsewhere("bob"), 0);
  // Another's signature, and what is none, are told before anything is written.
  const std::string before = files.Bytes();
  EXPECT_THAT(
      files.Sign(Arguments{"--signature-in", files.File("bob.sig")} + files.Options("--signer", {"ann"}, ".pub")),
      Fails(11, "signature"));
  EXPECT_THAT(files.Sign(Arguments{"--signature-in", files.File("msg")} + files.Options("--signer", {"ann"}, ".pub")),
              Fails(3, "no signature: expected 64 bytes"));
  EXPECT_THAT(files.Sign({"--signature-in", files.File("ann.sig")}), Fails(3, "one each"));
  EXPECT_EQ(files.Bytes(), before);
  EXPECT_THAT(files.Sign(with_ann), Succeeds("1 of 2 signatures"));
  files.models().folder().Write("bob.sig", absl::Base64Escape(files.models().folder().Read("bob.sig")) + "\n");
  EXPECT_THAT(
      files.Sign(Arguments{"--signature-in", files.File("bob.sig")} + files.Options("--signer", {"bob"}, ".pub")),
      Succeeds("2 of 2 signatures"));
  EXPECT_THAT(files.Verify(files.Publics({"ann", "bob"})), Succeeds());
  // An old signature is not one of a changed vault.
  ASSERT_THAT(Mvault({"rm", files.vault(), "few"}), Succeeds());
  EXPECT_THAT(files.Sign(with_ann), Fails(11, "signature"));
  // Nor is there one of a vault without keys.
  const std::string fresh = files.models().Pack("fresh.mvlt");
  EXPECT_THAT(Mvault(Arguments{"sign", fresh} + with_ann), Fails(3, "no key set yet"));
}

TEST(MvaultSignTest, VersionsAndTimesAreHeldAgainstWhatIsAsked) {
  const SignedFiles files;
  const Arguments ann = files.Publics({"ann"});
  ASSERT_THAT(files.Sign(files.Secrets({"ann"}) + Arguments{"--not-before", "2030-01-01", "--not-after", "2031-01-01"}),
              Succeeds());
  const std::string first = files.Bytes();
  EXPECT_THAT(files.Verify(ann + Arguments{"--at", "2030-06-01"}), Succeeds());
  EXPECT_THAT(files.Verify(ann + Arguments{"--at", "2029-12-31T23:59:59Z"}), Fails(11, "valid from"));
  EXPECT_THAT(files.Verify(ann + Arguments{"--at", "2031-01-01T00:00:01Z"}), Fails(11, "valid from"));
  // Other times make another version.
  EXPECT_THAT(files.Sign(files.Secrets({"ann"}) + Arguments{"--not-after", "2032-01-01"}),
              Succeeds("version 2, 1 of 1"));
  EXPECT_THAT(files.Verify(ann + Arguments{"--at", "2031-06-01", "--min-version", "2"}), Succeeds());
  EXPECT_THAT(files.Verify(ann + Arguments{"--at", "2031-06-01", "--min-version", "3"}), Fails(11, "version 2"));
  files.SetBytes(first);
  EXPECT_THAT(files.Verify(ann + Arguments{"--at", "2030-06-01", "--min-version", "2"}), Fails(11, "version 1"));
}

TEST(MvaultSignTest, AChangedByteIsFound) {
  const SignedFiles files;
  ASSERT_THAT(files.Sign(files.Secrets({"ann"})), Succeeds());
  const std::string bytes = files.Bytes();
  for (size_t at = 0; at < bytes.size(); at += bytes.size() / 97 + 1) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    files.SetBytes(changed);
    EXPECT_NE(files.Verify(files.Publics({"ann"})).exit_code, 0) << at;
  }
}

TEST(MvaultRotateTest, ReadersThatTrustAnyOfTheKeySetsFollow) {
  const SignedFiles files;
  ASSERT_THAT(files.Sign(files.Secrets({"ann"})), Succeeds());
  const auto rotate = [&](const Arguments& options) { return Mvault(Arguments{"rotate", files.vault()} + options); };
  EXPECT_THAT(rotate(files.Secrets({"ann"}) + files.Options("--to", {"bob", "cat"}, ".pub")),
              Succeeds("version 2, 0 of 2 signatures; needs 2 more of: "));
  EXPECT_THAT(files.Verify(files.Publics({"ann"})), Fails(11, "not signed since it was changed"));
  EXPECT_THAT(files.Sign(files.Secrets({"ann"})), Fails(11, "is not of the key set that signs, number 2"));
  ASSERT_THAT(files.Sign(files.Secrets({"cat", "bob"})), Succeeds("2 of 2"));
  const Arguments second = files.Publics({"bob", "cat"});
  EXPECT_THAT(files.Verify(files.Publics({"ann"})), Succeeds("version 2"));
  EXPECT_THAT(files.Verify(second), Succeeds("version 2"));

  // One of the two is not enough to name a third set.
  EXPECT_THAT(rotate(files.Secrets({"bob"}) + files.Options("--to", {"dan"}, ".pub")),
              Fails(11, absl::StrCat("1 of 2 signatures; needs one more of: ", files.Id("cat"))));
  EXPECT_THAT(rotate(files.Secrets({"ann", "bob"}) + files.Options("--to", {"dan"}, ".pub")), Fails(11, "is not of"));
  EXPECT_THAT(rotate(files.Secrets({"bob", "cat"}) + files.Options("--to", {"cat", "bob"}, ".pub")),
              Fails(3, "sign it already"));
  EXPECT_THAT(rotate(files.Secrets({"bob", "cat"}) + files.Options("--to", {"dan", "dan"}, ".pub")), Fails(3, "twice"));
  EXPECT_THAT(rotate(files.Options("--to", {"dan"}, ".pub")), Fails(2, "who signs the new keys?"));
  EXPECT_THAT(files.Verify(second), Succeeds("version 2"));
  ASSERT_THAT(rotate(files.Secrets({"bob", "cat"}) + files.Options("--to", {"dan"}, ".pub")), Succeeds("version 3"));
  ASSERT_THAT(files.Sign(files.Secrets({"dan"})), Succeeds("1 of 1"));
  for (const Arguments& trusted : {Arguments{"ann"}, {"bob", "cat"}, {"dan"}}) {
    EXPECT_THAT(files.Verify(files.Publics(trusted)), Succeeds("version 3")) << trusted[0];
  }
  EXPECT_THAT(files.Verify(files.Publics({"bob"})), Fails(11, "signed by others"));
  EXPECT_THAT(Mvault({"info", files.vault()}).out, HasSubstr("key set 3: 1 of " + files.Id("dan")));
}

TEST(MvaultRotateTest, KeysElsewhereHandOn) {
  const SignedFiles files;
  const Arguments to_bob = files.Options("--to", {"bob"}, ".pub");
  EXPECT_THAT(Mvault(Arguments{"rotate", files.vault()} + files.Secrets({"ann"}) + to_bob), Fails(11, "not signed"));
  ASSERT_THAT(files.Sign(files.Secrets({"ann"})), Succeeds());
  const std::string before = files.Bytes();
  ASSERT_THAT(Mvault(Arguments{"rotate", files.vault(), "--digest-out", files.File("msg")} + to_bob), Succeeds());
  EXPECT_EQ(files.Bytes(), before);
  ASSERT_EQ(std::system(absl::StrCat("openssl pkeyutl -sign -inkey ", files.Secret("ann"), " -rawin -in ",
                                     files.File("msg"), " -out ", files.File("sig"))
                            .c_str()),
            0);
  ASSERT_THAT(Mvault(Arguments{"rotate", files.vault(), "--signature-in", files.File("sig")} +
                     files.Options("--signer", {"ann"}, ".pub") + to_bob),
              Succeeds("0 of 1"));
  ASSERT_THAT(files.Sign(files.Secrets({"bob"})), Succeeds());
  EXPECT_THAT(files.Verify(files.Publics({"ann"})), Succeeds());
}

class MvaultChangeTest : public testing::Test {
 protected:
  MvaultChangeTest() { EXPECT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds()); }

  // The commands that change a vault.
  std::vector<Arguments> Changes() const {
    const std::string few = "new=" + files_.models().variant("few");
    return {{"add", files_.vault(), "--variant", few},
            {"replace", files_.vault(), "--variant", few},
            {"rename", files_.vault(), "new", "newer"},
            {"rm", files_.vault(), "newer"},
            {"compact", files_.vault()},
            {"pack", "--base", files_.models().base(), "--variant", few, "-o", files_.vault()}};
  }
  std::string VaultId() const {
    return Mvault({"info", files_.vault(), "--json"}).Json()["signature"]["vault_id"].get<std::string>();
  }

  const SignedFiles files_;
};

TEST_F(MvaultChangeTest, WithTheKeyTheVaultStaysSigned) {
  const std::string id = VaultId();
  int version = 1;
  for (const Arguments& change : Changes()) {
    SCOPED_TRACE(change[0]);
    ++version;
    const ProgramRun run = Mvault(change + files_.Secrets({"ann"}));
    EXPECT_THAT(run, Succeeds(absl::StrCat("signed: version ", version, ", 1 of 1 signature\n")));
    EXPECT_THAT(run.err, IsEmpty());
    EXPECT_THAT(files_.Verify(files_.Publics({"ann"}) + Arguments{"--min-version", absl::StrCat(version)}), Succeeds());
    EXPECT_EQ(VaultId(), id);
  }
}

TEST_F(MvaultChangeTest, WithoutTheKeyItIsUnsignedAndThatIsSaid) {
  for (const Arguments& change : Changes()) {
    SCOPED_TRACE(change[0]);
    const ProgramRun run = Mvault(change);
    EXPECT_EQ(run.exit_code, 0) << run;
    EXPECT_THAT(run.err, HasSubstr("is not signed from now on, until 'mvault sign'"));
    EXPECT_THAT(files_.Verify(files_.Publics({"ann"})), Fails(11, "not signed"));
    EXPECT_THAT(files_.Verify({}), Succeeds());
    ASSERT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
  }
}

TEST_F(MvaultChangeTest, WhatSomebodyElseChangedIsNotSignedInPassing) {
  ASSERT_THAT(Mvault({"rm", files_.vault(), "many"}), Succeeds());
  const std::string before = files_.Bytes();
  for (const Arguments& change :
       {Arguments{"rm", files_.vault(), "few"}, Arguments{"compact", files_.vault()}, Changes()[0], Changes()[5]}) {
    EXPECT_THAT(Mvault(change + files_.Secrets({"ann"})), Fails(11, "is not signed in passing")) << change[0];
    EXPECT_THAT(Mvault(change + files_.Secrets({"bob"})), Fails(11, "is not of the key set")) << change[0];
  }
  EXPECT_EQ(files_.Bytes(), before);
}

TEST_F(MvaultChangeTest, AnUnsignedVaultIsNotSignedAgain) {
  const std::string fresh = files_.models().Pack("fresh.mvlt");
  EXPECT_THAT(Mvault(Arguments{"rm", fresh, "few"} + files_.Secrets({"ann"})), Fails(11, "'mvault sign' signs it"));
  EXPECT_THAT(Mvault({"rm", fresh, "few"}).err, IsEmpty());
}

TEST_F(MvaultChangeTest, AFreshVaultIsPackedAndSignedWithinTheBudget) {
  const std::string few = "new=" + files_.models().variant("few");
  const auto pack = [&](const Arguments& options) {
    return Mvault(
        Arguments{"pack", "--base", files_.models().base(), "--variant", few, "-o", files_.File("p.mvlt"), "--json"} +
        files_.Secrets({"ann"}) + options);
  };
  const ProgramRun run = pack({});
  ASSERT_EQ(run.exit_code, 0) << run;
  const nlohmann::json report = run.Json();
  const size_t size = files_.models().folder().Read("p.mvlt").size();
  EXPECT_EQ(report["bytes"], size);
  EXPECT_GT(report["sections"]["signature"], 0);
  EXPECT_EQ(report["signature"]["root"]["complete"], true);
  EXPECT_THAT(Mvault(Arguments{"verify", files_.File("p.mvlt")} + files_.Publics({"ann"})), Succeeds());
  std::filesystem::remove(files_.File("p.mvlt"));
  // The vault alone would fit.
  const size_t signature = report["sections"]["signature"].get<size_t>();
  EXPECT_THAT(pack({"--budget", absl::StrCat(size - signature)}), Fails(4, "budget"));
  EXPECT_FALSE(std::filesystem::exists(files_.File("p.mvlt")));
}

}  // namespace
}  // namespace modelvault
