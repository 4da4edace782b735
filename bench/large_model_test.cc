#include "bench/large_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/temp_folder.h"

namespace modelvault::bench {
namespace {

constexpr uint64_t kSize = 3'000'000;

std::string Write(const TempFolder& folder, const std::string& name, uint64_t size, unsigned variant, int threads) {
  EXPECT_THAT(WriteLargeModel(FileSystem::Default(), folder.File(name), size, variant, threads), IsOk());
  return folder.Read(name);
}

TEST(LargeModelTest, HasTheSizeAskedForAndNoHoles) {
  for (const uint64_t size : {uint64_t{1}, uint64_t{4100}, uint64_t{1'000'000}, kSize, uint64_t{5} << 30}) {
    SCOPED_TRACE(size);
    const std::vector<ModelTensor> tensors = LargeModelTensors(size);
    uint64_t at = 0;
    for (const ModelTensor& t : tensors) {
      EXPECT_EQ(t.begin, at);
      at = t.end;
    }
    EXPECT_LE(at, std::max<uint64_t>(size, 4100));
    EXPECT_GT(at + 11'012, size);
  }
}

TEST(LargeModelTest, SameBytesOnAnyNumberOfThreads) {
  const TempFolder folder;
  for (unsigned variant : {0u, 1u}) {
    EXPECT_TRUE(Write(folder, "a", kSize, variant, 1) == Write(folder, "b", kSize, variant, 3)) << variant;
  }
}

TEST(LargeModelTest, VariantsDifferInOneWeightOfFiftyAndInNorms) {
  const TempFolder folder;
  // Larger than the first layer's attention, so that an `ffn_norm` is in it.
  const uint64_t size = 80'000'000;
  const std::string base = Write(folder, "base", size, 0, 2);
  const std::string first = Write(folder, "v1", size, 1, 2);
  const std::string second = Write(folder, "v2", size, 2, 2);
  EXPECT_FALSE(first == second);
  const std::vector<ModelTensor> tensors = LargeModelTensors(size);
  const uint64_t data_size = tensors.back().end;
  uint64_t changed_tensors = 0, changed_floats = 0;
  for (const ModelTensor& t : tensors) {
    uint64_t differing = 0;
    for (uint64_t i = t.begin; i < t.end; ++i) {
      if (base[base.size() - data_size + i] != first[first.size() - data_size + i]) ++differing;
    }
    if (differing == 0) continue;
    ++changed_tensors;
    if (t.dtype == DType::kF32) {
      ++changed_floats;
    } else if (t.size() > 1'000'000) {
      EXPECT_NEAR(static_cast<double>(differing) / static_cast<double>(t.size()), 0.02, 0.001) << t.name;
    }
  }
  EXPECT_EQ(changed_floats, 1u);
  EXPECT_GE(changed_tensors, 4u);
}

}  // namespace
}  // namespace modelvault::bench
