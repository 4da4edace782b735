#include "vault/core/signature_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"
#include "vault/section_encoder.h"
#include "vault/signature_section.h"

namespace modelvault {
namespace {

// Places of the parts of SmallSection(), from docs/format.md.
constexpr size_t kFirstSet = 96;            // 1 key
constexpr size_t kSecondSet = 96 + 40;      // 2 keys and a signature
constexpr size_t kTenants = 96 + 40 + 136;  // Two records
constexpr size_t kSecondTenant = kTenants + 44 + 8 + 88 + 64;
constexpr size_t kSignatures = kSecondTenant + 44 + 4 + 64;

VaultHeader HeaderOf(const SignatureSection& section) {
  VaultHeader header;
  header.features = kFeatureSignature | (section.tenants.empty() ? 0 : kFeatureTenants);
  header.variant_count = static_cast<uint32_t>(section.objects.size() - kSectionObjectCount);
  return header;
}

TenantRecord Tenant(const std::string& prefix, uint8_t flags, const std::vector<uint8_t>& group_ids) {
  TenantRecord tenant;
  tenant.flags = flags;
  tenant.key = TestKey(9).key();
  tenant.content_id.fill(flags);
  tenant.prefix = prefix;
  for (const uint8_t id : group_ids) {
    TenantGroup group;
    group.id.fill(id);
    tenant.groups.push_back(group);
  }
  tenant.signature.fill(7);
  return tenant;
}

// Two key sets, two tenants, two variants; nothing has tiles.
SignatureSection SmallSection() {
  SignatureSection section;
  section.vault_id.fill(1);
  section.version = 3;
  section.not_before = 10;
  section.not_after = 20;
  const KeySet first = TestKeySet({TestKey(1)}, 1);
  KeySet second = TestKeySet({TestKey(2), TestKey(3)}, 1, 5);
  SignNext(first, {TestKey(1)}, &second);
  section.key_sets = {first, second};
  section.tenants = {Tenant("heart", 1, {1}), Tenant("lung", 0, {})};
  section.signatures.resize(2);
  section.objects.resize(8);
  for (size_t i = 0; i < section.objects.size(); ++i) section.objects[i].digest.fill(static_cast<uint8_t>(i));
  return section;
}

CoreStatus Parse(const std::string& bytes, const VaultHeader& header, SignedRoot* root, uint32_t* bad_offset) {
  return ParseSignature(ToByteView(bytes), header, root, bad_offset);
}

TEST(SignatureViewTest, GivesBackWhatWasEncoded) {
  SignatureSection section = SmallSection();
  const std::string bytes = EncodeSignature(section);
  SignedRoot root;
  ASSERT_EQ(Parse(bytes, HeaderOf(section), &root, nullptr), CoreStatus::kOk);
  EXPECT_EQ(root.object_count(), 8u);
  EXPECT_EQ(root.last_key_set.number, 5u);
  EXPECT_EQ(root.TenantAt(1).prefix.size, 4u);
  const SignedObject manifest = SectionObject(root, HeaderOf(section), Section::kManifest);
  EXPECT_EQ(manifest.number, 5u);
  EXPECT_EQ(manifest.digest.data[0], 5);
  SignatureSection again = DecodeSignature(root);
  again.objects = section.objects;
  EXPECT_EQ(again, section);
}

TEST(SignatureViewTest, RefusesEveryTruncationAndExtension) {
  const SignatureSection section = SmallSection();
  const std::string bytes = EncodeSignature(section);
  SignedRoot root;
  for (size_t size = 0; size < bytes.size(); ++size) {
    uint32_t bad_offset = 9999;
    EXPECT_EQ(Parse(bytes.substr(0, size), HeaderOf(section), &root, &bad_offset), CoreStatus::kBadRoot) << size;
    // Where the part begins that is cut; of key sets and tenants the head says that they don't fit.
    const size_t expected = size < 96                     ? 0
                            : size < kTenants             ? 72
                            : size < kSignatures          ? 76
                            : size < kSignatures + 2 * 64 ? kSignatures
                                                          : kSignatures + 2 * 64;
    EXPECT_EQ(bad_offset, expected) << size;
  }
  // What follows in whole digests is of blobs' tiles: SignedBlobs counts them.
  for (size_t more = 1; more < 32; ++more) {
    EXPECT_EQ(Parse(bytes + std::string(more, '\0'), HeaderOf(section), &root, nullptr), CoreStatus::kBadRoot);
  }
}

TEST(SignatureViewTest, RefusesWhatBreaksARule) {
  struct Case {
    const char* what;
    std::function<void(std::string*)> edit;
    uint32_t bad_offset;
  };
  const auto set1 = [](size_t at, uint8_t value) { return [=](std::string* v) { Store<uint8_t>(v, at, value); }; };
  const auto set2 = [](size_t at, uint16_t value) { return [=](std::string* v) { Store<uint16_t>(v, at, value); }; };
  const auto set4 = [](size_t at, uint32_t value) { return [=](std::string* v) { Store<uint32_t>(v, at, value); }; };
  const auto set8 = [](size_t at, uint64_t value) { return [=](std::string* v) { Store<uint64_t>(v, at, value); }; };
  const auto copy = [](size_t from, size_t to, size_t size) {
    return [=](std::string* v) { v->replace(to, size, v->substr(from, size)); };
  };
  const Case cases[] = {
      {"no id", [](std::string* v) { v->replace(0, 16, std::string(16, '\0')); }, 0},
      {"version 0", set8(16, 0), 16},
      {"ends before it begins", set8(32, 9), 32},
      {"key sets past the end", set4(72, 0xFFFFFFFF), 72},
      {"key sets longer than they are", set4(72, 180), kTenants},
      {"key sets shorter than they are", set4(72, 172), kSecondSet},
      {"tenants past the end", set4(76, 0xFFFFFFFF), 76},
      {"no key set", set2(80, 0), 80},
      {"too many key sets", set2(80, 17), 80},
      {"fewer key sets than there are", set2(80, 1), kSecondSet},
      {"more key sets than there are", set2(80, 3), kTenants},
      {"no tenant", set2(82, 0), 82},
      {"too many tenants", set2(82, 257), 82},
      {"fewer tenants than there are", set2(82, 1), kSecondTenant},
      {"more tenants than there are", set2(82, 3), kSecondTenant + 44 + 4 + 64},
      {"small tiles", set1(84, 11), 84},
      {"large tiles", set1(84, 25), 84},
      {"reserved", set1(85, 1), 85},
      {"reserved", set1(95, 1), 85},
      {"key set 0", set4(kFirstSet, 0), kFirstSet},
      {"key sets' numbers fall", set4(kFirstSet, 5), kSecondSet},
      {"threshold 0", set1(kFirstSet + 4, 0), kFirstSet},
      {"threshold above the keys", set1(kFirstSet + 4, 2), kFirstSet},
      {"no keys", set1(kFirstSet + 5, 0), kFirstSet},
      {"too many keys", set1(kFirstSet + 5, 17), kFirstSet},
      {"zeros of a key set", set1(kFirstSet + 7, 1), kFirstSet},
      {"a key twice", copy(kSecondSet + 8, kSecondSet + 40, 32), kSecondSet},
      {"keys out of order", [](std::string* v) { Store<uint8_t>(v, kSecondSet + 8, 0xFF); }, kSecondSet},
      {"unknown flag", set1(kTenants, 3), kTenants},
      {"no prefix", set1(kTenants + 1, 0), kTenants},
      {"long prefix", set1(kTenants + 1, 65), kTenants},
      {"many groups", set1(kTenants + 2, 17), kTenants},
      {"groups of an open tenant", set1(kSecondTenant + 2, 1), kSecondTenant},
      {"a content key of an open tenant", set1(kSecondTenant + 36, 1), kSecondTenant},
      {"no content key of a sealed tenant", [](std::string* v) { v->replace(kTenants + 36, 8, std::string(8, '\0')); },
       kTenants},
      {"zero of a tenant", set1(kTenants + 3, 1), kTenants},
      {"after the prefix", set1(kTenants + 44 + 7, 1), kTenants},
      {"prefixes out of order", set1(kTenants + 44, 'm'), kSecondTenant},
  };
  const SignatureSection section = SmallSection();
  const std::string bytes = EncodeSignature(section);
  SignedRoot root;
  for (const Case& c : cases) {
    std::string forged = bytes;
    c.edit(&forged);
    ASSERT_NE(forged, bytes) << c.what;
    uint32_t bad_offset = 9999;
    EXPECT_EQ(Parse(forged, HeaderOf(section), &root, &bad_offset), CoreStatus::kBadRoot) << c.what;
    EXPECT_EQ(bad_offset, c.bad_offset) << c.what;
  }
}

TEST(SignatureViewTest, NoPrefixBeginsAnother) {
  SignatureSection section = SmallSection();
  SignedRoot root;
  for (const auto& [first, second, status] :
       {std::tuple("he", "heart", CoreStatus::kBadRoot), std::tuple("heart", "he", CoreStatus::kBadRoot),
        std::tuple("heart", "heart", CoreStatus::kBadRoot), std::tuple("hear", "heas", CoreStatus::kOk)}) {
    section.tenants = {Tenant(first, 0, {}), Tenant(second, 0, {})};
    EXPECT_EQ(Parse(EncodeSignature(section), HeaderOf(section), &root, nullptr), status) << first << " " << second;
  }
  section.tenants = {Tenant(std::string(64, 'a'), 0, {})};
  EXPECT_EQ(Parse(EncodeSignature(section), HeaderOf(section), &root, nullptr), CoreStatus::kOk);
  section.tenants = {Tenant("a", 1, {2, 1})};
  EXPECT_EQ(Parse(EncodeSignature(section), HeaderOf(section), &root, nullptr), CoreStatus::kBadRoot);
  section.tenants = {Tenant("a", 1, {1, 1})};
  EXPECT_EQ(Parse(EncodeSignature(section), HeaderOf(section), &root, nullptr), CoreStatus::kBadRoot);
  section.tenants = {Tenant("a", 0, {1})};
  EXPECT_EQ(Parse(EncodeSignature(section), HeaderOf(section), &root, nullptr), CoreStatus::kBadRoot);
  section.tenants = {Tenant("a", 1, {1, 2})};
  EXPECT_EQ(Parse(EncodeSignature(section), HeaderOf(section), &root, nullptr), CoreStatus::kOk);
}

TEST(SignatureViewTest, ATenantWithoutBytesIsRefused) {
  SignatureSection section = SmallSection();
  section.tenants.clear();
  std::string bytes = EncodeSignature(section);
  Store<uint16_t>(&bytes, 82, 1);
  VaultHeader header = HeaderOf(section);
  header.features |= kFeatureTenants;
  SignedRoot root;
  EXPECT_EQ(Parse(bytes, header, &root, nullptr), CoreStatus::kBadRoot);
}

TEST(SignatureViewTest, TakesAsManyAsThereMayBe) {
  SignatureSection section = SmallSection();
  section.tenants.clear();
  section.key_sets.clear();
  std::vector<TestKey> keys;
  for (uint8_t i = 0; i < 16; ++i) keys.emplace_back(static_cast<uint8_t>(100 + i));
  for (uint32_t i = 0; i < 16; ++i) {
    KeySet set = TestKeySet(keys, 16, i + 1);
    if (i > 0) set.signatures.resize(16);
    section.key_sets.push_back(set);
  }
  section.signatures.resize(16);
  SignedRoot root;
  const std::string bytes = EncodeSignature(section);  // The root views it.
  ASSERT_EQ(Parse(bytes, HeaderOf(section), &root, nullptr), CoreStatus::kOk);
  EXPECT_EQ(root.KeySetAt(15).number, 16u);
  section.key_sets.push_back(TestKeySet(keys, 16, 17));
  section.key_sets.back().signatures.resize(16);
  EXPECT_EQ(Parse(EncodeSignature(section), HeaderOf(section), &root, nullptr), CoreStatus::kBadRoot);
}

TEST(SignatureViewTest, CountsTiles) {
  SignedRoot root;
  root.tile_log2 = 12;
  const std::pair<uint64_t, uint64_t> counts[] = {
      {0, 0}, {1, 0}, {4096, 0}, {4097, 2}, {8192, 2}, {8193, 3}, {uint64_t{1} << 60, uint64_t{1} << 48}};
  for (const auto& [size, count] : counts) EXPECT_EQ(root.TileCount(size), count) << size;
}

// A vault of more variants than memory could list is refused, whatever size_t is.
TEST(SignatureViewTest, HugeCountsAreRefused) {
  SignatureSection section = SmallSection();
  const std::string bytes = EncodeSignature(section);
  VaultHeader header = HeaderOf(section);
  SignedRoot root;
  header.variant_count = 0xFFFFFFFF;
  EXPECT_EQ(Parse(bytes, header, &root, nullptr), CoreStatus::kBadRoot);
  header = HeaderOf(section);
  for (SectionPlace& place : header.sections) place.size = SIZE_MAX;
  EXPECT_EQ(Parse(bytes, header, &root, nullptr), CoreStatus::kBadRoot);
}

}  // namespace
}  // namespace modelvault
