// What a board takes of a signed vault and what it refuses, with the host's cryptography.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "firmware_riscv/loader/modelvault_proof.h"
#include "tests/firmware_riscv/loader/loader_fixture.h"
#include "tests/firmware_riscv/signed_bytes.h"
#include "tests/vault/test_vault.h"
#include "vault/crypto.h"

namespace modelvault {
namespace {

// SIGNATURE, NETWORK.
constexpr size_t kSignature = 5, kNetwork = 6;
constexpr uint64_t kVersion = 5;

const mv_crypto* HostFunctions() { return reinterpret_cast<const mv_crypto*>(&HostCrypto()); }

struct Proven {
  mv_error error;
  mv_fault fault;
  mv_proof proof;
};

class ProofTest : public testing::Test {
 protected:
  ProofTest() {
    plan_ = TestPlan(set_);
    plan_.version = kVersion;
    EXPECT_THAT(WriteVault(FileSystem::Default(), folder_.File("v"), contents_), IsOk());
    unsigned_ = folder_.Read("v");
    vault_ = SignedBytes(unsigned_, plan_, {ann_, bob_});
    digest_ = set_.digest();
    trust_.key_set = digest_.data();
  }

  Proven Prove(const std::string& bytes) const { return Prove(bytes, trust_); }
  static Proven Prove(const std::string& bytes, const mv_trust& trust) {
    // At a multiple of 4, and not a byte more than there is.
    Proven proven;
    vault_words_.assign((bytes.size() + 3) / 4, 0);
    memcpy(vault_words_.data(), bytes.data(), bytes.size());
    proven.error = mv_prove_vault(reinterpret_cast<const uint8_t*>(vault_words_.data()), bytes.size(), &trust,
                                  HostFunctions(), nullptr, &proven.proof, &proven.fault);
    return proven;
  }
  void SetRevocations(const std::string& list) {
    list_ = list;
    trust_.revocations = Data(list_);
    trust_.revocations_size = list_.size();
  }
  // As mv_find() would give it, of a vault whose models are none.
  static mv_variant Variant(const std::string& bytes, const std::string& name) {
    VaultHeader header;
    IndexView index;
    VariantEntry entry;
    EXPECT_EQ(ParseHeader({Data(bytes), kHeaderSize}, bytes.size(), &header), CoreStatus::kOk);
    const SectionPlace& place = header.section(Section::kIndex);
    EXPECT_EQ(index.Open(header, {Data(bytes) + place.offset, place.size}), CoreStatus::kOk);
    EXPECT_EQ(index.Find({Data(name), name.size()}, &entry), CoreStatus::kOk);
    return {name.data(),
            name.size(),
            entry.xxh64,
            static_cast<uint32_t>(entry.offset),
            static_cast<uint32_t>(entry.size),
            entry.checksum32,
            nullptr};
  }
  static mv_error ProveVariant(const Proven& proven, const mv_variant& variant, mv_fault* fault = nullptr) {
    return mv_prove_variant(&proven.proof, &variant, HostFunctions(), fault);
  }

  void ExpectOpened(const CodedModels& models);

  static std::vector<uint32_t> vault_words_;

