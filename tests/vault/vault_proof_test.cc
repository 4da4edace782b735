// The core's proofs, by what docs/format.md says of messages and digests, spelled out here once more.
#include "vault/core/vault_proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"
#include "vault/crypto.h"
#include "vault/section_encoder.h"
#include "vault/signature_section.h"

namespace modelvault {
namespace {

std::string Text(const Digest& digest) { return std::string(digest.begin(), digest.end()); }
std::string Label(const std::string& text) { return text + std::string(16 - text.size(), '\0'); }

// A header and SIGNATURE of a vault without variants; key set 1 of one key, key set 2 of three, of which two sign.
class ProveRootTest : public testing::Test {
 protected:
  ProveRootTest() {
    for (size_t i = 0; i < header_.size(); ++i) header_[i] = static_cast<char>(i * 7);
    section_.vault_id.fill(1);
    section_.version = 5;
    section_.not_before = 100;
    section_.not_after = 200;
    const KeySet first = TestKeySet({ann_}, 1);
    KeySet second = TestKeySet({bob_, cat_, dan_}, 2, 2);
    SignNext(first, {ann_}, &second);
    section_.key_sets = {first, second};
    section_.signatures.resize(3);
    section_.objects.resize(6);
    Sign({bob_, dan_});
  }

  void Sign(const std::vector<TestKey>& keys) {
    const std::string message = RootMessageOf(ToByteView(header_), section_);
    for (const TestKey& key : keys) section_.signatures[section_.key_sets.back().Find(key.key())] = key.Sign(message);
  }

  CoreStatus Prove(const TrustedKeys& trusted, RootFault* fault = nullptr) {
    bytes_ = EncodeSignature(section_);
    VaultHeader header;
    header.features = kFeatureSignature;
    EXPECT_EQ(ParseSignature(ToByteView(bytes_), header, &root_, nullptr), CoreStatus::kOk);
    last_ = {};
    return ProveRoot(ToByteView(header_), root_, trusted, HostCrypto(), last_.data(), fault);
  }
  CoreStatus Prove(uint64_t least_version = 0, uint64_t now = 0) {
    const Digest digest = section_.key_sets[0].digest();
    return Prove({.key_set_digest = digest.data(), .least_version = least_version, .now = now});
  }

