// What somebody makes of a signed vault who has none of its keys, or not enough, or the ones before: a reader that
// trusts a key set takes none of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"
#include "vault/section_encoder.h"
#include "vault/vault_reader.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

// The order of Ed25519's group, little-endian.
constexpr uint8_t kOrder[32] = {0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7,
                                0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0,    0,    0,    0,    0,    0,
                                0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

// A base of several tiles, one blob of several, one of exactly one, one empty.
TestContents Contents(uint64_t seed) {
  TestContents contents = MakeTestContents(seed, 0, 60000);
  TestRandom random(seed + 1);
  for (std::string& chunk : contents.chunks) chunk = random.Bytes(100);
  contents.variants = {MakeTestVariant("large", 2, false, seed + 2), MakeTestVariant("one-tile", 1, false, seed + 3),
                       MakeTestVariant("same", 0, false, seed + 4), MakeTestVariant("small", 1, true, seed + 5)};
  contents.variants[0].segments = {random.Bytes(9000), random.Bytes(8000)};
  contents.variants[1].segments = {random.Bytes(4096 - 2)};
  contents.variants[3].segments = {random.Bytes(40)};
  return contents;
}

class VaultAttackTest : public testing::Test {
 protected:
  std::string SignedVault(uint64_t seed, const SigningPlan& plan, const std::vector<TestKey>& signers) {
    EXPECT_THAT(WriteVault(files_, folder_.File("v"), Contents(seed)), IsOk());
    VaultWriterOptions options;
    options.log_time = 1;  // A signature ends with a zero now and then, which a test would cut off in vain.
    if (!signers.empty()) options.sign_root = SignerOf(signers);
    EXPECT_THAT(PrepareSignature(files_, folder_.File("v"), plan, options), IsOk());
    return folder_.Read("v");
  }
  std::string SignedVault(uint64_t seed) { return SignedVault(seed, TestPlan(set_), {ann_, bob_}); }

  static absl::StatusOr<std::unique_ptr<VaultReader>> Open(const std::string& bytes, const VaultTrust& trust) {
    VaultReaderOptions options;
    options.trust = trust;
    return VaultReader::FromFile(
        std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "v.mvlt"), options);
  }
  // Reads everything; the first thing that is refused.
  static absl::Status Read(const std::string& bytes, const VaultTrust& trust) {
    const auto vault = Open(bytes, trust);
    if (!vault.ok()) return vault.status();
    if (absl::Status status = ReadAll(**vault); !status.ok()) return status;
    return (*vault)->CheckSigned();
  }
  absl::Status Read(const std::string& bytes) const { return Read(bytes, TrustIn(set_)); }

  // SIGNATURE of a vault as values, for forgers, and the vault with another one of the same size.
  static SignatureSection SectionOf(const std::string& bytes) {
    const auto vault =
        VaultReader::FromFile(std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "v.mvlt"));
    EXPECT_THAT(vault, IsOk());
    absl::StatusOr<SignatureSection> section = (*vault)->DecodeSigned();
    EXPECT_THAT(section, IsOk());
    return *std::move(section);
  }
  static std::string With(std::string bytes, const SignatureSection& section) {
    const std::string signature = EncodeSignature(section);
    EXPECT_EQ(signature.size(), SectionSize(bytes, 5));
    bytes.replace(SectionOffset(bytes, 5), signature.size(), signature);
    RepairChecksums(&bytes);
    return bytes;
  }
  // What `keys` sign of a vault whose SIGNATURE is `section`.
  static void SignAgain(const std::string& bytes, const std::vector<TestKey>& keys, SignatureSection* section) {
    const std::string message = RootMessageOf(ToByteView(bytes.substr(0, 256)), *section);
    for (const TestKey& key : keys) {
      section->signatures[section->key_sets.back().Find(key.key())] = key.Sign(message);
    }
  }

  const TempFolder folder_;
  FileSystem& files_ = FileSystem::Default();
  const TestKey ann_{1}, bob_{2}, cat_{3}, eve_{66};
  const KeySet set_ = TestKeySet({ann_, bob_, cat_}, 2);
};

TEST_F(VaultAttackTest, TheVaultItselfIsTaken) { EXPECT_THAT(Read(SignedVault(1)), IsOk()); }

