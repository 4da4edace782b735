// Vaults behind URLs: the commands that read them, and those that may not change them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/tools/mvault/commands/signed_files.h"
#include "tests/tools/mvault/program_run.h"
#include "tests/vault/remote/range_server.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;

// A vault of a hundred variants that is large enough for its parts to lie apart.
class HundredVariants {
 public:
  HundredVariants() {
    TestRandom random(7);
    FileModel base;
    base.tensors = {MakeTensor("embed", "I8", {700, 256}, &random), MakeTensor("norm", "F32", {256}, &random),
                    MakeTensor("head", "I8", {256, 800}, &random)};
    folder_.Write("base.safetensors", Serialize(base));
    std::filesystem::create_directory(folder_.File("variants"));
    for (int i = 0; i < 100; ++i) {
      const FileModel variant = Ternary(base, i == kLargest ? 3 : 400, &random);
      folder_.Write(absl::StrCat("variants/v", i, ".safetensors"), Serialize(variant));
    }
    const ProgramRun packed = Mvault({"pack", "--base", folder_.File("base.safetensors"), "--variants",
                                      folder_.File("variants"), "-o", folder_.File("all.mvlt")});
    EXPECT_THAT(packed, Succeeds());
  }

  static constexpr int kLargest = 50;
  const TempFolder& folder() const { return folder_; }

 private:
  TempFolder folder_;
};

TEST(MvaultHttpTest, OneOfAHundredTakesFewRequestsAndFewBytes) {
  const HundredVariants models;
  RangeServer server(models.folder().path());
  const std::string url = server.Url("plain/all.mvlt");
  for (const std::string name : {"v3", "v50", "base"}) {
    const nlohmann::json list = Mvault({"ls", models.folder().File("all.mvlt"), "--json"}).Json();
    const nlohmann::json parts = Mvault({"info", models.folder().File("all.mvlt"), "--json"}).Json()["sections"];
    uint64_t needed = 0;
    for (const auto& [part, size] : parts.items()) {
      if (part != "variants" && part != "padding") needed += size.get<uint64_t>();
    }
    for (const auto& model : list["variants"]) {
      if (model["name"] == name) needed += model["stored_bytes"].get<uint64_t>();
    }
    server.TakeRequests();
    const std::string output = models.folder().File("out");
    ASSERT_THAT(Mvault({"restore", url, name, "-o", output}), Succeeds("digests verified"));
    const std::vector<RangeServer::Request> requests = server.TakeRequests();
    EXPECT_THAT(requests, SizeIs(Le(6u))) << name;
    EXPECT_LE(static_cast<double>(BytesOf(requests)), 1.05 * static_cast<double>(needed)) << name;
    EXPECT_EQ(
        models.folder().Read("out"),
        models.folder().Read(name == "base" ? "base.safetensors" : absl::StrCat("variants/", name, ".safetensors")));
  }
}

