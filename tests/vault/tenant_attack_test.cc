// What somebody may try on a tenant's variants who has the vault, and perhaps keys of another tenant, or the root's:
// each is refused. Forgers repair every checksum, which are not there to stop them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_tenants.h"
#include "tests/vault/test_vault.h"
#include "vault/core/sealed_blob.h"
#include "vault/core/tenant_view.h"
#include "vault/crypto.h"
#include "vault/section_encoder.h"
#include "vault/vault_editor.h"
#include "vault/vault_reader.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// One sealed variant's stored parts.
struct Stored {
  std::string name;  // In INDEX.
  SealSalt salt;
  std::string blob;
  std::string head;
};

class TenantAttackTest : public testing::Test {
 protected:
  TenantAttackTest() { Build("v", 1); }

  // A vault with two sealed tenants, signed by all. Vaults of other seeds have other ids and the same variants.
  void Build(const std::string& file, uint8_t id) {
    const std::string path = folder_.File(file);
    SigningPlan plan = TestPlan(set_);
    plan.vault_id[0] = id;
    EXPECT_THAT(WriteVault(files_, path, MakeTestContents(40, 2)), IsOk());
    EXPECT_THAT(PrepareSignature(files_, path, plan, {}), IsOk());
    VaultChanges changes;
    changes.tenants = {TestTenant("a.", ann_, ann_content_, {TestGroup(5)}),
                       TestTenant("b.", bob_, bob_content_, {TestGroup(6)})};
    EXPECT_THAT(ChangeVault(files_, path, changes, Variants(), AllKeys()), IsOk());
  }
  static std::vector<TestVariant> Variants() {
    return {MakeTestVariant("a.one", 1, false, 1), MakeTestVariant("a.two", 1, false, 2),
            MakeTestVariant("b.one", 1, false, 3)};
  }
  VaultWriterOptions AllKeys() const {
    VaultWriterOptions options;
    options.keys = ContentKeys({ann_content_, bob_content_});
    options.sign_tenant = TenantSignerOf({ann_, bob_});
    options.sign_root = SignerOf({root_});
    return options;
  }

  absl::StatusOr<std::unique_ptr<VaultReader>> Open(const std::string& file, const TenantKeys& keys,
                                                    bool trusting = false) {
    VaultReaderOptions options;
    options.keys = keys;
    if (trusting) options.trust = TrustIn(set_);
    return VaultReader::Open(files_, folder_.File(file), options);
  }
  TenantKeys All() const { return ContentKeys({ann_content_, bob_content_}); }

  // What is stored of a variant with this real name.
  Stored StoredOf(const std::string& file, const std::string& name) {
    const auto vault = Open(file, All());
    EXPECT_THAT(vault, IsOk());
    const VaultVariant& variant = **(*vault)->Find(name);
    Stored stored{variant.sealed->name, variant.sealed->salt, std::string(variant.stored_size, '\0'),
                  (*vault)->sealed_header(name)->sealed};
    EXPECT_THAT(
        (*vault)->file().ReadAt(variant.offset, {reinterpret_cast<uint8_t*>(stored.blob.data()), stored.blob.size()}),
        IsOk());
    return stored;
  }
  // Opens what is stored as the board does.
  CoreStatus OpenStored(const Stored& stored, const SecretKey& key, const std::string& file = "v") {
    const auto vault = Open(file, {});
    EXPECT_THAT(vault, IsOk());
    VariantEntry entry;
    entry.name = ToByteView(stored.name);
    entry.xxh64 = LoadLe64(stored.salt.data());
    std::memcpy(entry.xxh3, stored.salt.data() + 8, sizeof(entry.xxh3));
    std::string bytes = stored.blob;
    OpenedBlob opened;
    const CoreStatus status = OpenSealedBlob((*vault)->root()->vault_id(), entry, ToByteView(bytes), key.data(),
                                             HostCrypto(), reinterpret_cast<uint8_t*>(bytes.data()), &opened);
    EXPECT_TRUE(status == CoreStatus::kOk || bytes == stored.blob);
    return status;
  }
  absl::Status OpenHead(const Stored& stored, const SecretKey& key, const std::string& file = "v") {
    const auto vault = Open(file, {});
    EXPECT_THAT(vault, IsOk());
    return OpenSealedHead(key, (*vault)->root()->vault_id(), stored.name, stored.salt, stored.head).status();
  }
  void ExpectRefused(const Stored& stored, const SecretKey& key, const std::string& file = "v") {
    EXPECT_EQ(OpenStored(stored, key, file), CoreStatus::kNotAuthentic);
    EXPECT_THAT(OpenHead(stored, key, file), StatusIs(StatusCode::kPermissionDenied));
  }

