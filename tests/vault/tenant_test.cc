// Tenants of a vault, sealed and not: what they add, see, sign and take away. What somebody else may try is in
// tenant_attack_test.cc.
#include "vault/tenant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_tenants.h"
#include "tests/vault/test_vault.h"
#include "vault/vault_editor.h"
#include "vault/vault_reader.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> NamesOf(const VaultReader& vault) {
  std::vector<std::string> names;
  for (const VaultVariant& variant : vault.variants()) names.push_back(variant.name);
  return names;
}

TEST(Tenant, APrefixIsWhatNamesBeginWith) {
  const TestKey key(1);
  const auto make = [&](const std::string& prefix) { return MakeTenant(prefix, key.key(), TestSecret(1), {}); };
  EXPECT_THAT(make("acme."), IsOk());
  EXPECT_THAT(make(std::string(64, 'a')), IsOk());
  EXPECT_THAT(make("\xC3\xA4rzte/"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("contains '/'")));
  EXPECT_THAT(make(""), StatusIs(StatusCode::kInvalidArgument, HasSubstr("0 bytes, expected 1 to 64")));
  EXPECT_THAT(make(std::string(65, 'a')), StatusIs(StatusCode::kInvalidArgument, HasSubstr("65 bytes")));
  EXPECT_THAT(make("-a"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("begins with '-'")));
  EXPECT_THAT(make("\xC3"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("UTF-8")));
}

TEST(Tenant, PrefixesBeginOneAnotherNever) {
  const TestKey key(1);
  std::vector<TenantRecord> tenants;
  for (const char* prefix : {"b.", "acme.", "c."}) {
    ASSERT_THAT(PlaceTenant(TestTenant(prefix, key, std::nullopt), &tenants), IsOk());
  }
  ASSERT_EQ(tenants.size(), 3u);
  EXPECT_EQ(tenants[0].prefix, "acme.");
  EXPECT_EQ(tenants[2].prefix, "c.");
  for (const char* prefix : {"acme.x.", "ac"}) {
    EXPECT_THAT(PlaceTenant(TestTenant(prefix, key, std::nullopt), &tenants),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("one begins with the other")));
  }
  EXPECT_THAT(PlaceTenant(TestTenant("acme.", TestKey(2), TestSecret(3)), &tenants), IsOk());
  ASSERT_EQ(tenants.size(), 3u);
  EXPECT_EQ(tenants[0].key, TestKey(2).key());
  EXPECT_EQ(OwnerOf("acme.x", tenants), &tenants[0]);
  EXPECT_EQ(OwnerOf("acme", tenants), nullptr);
  tenants.resize(1);
  for (size_t i = 1; i < kMaxTenants; ++i) tenants.push_back(TestTenant(absl::StrCat("t", i, "."), key, std::nullopt));
  EXPECT_THAT(PlaceTenant(TestTenant("z.", key, std::nullopt), &tenants),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("256 tenants")));
}