TEST_F(VaultAttackTest, UnsignedVaults) {
  EXPECT_THAT(WriteVault(files_, folder_.File("v"), Contents(1)), IsOk());
  EXPECT_THAT(Read(folder_.Read("v")), StatusIs(StatusCode::kPermissionDenied, HasSubstr("v.mvlt: not signed")));
  // SIGNATURE taken away again: a sound vault, of nobody.
  EXPECT_THAT(Read(SignedVault(1, TestPlan(set_), {})),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("not signed since it was changed")));
}

TEST_F(VaultAttackTest, TooFewSigners) {
  EXPECT_THAT(
      Read(SignedVault(1, TestPlan(set_), {ann_})),
      StatusIs(StatusCode::kPermissionDenied, HasSubstr("the root has 1 signatures, expected at least 2 of 3")));
  EXPECT_THAT(Read(SignedVault(1, TestPlan(set_), {ann_, bob_, cat_})), IsOk());
}

TEST_F(VaultAttackTest, AWrongSignatureIsNotMadeUpForByOthers) {
  const std::string bytes = SignedVault(1);
  SignatureSection section = SectionOf(bytes);
  const size_t cat = set_.Find(cat_.key());
  section.signatures[cat] = section.signatures[set_.Find(ann_.key())];
  EXPECT_THAT(
      Read(With(bytes, section)),
      StatusIs(StatusCode::kPermissionDenied,
               AllOf(HasSubstr(absl::StrCat("signature ", cat, " of the root, by key ")), HasSubstr("is not valid"))));
}

TEST_F(VaultAttackTest, OneSignersSignatureTwice) {
  const std::string bytes = SignedVault(1, TestPlan(set_), {ann_});
  SignatureSection section = SectionOf(bytes);
  section.signatures.assign(3, section.signatures[set_.Find(ann_.key())]);
  EXPECT_THAT(Read(With(bytes, section)), StatusIs(StatusCode::kPermissionDenied, HasSubstr("is not valid")));
}

TEST_F(VaultAttackTest, TruncatedSignatures) {
  const std::string bytes = SignedVault(1);
  const size_t signatures = SectionOffset(bytes, 5) + 96 + 8 + 3 * 32;
  for (const size_t left : {0, 1, 32, 63}) {
    std::string cut = bytes;
    cut.replace(signatures + left, 64 - left, std::string(64 - left, '\0'));
    RepairChecksums(&cut);
    EXPECT_THAT(Read(cut), StatusIs(StatusCode::kPermissionDenied)) << left;
  }
  for (size_t size = SectionOffset(bytes, 5); size < bytes.size(); size += 16) {
    std::string cut = bytes.substr(0, size);
    Store<uint64_t>(&cut, 16, size);
    Store<uint64_t>(&cut, SectionField(5) + 8, size - SectionOffset(bytes, 5));
    RepairChecksums(&cut);
    EXPECT_FALSE(Read(cut).ok()) << size;
  }
}

TEST_F(VaultAttackTest, MalleableSignatures) {
  const std::string bytes = SignedVault(1);
  SignatureSection section = SectionOf(bytes);
  // S + L is the same scalar.
  Signature& signature = section.signatures[set_.Find(ann_.key())];
  unsigned carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    carry += signature[32 + i] + kOrder[i];
    signature[32 + i] = static_cast<uint8_t>(carry);
    carry >>= 8;
  }
  ASSERT_EQ(carry, 0u);
  EXPECT_THAT(Read(With(bytes, section)), StatusIs(StatusCode::kPermissionDenied, HasSubstr("is not valid")));
}

TEST_F(VaultAttackTest, KeysOfSmallOrder) {
  // The neutral element and the point of order 2; with either, R = the neutral element and S = 0 fit every message, or
  // every other one.
  for (const bool second : {false, true}) {
    PublicKey weak = {};
    weak[0] = 1;
    if (second) {
      weak.fill(0xFF);
      weak[0] = 0xEC;
      weak[31] = 0x7F;
    }
    KeySet set{.number = 1, .threshold = 1, .keys = {weak}, .signatures = {}};
    Signature signature = {};
    signature[0] = 1;
    const std::string bytes = SignedVault(1, TestPlan(set), {});
    SignatureSection section = SectionOf(bytes);
    section.signatures = {signature};
    EXPECT_THAT(Read(With(bytes, section), TrustIn(set)),
                StatusIs(StatusCode::kPermissionDenied, HasSubstr("is not valid")));
  }
}