  const TestKey ann_{1}, bob_{2}, cat_{3}, dan_{4};
  std::string header_ = std::string(256, '\0');
  SignatureSection section_;
  std::string bytes_;
  SignedRoot root_;
  Digest last_ = {};
};

TEST_F(ProveRootTest, MessagesAreTheDocuments) {
  ASSERT_EQ(Prove(), CoreStatus::kOk);
  // A key set: number, threshold, count, zeros, keys.
  std::string set = {2, 0, 0, 0, 2, 3, 0, 0};
  for (const PublicKey& key : section_.key_sets[1].keys) set.append(key.begin(), key.end());
  const Digest own = DigestOf(Label("modelvault keys") + set);
  EXPECT_EQ(section_.key_sets[1].digest(), own);
  EXPECT_EQ(last_, own);
  const Digest before = section_.key_sets[0].digest();
  EXPECT_EQ(KeySetMessage(before, own), Label("modelvault next") + Text(before) + Text(own));

  // All but the signatures and what follows them, and the two checksums in the header.
  std::string covered = header_;
  covered.replace(72 + 5 * 24 + 16, 8, 8, '\0');
  covered.replace(248, 8, 8, '\0');
  covered += bytes_.substr(0, 96 + 40 + 8 + 3 * 32 + 64);
  EXPECT_EQ(RootMessageOf(ToByteView(header_), section_), Label("modelvault root") + Text(DigestOf(covered)));
}

TEST_F(ProveRootTest, EitherSetMayBeTrusted) {
  for (const KeySet& set : section_.key_sets) {
    const Digest digest = set.digest();
    EXPECT_EQ(Prove({.key_set_digest = digest.data()}), CoreStatus::kOk);
    EXPECT_EQ(last_, section_.key_sets[1].digest());
  }
  Digest other = section_.key_sets[0].digest();
  other[31] ^= 1;
  EXPECT_EQ(Prove({.key_set_digest = other.data()}), CoreStatus::kUntrusted);
  EXPECT_EQ(last_, Digest{});
}

TEST_F(ProveRootTest, VersionAndTime) {
  EXPECT_EQ(Prove(5), CoreStatus::kOk);
  EXPECT_EQ(Prove(6), CoreStatus::kRolledBack);
  EXPECT_EQ(last_, Digest{});
  for (const auto& [now, status] :
       {std::pair(99, CoreStatus::kExpired), std::pair(100, CoreStatus::kOk), std::pair(200, CoreStatus::kOk),
        std::pair(201, CoreStatus::kExpired), std::pair(1, CoreStatus::kExpired)}) {
    EXPECT_EQ(Prove(0, static_cast<uint64_t>(now)), status) << now;
  }
  section_.not_after = 0;
  Sign({bob_, dan_});
  EXPECT_EQ(Prove(0, ~uint64_t{0}), CoreStatus::kOk);
}

TEST_F(ProveRootTest, SaysWhichSignature) {
  const Digest digest = section_.key_sets[0].digest();
  const TrustedKeys trusted = {.key_set_digest = digest.data()};
  const size_t bob = section_.key_sets[1].Find(bob_.key()), dan = section_.key_sets[1].Find(dan_.key());
  RootFault fault;
  const Signature right = section_.signatures[dan];
  section_.signatures[dan][63] ^= 0x20;
  EXPECT_EQ(Prove(trusted, &fault), CoreStatus::kBadSignature);
  EXPECT_FALSE(fault.in_chain);
  EXPECT_EQ(fault.key_set, 1u);
  EXPECT_EQ(fault.signature, dan);
  section_.signatures[dan] = kNoSignature;
  EXPECT_EQ(Prove(trusted, &fault), CoreStatus::kBadSignature);
  EXPECT_EQ(fault.signature, 3u);
  section_.signatures[bob] = kNoSignature;
  EXPECT_EQ(Prove(trusted, &fault), CoreStatus::kUnsigned);
  section_.signatures[dan] = right;
  EXPECT_EQ(Prove(trusted, &fault), CoreStatus::kBadSignature);
  Sign({bob_, dan_});
  section_.key_sets[1].signatures[0][0] ^= 1;
  EXPECT_EQ(Prove(trusted, &fault), CoreStatus::kBadSignature);
  EXPECT_TRUE(fault.in_chain);
  EXPECT_EQ(fault.key_set, 1u);
  EXPECT_EQ(fault.signature, 0u);
}

TEST_F(ProveRootTest, TheListOfDigestsIsProven) {
  bytes_ = EncodeSignature(section_);
  bytes_[bytes_.size() - 1] = 1;
  VaultHeader header;
  header.features = kFeatureSignature;
  ASSERT_EQ(ParseSignature(ToByteView(bytes_), header, &root_, nullptr), CoreStatus::kOk);
  const Digest digest = section_.key_sets[0].digest();
  EXPECT_EQ(ProveRoot(ToByteView(header_), root_, {.key_set_digest = digest.data()}, HostCrypto(), last_.data()),
            CoreStatus::kNotAuthentic);
}

TEST_F(ProveRootTest, CallsOutsideTheContractAreRefused) {
  ASSERT_EQ(Prove(), CoreStatus::kOk);
  const Digest digest = section_.key_sets[0].digest();
  const TrustedKeys trusted = {.key_set_digest = digest.data()};
  EXPECT_EQ(ProveRoot(ToByteView(header_.substr(1)), root_, trusted, HostCrypto(), last_.data()),
            CoreStatus::kBadArgument);
  EXPECT_EQ(ProveRoot(ToByteView(header_), SignedRoot(), trusted, HostCrypto(), last_.data()),
            CoreStatus::kBadArgument);
  EXPECT_EQ(ProveRoot(ToByteView(header_), root_, {}, HostCrypto(), last_.data()), CoreStatus::kBadArgument);
  uint32_t wrong;
  const std::string signatures(64, 'x');
  EXPECT_EQ(CheckSignatures(root_.last_key_set, ToByteView(signatures), {}, HostCrypto(), &wrong),
            CoreStatus::kBadArgument);
}

// An object with its digests, in tiles of 4,096 bytes.
struct TestObject {
  explicit TestObject(size_t size) : bytes(TestRandom(size).Bytes(size)) {
    root.tile_log2 = 12;
    const ObjectDigests digests = DigestObject(bytes, 12);
    digest.assign(digests.digest.begin(), digests.digest.end());
    for (const Digest& tile : digests.tiles) tiles += Text(tile);
    object.size = size;
    object.digest = ToByteView(digest);
    object.tiles = tiles.empty() ? ByteView() : ToByteView(tiles);
  }

