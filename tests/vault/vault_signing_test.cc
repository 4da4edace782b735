// Vaults that are signed, read, changed and signed again. What is not taken is in vault_attack_test.cc.
#include "vault/vault_signing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"
#include "vault/vault_editor.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class VaultSigningTest : public testing::Test {
 protected:
  VaultSigningTest() {
    EXPECT_THAT(WriteVault(files_, path_, contents_), IsOk());
    options_.sign_root = SignerOf({ann_});
  }

  auto OpenTrusted(const VaultTrust& trust) {
    VaultReaderOptions options;
    options.trust = trust;
    return VaultReader::Open(files_, path_, options);
  }
  auto OpenTrusted() { return OpenTrusted(TrustIn(set_)); }

  const TempFolder folder_;
  FileSystem& files_ = FileSystem::Default();
  const std::string path_ = folder_.File("v");
  // The base has two tiles, some blobs are empty.
  const TestContents contents_ = [] {
    TestContents contents = MakeTestContents(20, 6, 40000);
    contents.network = "what they compute";
    contents.variants[1].segments = {TestRandom(5).Bytes(5000), TestRandom(6).Bytes(4000)};
    return contents;
  }();
  const TestKey ann_{1}, bob_{2}, cat_{3};
  const KeySet set_ = TestKeySet({ann_, bob_, cat_}, 1);
  VaultWriterOptions options_;
};

TEST_F(VaultSigningTest, ASignedVaultHoldsWhatItHeldAndIsTaken) {
  const std::string unsigned_bytes = folder_.Read("v");
  ASSERT_THAT(PrepareSignature(files_, path_, TestPlan(set_), options_), IsOk());
  const std::string bytes = folder_.Read("v");
  ExpectContents(bytes, contents_);
  // But for the header all is as it was.
  EXPECT_EQ(bytes.substr(256, unsigned_bytes.size() - 256), unsigned_bytes.substr(256));
  EXPECT_EQ(Load<uint16_t>(bytes, 10), 4);
  EXPECT_EQ(Load<uint32_t>(bytes, 12), 8u + 32u);

  ASSERT_OK_AND_ASSIGN(const auto vault, OpenTrusted());
  EXPECT_EQ(vault->key_set_digest(), set_.digest());
  TestContents found;
  ASSERT_THAT(ReadAll(*vault, &found), IsOk());
  EXPECT_EQ(found.chunks, contents_.chunks);
  EXPECT_THAT(found.variants, testing::UnorderedElementsAreArray(contents_.variants));
  EXPECT_THAT(vault->CheckSigned(), IsOk());
  const VaultBytes account = vault->BytesBySection();
  EXPECT_EQ(account.signature, bytes.size() - account.manifest - vault->header().section(Section::kManifest).offset -
                                   (vault->header().section(Section::kSignature).offset -
                                    vault->header().section(Section::kManifest).end()));
}

}  // namespace
}  // namespace modelvault