  const TempFolder folder_;
  FileSystem& files_ = FileSystem::Default();
  const TestKey root_{1}, ann_{2}, bob_{3};
  const KeySet set_ = TestKeySet({root_}, 1);
  const SecretKey ann_content_ = TestSecret(100), bob_content_ = TestSecret(101);
};

TEST_F(TenantAttackTest, WhatIsStoredOpensWithItsKey) {
  EXPECT_EQ(OpenStored(StoredOf("v", "a.one"), ann_content_), CoreStatus::kOk);
  EXPECT_THAT(OpenHead(StoredOf("v", "a.one"), ann_content_), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto vault, Open("v", All(), /*trusting=*/true));
  EXPECT_THAT(ReadAll(*vault), IsOk());
  EXPECT_THAT(vault->CheckSigned(), IsOk());
}

TEST_F(TenantAttackTest, AnotherTenantsKeyOpensNothing) {
  ExpectRefused(StoredOf("v", "a.one"), bob_content_);
  ExpectRefused(StoredOf("v", "a.one"), TestSecret(7));
  ASSERT_OK_AND_ASSIGN(const auto vault, Open("v", ContentKeys({bob_content_})));
  EXPECT_THAT(ReadVariant(*vault, "b.one"), IsOk());
  for (const VaultVariant& variant : vault->variants()) {
    if (variant.name.substr(0, 2) == "a.") {
      EXPECT_THAT(vault->OpenBlob(variant), StatusIs(StatusCode::kPermissionDenied, HasSubstr("tenant 'a.'")));
    }
  }
}

TEST_F(TenantAttackTest, ABlobOpensOnlyWhereItWasSealed) {
  const Stored one = StoredOf("v", "a.one");
  const Stored two = StoredOf("v", "a.two");
  // Between two variants: the blob alone, with its salt, with its name.
  Stored forged = one;
  forged.blob = two.blob;
  forged.head = two.head;
  ExpectRefused(forged, ann_content_);
  forged.salt = two.salt;
  ExpectRefused(forged, ann_content_);
  forged = one;
  forged.name = two.name;
  ExpectRefused(forged, ann_content_);
  // Between head and blob.
  forged = one;
  std::swap(forged.blob, forged.head);
  ExpectRefused(forged, ann_content_);
  // Between two vaults that have the same variants by the same tenant.
  Build("w", 2);
  const Stored elsewhere = StoredOf("w", "a.one");
  EXPECT_EQ(elsewhere.name, one.name);
  EXPECT_NE(elsewhere.salt, one.salt);
  ExpectRefused(elsewhere, ann_content_, "v");
  EXPECT_EQ(OpenStored(elsewhere, ann_content_, "w"), CoreStatus::kOk);
}