TEST_F(VaultAttackTest, KeysNotInOrderOrTwice) {
  const std::string bytes = SignedVault(1);
  SignatureSection section = SectionOf(bytes);
  std::vector<PublicKey>& keys = section.key_sets[0].keys;
  std::swap(keys[0], keys[1]);
  EXPECT_THAT(Read(With(bytes, section)), StatusIs(StatusCode::kDataLoss, HasSubstr("SIGNATURE at offset 0x")));
  keys[1] = keys[0];
  EXPECT_THAT(Read(With(bytes, section)), StatusIs(StatusCode::kDataLoss, HasSubstr("SIGNATURE at offset 0x")));
}

TEST_F(VaultAttackTest, AThresholdThatIsLowered) {
  const std::string bytes = SignedVault(1, TestPlan(set_), {ann_});
  SignatureSection section = SectionOf(bytes);
  section.key_sets[0].threshold = 1;
  SignAgain(bytes, {ann_}, &section);
  EXPECT_THAT(Read(With(bytes, section)), StatusIs(StatusCode::kPermissionDenied, HasSubstr("signed by others")));
}

TEST_F(VaultAttackTest, OthersKeys) {
  const KeySet others = TestKeySet({eve_}, 1);
  const std::string bytes = SignedVault(1, TestPlan(others), {eve_});
  EXPECT_THAT(Read(bytes, TrustIn(others)), IsOk());
  EXPECT_THAT(Read(bytes),
              StatusIs(StatusCode::kPermissionDenied, AllOf(HasSubstr("signed by others"), HasSubstr("(1 of 1)"))));
  VaultTrust by_keys;
  by_keys.keys = {cat_.key(), ann_.key(), bob_.key()};
  by_keys.threshold = 2;
  EXPECT_THAT(Read(bytes, by_keys), StatusIs(StatusCode::kPermissionDenied, HasSubstr("expected 2 of the keys")));
  EXPECT_THAT(Read(SignedVault(1), by_keys), IsOk());
  by_keys.threshold = 1;
  EXPECT_THAT(Read(SignedVault(1), by_keys), StatusIs(StatusCode::kPermissionDenied));
}

// --- Rotation.

class RotationTest : public VaultAttackTest {
 protected:
  // The set after set_, signed by `signers`.
  KeySet NextSet(const std::vector<TestKey>& signers) const {
    KeySet next = TestKeySet({dan_}, 1, 2);
    SignNext(set_, signers, &next);
    return next;
  }
  SigningPlan PlanWith(const std::vector<KeySet>& sets) const {
    SigningPlan plan = TestPlan(set_);
    plan.key_sets = sets;
    return plan;
  }
  // A vault with this chain, though no writer of ours would make it.
  std::string Forged(const std::vector<KeySet>& sets, const std::vector<TestKey>& keys) {
    const std::string bytes = SignedVault(1, PlanWith({set_, NextSet({ann_, bob_})}), {});
    SignatureSection section = SectionOf(bytes);
    EXPECT_EQ(sets.size(), 2u);
    section.key_sets = sets;
    SignAgain(bytes, keys, &section);
    return With(bytes, section);
  }

  const TestKey dan_{4};
};

TEST_F(RotationTest, TheNextSetSignsForWhoTrustsTheOneBeforeOrIt) {
  const KeySet next = NextSet({ann_, cat_});
  const std::string bytes = SignedVault(1, PlanWith({set_, next}), {dan_});
  for (const KeySet& trusted : {set_, next}) {
    ASSERT_OK_AND_ASSIGN(const auto vault, Open(bytes, TrustIn(trusted)));
    EXPECT_EQ(vault->key_set_digest(), next.digest());
  }
}

TEST_F(RotationTest, WhoKeepsTheLastSetRefusesTheKeysBefore) {
  // Three old keys are stolen, and sign a vault with the chain as it was.
  const std::string bytes = SignedVault(1, TestPlan(set_), {ann_, bob_, cat_});
  EXPECT_THAT(Read(bytes), IsOk());
  EXPECT_THAT(Read(bytes, TrustIn(NextSet({ann_, bob_}))), StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(RotationTest, SignedByTooFewOrWrongly) {
  EXPECT_THAT(
      Read(Forged({set_, NextSet({ann_})}, {dan_})),
      StatusIs(StatusCode::kPermissionDenied, HasSubstr("key set 2 has 1 signatures, expected at least 2 of 3")));
  EXPECT_THAT(Read(Forged({set_, NextSet({})}, {dan_})),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("key set 2 has 0 signatures")));
  KeySet wrong = NextSet({ann_, bob_});
  wrong.signatures[set_.Find(cat_.key())] = wrong.signatures[set_.Find(ann_.key())];
  EXPECT_THAT(Read(Forged({set_, wrong}, {dan_})),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("of key set 2, by key")));
  // A signature of one set does not do for another.
  KeySet other = NextSet({ann_, bob_});
  other.number = 3;
  EXPECT_THAT(Read(Forged({set_, other}, {dan_})),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("of key set 3, by key")));
}

