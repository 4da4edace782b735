// Vaults that are signed, read, changed and signed again. What is not taken is in vault_attack_test.cc.
#include "vault/vault_signing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
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
  // But for header and MANIFEST, which has a log now, all is as it was.
  const size_t manifest = SectionOffset(unsigned_bytes, 4);
  EXPECT_EQ(bytes.substr(256, manifest - 256), unsigned_bytes.substr(256, manifest - 256));
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

TEST_F(VaultSigningTest, AnEditKeepsWhoMaySignAndDropsWhatTheyHaveSigned) {
  ASSERT_THAT(PrepareSignature(files_, path_, TestPlan(set_), options_), IsOk());
  const TestVariant added = MakeTestVariant("added", 2, false, 9);
  VaultChanges changes;
  changes.remove = {"dept-0"};
  changes.rename = {{"dept-1", "renamed"}};
  ASSERT_THAT(ChangeVault(files_, path_, changes, {added}), IsOk());
  EXPECT_THAT(OpenTrusted(), StatusIs(StatusCode::kPermissionDenied,
                                      HasSubstr("not signed since it was changed: version 2, key set 1")));
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(files_, path_));
  EXPECT_THAT(vault->CheckSigned(), IsOk());
  ASSERT_OK_AND_ASSIGN(const SigningPlan plan, PlanOf(*vault));
  EXPECT_EQ(plan.version, 2u);
  EXPECT_EQ(plan.vault_id, TestPlan(set_).vault_id);
  EXPECT_EQ(plan.key_sets, TestPlan(set_).key_sets);

  // Another change of what is not signed is of the same version.
  changes = {};
  changes.compact = true;
  ASSERT_THAT(ChangeVault(files_, path_, changes), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto compacted, VaultReader::Open(files_, path_));
  EXPECT_EQ(compacted->root()->version, 2u);
  EXPECT_THAT(compacted->CheckSigned(), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string message, RootMessage(*compacted));
  ASSERT_THAT(AddRootSignature(files_, path_, ann_.key(), ann_.Sign(message)), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto trusted, OpenTrusted());
  EXPECT_THAT(ReadAll(*trusted), IsOk());
  EXPECT_THAT(ReadVariant(*trusted, "added"), IsOkAndHolds(added));
}

TEST_F(VaultSigningTest, AnEditMaySignAtOnce) {
  ASSERT_THAT(PrepareSignature(files_, path_, TestPlan(set_), options_), IsOk());
  ASSERT_THAT(ChangeVault(files_, path_, {}, {MakeTestVariant("added", 1, false, 9)}, options_), IsOk());
  VaultTrust trust = TrustIn(set_);
  trust.least_version = 2;
  ASSERT_OK_AND_ASSIGN(const auto vault, OpenTrusted(trust));
  EXPECT_THAT(ReadAll(*vault), IsOk());
  // With a key of others nothing changes.
  const std::string bytes = folder_.Read("v");
  options_.sign_root = SignerOf({TestKey(99)});
  EXPECT_THAT(ChangeVault(files_, path_, {}, {}, options_),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("is none of the 3 keys of key set 1, which signs")));
  EXPECT_EQ(folder_.Read("v"), bytes);
}

TEST_F(VaultSigningTest, NoVersionComesAfterTheLast) {
  SigningPlan plan = TestPlan(set_);
  plan.version = ~uint64_t{0};
  ASSERT_THAT(PrepareSignature(files_, path_, plan, options_), IsOk());
  EXPECT_THAT(ChangeVault(files_, path_, {}), StatusIs(StatusCode::kResourceExhausted));
}

TEST_F(VaultSigningTest, AChangeNeverMakesRightWhatWasNotSigned) {
  ASSERT_THAT(PrepareSignature(files_, path_, TestPlan(set_), options_), IsOk());
  std::string bytes = folder_.Read("v");
  ASSERT_OK_AND_ASSIGN(const auto good, OpenTrusted());
  ASSERT_OK_AND_ASSIGN(const VaultVariant* variant, good->Find("dept-1"));
  bytes[variant->offset + variant->stored_size - 1] ^= 1;
  folder_.Write("v", bytes);
  VaultChanges changes;
  changes.rename = {{"dept-1", "renamed"}};
  ASSERT_THAT(ChangeVault(files_, path_, changes, {}, options_), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto vault, OpenTrusted());
  EXPECT_THAT(ReadVariant(*vault, "renamed"), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(vault->CheckSigned(), StatusIs(StatusCode::kPermissionDenied));
  // Nor is it signed anew.
  EXPECT_THAT(PrepareSignature(files_, path_, TestPlan(set_), options_), StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(VaultSigningTest, SignaturesComeOneByOne) {
  const KeySet two = TestKeySet({ann_, bob_, cat_}, 2);
  ASSERT_THAT(PrepareSignature(files_, path_, TestPlan(two)), IsOk());
  for (const TestKey& key : {cat_, ann_}) {
    EXPECT_THAT(OpenTrusted(TrustIn(two)), StatusIs(StatusCode::kPermissionDenied));
    ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(files_, path_));
    ASSERT_OK_AND_ASSIGN(const std::string message, RootMessage(*vault));
    EXPECT_EQ(message.size(), 48u);
    EXPECT_EQ(message.substr(0, 16), std::string("modelvault root\0", 16));
    ASSERT_THAT(AddRootSignature(files_, path_, key.key(), key.Sign(message)), IsOk());
  }
  EXPECT_THAT(OpenTrusted(TrustIn(two)), IsOk());
}

TEST_F(VaultSigningTest, OnlyRightSignaturesOfTheLastSetAreTaken) {
  ASSERT_THAT(PrepareSignature(files_, path_, TestPlan(set_)), IsOk());
  const std::string bytes = folder_.Read("v");
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(files_, path_));
  ASSERT_OK_AND_ASSIGN(const std::string message, RootMessage(*vault));
  const TestKey eve(99);
  EXPECT_THAT(AddRootSignature(files_, path_, eve.key(), eve.Sign(message)),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("is none of the 3 keys")));
  EXPECT_THAT(AddRootSignature(files_, path_, ann_.key(), bob_.Sign(message)),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("v: the signature is not key ")));
  EXPECT_THAT(AddRootSignature(files_, path_, ann_.key(), ann_.Sign(message + "x")),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_EQ(folder_.Read("v"), bytes);
}