TEST_F(TenantAttackTest, EveryBitCounts) {
  const Stored one = StoredOf("v", "a.one");
  const auto each_bit = [&](auto Stored::*part, auto check) {
    for (size_t bit = 0; bit < 8 * (one.*part).size(); ++bit) {
      Stored forged = one;
      auto& byte = (forged.*part)[bit / 8];
      byte = static_cast<std::remove_reference_t<decltype(byte)>>(byte ^ (1 << (bit % 8)));
      check(forged);
    }
  };
  const auto refused = [&](const Stored& forged) {
    ASSERT_EQ(OpenStored(forged, ann_content_), CoreStatus::kNotAuthentic);
  };
  const auto head_refused = [&](const Stored& forged) {
    ASSERT_THAT(OpenHead(forged, ann_content_), StatusIs(StatusCode::kPermissionDenied));
  };
  each_bit(&Stored::blob, refused);
  each_bit(&Stored::salt, refused);
  each_bit(&Stored::name, refused);
  each_bit(&Stored::head, head_refused);
  each_bit(&Stored::salt, head_refused);
  for (size_t size = 0; size < one.blob.size(); ++size) {
    Stored shorter = one;
    shorter.blob.resize(size);
    ASSERT_EQ(OpenStored(shorter, ann_content_),
              size < kSealedBlobExtra ? CoreStatus::kBadBlob : CoreStatus::kNotAuthentic);
  }
}

// It opens, being what its tenant sealed once; but the tenant's signature is of another, and so is the root's.
TEST_F(TenantAttackTest, AnOlderBlobIsNotWhatTheTenantSigned) {
  const Stored old = StoredOf("v", "a.one");
  const std::string old_bytes = folder_.Read("v");
  VaultChanges replace;
  replace.remove = {"a.one"};
  TestVariant newer = MakeTestVariant("a.one", 1, false, 1);
  newer.segments[0][0] = static_cast<char>(newer.segments[0][0] ^ 1);
  ASSERT_THAT(ChangeVault(files_, folder_.File("v"), replace, {newer}, AllKeys()), IsOk());
  ASSERT_EQ(OpenStored(old, ann_content_), CoreStatus::kOk);

  // The whole old entry with head and blob, put in by somebody who even has the root's key, but not the tenant's.
  folder_.Write("v-old", old_bytes);
  ASSERT_OK_AND_ASSIGN(const auto now, Open("v", {}));
  ASSERT_OK_AND_ASSIGN(const auto old_vault, Open("v-old", {}));
  ASSERT_OK_AND_ASSIGN(SignatureSection section, old_vault->DecodeSigned());
  ASSERT_OK_AND_ASSIGN(const SignatureSection signed_now, now->DecodeSigned());
  section.tenants = signed_now.tenants;
  section.version = signed_now.version + 1;
  std::string index(old_vault->header().section(Section::kIndex).size, '\0');
  ASSERT_THAT(old_vault->file().ReadAt(old_vault->header().section(Section::kIndex).offset,
                                       {reinterpret_cast<uint8_t*>(index.data()), index.size()}),
              IsOk());
  EXPECT_THAT(CheckTenantsSigned("v", old_vault->header(), index, section),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("tenant 'a.': its signature is wrong")));
  section.tenants[0].signature = kNoSignature;
  EXPECT_THAT(CheckTenantsSigned("v", old_vault->header(), index, section),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("tenant 'a.' has not signed")));
}

// As the board sees it, on SIGNATURE's own bytes.
class TenantRecordTest : public TenantAttackTest {
 protected:
  TenantRecordTest() : vault_(*Open("v", {})) {
    index_bytes_.resize(vault_->header().section(Section::kIndex).size);
    EXPECT_THAT(vault_->file().ReadAt(vault_->header().section(Section::kIndex).offset,
                                      {reinterpret_cast<uint8_t*>(index_bytes_.data()), index_bytes_.size()}),
                IsOk());
    EXPECT_EQ(index_.Open(vault_->header(), ToByteView(index_bytes_)), CoreStatus::kOk);
  }
  // Whether tenant `i` has signed, as `forge` leaves the section.
  template <typename Forge>
  CoreStatus Prove(uint32_t i, const Forge& forge) {
    SignatureSection section = *vault_->DecodeSigned();
    forge(&section);
    const std::string bytes = EncodeSignature(section);
    SignedRoot root;
    const CoreStatus parsed = ParseSignature(ToByteView(bytes), vault_->header(), &root);
    return parsed == CoreStatus::kOk ? ProveTenant(root, index_, root.TenantAt(i), HostCrypto()) : parsed;
  }

