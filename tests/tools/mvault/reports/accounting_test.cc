#include "tools/mvault/reports/accounting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/tools/mvault/cli_models.h"
#include "tools/formats/model_formats.h"

namespace modelvault {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ApportionTest, PartsAddUpAndLieNearTheirProportion) {
  EXPECT_THAT(Apportion(10, {1, 1, 1}), ElementsAre(4, 3, 3));
  EXPECT_THAT(Apportion(100, {0.5, 0.25, 0.25}), ElementsAre(50, 25, 25));
  EXPECT_THAT(Apportion(3, {0, 2, 0, 1}), ElementsAre(0, 2, 0, 1));
  EXPECT_THAT(Apportion(1, {0.4, 0.6}), ElementsAre(0, 1));
  EXPECT_THAT(Apportion(7, {0, 0}), ElementsAre(7, 0));
  EXPECT_THAT(Apportion(0, {1, 2}), ElementsAre(0, 0));
  EXPECT_THAT(Apportion(5, {}), IsEmpty());
}

TEST(ApportionTest, PartsOfHugeTotalsAddUp) {
  const uint64_t total = std::numeric_limits<uint64_t>::max();
  const std::vector<uint64_t> parts = Apportion(total, {1, 1e-9, 3, 1e300});
  EXPECT_EQ(std::accumulate(parts.begin(), parts.end(), uint64_t{0}), total);
}

uint64_t Sum(const std::vector<AccountPart>& parts) {
  uint64_t sum = 0;
  for (const AccountPart& part : parts) sum += part.bytes;
  return sum;
}

uint64_t Sum(const VariantAccount& account) {
  uint64_t sum = account.head_bytes;
  for (const TensorAccount& tensor : account.tensors) sum += tensor.bytes();
  return sum;
}

class AccountingTest : public testing::Test {
 protected:
  CliModels models_;
  FileSystem& disk_ = FileSystem::Default();
};

TEST_F(AccountingTest, PartsAddUpToTheFile) {
  ASSERT_OK_AND_ASSIGN(const NamedVault vault, NamedVault::Open(disk_, models_.Pack(), KnownModelFormats()));
  ASSERT_OK_AND_ASSIGN(const VaultAccount account, AccountVault(vault, 2));
  const uint64_t size = std::filesystem::file_size(models_.File("all.mvlt"));
  EXPECT_EQ(account.file, size);
  EXPECT_EQ(Sum(Parts(account)), size);
  const VaultBytes sections = vault.vault().BytesBySection();
  EXPECT_EQ(Sum(SectionParts(sections)), size);
  EXPECT_EQ(account.model(), sections.model);
  EXPECT_EQ(account.base(), sections.base);
  EXPECT_EQ(account.variants(), sections.variants);
  EXPECT_GT(account.model_dictionaries, 0u);
  EXPECT_GT(account.trits, 0u);
  EXPECT_GT(account.scales, 0u);
  EXPECT_GT(account.side, 0u);
}

TEST_F(AccountingTest, TensorsOfEveryModelAddUpToIt) {
  ASSERT_OK_AND_ASSIGN(const NamedVault vault, NamedVault::Open(disk_, models_.Pack(), KnownModelFormats()));
  ASSERT_OK_AND_ASSIGN(const std::vector<uint64_t> base, AccountBase(vault, 1));
  EXPECT_EQ(std::accumulate(base.begin(), base.end(), uint64_t{0}), vault.vault().BytesBySection().base);
  for (const VaultVariant& variant : vault.vault().variants()) {
    ASSERT_OK_AND_ASSIGN(const NamedModel open, vault.OpenModel(variant.name));
    ASSERT_OK_AND_ASSIGN(const VariantAccount account, AccountVariant(*open.model, vault));
    EXPECT_EQ(Sum(account), variant.stored_size) << variant.name;
  }
}

