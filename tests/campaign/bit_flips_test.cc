#include "tests/campaign/bit_flips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/signed_golden.h"
#include "tests/vault/test_keys.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

using absl::StatusCode;

std::string SignedVault(const TestContents& contents) {
  const TempFolder folder;
  const KeySet set = TestKeySet({TestKey(1), TestKey(2), TestKey(3)}, 2);
  VaultWriterOptions options;
  options.sign_root = SignerOf({TestKey(1), TestKey(3)});
  EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), contents), IsOk());
  EXPECT_THAT(PrepareSignature(FileSystem::Default(), folder.File("v"), TestPlan(set), options), IsOk());
  return folder.Read("v");
}

VaultTrust Trust() { return TrustIn(TestKeySet({TestKey(1), TestKey(2), TestKey(3)}, 2)); }

std::string GoldenVault() {
  const auto file = FileSystem::Default().OpenForRead(MODELVAULT_SOURCE_DIR "/tests/vault/golden/v1.4.mvlt");
  EXPECT_THAT(file, IsOk());
  std::vector<uint8_t> bytes(file.ok() ? (*file)->size() : 0);
  if (file.ok()) {
    EXPECT_THAT((*file)->ReadAt(0, absl::MakeSpan(bytes)), IsOk());
  }
  return ToString(bytes);
}

TEST(BitFlipsTest, NoBitOfASmallVaultMayChange) {
  ASSERT_OK_AND_ASSIGN(const auto flips, BitFlips::Create(GoldenVault(), TrustIn(GoldenFirstKeySet())));
  size_t repaired_by_signature = 0;
  for (size_t bit = 0; bit < flips->bit_count(); ++bit) {
    for (const bool repaired : {false, true}) {
      if (repaired && flips->IsRepairedAway(bit)) continue;
      const absl::Status whole = flips->Verify(bit, repaired);
      const absl::Status part = flips->VerifyWhatSees(bit, repaired);
      EXPECT_FALSE(whole.ok()) << "bit " << bit << (repaired ? ", repaired" : "");
      EXPECT_FALSE(part.ok()) << "bit " << bit << (repaired ? ", repaired" : "");
      if (repaired && part.code() == StatusCode::kPermissionDenied) ++repaired_by_signature;
    }
  }
  EXPECT_GT(repaired_by_signature, flips->bit_count() / 2);
  // And it still is what it was.
  EXPECT_THAT(BitFlips::Create(GoldenVault(), TrustIn(GoldenFirstKeySet())), IsOk());
}

TEST(BitFlipsTest, NorAnyBitOfTiles) {
  TestContents contents = MakeTestContents(3, 3, 30000);
  contents.network = "what they compute";
  contents.variants[1].segments = {TestRandom(1).Bytes(5000), TestRandom(2).Bytes(6000)};
  ASSERT_OK_AND_ASSIGN(const auto flips, BitFlips::Create(SignedVault(contents), Trust()));
  size_t in_tiles = 0;
  for (size_t bit = 0; bit < flips->bit_count(); bit += 7) {
    EXPECT_FALSE(flips->VerifyWhatSees(bit, false).ok()) << bit;
    in_tiles += flips->IsInTile(bit) ? 1 : 0;
  }
  EXPECT_GT(in_tiles, size_t{15000});
}

// The campaign is worth nothing if it refuses a vault for another reason.
TEST(BitFlipsTest, AVaultThatIsNotTakenIsNoStart) {
  VaultTrust others;
  others.keys = {TestKey(9).key()};
  EXPECT_THAT(BitFlips::Create(GoldenVault(), others), StatusIs(StatusCode::kPermissionDenied));
}

}  // namespace
}  // namespace modelvault
