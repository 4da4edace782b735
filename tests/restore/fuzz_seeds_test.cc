// The fuzz targets' seeds are worth mutating only as long as they decode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/frame_targets.h"
#include "tests/fuzz/infer_targets.h"
#include "tests/fuzz/restore_targets.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

// Name and bytes of each seed of a target.
std::vector<std::pair<std::string, std::vector<uint8_t>>> Seeds(const std::string& target) {
  std::vector<std::pair<std::string, std::vector<uint8_t>>> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(MODELVAULT_FUZZ_CORPUS "/") + target)) {
    std::ifstream in(entry.path(), std::ios::binary);
    seeds.emplace_back(entry.path().filename(),
                       std::vector<uint8_t>(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()));
  }
  return seeds;
}

TEST(RestoreFuzzSeedsTest, VariantStreamsDecode) {
  const auto seeds = Seeds("variant_stream");
  EXPECT_GE(seeds.size(), 6u);
  for (const auto& [name, bytes] : seeds) {
    EXPECT_EQ(FuzzVariantStream(bytes.data(), bytes.size()), CoreStatus::kOk) << name;
    EXPECT_NE(FuzzVariantStream(bytes.data(), bytes.size() - 2), CoreStatus::kOk) << name;
  }
}

TEST(RestoreFuzzSeedsTest, FramesParse) {
  const auto seeds = Seeds("described_frame");
  EXPECT_GE(seeds.size(), 4u);
  for (const auto& [name, bytes] : seeds) {
    EXPECT_THAT(FuzzDescribedFrame(bytes.data(), bytes.size()), IsOk()) << name;
    EXPECT_FALSE(FuzzDescribedFrame(bytes.data(), bytes.size() - 2).ok()) << name;
  }
}

TEST(RestoreFuzzSeedsTest, NetworksParse) {
  const auto seeds = Seeds("network");
  EXPECT_GE(seeds.size(), 2u);
  for (const auto& [name, bytes] : seeds) {
    EXPECT_EQ(FuzzNetwork(bytes.data(), bytes.size()), CoreStatus::kOk) << name;
    EXPECT_NE(FuzzNetwork(bytes.data(), bytes.size() - 2), CoreStatus::kOk) << name;
  }
}

TEST(RestoreFuzzSeedsTest, TokenizersEncode) {
  const auto seeds = Seeds("tokenizer");
  EXPECT_GE(seeds.size(), 2u);
  for (const auto& [name, bytes] : seeds) {
    EXPECT_EQ(FuzzTokenizer(bytes.data(), bytes.size()), CoreStatus::kOk) << name;
  }
}

TEST(RestoreFuzzSeedsTest, VaultFilesVerify) {
  const auto seeds = Seeds("vault_file");
  EXPECT_GE(seeds.size(), 4u);
  for (const auto& [name, bytes] : seeds) {
    EXPECT_THAT(FuzzVaultFile(bytes.data(), bytes.size()), IsOk()) << name;
    EXPECT_FALSE(FuzzVaultFile(bytes.data(), bytes.size() - 2).ok()) << name;
  }
}

}  // namespace
}  // namespace modelvault