TEST_F(AccountingTest, BytesGoToTheTensorsThatDiffer) {
  ASSERT_OK_AND_ASSIGN(const NamedVault vault, NamedVault::Open(disk_, models_.Pack(), KnownModelFormats()));
  ASSERT_OK_AND_ASSIGN(const NamedModel open, vault.OpenModel("few"));
  ASSERT_OK_AND_ASSIGN(const VariantAccount account, AccountVariant(*open.model, vault));
  for (size_t i = 0; i < open.tensors.size(); ++i) {
    const TensorAccount& tensor = account.tensors[i];
    const uint64_t gaps = tensor.segments[static_cast<size_t>(TensorMode::kGap)] +
                          tensor.segments[static_cast<size_t>(TensorMode::kGapFlat)];
    if (open.tensors[i].name == "embed" || open.tensors[i].name == "layer.w") {
      EXPECT_GT(gaps, 1u) << open.tensors[i].name << " lies in several segments";
      EXPECT_EQ(tensor.least_scale, 2);
      EXPECT_EQ(tensor.most_scale, 2);
      EXPECT_EQ(tensor.escaped_groups, 0u);
      EXPECT_EQ(tensor.stored_scales, gaps) << "one scale a segment";
      // Every 40th weight, a position and a sign each: about 0.19 bits a weight.
      const double bits =
          8.0 * static_cast<double>(tensor.symbol_bytes) / static_cast<double>(open.tensors[i].elements());
      EXPECT_GT(bits, 0.15) << open.tensors[i].name;
      EXPECT_LT(bits, 0.30) << open.tensors[i].name;
    } else {
      EXPECT_EQ(gaps, 0u) << open.tensors[i].name;
      EXPECT_LE(tensor.bytes(), 1u) << open.tensors[i].name;
    }
  }
}

TEST_F(AccountingTest, BaseBytesFollowTheEntropyOfTheTensors) {
  ASSERT_OK_AND_ASSIGN(const NamedVault vault, NamedVault::Open(disk_, models_.Pack(), KnownModelFormats()));
  ASSERT_OK_AND_ASSIGN(const std::vector<uint64_t> bytes, AccountBase(vault, 2));
  const auto bits = [&](size_t i) {
    return 8.0 * static_cast<double>(bytes[i]) / static_cast<double>(vault.tensors()[i].elements());
  };
  ASSERT_EQ(vault.tensors()[2].name, "layer.w");
  // Sums of two draws from 16 have 4.66 bits; more than half of embed's rows repeat.
  EXPECT_NEAR(bits(2), 4.66, 0.15);
  EXPECT_LT(bits(0), 0.6 * bits(2));
  EXPECT_EQ(bytes[6], 0u) << "an empty tensor";
}

TEST_F(AccountingTest, AVariantLikeTheBaseIsAllHead) {
  ASSERT_OK_AND_ASSIGN(const NamedVault vault, NamedVault::Open(disk_, models_.Pack(), KnownModelFormats()));
  ASSERT_OK_AND_ASSIGN(const NamedModel open, vault.OpenModel("twin"));
  ASSERT_OK_AND_ASSIGN(const VariantAccount account, AccountVariant(*open.model, vault));
  EXPECT_EQ(account.head_bytes, 0u);
  EXPECT_EQ(Sum(account), 0u);
}

TEST_F(AccountingTest, ThreadsDoNotChangeTheAccount) {
  ASSERT_OK_AND_ASSIGN(const NamedVault vault, NamedVault::Open(disk_, models_.Pack(), KnownModelFormats()));
  ASSERT_OK_AND_ASSIGN(const VaultAccount one, AccountVault(vault, 1));
  ASSERT_OK_AND_ASSIGN(const VaultAccount four, AccountVault(vault, 4));
  EXPECT_EQ(one.base_tensors, four.base_tensors);
  EXPECT_EQ(one.tensors_by_mode, four.tensors_by_mode);
  const std::vector<AccountPart> a = Parts(one);
  const std::vector<AccountPart> b = Parts(four);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].bytes, b[i].bytes) << a[i].key;
}

}  // namespace
}  // namespace modelvault