TEST_F(RotationTest, ASetBetweenThatNobodyTrusts) {
  KeySet evil = TestKeySet({eve_, ann_, bob_}, 1, 1);
  KeySet next = TestKeySet({dan_}, 1, 2);
  SignNext(evil, {eve_}, &next);
  const std::string bytes = Forged({evil, next}, {dan_});
  EXPECT_THAT(Read(bytes), StatusIs(StatusCode::kPermissionDenied, HasSubstr("signed by others")));
  // Who trusts dan takes what dan has signed, whoever is said to have been before.
  EXPECT_THAT(Read(bytes, TrustIn(next)), IsOk());
}

// --- Versions and times.

TEST_F(VaultAttackTest, OlderVersions) {
  SigningPlan plan = TestPlan(set_);
  plan.version = 6;
  const std::string bytes = SignedVault(1, plan, {ann_, bob_});
  VaultTrust trust = TrustIn(set_);
  trust.least_version = 6;
  EXPECT_THAT(Read(bytes, trust), IsOk());
  trust.least_version = 7;
  EXPECT_THAT(Read(bytes, trust),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("version 6 of the vault, expected at least 7")));
  SignatureSection section = SectionOf(bytes);
  section.version = 7;
  EXPECT_THAT(Read(With(bytes, section), trust), StatusIs(StatusCode::kPermissionDenied, HasSubstr("is not valid")));
}

TEST_F(VaultAttackTest, OtherTimes) {
  SigningPlan plan = TestPlan(set_);
  plan.not_before = 100;
  plan.not_after = 200;
  const std::string bytes = SignedVault(1, plan, {ann_, bob_});
  VaultTrust trust = TrustIn(set_);
  for (const auto& [now, taken] :
       {std::pair(99, false), std::pair(100, true), std::pair(200, true), std::pair(201, false), std::pair(0, true)}) {
    trust.now = now;
    if (taken) {
      EXPECT_THAT(Read(bytes, trust), IsOk()) << now;
    } else {
      EXPECT_THAT(Read(bytes, trust),
                  StatusIs(StatusCode::kPermissionDenied,
                           HasSubstr(absl::StrCat("valid from 100 to 200 (seconds since 1970; 0: no "
                                                  "limit), now is ",
                                                  now))));
    }
  }
}

// --- Other bytes.

// Flips a bit and makes every checksum right again that a stranger can.
TEST_F(VaultAttackTest, EverySectionIsSigned) {
  const std::string bytes = SignedVault(1);
  ASSERT_OK_AND_ASSIGN(const auto good, Open(bytes, TrustIn(set_)));
  const char* const names[] = {"MODEL", "CHUNKS", "BASE", "INDEX", "MANIFEST"};
  for (size_t i = 0; i < std::size(names); ++i) {
    std::string forged = bytes;
    forged[SectionOffset(bytes, i) + SectionSize(bytes, i) / 2] ^= 1;
    // As if the section had had that checksum always: the root says that it had not.
    RepairChecksums(&forged);
    EXPECT_THAT(Read(forged), StatusIs(StatusCode::kPermissionDenied, HasSubstr("of the root, by key"))) << names[i];
  }
}

// XXH64 is no digest: eight bytes make any other bytes hash alike. `tail` becomes what must follow `begin`, a multiple
// of 8 bytes, so that both have the hash `wanted`.
class ChecksumForger {
 public:
  static std::string Forge(const std::string& begin, uint64_t wanted) {
    const std::string zeros(8, '\0');
    const uint64_t before = BeforeLastLane(XXH64((begin + zeros).data(), begin.size() + 8, 0));
    const uint64_t lane = before ^ BeforeLastLane(wanted);
    std::string tail(8, '\0');
    Store<uint64_t>(&tail, 0, Rotated(lane * Inverse(kPrime1), 33) * Inverse(kPrime2));
    return begin + tail;
  }

