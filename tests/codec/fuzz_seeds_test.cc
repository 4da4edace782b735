// The seeds of the codec's fuzz targets must decode, or the fuzzers would start from nothing.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/codec_targets.h"
#include "tests/fuzz/host_block_target.h"

namespace modelvault {
namespace {

using Target = CoreStatus (*)(const uint8_t* data, size_t size);

class FuzzSeedsTest : public testing::TestWithParam<std::pair<const char*, Target>> {};

TEST_P(FuzzSeedsTest, Decode) {
  const auto& [name, target] = GetParam();
  size_t seeds = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(MODELVAULT_FUZZ_CORPUS_DIR) / name)) {
    SCOPED_TRACE(entry.path());
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_LT(bytes.size(), 4096u);
    EXPECT_STREQ(CoreStatusName(target(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size())), "ok");
    ++seeds;
  }
  EXPECT_GE(seeds, 4u);
  EXPECT_LE(seeds, 10u);
}

INSTANTIATE_TEST_SUITE_P(Codec, FuzzSeedsTest,
                         testing::Values(std::pair<const char*, Target>{"model", FuzzModelSection},
                                         std::pair<const char*, Target>{"layout", FuzzLayout},
                                         std::pair<const char*, Target>{"base_chunk", FuzzBaseChunk},
                                         std::pair<const char*, Target>{"segment", FuzzSegment},
                                         std::pair<const char*, Target>{"host_block", FuzzHostBlock}),
                         [](const auto& seeds) { return std::string(seeds.param.first); });

}  // namespace
}  // namespace modelvault