TEST(Tenant, ContentKeysAreWrappedForGroups) {
  const TestKey key(1);
  EXPECT_THAT(MakeTenant("a.", key.key(), std::nullopt, {{TestGroup(5)}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("need a content key")));
  EXPECT_THAT(MakeTenant("a.", key.key(), TestSecret(1), {{TestGroup(5), TestGroup(5)}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("twice")));
  EXPECT_THAT(MakeTenant("a.", key.key(), TestSecret(1), {{PublicKey{}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("small order")));
  const TenantRecord tenant = TestTenant("a.", key, TestSecret(1), {TestGroup(5), TestGroup(6), TestGroup(7)});
  EXPECT_NE(tenant.groups, TestTenant("a.", key, TestSecret(1), {TestGroup(5), TestGroup(6), TestGroup(7)}).groups);
  EXPECT_TRUE(std::is_sorted(tenant.groups.begin(), tenant.groups.end(),
                             [](const TenantGroup& a, const TenantGroup& b) { return a.id < b.id; }));
}

class TenantVaultTest : public testing::Test {
 protected:
  TenantVaultTest() {
    EXPECT_THAT(WriteVault(files_, path_, contents_), IsOk());
    EXPECT_THAT(PrepareSignature(files_, path_, TestPlan(set_), {}), IsOk());
    VaultChanges changes;
    changes.tenants = {TestTenant("acme.", acme_, acme_content_, {TestGroup(5), TestGroup(6)}),
                       TestTenant("open.", open_, std::nullopt)};
    EXPECT_THAT(ChangeVault(files_, path_, changes), IsOk());
  }

  VaultWriterOptions Options(const TenantKeys& keys, const std::vector<TestKey>& signers) const {
    VaultWriterOptions options;
    options.keys = keys;
    options.sign_tenant = TenantSignerOf(signers);
    return options;
  }
  absl::Status AddAcme(const std::vector<TestVariant>& variants, const VaultChanges& changes = {}) {
    return ChangeVault(files_, path_, changes, variants, Options(ContentKeys({acme_content_}), {acme_}));
  }
  absl::Status AddOpen(const std::vector<TestVariant>& variants, const VaultChanges& changes = {}) {
    return ChangeVault(files_, path_, changes, variants, Options({}, {open_}));
  }
  std::unique_ptr<VaultReader> Open(const TenantKeys& keys = {}) {
    VaultReaderOptions options;
    options.keys = keys;
    auto vault = VaultReader::Open(files_, path_, options);
    EXPECT_THAT(vault, IsOk());
    return vault.ok() ? *std::move(vault) : nullptr;
  }
  bool HasSigned(const std::string& prefix) {
    const auto plan = PlanOf(*Open());
    EXPECT_THAT(plan, IsOk());
    for (const TenantRecord& tenant : plan->tenants) {
      if (tenant.prefix == prefix) return tenant.signature != kNoSignature;
    }
    ADD_FAILURE() << prefix;
    return false;
  }
  absl::Status SignRoot() {
    const auto message = RootMessage(*Open());
    EXPECT_THAT(message, IsOk());
    return AddRootSignature(files_, path_, root_.key(), root_.Sign(*message));
  }

  const TempFolder folder_;
  FileSystem& files_ = FileSystem::Default();
  const std::string path_ = folder_.File("v");
  const TestContents contents_ = MakeTestContents(30, 4);
  const TestKey root_{1}, acme_{2}, open_{3};
  const KeySet set_ = TestKeySet({root_}, 1);
  const SecretKey acme_content_ = TestSecret(100);
  // Of every shape of blob: no segments, one, a directory, a layout and no segments.
  const std::vector<TestVariant> acme_variants_ = [] {
    std::vector<TestVariant> variants;
    for (size_t i = 0; i < 5; ++i) {
      variants.push_back(MakeTestVariant(absl::StrCat("acme.secret-", i), i % 3, i == 3, 70 + i));
    }
    // With tensors of its own.
    variants[4].layout = TestFreeLayout(9);
    variants[4].header = "{\"tensors\":[\"embed\",\"head_of_acme\",\"norm\"]}";
    return variants;
  }();
};

TEST_F(TenantVaultTest, WhoHasTheKeyFindsWhatWasSealed) {
  ASSERT_THAT(AddAcme(acme_variants_), IsOk());
  for (const TenantKeys& keys : {ContentKeys({TestSecret(1), acme_content_}), DeviceKeys({TestSecret(6)})}) {
    const auto vault = Open(keys);
    EXPECT_EQ(vault->variants().size(), contents_.variants.size() + acme_variants_.size());
    for (const TestVariant& expected : acme_variants_) {
      ASSERT_OK_AND_ASSIGN(const TestVariant found, ReadVariant(*vault, expected.name));
      EXPECT_EQ(found, expected);
      ASSERT_OK_AND_ASSIGN(const VaultVariant* const variant, vault->Find(expected.name));
      EXPECT_FALSE(variant->locked());
    }
    EXPECT_THAT(ReadAll(*vault), IsOk());
  }
}

TEST_F(TenantVaultTest, WhoHasNotFindsOpaqueNames) {
  ASSERT_THAT(AddAcme(acme_variants_), IsOk());
  for (const TenantKeys& keys : {TenantKeys{}, ContentKeys({TestSecret(9)}), DeviceKeys({TestSecret(9)})}) {
    const auto vault = Open(keys);
    size_t locked = 0;
    for (const VaultVariant& variant : vault->variants()) {
      if (!variant.locked()) continue;
      ++locked;
      EXPECT_THAT(variant.name, testing::MatchesRegex("acme\\.~[0-9a-f]+"));
      EXPECT_EQ(variant.digests, ModelDigests());
      EXPECT_THAT(vault->OpenBlob(variant),
                  StatusIs(StatusCode::kPermissionDenied,
                           HasSubstr(absl::StrCat("'", variant.name, "' is sealed by tenant 'acme.'; needs its key"))));
      EXPECT_THAT(vault->variant_header(variant.name), StatusIs(StatusCode::kPermissionDenied));
      EXPECT_THAT(vault->CheckStoredBlob(variant), IsOk());
    }
    EXPECT_EQ(locked, acme_variants_.size());
    EXPECT_THAT(vault->Find("acme.secret-0"), StatusIs(StatusCode::kNotFound));
    for (const TestVariant& expected : contents_.variants) {
      ASSERT_OK_AND_ASSIGN(const TestVariant found, ReadVariant(*vault, expected.name));
      EXPECT_EQ(found, expected);
    }
  }
}

// Names, digests and headers are searched for in every byte, the headers' container unpacked.
TEST_F(TenantVaultTest, NothingOfAVariantStandsInTheVault) {
  ASSERT_THAT(AddAcme(acme_variants_), IsOk());
  const std::string bytes = folder_.Read("v");
  const auto vault = Open();
  std::string seen = bytes;
  for (const VaultVariant& variant : vault->variants()) {
    if (!variant.locked()) continue;
    ASSERT_OK_AND_ASSIGN(const HeaderDifference stored, vault->sealed_header(variant.name));
    EXPECT_EQ(stored, HeaderDifference{.sealed = stored.sealed});
    EXPECT_EQ((stored.sealed.size() - kTagSize) % kSealedHeaderStep, 0u);
    seen += stored.sealed;
  }
  for (const char* name : {"secret", "head_of_acme"}) EXPECT_FALSE(absl::StrContains(seen, name)) << name;
  EXPECT_FALSE(absl::StrContains(seen, acme_variants_[4].layout.bytes));
  for (const TestVariant& variant : acme_variants_) {
    std::string xxh64(8, '\0');
    Store<uint64_t>(&xxh64, 0, variant.digests.xxh64);
    const std::string xxh3(variant.digests.xxh3.begin(), variant.digests.xxh3.end());
    for (const std::string& secret : {variant.name, variant.name.substr(5), xxh64, xxh3, variant.header}) {
      EXPECT_FALSE(absl::StrContains(seen, secret)) << variant.name;
    }
    for (const std::string& segment : variant.segments) {
      EXPECT_FALSE(segment.size() >= 4 && absl::StrContains(seen, segment)) << variant.name;
    }
  }
}

TEST_F(TenantVaultTest, TheSameContentsHaveTheSameBytesAndOthersOtherSalts) {
  ASSERT_THAT(AddAcme(acme_variants_), IsOk());
  const std::string before = folder_.Read("v");
  const auto old_vault = Open(ContentKeys({acme_content_}));
  VaultChanges replace;
  for (const TestVariant& variant : acme_variants_) replace.remove.push_back(variant.name);
  ASSERT_THAT(AddAcme(acme_variants_, replace), IsOk());
  // All but the log, which is in MANIFEST, and what covers that.
  const auto up_to_manifest = [](const std::string& v) {
    return v.substr(kHeaderSize, SectionOffset(v, 4) - kHeaderSize);
  };
  EXPECT_EQ(up_to_manifest(folder_.Read("v")), up_to_manifest(before));

  // A byte of the header alone, which is not in the blob.
  std::vector<TestVariant> changed = acme_variants_;
  changed[1].header += " ";
  ASSERT_THAT(AddAcme(changed, replace), IsOk());
  const auto vault = Open(ContentKeys({acme_content_}));
  for (const TestVariant& variant : acme_variants_) {
    const bool same = vault->Find(variant.name).value()->sealed == old_vault->Find(variant.name).value()->sealed;
    EXPECT_EQ(same, variant.name != changed[1].name);
  }
}

TEST_F(TenantVaultTest, WithoutTheContentKeyNobodyAdds) {
  EXPECT_THAT(ChangeVault(files_, path_, {}, acme_variants_, Options(DeviceKeys({TestSecret(5)}), {acme_})),
              StatusIs(StatusCode::kPermissionDenied,
                       HasSubstr("'acme.secret-0' would be of tenant 'acme.', whose variants are sealed")));
  ASSERT_THAT(AddAcme(acme_variants_), IsOk());
  EXPECT_THAT(AddAcme({acme_variants_[2]}),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("there is a variant 'acme.secret-2' already")));
}

TEST_F(TenantVaultTest, ATenantsSignatureStaysWhileItIsTrue) {
  ASSERT_THAT(AddAcme(acme_variants_), IsOk());
  ASSERT_THAT(AddOpen({MakeTestVariant("open.a", 1, false, 80)}), IsOk());
  EXPECT_TRUE(HasSigned("acme."));
  EXPECT_TRUE(HasSigned("open."));
  ASSERT_THAT(SignRoot(), IsOk());
  VaultReaderOptions trusting;
  trusting.trust = TrustIn(set_);
  EXPECT_THAT(VaultReader::Open(files_, path_, trusting), IsOk());

  // The integrator's own variants are none of theirs.
  VaultChanges rename;
  rename.rename = {{"dept-0", "elsewhere"}};
  rename.compact = true;
  ASSERT_THAT(ChangeVault(files_, path_, rename), IsOk());
  EXPECT_TRUE(HasSigned("acme."));
  EXPECT_TRUE(HasSigned("open."));

  VaultChanges remove;
  remove.remove = {"acme.secret-1"};
  VaultWriterOptions keys;
  keys.keys = ContentKeys({acme_content_});
  ASSERT_THAT(ChangeVault(files_, path_, remove, {}, keys), IsOk());
  EXPECT_FALSE(HasSigned("acme."));
  EXPECT_TRUE(HasSigned("open."));
  EXPECT_THAT(SignRoot(), StatusIs(StatusCode::kPermissionDenied,
                                   HasSubstr("tenant 'acme.' has not signed its variants as they are")));
  ASSERT_THAT(AddAcme({}), IsOk());
  EXPECT_TRUE(HasSigned("acme."));
  EXPECT_THAT(SignRoot(), IsOk());

  // Into an open tenant's names, by somebody else.
  VaultChanges intrude;
  intrude.rename = {{"elsewhere", "open.b"}};
  ASSERT_THAT(ChangeVault(files_, path_, intrude), IsOk());
  EXPECT_FALSE(HasSigned("open."));
  EXPECT_TRUE(HasSigned("acme."));
  VaultWriterOptions sign_root;
  sign_root.sign_root = SignerOf({root_});
  EXPECT_THAT(ChangeVault(files_, path_, {}, {}, sign_root),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("tenant 'open.' has not signed")));
  sign_root.sign_tenant = TenantSignerOf({open_});
  EXPECT_THAT(ChangeVault(files_, path_, {}, {}, sign_root), IsOk());
  EXPECT_THAT(VaultReader::Open(files_, path_, trusting), IsOk());
}

TEST_F(TenantVaultTest, ATenantWithoutVariantsNeedNotSign) { EXPECT_THAT(SignRoot(), IsOk()); }

TEST_F(TenantVaultTest, ATenantGoesWithItsVariants) {
  ASSERT_THAT(AddAcme(acme_variants_), IsOk());
  VaultChanges changes;
  changes.tenants.emplace();
  EXPECT_THAT(ChangeVault(files_, path_, changes),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("is sealed with another content key")));
  const auto before = Open();
  for (const VaultVariant& variant : before->variants()) {
    if (variant.locked()) changes.remove.push_back(variant.name);
  }
  ASSERT_THAT(ChangeVault(files_, path_, changes), IsOk());
  const auto vault = Open();
  EXPECT_THAT(NamesOf(*vault), ElementsAre("dept-0", "dept-1", "dept-2", "dept-3"));
  EXPECT_EQ(vault->root()->tenant_count, 0u);
  EXPECT_EQ(vault->header().features & kFeatureTenants, 0u);
}

TEST_F(TenantVaultTest, SealedVariantsKeepTenantAndName) {
  ASSERT_THAT(AddAcme(acme_variants_), IsOk());
  VaultWriterOptions keys;
  keys.keys = ContentKeys({acme_content_});
  VaultChanges rename;
  rename.rename = {{"acme.secret-0", "acme.secret-9"}};
  EXPECT_THAT(ChangeVault(files_, path_, rename, {}, keys),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'acme.secret-0' is sealed under its name")));
  VaultChanges other_key;
  other_key.tenants = {TestTenant("acme.", acme_, TestSecret(101))};
  EXPECT_THAT(ChangeVault(files_, path_, other_key),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("sealed with another content key")));
  VaultChanges seal;
  seal.tenants = {TestTenant("acme.", acme_, acme_content_), TestTenant("dept-", open_, TestSecret(102))};
  EXPECT_THAT(
      ChangeVault(files_, path_, seal),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("'dept-0' is not sealed, unlike all of tenant 'dept-'")));
  // Another group, another signing key: the variants stay.
  VaultChanges again;
  again.tenants = {TestTenant("acme.", TestKey(9), acme_content_, {TestGroup(8)})};
  ASSERT_THAT(ChangeVault(files_, path_, again), IsOk());
  EXPECT_FALSE(HasSigned("acme."));
  EXPECT_THAT(ReadVariant(*Open(DeviceKeys({TestSecret(8)})), "acme.secret-1"), IsOk());
  EXPECT_THAT(ReadVariant(*Open(DeviceKeys({TestSecret(5)})), "acme.secret-1"), StatusIs(StatusCode::kNotFound));
}

TEST_F(TenantVaultTest, FreeLayoutsAndFramesThatWereSealedStayAllowed) {
  TestVariant variant = MakeTestVariant("acme.free", 1, false, 90);
  variant.layout = TestFreeLayout(7);
  ASSERT_THAT(AddAcme({variant}), IsOk());
  VaultChanges remove;
  remove.remove = {"dept-1"};
  ASSERT_THAT(ChangeVault(files_, path_, remove), IsOk());
  const auto vault = Open(ContentKeys({acme_content_}));
  EXPECT_EQ(vault->header().max_variant_tensors, 7u);
  ASSERT_OK_AND_ASSIGN(const TestVariant found, ReadVariant(*vault, variant.name));
  EXPECT_EQ(found, variant);
}

TEST_F(TenantVaultTest, TenantsNeedSignature) {
  ASSERT_THAT(WriteVault(files_, folder_.File("plain"), contents_), IsOk());
  VaultChanges changes;
  changes.tenants = {TestTenant("acme.", acme_, acme_content_)};
  EXPECT_THAT(ChangeVault(files_, folder_.File("plain"), changes),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("has no SIGNATURE")));
}

}  // namespace
}  // namespace modelvault