 private:
  static constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F, kPrime3 = 0x165667B19E3779F9,
                            kPrime4 = 0x85EBCA77C2B2AE63;

  static uint64_t Rotated(uint64_t x, unsigned left) { return x << left | x >> (64 - left); }
  // Of an odd number, modulo 2^64; each step doubles the right bits.
  static uint64_t Inverse(uint64_t odd) {
    uint64_t inverse = odd;
    for (int i = 0; i < 6; ++i) inverse *= 2 - odd * inverse;
    return inverse;
  }
  static uint64_t Unshifted(uint64_t x, unsigned shift) {
    uint64_t original = x;
    for (unsigned done = shift; done < 64; done += shift) original = x ^ original >> shift;
    return original;
  }
  // The state, the last eight bytes' lane in it already, that ends as `hash`.
  static uint64_t BeforeLastLane(uint64_t hash) {
    uint64_t h = Unshifted(hash, 32) * Inverse(kPrime3);
    h = Unshifted(h, 29) * Inverse(kPrime2);
    h = Unshifted(h, 33);
    return Rotated((h - kPrime4) * Inverse(kPrime1), 64 - 27);
  }
};

TEST_F(VaultAttackTest, ASectionWithTheSameChecksum) {
  TestContents contents = Contents(1);
  contents.model = TestRandom(1).Bytes(40);
  contents.network = TestRandom(2).Bytes(72);
  EXPECT_THAT(WriteVault(files_, folder_.File("v"), contents), IsOk());
  VaultWriterOptions options;
  options.sign_root = SignerOf({ann_, bob_});
  EXPECT_THAT(PrepareSignature(files_, folder_.File("v"), TestPlan(set_), options), IsOk());
  const std::string bytes = folder_.Read("v");
  ASSERT_THAT(Read(bytes), IsOk());
  for (const auto& [section, name] : {std::pair(0, "MODEL"), std::pair(6, "NETWORK")}) {
    const size_t offset = SectionOffset(bytes, section), size = SectionSize(bytes, section);
    std::string begin = bytes.substr(offset, size - 8);
    begin[3] ^= 1;
    std::string forged = bytes;
    forged.replace(offset, size, ChecksumForger::Forge(begin, XXH64(bytes.data() + offset, size, 0)));
    ASSERT_THAT(ReadAll(forged), IsOk()) << "the checksum is not the same";
    EXPECT_THAT(Open(forged, TrustIn(set_)),
                StatusIs(StatusCode::kPermissionDenied,
                         HasSubstr(absl::StrCat("v.mvlt: ", name, " at offset 0x", absl::Hex(offset),
                                                " is not what was signed: expected digest "))));
  }
}

TEST_F(VaultAttackTest, TilesOfTheBase) {
  const std::string bytes = SignedVault(1);
  for (const size_t tile : {0, 2, 5}) {
    std::string forged = bytes;
    const size_t at = SectionOffset(bytes, 2) + tile * 4096 + 17;
    forged[at] ^= 1;
    ASSERT_OK_AND_ASSIGN(const auto vault, Open(forged, TrustIn(set_)));
    // What lies in other tiles is handed out; what lies in this one, in part, is not.
    size_t refused = 0;
    for (uint64_t chunk = 0; chunk < vault->header().chunk_count(); ++chunk) {
      std::vector<uint8_t> stored;
      const absl::Status status = vault->ReadBaseChunk(chunk, &stored);
      const size_t begin = chunk * 100, end = begin + 100;
      const bool inside = begin < (tile + 1) * 4096 && end > tile * 4096;
      if (!inside) {
        EXPECT_THAT(status, IsOk()) << chunk;
        continue;
      }
      ++refused;
      EXPECT_THAT(status, StatusIs(StatusCode::kPermissionDenied,
                                   AllOf(HasSubstr(absl::StrCat("v.mvlt: BASE, tile ", tile, " at offset 0x")),
                                         HasSubstr("is not what was signed: expected digest "), HasSubstr("found "))));
    }
    EXPECT_GE(refused, 30u);
    EXPECT_THAT(vault->CheckSigned(), StatusIs(StatusCode::kPermissionDenied));
  }
}

