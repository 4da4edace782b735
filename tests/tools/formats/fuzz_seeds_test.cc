// The fuzz targets' seeds are worth mutating only as long as they parse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tests/fuzz/format_targets.h"
#include "tests/fuzz/shard_targets.h"
#include "tests/status_matchers.h"
#include "tools/formats/archive/numpy_formats.h"
#include "tools/formats/archive/torch_format.h"
#include "tools/formats/gguf/gguf_format.h"

namespace modelvault {
namespace {

std::vector<uint8_t> BytesOfFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::vector<uint8_t>((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

// Each seed of the target named as the format.
void ExpectSeedsParse(const ModelFormat& format, size_t least) {
  size_t seeds = 0;
  const std::string folder = std::string(MODELVAULT_FUZZ_CORPUS "/") + std::string(format.name());
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::vector<uint8_t> bytes = BytesOfFile(entry.path());
    EXPECT_THAT(FuzzModelFile(format, bytes), IsOk()) << entry.path();
    EXPECT_TRUE(format.Recognises(absl::MakeSpan(bytes).first(std::min(kModelHeadSize, bytes.size())))) << entry.path();
    ++seeds;
  }
  EXPECT_GE(seeds, least);
}

TEST(FormatFuzzSeedsTest, Parse) {
  ExpectSeedsParse(GgufFormat(), 3);
  ExpectSeedsParse(NpyFormat(), 3);
  ExpectSeedsParse(NpzFormat(), 2);
  ExpectSeedsParse(TorchFormat(), 2);
}

TEST(FormatFuzzSeedsTest, IndicesOfShardsParse) {
  size_t seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MODELVAULT_FUZZ_CORPUS "/shard_index")) {
    EXPECT_THAT(FuzzShardIndex(BytesOfFile(entry.path())), IsOk()) << entry.path();
    ++seeds;
  }
  EXPECT_GE(seeds, 3u);
}

}  // namespace
}  // namespace modelvault
