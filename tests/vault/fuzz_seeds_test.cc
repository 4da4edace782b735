// The seeds of the fuzz targets vault_view, signature and revocations are worth mutating only as long as they are
// vaults, heads, signatures and lists.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/signature_targets.h"
#include "tests/vault/revoking_vault.h"
#include "tests/vault/sealed_seeds.h"
#include "tests/vault/test_vault.h"
#include "vault/core/vault_view.h"

namespace modelvault {
namespace {

TEST(VaultFuzzSeedsTest, AreVaultsAndHeads) {
  int vaults = 0, heads = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MODELVAULT_FUZZ_CORPUS "/vault_view")) {
    SCOPED_TRACE(entry.path());
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string seed((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    ASSERT_GE(seed.size(), 3u);
    if (seed[0] < 3) {
      EXPECT_THAT(ReadAll(seed.substr(1)), IsOk());
      ++vaults;
      continue;
    }
    const ByteView blob = {reinterpret_cast<const uint8_t*>(seed.data()) + 3, seed.size() - 3};
    const ByteView part = blob.Sub(0, std::min<size_t>(static_cast<uint8_t>(seed[2]), blob.size));
    VaultHeader header;
    header.tensor_count = static_cast<uint8_t>(seed[1]);
    header.max_variant_tensors = 64;
    BlobHead head;
    EXPECT_EQ(ParseBlobHead(blob, blob.size, header, &head), CoreStatus::kOk);
    EXPECT_EQ(ParseBlobHead(part, blob.size, header, &head), CoreStatus::kOk);
    ++heads;
  }
  EXPECT_GE(vaults, 7);
  EXPECT_GE(heads, 3);
}

TEST(VaultFuzzSeedsTest, AreSignatures) {
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MODELVAULT_FUZZ_CORPUS "/signature")) {
    SCOPED_TRACE(entry.path());
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string seed((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_EQ(FuzzSignature(reinterpret_cast<const uint8_t*>(seed.data()), seed.size()), CoreStatus::kOk);
    ++seeds;
  }
  EXPECT_GE(seeds, 4);
}

TEST(VaultFuzzSeedsTest, OfSealedVariantsAreAsWritten) {
  for (const auto& [name, seed] : SealedSeeds()) {
    std::ifstream in(absl::StrCat(MODELVAULT_FUZZ_CORPUS, "/sealed/", name), std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()), seed) << name;
    if (seed[0] != 0) continue;
    const size_t index_size = Load<uint16_t>(seed, 2);
    VaultHeader header;
    header.features = kFeatureSignature | kFeatureTenants;
    header.variant_count = static_cast<uint8_t>(seed[1]);
    SignedRoot root;
    EXPECT_EQ(ParseSignature(ToByteView(absl::string_view(seed).substr(4 + index_size)), header, &root),
              CoreStatus::kOk)
        << name;
  }
}

TEST(VaultFuzzSeedsTest, AreRevocationLists) {
  int lists = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MODELVAULT_FUZZ_CORPUS "/revocations")) {
    SCOPED_TRACE(entry.path());
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string seed((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    ASSERT_FALSE(seed.empty());
    RevocationView list;
    const ByteView bytes = RevokingVault::View(seed);
    EXPECT_EQ(ParseRevocations(bytes.Sub(1, bytes.size - 1), &list), CoreStatus::kOk);
    ++lists;
  }
  EXPECT_GE(lists, 6);
}

}  // namespace
}  // namespace modelvault