TEST(MvaultHttpTest, TilesThatAreProvenComeInFewRequests) {
  const HundredVariants models;
  const std::string vault = models.folder().File("all.mvlt");
  const std::string key = models.folder().File("ann");
  ASSERT_THAT(Mvault({"keygen", "--out", key}), Succeeds());
  ASSERT_THAT(Mvault({"sign", vault, "--key", key + ".key"}), Succeeds());
  RangeServer server(models.folder().path());
  const std::string output = models.folder().File("out");
  const Arguments trusted = {"--key", key + ".pub"};
  ASSERT_THAT(Mvault(Arguments{"restore", server.Url("plain/all.mvlt"), "v50", "-o", output} + trusted), Succeeds());
  EXPECT_EQ(models.folder().Read("out"), models.folder().Read("variants/v50.safetensors"));
  std::vector<RangeServer::Request> requests = server.TakeRequests();
  EXPECT_THAT(requests, SizeIs(Le(6u)));
  const uint64_t whole = BytesOf(requests);
  ASSERT_THAT(
      Mvault(Arguments{"restore", server.Url("plain/all.mvlt"), "v50", "--tensor", "norm", "-o", output} + trusted),
      Succeeds());
  requests = server.TakeRequests();
  EXPECT_THAT(requests, SizeIs(Le(6u)));
  EXPECT_LE(BytesOf(requests) + 90'000, whole) << "of the base only what the tensor needs";
  ASSERT_THAT(Mvault(Arguments{"verify", server.Url("plain/all.mvlt")} + trusted), Succeeds("101 models restored"));
  EXPECT_THAT(server.TakeRequests(), SizeIs(Le(6u)));
}

class MvaultUrlTest : public testing::Test {
 protected:
  MvaultUrlTest() : server_(files_.models().folder().path()) {}

  std::string Url(const std::string& fault = "plain") const {
    return server_.Url(absl::StrCat(fault, "/", std::filesystem::path(files_.vault()).filename().string()));
  }
  // The command's words, with `vault` for "VAULT".
  static Arguments For(Arguments words, const std::string& vault) {
    for (std::string& word : words) {
      if (word == "VAULT") word = vault;
    }
    return words;
  }

  const SignedFiles files_;
  RangeServer server_;
};

TEST_F(MvaultUrlTest, EveryCommandThatReadsSaysOfAUrlWhatItSaysOfTheFile) {
  ASSERT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
  for (const Arguments& words : std::vector<Arguments>{
           {"ls", "VAULT"},
           {"info", "VAULT"},
           {"info", "VAULT", "few"},
           {"verify", "VAULT"},
           {"verify", "VAULT", "few", "base"},
           {"checksums", "VAULT"},
           {"log", "VAULT"},
           {"diff", "VAULT", "few", "odd"},
           {"flash-diff", "VAULT", "VAULT"},
           Arguments{"verify", "VAULT", "--require-signature"} + files_.Publics({"ann"}),
           Arguments{"ls", "VAULT"} + files_.Publics({"ann"}),
       }) {
    const ProgramRun local = Mvault(For(words, files_.vault()));
    ProgramRun remote = Mvault(For(words, Url()));
    EXPECT_EQ(remote.exit_code, local.exit_code) << words[0] << remote;
    for (size_t at; (at = remote.out.find(Url())) != std::string::npos;) {
      remote.out.replace(at, Url().size(), files_.vault());
    }
    EXPECT_EQ(remote.out, local.out);
  }
}

TEST_F(MvaultUrlTest, RestoresByHttpAndByFile) {
  const std::string output = files_.File("out");
  for (const std::string& vault : {Url("drop/30000"), Url(), Url("ignore"), "file://" + files_.vault()}) {
    for (const std::string name : {"odd", "base"}) {
      ASSERT_THAT(Mvault({"restore", vault, name, "-o", output}), Succeeds("digests verified")) << vault;
      EXPECT_EQ(files_.models().folder().Read("out"), files_.models().files().at(name));
    }
  }
  ASSERT_THAT(Mvault({"restore", Url(), "few", "--tensor", "layer.w", "-o", output}), Succeeds("checksums"));
}

TEST_F(MvaultUrlTest, ASignedVaultIsProvenAsItComes) {
  ASSERT_THAT(files_.Sign(files_.Secrets({"ann"})), Succeeds());
  const std::string output = files_.File("out");
  const Arguments restore = {"restore", Url(), "few", "-o", output};
  ASSERT_THAT(Mvault(restore + files_.Publics({"ann"})), Succeeds("digests verified"));
  EXPECT_EQ(files_.models().folder().Read("out"), files_.models().files().at("few"));
  std::filesystem::remove(output);
  EXPECT_THAT(Mvault(restore + files_.Publics({"bob"})), Fails(11, Url()));
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST_F(MvaultUrlTest, NothingHasTheNameBeforeItIsProven) {
  const std::string output = files_.models().folder().Write("out", "as it was");
  std::string damaged = files_.Bytes();
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  files_.models().folder().Write("damaged.mvlt", damaged);
  EXPECT_THAT(Mvault({"verify", server_.Url("plain/damaged.mvlt")}).exit_code, testing::AnyOf(1, 3));
  const auto restore = [&](const std::string& url) { return Mvault({"restore", url, "free", "-o", output}); };
  EXPECT_THAT(restore(server_.Url("size_lies/damaged.mvlt")), Fails(3, "size_lies/damaged.mvlt: truncated"));
  EXPECT_THAT(restore(server_.Url("plain/missing.mvlt")),
              Fails(7, "plain/missing.mvlt: bytes 0-65535: HTTP status 404"));
  EXPECT_THAT(restore(Url("wrong_range")), Fails(3, "the server sends bytes 1-"));
  EXPECT_THAT(restore(server_.Url("plain/out")), Fails(3, "not a vault"));
  EXPECT_EQ(files_.models().folder().Read("out"), "as it was");
}

TEST_F(MvaultUrlTest, WhatIsChangedIsAFile) {
  const std::string added = absl::StrCat("new=", files_.models().variant("few"));
  for (const Arguments& words : std::vector<Arguments>{{"add", "VAULT", added},
                                                       {"replace", "VAULT", added},
                                                       {"rename", "VAULT", "few", "less"},
                                                       {"rm", "VAULT", "few"},
                                                       {"compact", "VAULT"},
                                                       Arguments{"sign", "VAULT"} + files_.Secrets({"ann"}),
                                                       Arguments{"rotate", "VAULT"} + files_.Secrets({"ann"}),
                                                       {"tenant", "add", "VAULT", "x/"}}) {
    EXPECT_THAT(Mvault(For(words, "http://reader:pass@127.0.0.1:1/v.mvlt")),
                AllOf(Fails(2, "http://127.0.0.1:1/v.mvlt"), testing::Field(&ProgramRun::err, Not(HasSubstr("pass@")))))
        << words[0];
  }
  const Arguments pack = {"pack", "--base", files_.models().base(), "--variants", files_.models().variants(), "-o"};
  EXPECT_THAT(Mvault(pack + Arguments{Url()}), Fails(3, "only vaults are read from one"));
  EXPECT_THAT(Mvault({"restore", files_.vault(), "few", "-o", Url()}), Fails(3, "only vaults are read from one"));
  EXPECT_THAT(server_.TakeRequests(), testing::IsEmpty());
}

TEST_F(MvaultUrlTest, ACacheIsAskedFor) {
  const std::string folder = files_.File("cache");
  const Arguments restore = {"restore", Url(), "few", "-o", files_.File("out"), "--cache", folder};
  ASSERT_THAT(Mvault(restore), Succeeds());
  EXPECT_TRUE(std::filesystem::exists(folder));
  ASSERT_THAT(Mvault(restore + Arguments{"--cache-size", "100KiB"}), Succeeds());
  EXPECT_THAT(Mvault({"ls", Url(), "--cache", files_.vault()}), Fails(5, "cannot make the folder"));
  setenv("MODELVAULT_CACHE_SIZE", "much", 1);
  EXPECT_THAT(Mvault({"ls", Url()}), Fails(3, "MODELVAULT_CACHE_SIZE"));
  unsetenv("MODELVAULT_CACHE_SIZE");
}

}  // namespace
}  // namespace modelvault