TEST_F(VaultAttackTest, BlobsWithRightChecksums) {
  const std::string bytes = SignedVault(1);
  ASSERT_OK_AND_ASSIGN(const auto good, Open(bytes, TrustIn(set_)));
  for (const char* const name : {"large", "one-tile", "small"}) {
    ASSERT_OK_AND_ASSIGN(const VaultVariant* variant, good->Find(name));
    for (const uint64_t at : {uint64_t{0}, variant->stored_size / 2, variant->stored_size - 1}) {
      std::string forged = bytes;
      forged[variant->offset + at] ^= 0x10;
      ASSERT_OK_AND_ASSIGN(const auto vault, Open(forged, TrustIn(set_)));
      EXPECT_THAT(ReadVariant(*vault, name),
                  StatusIs(StatusCode::kPermissionDenied, HasSubstr(absl::StrCat("the blob of variant '", name, "'"))));
    }
  }
}

TEST_F(VaultAttackTest, SwappedBlobs) {
  // Two blobs of the same size, with their entries' checksums and digests or without.
  TestContents contents = Contents(1);
  contents.variants = {MakeTestVariant("a", 1, false, 1), MakeTestVariant("b", 1, false, 2)};
  for (TestVariant& variant : contents.variants) variant.segments = {TestRandom(variant.name[0]).Bytes(500)};
  EXPECT_THAT(WriteVault(files_, folder_.File("v"), contents), IsOk());
  VaultWriterOptions options;
  options.sign_root = SignerOf({ann_, bob_});
  EXPECT_THAT(PrepareSignature(files_, folder_.File("v"), TestPlan(set_), options), IsOk());
  const std::string bytes = folder_.Read("v");
  ASSERT_OK_AND_ASSIGN(const auto good, Open(bytes, TrustIn(set_)));
  const VaultVariant& a = good->variants()[0];
  const VaultVariant& b = good->variants()[1];
  ASSERT_EQ(a.stored_size, b.stored_size);
  std::string swapped = bytes;
  swapped.replace(a.offset, a.stored_size, bytes.substr(b.offset, b.stored_size));
  swapped.replace(b.offset, b.stored_size, bytes.substr(a.offset, a.stored_size));
  ASSERT_OK_AND_ASSIGN(const auto vault, Open(swapped, TrustIn(set_)));
  EXPECT_THAT(ReadVariant(*vault, "a"), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(ReadVariant(*vault, "b"), StatusIs(StatusCode::kPermissionDenied));

  std::string with_entries = swapped;
  const size_t first = IndexEntry(bytes, 0), second = IndexEntry(bytes, 1);
  for (const auto& [offset, size] : {std::pair(4, 4), std::pair(16, 24)}) {
    with_entries.replace(first + offset, size, bytes.substr(second + offset, size));
    with_entries.replace(second + offset, size, bytes.substr(first + offset, size));
  }
  RepairChecksums(&with_entries);
  ASSERT_THAT(ReadAll(with_entries), IsOk());
  EXPECT_THAT(Read(with_entries), StatusIs(StatusCode::kPermissionDenied));
}

// Both vaults are the signer's, and everything in the mixture is, too.
TEST_F(VaultAttackTest, SplicedVaultsOfOneSigner) {
  SigningPlan plan = TestPlan(set_);
  const std::string one = SignedVault(1, plan, {ann_, bob_});
  plan.version = 2;
  std::string two = SignedVault(1000, plan, {ann_, bob_});
  ASSERT_EQ(one.size(), two.size());
  for (const size_t i : {0, 1, 2, 3, 5}) {  // MANIFEST is the same.
    ASSERT_EQ(SectionOffset(one, i), SectionOffset(two, i));
    ASSERT_EQ(SectionSize(one, i), SectionSize(two, i));
    std::string spliced = one;
    spliced.replace(SectionOffset(one, i), SectionSize(one, i), two.substr(SectionOffset(two, i), SectionSize(two, i)));
    ASSERT_NE(spliced, one) << i;
    EXPECT_FALSE(Read(spliced).ok()) << i;
    RepairChecksums(&spliced);
    EXPECT_THAT(Read(spliced), StatusIs(StatusCode::kPermissionDenied)) << i;
  }
  // All blobs of one in the other.
  std::string blobs = one;
  const size_t begin = SectionOffset(one, 2) + SectionSize(one, 2), end = SectionOffset(one, 3);
  blobs.replace(begin, end - begin, two.substr(begin, end - begin));
  EXPECT_THAT(Read(blobs), StatusIs(StatusCode::kPermissionDenied, HasSubstr("the blob of variant")));
  // The new vault's root with the old one's version, and the other way round.
  std::string head = two;
  head.replace(SectionOffset(two, 5), 40, one.substr(SectionOffset(one, 5), 40));
  RepairChecksums(&head);
  EXPECT_THAT(Read(head), StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(VaultAttackTest, TheListOfDigests) {
  const std::string bytes = SignedVault(1);
  SignatureSection section = SectionOf(bytes);
  std::swap(section.objects[6], section.objects[7]);
  EXPECT_THAT(Read(With(bytes, section)), StatusIs(StatusCode::kPermissionDenied));
  // With the head as it was signed.
  std::string forged = bytes;
  const size_t objects = SectionOffset(bytes, 5) + 96 + 104 + 3 * 64;
  forged[objects + 5] ^= 1;
  RepairChecksums(&forged);
  EXPECT_THAT(Read(forged),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("the list of digests differs from what was signed")));
}

TEST_F(VaultAttackTest, ListsOfTiles) {
  const std::string bytes = SignedVault(1);
  const size_t tiles = SectionOffset(bytes, 5) + 96 + 104 + 3 * 64 + 10 * 32;
  ASSERT_LT(tiles, bytes.size());
  for (size_t at = tiles; at < bytes.size(); at += 32) {
    std::string forged = bytes;
    forged[at + 31] ^= 1;
    RepairChecksums(&forged);
    EXPECT_THAT(Read(forged), StatusIs(StatusCode::kPermissionDenied,
                                       AllOf(HasSubstr("the digests of the "), HasSubstr(" tiles of "))));
  }
  // One fewer, one more.
  for (const bool more : {false, true}) {
    std::string forged = more ? bytes + std::string(32, 'x') : bytes.substr(0, bytes.size() - 32);
    Store<uint64_t>(&forged, 16, forged.size());
    Store<uint64_t>(&forged, SectionField(5) + 8, forged.size() - SectionOffset(bytes, 5));
    RepairChecksums(&forged);
    EXPECT_FALSE(Read(forged).ok());
    // Nor by who asks for no signature.
    EXPECT_THAT(ReadAll(forged), StatusIs(StatusCode::kDataLoss, HasSubstr("SIGNATURE")));
  }
}

TEST_F(VaultAttackTest, BytesThatBelongToNothing) {
  TestContents contents = Contents(1);
  contents.model.resize(contents.model.size() / 4 * 4 + 1);
  EXPECT_THAT(WriteVault(files_, folder_.File("v"), contents), IsOk());
  VaultWriterOptions options;
  options.sign_root = SignerOf({ann_, bob_});
  EXPECT_THAT(PrepareSignature(files_, folder_.File("v"), TestPlan(set_), options), IsOk());
  std::string bytes = folder_.Read("v");
  bytes[256 + contents.model.size() + 1] = 1;
  ASSERT_OK_AND_ASSIGN(const auto vault, Open(bytes, TrustIn(set_)));
  EXPECT_THAT(vault->CheckSigned(), StatusIs(StatusCode::kDataLoss, HasSubstr("padding at offset")));
}

// A file that changes while it is open: what was proven before is proven again, or comes from memory.
class ChangingFile : public MemoryFile {
 public:
  ChangingFile(const std::string& bytes, const bool* changed)
      : MemoryFile(std::vector<uint8_t>(bytes.begin(), bytes.end()), "v.mvlt"), changed_(changed) {}
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    absl::Status status = MemoryFile::ReadAt(offset, out);
    if (*changed_) {
      for (uint8_t& byte : out) byte ^= 1;
    }
    return status;
  }

 private:
  const bool* const changed_;
};

TEST_F(VaultAttackTest, AFileThatChangesAfterItWasProven) {
  const std::string bytes = SignedVault(1);
  bool changed = false;
  VaultReaderOptions options;
  options.trust = TrustIn(set_);
  ASSERT_OK_AND_ASSIGN(const auto vault,
                       VaultReader::FromFile(std::make_unique<ChangingFile>(bytes, &changed), options));
  std::vector<uint8_t> before, stored;
  ASSERT_THAT(vault->ReadBaseChunk(0, &before), IsOk());
  changed = true;
  EXPECT_THAT(vault->ReadBaseChunk(0, &stored), IsOk());  // From the tile that is kept.
  EXPECT_EQ(stored, before);
  EXPECT_THAT(vault->ReadBaseChunk(200, &stored), StatusIs(StatusCode::kPermissionDenied));
}

}  // namespace
}  // namespace modelvault