  std::unique_ptr<VaultReader> vault_;
  std::string index_bytes_;
  IndexView index_;
};

TEST_F(TenantRecordTest, AMalformedIndexIsNamed) {
  index_bytes_[vault_->variants().size() * 40] = '\0';  // The first name's size.
  EXPECT_EQ(Prove(0, [](SignatureSection*) {}), CoreStatus::kBadIndex);
}

TEST_F(TenantRecordTest, ASignatureCoversAllThatIsTheTenants) {
  const auto as_it_is = [](SignatureSection*) {};
  EXPECT_EQ(Prove(0, as_it_is), CoreStatus::kOk);
  EXPECT_EQ(Prove(1, as_it_is), CoreStatus::kOk);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { s->tenants[0].signature = kNoSignature; }), CoreStatus::kUnsigned);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { std::swap(s->tenants[0].signature, s->tenants[1].signature); }),
            CoreStatus::kBadSignature);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { s->vault_id[3] ^= 1; }), CoreStatus::kBadSignature);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { s->tenants[0].content_id[0] ^= 1; }), CoreStatus::kBadSignature);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { s->tenants[0].groups[0].wrapped[0] ^= 1; }), CoreStatus::kBadSignature);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { s->tenants[0].groups.clear(); }), CoreStatus::kBadSignature);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { s->tenants[0].key = TestKey(9).key(); }), CoreStatus::kBadSignature);
  // The base is part of what a tenant signs, the integrator's variants and other tenants' are not.
  const size_t count = vault_->variants().size();
  for (size_t object = 0; object < kSectionObjectCount + count; ++object) {
    const CoreStatus status = Prove(0, [&](SignatureSection* s) { s->objects[object].digest[0] ^= 1; });
    const bool is_base = object < 4;
    const bool is_own = object >= kSectionObjectCount &&
                        vault_->VariantsInIndexOrder()[object - kSectionObjectCount]->name.substr(0, 2) == "a.";
    EXPECT_EQ(status, is_base || is_own ? CoreStatus::kBadSignature : CoreStatus::kOk) << object;
  }
}

TEST_F(TenantRecordTest, ATenantSpeaksForItsPrefixOnly) {
  // For other names with the same key, and with a prefix that takes in more.
  for (const char* prefix : {"d", "a", "a.~", "dept-"}) {
    EXPECT_EQ(
        Prove(0, [&](SignatureSection* s) { s->tenants[0].prefix = prefix; }),
        std::string(prefix) == "dept-" || std::string(prefix) == "d" ? CoreStatus::kBadRoot : CoreStatus::kBadSignature)
        << prefix;
  }
  // A prefix in a prefix, twice the same, and out of order.
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { s->tenants[1].prefix = "a.b."; }), CoreStatus::kBadRoot);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { s->tenants[1].prefix = "a."; }), CoreStatus::kBadRoot);
  EXPECT_EQ(Prove(0, [](SignatureSection* s) { std::swap(s->tenants[0], s->tenants[1]); }), CoreStatus::kBadRoot);
  TenantView tenant;
  EXPECT_EQ(FindTenant(*vault_->root(), ToByteView("dept-0"), &tenant), CoreStatus::kNotFound);
  ASSERT_EQ(FindTenant(*vault_->root(), ToByteView("b.one"), &tenant), CoreStatus::kOk);
  EXPECT_EQ(ToString(tenant.prefix), "b.");
}

