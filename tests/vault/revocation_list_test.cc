#include "vault/revocation_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/revoking_vault.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

Revocation OfVariant(absl::string_view name, uint64_t below = kBelowEveryVersion) {
  return {RevocationKind::kVariant, below, RevokedName(name)};
}

Revocation OfTenant(const TenantRecord& tenant, uint64_t below = kBelowEveryVersion) {
  return {RevocationKind::kTenant, below, tenant.key};
}

TEST(RevocationListTest, WhatIsWrittenIsRead) {
  const RevokingVault vault;
  RevocationList list = vault.List({}, {});
  for (const Revocation& entry : {OfTenant(vault.section().tenants[1], 9), OfVariant("b", 2), OfVariant("a")}) {
    EXPECT_THAT(Revoke(entry, &list), IsOk());
  }
  list.signatures[1] = vault.signers()[1].Sign(RevocationMessageOf(list));
  const TempFolder folder;
  ASSERT_OK_AND_ASSIGN(const RevocationList read,
                       ReadRevocations(FileSystem::Default(), folder.Write("l", EncodeRevocations(list))));
  EXPECT_EQ(read, list);
  EXPECT_EQ(read.entries.size(), 3u);
}

TEST(RevocationListTest, AnEntryOfTheSameIsChanged) {
  const RevokingVault vault;
  RevocationList list = vault.List({}, {});
  EXPECT_THAT(Revoke(OfVariant("a", 2), &list), IsOk());
  EXPECT_THAT(Revoke(OfVariant("a", 7), &list), IsOk());
  EXPECT_EQ(list.entries, std::vector<Revocation>{OfVariant("a", 7)});
}

TEST(RevocationListTest, RevokesBelowAVersion) {
  const RevokingVault vault;
  const auto revokes = [&](uint64_t below) { return vault.Revokes(vault.List({OfVariant("a", below)}, {}), "a"); };
  EXPECT_FALSE(revokes(1));
  EXPECT_FALSE(revokes(kRevokingVersion));
  EXPECT_TRUE(revokes(kRevokingVersion + 1));
  EXPECT_TRUE(revokes(kBelowEveryVersion));
  // There is no version that is not below "every".
  const RevokingVault last({1, 2, 3}, 2, kBelowEveryVersion);
  EXPECT_TRUE(last.Revokes(last.List({OfVariant("a")}, {}), "a"));
  EXPECT_FALSE(last.Revokes(last.List({OfVariant("a", kBelowEveryVersion - 1)}, {}), "a"));
  EXPECT_FALSE(vault.Revokes(vault.List({OfVariant("a")}, {}), "b"));
  EXPECT_FALSE(vault.Revokes(vault.List({}, {}), "a"));
}

TEST(RevocationListTest, ATenantIsRevokedWithAllItsVariantsAndNoOthers) {
  const RevokingVault vault;
  const RevocationList list = vault.List({OfTenant(vault.section().tenants[0])}, {});
  EXPECT_TRUE(vault.Revokes(list, "clinic/night"));
  EXPECT_TRUE(vault.Revokes(list, "clinic/"));
  EXPECT_FALSE(vault.Revokes(list, "clinic"));
  EXPECT_FALSE(vault.Revokes(list, "lab/blood"));
  EXPECT_FALSE(vault.Revokes(list, "other"));
  const RevocationList older = vault.List({OfTenant(vault.section().tenants[0], kRevokingVersion)}, {});
  EXPECT_FALSE(vault.Revokes(older, "clinic/night"));
  // The key of a variant's digest is no tenant, and a tenant's key is no variant.
  RevocationList mixed = list;
  mixed.entries[0].kind = RevocationKind::kVariant;
  EXPECT_FALSE(vault.Revokes(mixed, "clinic/night"));
}