  SignedRoot root;
  std::string bytes, digest, tiles;
  SignedObject object;
};

TEST(ProveObjectTest, ObjectsOfEverySizeAreProven) {
  for (const size_t size : {0, 1, 4095, 4096, 4097, 8192, 8193, 20000}) {
    TestObject test(size);
    EXPECT_EQ(ProveObject(test.root, test.object, ToByteView(test.bytes), HostCrypto()), CoreStatus::kOk) << size;
    EXPECT_EQ(ProveObject(test.root, test.object, ToByteView(test.bytes + "x"), HostCrypto()),
              CoreStatus::kBadArgument);
    for (const size_t at : {size_t{0}, size / 2, size - 1, size_t{4095}, size_t{4096}}) {
      if (at >= size) continue;
      std::string wrong = test.bytes;
      wrong[at] ^= 1;
      EXPECT_EQ(ProveObject(test.root, test.object, ToByteView(wrong), HostCrypto()), CoreStatus::kNotAuthentic)
          << size << " " << at;
    }
    test.digest[0] ^= 1;
    EXPECT_EQ(ProveObject(test.root, test.object, ToByteView(test.bytes), HostCrypto()), CoreStatus::kNotAuthentic);
  }
}

TEST(ProveObjectTest, TilesAreProvenOneByOne) {
  TestObject test(9000);
  EXPECT_EQ(ProveTileList(test.object, HostCrypto()), CoreStatus::kOk);
  for (const size_t tile : {0, 1, 2}) {
    const std::string bytes = test.bytes.substr(tile * 4096, 4096);
    EXPECT_EQ(ProveTile(test.root, test.object, tile, ToByteView(bytes), HostCrypto()), CoreStatus::kOk);
    EXPECT_EQ(ProveTile(test.root, test.object, tile, ToByteView(bytes).Sub(0, bytes.size() - 1), HostCrypto()),
              CoreStatus::kBadArgument);
    // One tile in another's place.
    if (tile < 2) {
      EXPECT_EQ(ProveTile(test.root, test.object, 1 - tile, ToByteView(bytes), HostCrypto()),
                CoreStatus::kNotAuthentic);
    }
  }
  EXPECT_EQ(ProveTile(test.root, test.object, 3, {}, HostCrypto()), CoreStatus::kBadArgument);
  test.tiles[95] ^= 1;
  EXPECT_EQ(ProveTileList(test.object, HostCrypto()), CoreStatus::kNotAuthentic);
  TestObject one(4096);
  EXPECT_EQ(ProveTileList(one.object, HostCrypto()), CoreStatus::kOk);
  EXPECT_EQ(ProveTile(one.root, one.object, 0, ToByteView(one.bytes), HostCrypto()), CoreStatus::kOk);
  EXPECT_EQ(ProveTile(one.root, one.object, 1, {}, HostCrypto()), CoreStatus::kBadArgument);
}

}  // namespace
}  // namespace modelvault
