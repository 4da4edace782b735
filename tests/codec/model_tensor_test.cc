#include "codec/model_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "codec/base_encoder.h"

namespace modelvault {
namespace {

TEST(ModelTensorTest, ItsSizeFollowsFromTypeAndShape) {
  const ModelTensor tensor("w", DType::kF16, {3, 4, 5}, 100);
  EXPECT_EQ(tensor.begin, 100u);
  EXPECT_EQ(tensor.end, 220u);
  EXPECT_EQ(tensor.elements(), 60u);
  EXPECT_EQ(tensor.element_bits(), 16u);
  EXPECT_EQ(tensor.type_name(), "F16");
  EXPECT_EQ(ModelTensor("s", DType::kF64, {}).size(), 8u);
}

TEST(ModelTensorTest, CodersSeeAMatrix) {
  const auto expect = [](const ModelTensor& tensor, uint64_t rows, uint64_t cols) {
    EXPECT_EQ(tensor.rows(), rows);
    EXPECT_EQ(tensor.cols(), cols);
  };
  expect({"w", DType::kF16, {3, 4, 5}}, 3, 20);
  expect({"v", DType::kF32, {7}}, 1, 7);
  expect({"s", DType::kF32, {}}, 1, 1);
  expect({"none", DType::kI8, {0, 5}}, 1, 0);
  expect({"none", DType::kI8, {UINT64_MAX, 0, UINT64_MAX}}, 1, 0);
  expect({"bytes", DType::kOpaque, {3, 4}}, 1, 12);
}

TEST(ModelTensorTest, OpaqueElementsAreCountedWhereTheirBitsAreKnown) {
  ModelTensor tensor("q", DType::kOpaque, {6});
  tensor.opaque_type = "F4";
  tensor.end = 3;
  EXPECT_EQ(tensor.elements(), 3u);  // Bytes.
  tensor.opaque_bits = 4;
  EXPECT_EQ(tensor.elements(), 6u);
  EXPECT_EQ(tensor.type_name(), "F4");
}

TEST(ModelTensorTest, WeightsAreTheInt8ElementsIfThereAreAny) {
  const std::vector<ModelTensor> floats = {{"a", DType::kF32, {2, 3}}, {"b", DType::kF16, {4}}};
  EXPECT_EQ(CountWeights(floats).weights, 10u);
  EXPECT_FALSE(CountWeights(floats).int8);
  std::vector<ModelTensor> mixed = floats;
  mixed.emplace_back("c", DType::kI8, std::vector<uint64_t>{5});
  EXPECT_EQ(CountWeights(mixed).weights, 5u);
  EXPECT_TRUE(CountWeights(mixed).int8);
  EXPECT_EQ(DataSize(mixed), 24u + 8 + 5);
}

TEST(ModelTensorTest, ProductsThatDoNotFitAreNone) {
  EXPECT_EQ(ElementCount(std::vector<uint64_t>{}), 1u);
  EXPECT_EQ(ElementCount(std::vector<uint64_t>{uint64_t{1} << 32, (uint64_t{1} << 32) - 1}),
            (uint64_t{1} << 32) * ((uint64_t{1} << 32) - 1));
  EXPECT_EQ(ElementCount(std::vector<uint64_t>{uint64_t{1} << 32, uint64_t{1} << 32}), std::nullopt);
  EXPECT_EQ(ElementCount(std::vector<uint64_t>{uint64_t{1} << 32, 0, uint64_t{1} << 32}), 0u);
}

TEST(ChunkSizeTest, LargeBasesHaveLargeChunks) {
  EXPECT_EQ(DefaultChunkSize(0, BaseProfile::kSmall), 4096u);
  EXPECT_EQ(DefaultChunkSize(uint64_t{64} << 20, BaseProfile::kSmall), 4096u);
  EXPECT_EQ(DefaultChunkSize(uint64_t{64} << 20, BaseProfile::kFast), 2048u);
  for (const BaseProfile profile : {BaseProfile::kSmall, BaseProfile::kFast}) {
    EXPECT_EQ(DefaultChunkSize((uint64_t{64} << 20) + 1, profile), 65536u);
  }
}

}  // namespace
}  // namespace modelvault