TEST(RevocationListTest, TwoOfThreeSignInAnyOrder) {
  const RevokingVault vault;
  RevocationList list = vault.List({OfVariant("a")}, {});
  const std::string message = RevocationMessageOf(list);
  std::vector<size_t> order = {0, 1, 2};
  do {
    for (Signature& signature : list.signatures) signature = kNoSignature;
    EXPECT_EQ(vault.Prove(list), CoreStatus::kUnsigned);
    for (size_t signed_by = 1; signed_by <= order.size(); ++signed_by) {
      const TestKey& signer = vault.signers()[order[signed_by - 1]];
      EXPECT_THAT(PlaceRevocationSignature(vault.key_set(), signer.key(), signer.Sign(message), &list), IsOk());
      EXPECT_EQ(vault.Prove(list), signed_by < 2 ? CoreStatus::kBadSignature : CoreStatus::kOk) << signed_by;
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(RevocationListTest, AWrongSignatureIsNotMadeUpFor) {
  const RevokingVault vault;
  for (size_t bad = 0; bad < 3; ++bad) {
    RevocationList list = vault.List({OfVariant("a")}, {0, 1, 2});
    list.signatures[bad][3] ^= 1;
    uint32_t wrong = 9;
    EXPECT_EQ(vault.Prove(list, 0, &wrong), CoreStatus::kBadSignature);
    EXPECT_EQ(wrong, bad);
  }
  // One signer's signature in two places.
  RevocationList list = vault.List({OfVariant("a")}, {0});
  list.signatures[1] = list.signatures[0];
  EXPECT_EQ(vault.Prove(list), CoreStatus::kBadSignature);
}

TEST(RevocationListTest, SignaturesAreCheckedBeforeTheyArePlaced) {
  const RevokingVault vault;
  RevocationList list = vault.List({OfVariant("a")}, {});
  const RevocationList before = list;
  const TestKey stranger(99);
  const std::string message = RevocationMessageOf(list);
  EXPECT_THAT(PlaceRevocationSignature(vault.key_set(), stranger.key(), stranger.Sign(message), &list),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("not one of the 3")));
  EXPECT_THAT(PlaceRevocationSignature(vault.key_set(), vault.signers()[0].key(), stranger.Sign(message), &list),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("not the key's")));
  EXPECT_EQ(list, before);
}

TEST(RevocationListTest, OfAnotherVaultKeySetOrTimeItIsRefused) {
  const RevokingVault vault;
  const std::vector<Revocation> entries = {OfVariant("a")};
  RevocationList other_vault = vault.List(entries, {});
  other_vault.vault_id[15] ^= 1;
  other_vault.signatures[0] = vault.signers()[0].Sign(RevocationMessageOf(other_vault));
  other_vault.signatures[1] = vault.signers()[1].Sign(RevocationMessageOf(other_vault));
  EXPECT_EQ(vault.Prove(other_vault), CoreStatus::kUntrusted);
  // The same keys with a threshold of their own are another key set.
  const RevokingVault weaker({1, 2, 3}, 1), others({4, 5, 6});
  EXPECT_EQ(vault.Prove(weaker.List(entries, {0, 1, 2})), CoreStatus::kUntrusted);
  EXPECT_EQ(vault.Prove(others.List(entries, {0, 1, 2})), CoreStatus::kUntrusted);
  // Claims the right key set, but others have signed.
  RevocationList forged = others.List(entries, {0, 1, 2});
  forged.key_set = vault.key_set().digest();
  EXPECT_EQ(vault.Prove(forged), CoreStatus::kBadSignature);
  // A replayed one.
  const RevocationList list = vault.List(entries, {0, 2}, 3);
  EXPECT_EQ(vault.Prove(list, 3), CoreStatus::kOk);
  EXPECT_EQ(vault.Prove(list, 4), CoreStatus::kRolledBack);
}

// What is parsed may read otherwise when it is proven: then it is what was signed that counts.
TEST(RevocationListTest, ItsNumberIsTheOneThatWasSigned) {
  const RevokingVault vault;
  const std::string good = EncodeRevocations(vault.List({OfVariant("a")}, {0, 1}, 3));
  std::string bytes = good;
  bytes[24 + 7] = '\x7F';
  RevocationView view;
  ASSERT_EQ(ParseRevocations(RevokingVault::View(bytes), &view), CoreStatus::kOk);
  EXPECT_GT(view.number, 3u);
  bytes.replace(0, good.size(), good);
  EXPECT_EQ(ProveRevocations(&view, vault.root(), 3, HostCrypto()), CoreStatus::kOk);
  EXPECT_EQ(view.number, 3u);
  EXPECT_EQ(ProveRevocations(&view, vault.root(), 4, HostCrypto()), CoreStatus::kRolledBack);
}

TEST(RevocationListTest, NoPartOfItCanBeChangedOrCutOff) {
  const RevokingVault vault;
  const std::string bytes =
      EncodeRevocations(vault.List({OfVariant("a", 6), OfTenant(vault.section().tenants[0], 8)}, {0, 1, 2}));
  ASSERT_EQ(vault.Prove(bytes), CoreStatus::kOk);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(vault.Prove(bytes.substr(0, size)), CoreStatus::kTruncated) << size;
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(vault.Prove(flipped), CoreStatus::kOk) << bit;
  }
}

