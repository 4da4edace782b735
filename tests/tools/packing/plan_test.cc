#include "tools/packing/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "tests/status_matchers.h"
#include "tests/tools/mvault/cli_models.h"
#include "tests/tools/mvault/program_run.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

TEST(PlanTest, DensitySolvesItsEquation) {
  for (const double p : {0.001, 0.01, 0.035, 0.1, 0.3, 0.5}) {
    const double bits = p - p * std::log2(p) - (1 - p) * std::log2(1 - p);
    EXPECT_NEAR(AffordableDensity(bits), p, 1e-9);
  }
  EXPECT_EQ(AffordableDensity(0), 0);
  EXPECT_EQ(AffordableDensity(-1), 0);
  EXPECT_EQ(AffordableDensity(1.6), 1);
  EXPECT_EQ(AffordableDensity(8), 1);
}

TEST(PlanTest, CountsTheBaseAsPackStoresIt) {
  const CliModels models;
  FileSystem& disk = FileSystem::Default();
  ASSERT_OK_AND_ASSIGN(const VaultPlan plan, PlanVault(disk, models.base(), 1 << 20, 1, {}, 2, nullptr));
  // One variant like the base adds no priors, so MODEL is the plan's.
  const ProgramRun run = Mvault({"pack", "--base", models.base(), "--variant", "a-name-of-16-byt=" + models.base(),
                                 "-o", models.File("twin.mvlt")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<VaultReader> vault, VaultReader::Open(disk, models.File("twin.mvlt")));
  const VaultBytes bytes = vault->BytesBySection();
  EXPECT_EQ(plan.model_bytes, bytes.model);
  EXPECT_EQ(plan.base_bytes, bytes.base);
  EXPECT_EQ(plan.chunks_bytes, bytes.chunks);
  EXPECT_EQ(plan.base_file_size, std::filesystem::file_size(models.base()));
  EXPECT_EQ(plan.weights, 96u * 64 + 64 * 172);
  EXPECT_TRUE(plan.fits);
  // What is left would be the file's rest but for the estimates, all of a few bytes.
  EXPECT_NEAR(static_cast<double>((1 << 20) - bytes.file), static_cast<double>(plan.bytes_left), 40);
}

TEST(PlanTest, ManyVariantsCostInProportion) {
  const CliModels models;
  FileSystem& disk = FileSystem::Default();
  ASSERT_OK_AND_ASSIGN(const VaultPlan few, PlanVault(disk, models.base(), 1 << 30, 1000, {}, 1, nullptr));
  ASSERT_OK_AND_ASSIGN(const VaultPlan many, PlanVault(disk, models.base(), 1 << 30, 1'000'000, {}, 1, nullptr));
  EXPECT_DOUBLE_EQ(few.overhead_per_variant, many.overhead_per_variant);
  EXPECT_GT(few.overhead_per_variant, 40 + 1 + 16 + 8);  // Entry, name, the header's hash,
  EXPECT_LT(few.overhead_per_variant, 100);              // and not much more.
  EXPECT_EQ(few.bytes_left_per_variant, few.bytes_left / 1000);
}

TEST(PlanTest, SaysWhenNothingFits) {
  const CliModels models;
  FileSystem& disk = FileSystem::Default();
  ASSERT_OK_AND_ASSIGN(const VaultPlan plan, PlanVault(disk, models.base(), 1000, 100, {}, 1, nullptr));
  EXPECT_FALSE(plan.fits);
  EXPECT_EQ(plan.bytes_left, 0u);
  EXPECT_EQ(plan.bytes_left_per_variant, 0u);
  EXPECT_EQ(plan.bits_per_weight, 0);
}

}  // namespace
}  // namespace modelvault