TEST_F(VaultSigningTest, AVaultWithoutSignatureHasNothingToSign) {
  ASSERT_OK_AND_ASSIGN(const auto vault, VaultReader::Open(files_, path_));
  EXPECT_THAT(RootMessage(*vault), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("has no SIGNATURE")));
  EXPECT_THAT(PlanOf(*vault), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(vault->CheckSigned(), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(vault->signed_variant("dept-1"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(vault->DecodeSigned(), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_EQ(vault->root(), nullptr);
  EXPECT_THAT(AddRootSignature(files_, path_, ann_.key(), kNoSignature), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(VaultSigningTest, APlanOutOfItsRangesChangesNothing) {
  const std::string bytes = folder_.Read("v");
  const std::pair<const char*, void (*)(SigningPlan*)> faults[] = {
      {"no key set", [](SigningPlan* p) { p->key_sets.clear(); }},
      {"17 key sets", [](SigningPlan* p) { p->key_sets.resize(17, p->key_sets[0]); }},
      {"no key", [](SigningPlan* p) { p->key_sets[0].keys.clear(); }},
      {"17 keys", [](SigningPlan* p) { p->key_sets[0].keys.resize(17); }},
      {"a key twice", [](SigningPlan* p) { p->key_sets[0].keys[1] = p->key_sets[0].keys[0]; }},
      {"threshold", [](SigningPlan* p) { p->key_sets[0].threshold = 4; }},
      {"no id", [](SigningPlan* p) { p->vault_id = {}; }},
      {"version", [](SigningPlan* p) { p->version = 0; }},
      {"times", [](SigningPlan* p) { p->not_before = 2, p->not_after = 1; }},
      {"tiles", [](SigningPlan* p) { p->tile_log2 = 25; }},
      {"an unsigned key set",
       [](SigningPlan* p) {
         p->key_sets.push_back(TestKeySet({TestKey(9)}, 1, 2));
         p->key_sets[1].signatures.resize(3);
       }},
      {"a tenant without a prefix", [](SigningPlan* p) { p->tenants.resize(1); }},
  };
  for (const auto& [what, fault] : faults) {
    SigningPlan plan = TestPlan(set_);
    fault(&plan);
    EXPECT_THAT(PrepareSignature(files_, path_, plan, options_), StatusIs(StatusCode::kInvalidArgument)) << what;
  }
  EXPECT_EQ(folder_.Read("v"), bytes);
}

TEST_F(VaultSigningTest, TilesOfEverySizeAreProven) {
  for (const int tile_log2 : {12, 13, 16, 24}) {
    SigningPlan plan = TestPlan(set_);
    plan.tile_log2 = static_cast<uint8_t>(tile_log2);
    ASSERT_THAT(PrepareSignature(files_, path_, plan, options_), IsOk());
    ASSERT_OK_AND_ASSIGN(const auto vault, OpenTrusted());
    EXPECT_THAT(ReadAll(*vault), IsOk());
    EXPECT_THAT(vault->CheckSigned(), IsOk());
    // A blob of 9,000 bytes and some.
    ASSERT_OK_AND_ASSIGN(const SignedObject blob, vault->signed_variant("dept-1"));
    EXPECT_EQ(blob.tiles.size / 32, tile_log2 == 12 ? 3u : tile_log2 == 13 ? 2u : 0u);
  }
}

// Objects of no bytes, of one tile and around it.
TEST(DigestObjectTest, TilesEndWhereTheyMust) {
  const auto read = [](uint64_t, absl::Span<uint8_t> out) {
    std::fill(out.begin(), out.end(), uint8_t{1});
    return absl::OkStatus();
  };
  for (const auto& [size, tiles] : {std::pair(0, 0), std::pair(1, 0), std::pair(4095, 0), std::pair(4096, 0),
                                    std::pair(4097, 2), std::pair(8192, 2), std::pair(8193, 3)}) {
    const std::string bytes(static_cast<size_t>(size), '\1');
    const ObjectDigests digests = DigestObject(bytes, 12);
    EXPECT_EQ(digests.tiles.size(), static_cast<size_t>(tiles)) << size;
    if (tiles == 0) {
      EXPECT_EQ(digests.digest, DigestOf(bytes));
    } else {
      EXPECT_EQ(digests.tiles[0], DigestOf(bytes.substr(0, 4096)));
      EXPECT_EQ(digests.tiles.back(), DigestOf(bytes.substr(static_cast<size_t>(4096 * (tiles - 1)))));
    }
    EXPECT_THAT(DigestObject(7, static_cast<uint64_t>(size), 12, read), IsOkAndHolds(digests));
  }
  EXPECT_THAT(DigestObject(0, 1, 12, [](uint64_t, absl::Span<uint8_t>) { return absl::UnavailableError("no"); }),
              StatusIs(StatusCode::kUnavailable));
}

}  // namespace
}  // namespace modelvault