TEST_F(TenantRecordTest, AWrapOpensForItsGroupAndTenantOnly) {
  const auto unwrap = [&](uint8_t device, const auto& forge) {
    SignatureSection section = *vault_->DecodeSigned();
    forge(&section);
    const std::string bytes = EncodeSignature(section);
    SignedRoot root;
    EXPECT_EQ(ParseSignature(ToByteView(bytes), vault_->header(), &root), CoreStatus::kOk);
    uint8_t content[kSecretKeySize];
    return UnwrapContentKey(root.TenantAt(0), TestSecret(device).data(), HostCrypto(), content);
  };
  const auto as_it_is = [](SignatureSection*) {};
  EXPECT_EQ(unwrap(5, as_it_is), CoreStatus::kOk);
  EXPECT_EQ(unwrap(6, as_it_is), CoreStatus::kSealed);
  EXPECT_EQ(unwrap(7, as_it_is), CoreStatus::kSealed);
  // For another group, under this one's id; another tenant's for this group.
  EXPECT_EQ(unwrap(6, [](SignatureSection* s) { s->tenants[0].groups[0].id = GroupIdOf(TestGroup(6)); }),
            CoreStatus::kNotAuthentic);
  EXPECT_EQ(unwrap(6, [](SignatureSection* s) { s->tenants[0].groups = s->tenants[1].groups; }),
            CoreStatus::kNotAuthentic);
  // Another content key than the tenant's, well wrapped.
  EXPECT_EQ(unwrap(5,
                   [&](SignatureSection* s) {
                     s->tenants[0].groups[0] = *WrapContentKey(bob_content_, TestGroup(5), s->tenants[0].key);
                   }),
            CoreStatus::kNotAuthentic);
  for (size_t bit = 0; bit < 8 * (kPublicKeySize + kSecretKeySize + kTagSize); ++bit) {
    const CoreStatus status = unwrap(5, [&](SignatureSection* s) {
      TenantGroup& group = s->tenants[0].groups[0];
      const size_t byte = bit / 8;
      uint8_t& flipped = byte < kPublicKeySize ? group.ephemeral[byte] : group.wrapped[byte - kPublicKeySize];
      flipped = static_cast<uint8_t>(flipped ^ (1 << (bit % 8)));
    });
    ASSERT_EQ(status, CoreStatus::kNotAuthentic) << bit;
  }
}

TEST_F(TenantRecordTest, AnEphemeralKeyOfSmallOrderIsRefused) {
  // Points of order 1, 2, 4 and 8 (RFC 7748, §7), and one that is not reduced: with them the shared secret is nobody's.
  const char* const kPoints[] = {"0000000000000000000000000000000000000000000000000000000000000000",
                                 "0100000000000000000000000000000000000000000000000000000000000000",
                                 "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                                 "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                                 "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                 "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                 "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
  for (const char* hex : kPoints) {
    PublicKey point;
    size_t size = 0;
    ASSERT_EQ(sodium_hex2bin(point.data(), point.size(), hex, std::strlen(hex), nullptr, &size, nullptr), 0);
    SignatureSection section = *vault_->DecodeSigned();
    TenantGroup& group = section.tenants[0].groups[0];
    group.ephemeral = point;
    // Wrapped with what everybody would agree on, zeros.
    Digest key;
    const uint8_t zeros[kSecretKeySize] = {};
    const PublicKey own = TestGroup(5);
    const ByteView parts[] = {{zeros, sizeof(zeros)}, {point.data(), point.size()}, {own.data(), own.size()}};
    LabelledDigest("modelvault wrap", parts, 3, HostCrypto(), key.data());
    const uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES] = {};
    unsigned long long sealed_size = 0;
    crypto_aead_chacha20poly1305_ietf_encrypt(group.wrapped.data(), &sealed_size, ann_content_.data(), kSecretKeySize,
                                              section.tenants[0].key.data(), kPublicKeySize, nullptr, nonce,
                                              key.data());
    const std::string bytes = EncodeSignature(section);
    SignedRoot root;
    ASSERT_EQ(ParseSignature(ToByteView(bytes), vault_->header(), &root), CoreStatus::kOk);
    uint8_t content[kSecretKeySize];
    EXPECT_EQ(UnwrapContentKey(root.TenantAt(0), TestSecret(5).data(), HostCrypto(), content),
              CoreStatus::kNotAuthentic)
        << hex;
    // The same on the other side, as a group's key.
    EXPECT_THAT(WrapContentKey(ann_content_, point, ann_.key()), StatusIs(StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace modelvault