TEST(RevocationListTest, WhatTheFormatDoesNotHaveIsRefusedThoughSigned) {
  const RevokingVault vault;
  const auto prove = [&](const std::vector<Revocation>& entries, uint64_t number = 1) {
    return vault.Prove(vault.List(entries, {0, 1}, number));
  };
  const Revocation a = OfVariant("a"), b = OfVariant("b");
  const auto& [low, high] = a.what < b.what ? std::pair(a, b) : std::pair(b, a);
  EXPECT_EQ(prove({low, high}), CoreStatus::kOk);
  EXPECT_EQ(prove({high, low}), CoreStatus::kBadRoot);
  EXPECT_EQ(prove({low, low}), CoreStatus::kBadRoot);
  EXPECT_EQ(prove({OfTenant(vault.section().tenants[0]), low}), CoreStatus::kBadRoot);
  EXPECT_EQ(prove({OfVariant("a", 0)}), CoreStatus::kBadRoot);
  EXPECT_EQ(prove({low}, 0), CoreStatus::kBadRoot);
  for (const uint32_t kind : {0u, 3u, 256u}) {
    Revocation entry = low;
    entry.kind = static_cast<RevocationKind>(kind);
    EXPECT_EQ(prove({entry}), CoreStatus::kBadRoot) << kind;
  }
  std::string bytes = EncodeRevocations(vault.List({low}, {0, 1}));
  for (const char count : {'\0', '\x11'}) {
    bytes[kRevocationSignatureCountField.offset] = count;
    EXPECT_EQ(vault.Prove(bytes), CoreStatus::kBadRoot);
  }
  bytes = EncodeRevocations(vault.List({low}, {0, 1}));
  bytes[kRevocationCountField.offset + 3] = '\x7f';
  EXPECT_EQ(vault.Prove(bytes), CoreStatus::kBadRoot);
  bytes[0] = 'm';
  EXPECT_EQ(vault.Prove(bytes), CoreStatus::kBadMagic);
}

TEST(RevocationListTest, ASectorHasRoomForNinety) {
  for (const auto& [keys, room] : {std::pair<size_t, size_t>(1, 90), {2, 88}, {16, 68}}) {
    std::vector<uint8_t> seeds(keys);
    for (size_t i = 0; i < keys; ++i) seeds[i] = static_cast<uint8_t>(i + 1);
    const RevokingVault vault(seeds, 1);
    RevocationList list = vault.List({}, {});
    absl::Status status;
    while (status.ok()) status = Revoke(OfVariant(absl::StrCat("v", list.entries.size())), &list);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("full")));
    EXPECT_EQ(list.entries.size(), room);
    EXPECT_LE(EncodeRevocations(list).size(), kMaxRevocationListSize);
    EXPECT_EQ(vault.Prove(vault.List(list.entries, {0})), CoreStatus::kOk);
    // One more, were it written all the same.
    list.entries.push_back({RevocationKind::kTenant, 1, {}});
    EXPECT_EQ(vault.Prove(vault.List(list.entries, {0})), CoreStatus::kBadRoot);
    // What follows in the sector does not matter.
    list.entries.pop_back();
    EXPECT_EQ(vault.Prove(EncodeRevocations(vault.List(list.entries, {0})) + "\xff\xff"), CoreStatus::kOk);
  }
}

TEST(RevocationListTest, FilesThatAreNoListsAreRefusedByPlace) {
  const RevokingVault vault;
  const TempFolder folder;
  const std::string bytes = EncodeRevocations(vault.List({OfVariant("a")}, {0, 1}));
  const auto read = [&](const std::string& text) {
    return ReadRevocations(FileSystem::Default(), folder.Write("l", text)).status();
  };
  EXPECT_THAT(read(bytes), IsOk());
  EXPECT_THAT(read(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("1 bytes after the end")));
  EXPECT_THAT(read(bytes.substr(0, 100)), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cut off after 100 bytes")));
  EXPECT_THAT(read(""), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cut off")));
  EXPECT_THAT(read(std::string(100, 'x')), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no revocation list")));
  EXPECT_THAT(read(std::string(5000, 'x')), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("found 5000")));
  std::string bad = bytes;
  bad[kRevocationHeadSize] = 9;
  EXPECT_THAT(read(bad), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("malformed at offset 72")));
  EXPECT_THAT(ReadRevocations(FileSystem::Default(), folder.File("none")), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace modelvault
