#include "tools/eval/integer_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/restore/infer/llama_network.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

TransformerConfig Config() {
  TransformerConfig config;
  config.dim = 16;
  config.hidden_dim = 20;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.vocab = 19;
  config.context = 6;
  return config;
}

// A model's file: where its tensors lie, and its data.
struct File {
  explicit File(const TestModel& model) {
    for (const TestTensor& t : model.tensors) {
      std::vector<uint64_t> shape = {t.shape.cols};
      if (t.shape.dtype == DType::kI8) shape = {t.shape.rows, t.shape.cols};
      tensors.emplace_back(t.name, t.shape.dtype, shape, data.size());
      data.insert(data.end(), t.bytes.begin(), t.bytes.end());
    }
  }

  std::vector<ModelTensor> tensors;
  std::vector<uint8_t> data;
};

class IntegerModelTest : public testing::Test {
 protected:
  IntegerModelTest() : config_(Config()), model_(RandomLlama(config_, 5)) {}

  absl::StatusOr<std::unique_ptr<IntegerModel>> Create(const File& file, const std::string& network) {
    MemoryDataSource data(file.data);
    return IntegerModel::Create(network, file.tensors, &data, "some model");
  }

  TransformerConfig config_;
  TestModel model_;
};

TEST_F(IntegerModelTest, ScoresAsTheTransformerDoes) {
  const File file(model_);
  const auto integers = Create(file, LlamaNetwork(config_, model_).Bytes());
  ASSERT_TRUE(integers.ok()) << integers.status();
  const auto floats = Transformer::Create(config_, ToFloats(model_), "some model");
  ASSERT_TRUE(floats.ok()) << floats.status();
  std::vector<uint16_t> tokens;
  for (uint16_t i = 0; i < 5 * 7; ++i) tokens.push_back(static_cast<uint16_t>(i * 5 % config_.vocab));
  const absl::StatusOr<TokenScores> found = (*integers)->Score(tokens, config_.context);
  ASSERT_TRUE(found.ok()) << found.status();
  const TokenScores expected = floats->Score(tokens);
  ASSERT_EQ(found->nll.size(), expected.nll.size());
  for (size_t i = 0; i < expected.nll.size(); ++i) EXPECT_NEAR(found->nll[i], expected.nll[i], 0.1f) << i;
  EXPECT_EQ(found->hit.size(), expected.hit.size());
}

TEST_F(IntegerModelTest, ErrorsNameTheModel) {
  EXPECT_THAT(Create(File(model_), "no network"),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("some model")));
  TestModel bad = model_;
  const float infinite = std::numeric_limits<float>::infinity();
  std::memcpy(bad.tensors[bad.number("norm")].bytes.data() + 8, &infinite, 4);
  EXPECT_THAT(Create(File(bad), LlamaNetwork(config_, bad).Bytes()),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("some model: tensor norm")));
}

}  // namespace
}  // namespace modelvault