  const TempFolder folder_;
  const TestKey ann_{1}, bob_{2}, cat_{3}, eve_{66};
  const KeySet set_ = TestKeySet({ann_, bob_, cat_}, 2);
  // A base of two tiles, a blob of two.
  const TestContents contents_ = [] {
    TestContents contents = MakeTestContents(20, 4, 40000);
    for (std::string& chunk : contents.chunks) chunk = TestRandom(chunk.size()).Bytes(130);
    contents.network = "what they compute";
    contents.variants[1].segments = {TestRandom(5).Bytes(5000)};
    return contents;
  }();
  SigningPlan plan_;
  std::string unsigned_, vault_, list_;
  Digest digest_;
  mv_trust trust_ = {};
};
std::vector<uint32_t> ProofTest::vault_words_;

TEST_F(ProofTest, AVaultByThoseWhoAreTrustedIsProvenAndSoAreItsVariants) {
  const Proven proven = Prove(vault_);
  EXPECT_EQ(proven.error, MV_OK);
  EXPECT_EQ(proven.fault.place, MV_PLACE_UNKNOWN);
  EXPECT_EQ(proven.proof.base, MV_VERIFIED);
  EXPECT_EQ(proven.proof.variants, MV_VERIFIED);
  EXPECT_EQ(proven.proof.version, kVersion);
  EXPECT_EQ(proven.proof.revocation, 0u);
  EXPECT_EQ(memcmp(proven.proof.key_set, digest_.data(), digest_.size()), 0);
  for (const TestVariant& v : contents_.variants) EXPECT_EQ(ProveVariant(proven, Variant(vault_, v.name)), MV_OK);
  mv_variant base = {};
  EXPECT_EQ(ProveVariant(proven, base), MV_OK);
}

TEST_F(ProofTest, WhoIsNotTrustedIsRefused) {
  const auto expect = [&](const std::string& bytes, mv_error error, mv_place place) {
    const Proven proven = Prove(bytes);
    EXPECT_EQ(proven.error, error);
    EXPECT_EQ(proven.fault.place, place);
    EXPECT_EQ(proven.proof.base, MV_REJECTED);
    EXPECT_EQ(proven.proof.variants, MV_REJECTED);
    EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-0")), MV_BAD_ARGUMENT);
  };
  expect(unsigned_, MV_UNSIGNED, MV_PLACE_HEADER);
  expect(SignedBytes(unsigned_, plan_, {}), MV_UNSIGNED, MV_PLACE_SIGNATURE);
  expect(SignedBytes(unsigned_, plan_, {ann_}), MV_BAD_SIGNATURE, MV_PLACE_SIGNATURE);
  const KeySet eves = TestKeySet({eve_}, 1);
  SigningPlan plan = plan_;
  plan.key_sets = {eves};
  expect(SignedBytes(unsigned_, plan, {eve_}), MV_UNTRUSTED, MV_PLACE_SIGNATURE);
}

TEST_F(ProofTest, AWrongSignatureIsNamedByItsPlace) {
  std::string bytes = vault_;
  const size_t signatures = kSignatureHeadSize + set_.Encode(true).size();
  const size_t bob = signatures + set_.Find(bob_.key()) * kSignatureSize;
  bytes[SectionOffset(bytes, kSignature) + bob + 7] ^= 4;
  RepairChecksums(&bytes);
  const Proven proven = Prove(bytes);
  EXPECT_EQ(proven.error, MV_BAD_SIGNATURE);
  EXPECT_EQ(proven.fault.number, bob);
}

TEST_F(ProofTest, VersionsAndTimesAreLookedAt) {
  mv_trust trust = trust_;
  trust.least_version = kVersion;
  EXPECT_EQ(Prove(vault_, trust).error, MV_OK);
  trust.least_version = kVersion + 1;
  EXPECT_EQ(Prove(vault_, trust).error, MV_ROLLED_BACK);
  SigningPlan plan = plan_;
  plan.not_before = 1000;
  plan.not_after = 2000;
  const std::string bytes = SignedBytes(unsigned_, plan, {ann_, cat_});
  struct Case {
    uint64_t now;
    mv_error error;
  };
  for (const Case& c :
       {Case{0, MV_OK}, Case{999, MV_EXPIRED}, Case{1000, MV_OK}, Case{2000, MV_OK}, Case{2001, MV_EXPIRED}}) {
    trust = trust_;
    trust.now = c.now;
    EXPECT_EQ(Prove(bytes, trust).error, c.error) << c.now;
  }
}

TEST_F(ProofTest, AKeySetIsFollowedByTheOneItHasSigned) {
  KeySet next = TestKeySet({eve_}, 1, 2);
  SignNext(set_, {ann_, cat_}, &next);
  SigningPlan plan = plan_;
  plan.key_sets.push_back(next);
  const Proven proven = Prove(SignedBytes(unsigned_, plan, {eve_}));
  EXPECT_EQ(proven.error, MV_OK);
  EXPECT_EQ(memcmp(proven.proof.key_set, next.digest().data(), kDigestSize), 0);
  // Who trusts the later set from now on does not take the earlier one's vaults.
  mv_trust trust = trust_;
  trust.key_set = proven.proof.key_set;
  EXPECT_EQ(Prove(vault_, trust).error, MV_UNTRUSTED);
}

TEST_F(ProofTest, EachSectionIsNamed) {
  struct Case {
    size_t section;
    mv_place place;
  };
  for (const Case& c : {Case{0, MV_PLACE_MODEL}, Case{1, MV_PLACE_CHUNKS}, Case{2, MV_PLACE_BASE},
                        Case{kNetwork, MV_PLACE_NETWORK}, Case{3, MV_PLACE_INDEX}}) {
    SCOPED_TRACE(c.section);
    std::string bytes = vault_;
    bytes[SectionOffset(bytes, c.section) + SectionSize(bytes, c.section) - 1] ^= 1;
    const Proven proven = Prove(bytes);
    EXPECT_EQ(proven.error, MV_NOT_AUTHENTIC);
    EXPECT_EQ(proven.fault.place, c.place);
    // Without INDEX there is still the base.
    EXPECT_EQ(proven.proof.base, c.place == MV_PLACE_INDEX ? MV_VERIFIED : MV_REJECTED);
    EXPECT_EQ(proven.proof.variants, MV_REJECTED);
    const mv_error variant = c.place == MV_PLACE_INDEX ? MV_BAD_INDEX : MV_BAD_ARGUMENT;
    EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-0")), variant);
  }
}

TEST_F(ProofTest, TheBasesFaultIsTheFirstChunkOfItsTile) {
  std::string bytes = vault_;
  const size_t tile = size_t{1} << plan_.tile_log2;
  ASSERT_GT(SectionSize(bytes, 2), 2 * tile);
  bytes[SectionOffset(bytes, 2) + tile + 1] ^= 1;
  const Proven proven = Prove(bytes);
  EXPECT_EQ(proven.error, MV_NOT_AUTHENTIC);
  EXPECT_EQ(proven.fault.place, MV_PLACE_BASE);
  // All chunks have 130 bytes, the last one too.
  EXPECT_EQ(proven.fault.number, tile / 130);
}

TEST_F(ProofTest, AVariantsBytesAreItsOwn) {
  std::string bytes = vault_;
  const mv_variant two_tiles = Variant(vault_, "dept-1"), other = Variant(vault_, "dept-0");
  ASSERT_GT(two_tiles.blob_size, 4096u);
  for (const size_t at : {size_t{0}, size_t{4095}, size_t{4096}, size_t{two_tiles.blob_size - 1}}) {
    SCOPED_TRACE(at);
    bytes[two_tiles.blob_offset + at] ^= 0x10;
    const Proven proven = Prove(bytes);
    EXPECT_EQ(proven.error, MV_OK);
    mv_fault fault;
    EXPECT_EQ(ProveVariant(proven, two_tiles, &fault), MV_NOT_AUTHENTIC);
    EXPECT_EQ(fault.place, MV_PLACE_DELTA);
    EXPECT_EQ(ProveVariant(proven, other), MV_OK);
    bytes[two_tiles.blob_offset + at] ^= 0x10;
  }
  // A copy that has suffered.
  const Proven proven = Prove(bytes);
  for (uint32_t mv_variant::*field : {&mv_variant::blob_offset, &mv_variant::blob_size, &mv_variant::blob_checksum}) {
    mv_variant changed = two_tiles;
    changed.*field = other.*field;
    EXPECT_EQ(ProveVariant(proven, changed), MV_BAD_ARGUMENT);
  }
  mv_variant changed = two_tiles;
  changed.digest ^= 1;
  EXPECT_EQ(ProveVariant(proven, changed), MV_BAD_ARGUMENT);
  changed = two_tiles;
  changed.name = "dept-9";
  EXPECT_EQ(ProveVariant(proven, changed), MV_NOT_FOUND);
}

TEST_F(ProofTest, RevokedVariantsAreRefused) {
  SetRevocations(RevocationBytes(
      plan_, {RevokedVariant("dept-1"), RevokedVariant("dept-2", kVersion), RevokedVariant("dept-3", kVersion + 1)}, 7,
      {ann_, bob_}));
  list_.resize(4096, '\xFF');  // As it lies in its sector.
  SetRevocations(list_);
  trust_.least_revocation = 7;
  const Proven proven = Prove(vault_);
  EXPECT_EQ(proven.error, MV_OK);
  EXPECT_EQ(proven.proof.revocation, 7u);
  EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-0")), MV_OK);
  EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-1")), MV_REVOKED);
  EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-2")), MV_OK);
  EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-3")), MV_REVOKED);
}

// A sector whose writing was cut off may read well once, and not when a variant is looked for.
TEST_F(ProofTest, AListThatReadsOtherwiseLaterRevokesNothingAndNothingIsProven) {
  SetRevocations(RevocationBytes(plan_, {RevokedVariant("dept-1"), RevokedVariant("dept-2")}, 7, {ann_, bob_}));
  const Proven proven = Prove(vault_);
  ASSERT_EQ(proven.error, MV_OK);
  EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-1")), MV_REVOKED);
  EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-0")), MV_OK);
  const size_t last = kRevocationHeadSize + 2 * kRevocationEntrySize - 1;
  for (const size_t at : {size_t{30}, last - kRevocationEntrySize, last}) {  // The number, what is revoked.
    SCOPED_TRACE(at);
    list_[at] ^= 1;
    for (const char* name : {"dept-0", "dept-1", "dept-2"}) {
      mv_fault fault;
      EXPECT_EQ(ProveVariant(proven, Variant(vault_, name), &fault), MV_NOT_AUTHENTIC) << name;
      EXPECT_EQ(fault.place, MV_PLACE_REVOCATIONS);
    }
    list_[at] ^= 1;
  }
  EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-0")), MV_OK);
}

TEST_F(ProofTest, AListIsProvenBeforeItTakesThePlaceOfAnother) {
  Proven proven = Prove(vault_);
  uint64_t number = 0;
  size_t size = 0;
  const auto prove = [&](const std::string& list, uint64_t least) {
    return mv_prove_revocations(&proven.proof, Data(list), list.size(), least, HostFunctions(), &number, &size);
  };
  const std::string list = RevocationBytes(plan_, {RevokedVariant("dept-1")}, 7, {ann_, bob_});
  EXPECT_EQ(prove(list + "what follows it", 7), MV_OK);
  EXPECT_EQ(number, 7u);
  EXPECT_EQ(size, list.size());
  EXPECT_EQ(prove(list, 8), MV_ROLLED_BACK);
  EXPECT_EQ(prove(RevocationBytes(plan_, {}, 7, {ann_}), 7), MV_BAD_SIGNATURE);
  EXPECT_EQ(prove(list.substr(0, list.size() - 1), 7), MV_TRUNCATED);
  EXPECT_EQ(prove("not a list of any kind, and no signature either; so there are not even 72 bytes of it", 7),
            MV_BAD_MAGIC);
  EXPECT_EQ(mv_prove_revocations(&proven.proof, Data(list), list.size(), 7, nullptr, &number, &size), MV_NO_CRYPTO);
  // Also where there is the base alone because the list before is gone.
  trust_.least_revocation = 6;
  proven = Prove(vault_);
  EXPECT_EQ(proven.error, MV_ROLLED_BACK);
  EXPECT_EQ(prove(list, 6), MV_OK);
  proven = Prove(unsigned_);
  EXPECT_EQ(prove(list, 6), MV_BAD_ARGUMENT);
}

TEST_F(ProofTest, WithoutTheListThatMustBeThereOnlyTheBaseIsProven) {
  const auto expect = [&](mv_error error) {
    const Proven proven = Prove(vault_);
    EXPECT_EQ(proven.error, error);
    EXPECT_EQ(proven.fault.place, MV_PLACE_REVOCATIONS);
    EXPECT_EQ(proven.proof.base, MV_VERIFIED);
    EXPECT_EQ(proven.proof.variants, MV_REJECTED);
    EXPECT_EQ(ProveVariant(proven, Variant(vault_, "dept-0")), MV_BAD_INDEX);
  };
  trust_.least_revocation = 7;
  expect(MV_ROLLED_BACK);
  SetRevocations(std::string(4096, '\xFF'));
  expect(MV_ROLLED_BACK);
  SetRevocations(RevocationBytes(plan_, {}, 6, {ann_, bob_}));
  expect(MV_ROLLED_BACK);
  trust_.least_revocation = 0;
  SetRevocations(RevocationBytes(plan_, {}, 7, {ann_}));
  expect(MV_BAD_SIGNATURE);
  SetRevocations(RevocationBytes(plan_, {}, 7, {}));
  expect(MV_UNSIGNED);
  SigningPlan other = plan_;
  other.vault_id[0] ^= 1;
  SetRevocations(RevocationBytes(other, {}, 7, {ann_, bob_}));
  expect(MV_UNTRUSTED);
  SetRevocations(std::string(4096, '\0'));
  expect(MV_BAD_MAGIC);
  SetRevocations("MVR");
  expect(MV_TRUNCATED);
  // An erased sector is no list.
  SetRevocations(std::string(4096, '\xFF'));
  EXPECT_EQ(Prove(vault_).error, MV_OK);
}

TEST_F(ProofTest, AVariantIsItsTenantsToo) {
  plan_.tenants = {TestTenant("dept-1", cat_, std::nullopt), TestTenant("dept-2", eve_, std::nullopt)};
  const std::string bytes = SignedBytes(unsigned_, plan_, {ann_, bob_}, {cat_, eve_});
  Proven proven = Prove(bytes);
  EXPECT_EQ(proven.error, MV_OK);
  for (const TestVariant& v : contents_.variants) EXPECT_EQ(ProveVariant(proven, Variant(bytes, v.name)), MV_OK);
  // Who signs the root does not sign for a tenant.
  const auto expect = [&](const Signature& signature, mv_error error) {
    const std::string forged =
        SignedAgain(bytes, [&](SignatureSection* section) { section->tenants[0].signature = signature; }, {ann_, bob_});
    const Proven of_forged = Prove(forged);
    EXPECT_EQ(of_forged.error, MV_OK);
    mv_fault fault;
    EXPECT_EQ(ProveVariant(of_forged, Variant(forged, "dept-1"), &fault), error);
    EXPECT_EQ(fault.place, MV_PLACE_SIGNATURE);
    for (const char* name : {"dept-0", "dept-2"}) EXPECT_EQ(ProveVariant(of_forged, Variant(forged, name)), MV_OK);
  };
  expect(kNoSignature, MV_UNSIGNED);
  expect(eve_.Sign("anything"), MV_BAD_SIGNATURE);

  SetRevocations(RevocationBytes(plan_, {{RevocationKind::kTenant, kBelowEveryVersion, eve_.key()}}, 7, {ann_, bob_}));
  proven = Prove(bytes);
  EXPECT_EQ(proven.error, MV_OK);
  EXPECT_EQ(ProveVariant(proven, Variant(bytes, "dept-1")), MV_OK);
  EXPECT_EQ(ProveVariant(proven, Variant(bytes, "dept-2")), MV_REVOKED);
}

// A bit of every byte that a board reads: whoever turns one must repair checksums, and gets nothing for it.
TEST_F(ProofTest, NoBitCanBeTurned) {
  std::vector<bool> read(vault_.size(), false);
  const auto mark = [&](size_t offset, size_t size) {
    std::fill(read.begin() + offset, read.begin() + offset + size, true);
  };
  mark(0, kHeaderSize);
  for (const size_t section : {size_t{0}, size_t{1}, size_t{2}, size_t{3}, kSignature, kNetwork}) {
    mark(SectionOffset(vault_, section), SectionSize(vault_, section));
  }
  for (const TestVariant& v : contents_.variants) {
    const mv_variant variant = Variant(vault_, v.name);
    mark(variant.blob_offset, variant.blob_size);
  }
  TestRandom random(1);
  std::string bytes = vault_;
  for (size_t at = 0; at < bytes.size(); ++at) {
    if (!read[at]) continue;
    const char bit = static_cast<char>(1 << random.Below(8));
    bytes[at] = static_cast<char>(bytes[at] ^ bit);
    std::string forged = bytes;
    RepairChecksums(&forged);
    const Proven proven = Prove(forged);
    bool refused = proven.error != MV_OK;
    for (const TestVariant& v : contents_.variants) {
      refused = refused || ProveVariant(proven, Variant(vault_, v.name)) != MV_OK;
    }
    // What repairing a checksum undoes is no change.
    EXPECT_TRUE(refused || forged == vault_) << at;
    bytes[at] = static_cast<char>(bytes[at] ^ bit);
  }
}

// `models` in one segment each, or in many, of which each has a checksum.
void ProofTest::ExpectOpened(const CodedModels& models) {
  const TestKey tenant(11);
  const SecretKey content = TestSecret(7);
  const std::map<std::string, const CodedVariant*> sealed = {{"s.dense", &models.variant("dense")},
                                                             {"s.residual", &models.variant("residual")},
                                                             {"s.same", &models.variant("same")},
                                                             {"s.unrelated", &models.variant("unrelated")},
                                                             {"s.reordered", &models.variant("reordered")}};
  const std::string bytes =
      SealedBytes(CodedVaultBytes(models), plan_, {ann_, bob_}, tenant,
                  TestTenant("s.", tenant, content, {TestGroup(5), TestGroup(6)}), content, sealed);
  const Proven proven = Prove(bytes);
  ASSERT_EQ(proven.error, MV_OK);
  const uint8_t* const vault = reinterpret_cast<const uint8_t*>(vault_words_.data());
  Memory memory(1 << 17);
  mv_loader* loader;
  ASSERT_EQ(mv_open(vault, bytes.size(), memory.data(), memory.size(), nullptr, &loader, nullptr), MV_OK);
  std::set<std::string> restored;
  mv_cursor cursor = {};
  mv_variant variant;
  while (mv_list(loader, &cursor, &variant) == MV_OK) {
    if (std::string(variant.name, variant.name_size).rfind("s.~", 0) != 0) continue;
    EXPECT_EQ(ProveVariant(proven, variant), MV_SEALED);
    Memory room(variant.blob_size);
    const auto unseal = [&](uint8_t group, mv_variant* opened) {
      return mv_unseal_variant(&proven.proof, TestSecret(group).data(), HostFunctions(), room.data(), room.size(),
                               opened);
    };
    mv_variant opened = variant;
    EXPECT_EQ(unseal(8, &opened), MV_SEALED);
    EXPECT_EQ(opened.opened, nullptr);
    EXPECT_EQ(
        mv_unseal_variant(&proven.proof, TestSecret(5).data(), HostFunctions(), room.data(), room.size() - 1, &opened),
        MV_WORKSPACE_TOO_SMALL);
    ASSERT_EQ(unseal(6, &opened), MV_OK);
    EXPECT_EQ(unseal(6, &opened), MV_BAD_ARGUMENT);
    const Restored found = Restore(loader, opened, 4096);
    EXPECT_EQ(found.verdict, MV_VERIFIED);
    restored.insert(found.bytes);
    // What it is decoded from is compared with its checksum, too.
    EXPECT_EQ(mv_start_proven(loader, &opened, 4096, MV_WITH_DIGEST), MV_OK);
    EXPECT_EQ(mv_stream(
                  loader, [](void*, size_t, const uint8_t*, size_t) { return MV_OK; }, nullptr),
              MV_OK);
  }
  std::set<std::string> expected;
  for (const auto& [name, coded] : sealed) expected.insert(std::string(coded->data.begin(), coded->data.end()));
  EXPECT_EQ(restored, expected);
}

TEST_F(ProofTest, ASealedVariantIsOpenedByItsGroup) {
  ExpectOpened(WholeModels());
  ExpectOpened(Models());
}

TEST_F(ProofTest, ABoardWithoutCryptographyProvesNothing) {
  Prove(vault_);
  mv_proof proof;
  EXPECT_EQ(mv_prove_vault(reinterpret_cast<const uint8_t*>(vault_words_.data()), vault_.size(), &trust_, nullptr,
                           nullptr, &proof, nullptr),
            MV_NO_CRYPTO);
  EXPECT_EQ(proof.base, MV_REJECTED);
}

TEST_F(ProofTest, ItsArgumentsAreChecked) {
  Prove(vault_);
  const uint8_t* const vault = reinterpret_cast<const uint8_t*>(vault_words_.data());
  mv_proof proof;
  const mv_crypto* const crypto = HostFunctions();
  EXPECT_EQ(mv_prove_vault(nullptr, 0, &trust_, crypto, nullptr, &proof, nullptr), MV_BAD_ARGUMENT);
  EXPECT_EQ(mv_prove_vault(vault + 1, 100, &trust_, crypto, nullptr, &proof, nullptr), MV_MISALIGNED);
  EXPECT_EQ(mv_prove_vault(vault, 100, &trust_, crypto, nullptr, &proof, nullptr), MV_TRUNCATED);
  const mv_trust nobody = {};
  EXPECT_EQ(mv_prove_vault(vault, vault_.size(), &nobody, crypto, nullptr, &proof, nullptr), MV_BAD_ARGUMENT);
}

TEST_F(ProofTest, AWatchdogIsFed) {
  Prove(vault_);
  unsigned fed = 0;
  const mv_watchdog watchdog = {[](void* context) { ++*static_cast<unsigned*>(context); }, &fed};
  mv_proof proof;
  EXPECT_EQ(mv_prove_vault(reinterpret_cast<const uint8_t*>(vault_words_.data()), vault_.size(), &trust_,
                           HostFunctions(), &watchdog, &proof, nullptr),
            MV_OK);
  EXPECT_GE(fed, SectionSize(vault_, 2) / 4096 + 4);
}

}  // namespace
}  // namespace modelvault
