#include "restore/infer/engine.h"

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/restore/infer/engine_fixture.h"
#include "tests/restore/infer/llama_network.h"

namespace modelvault {
namespace {

constexpr uint32_t kSeed = 20261128;

TransformerConfig SmallConfig() {
  TransformerConfig config;
  config.dim = 24;
  config.hidden_dim = 50;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.vocab = 61;
  config.context = 20;
  return config;
}

std::vector<uint16_t> RandomTokens(size_t count, size_t vocab) {
  std::mt19937 random(kSeed + 1);
  std::vector<uint16_t> tokens;
  for (size_t i = 0; i < count; ++i) tokens.push_back(static_cast<uint16_t>(random() % vocab));
  return tokens;
}

// The scores after each of `tokens`, run in batches of `batch`: after the last of each.
std::vector<Scores> RunAll(TestEngine* engine, TestSource* source, const std::vector<uint16_t>& tokens, size_t batch) {
  std::vector<Scores> all;
  for (size_t i = 0; i < tokens.size(); i += batch) {
    const size_t count = std::min(batch, tokens.size() - i);
    EXPECT_EQ((*engine)->Run(tokens.data() + i, count, source->source()), CoreStatus::kOk);
    all.push_back(engine->scores());
  }
  return all;
}

// A variant of `base`: each weight differs with probability 1/`sparsity`, by ±k or at the ends of INT8 by less.
TestModel Variant(const TestModel& base, uint32_t sparsity, int k) {
  std::mt19937 random(kSeed + 2);
  TestModel variant = base;
  for (TestTensor& tensor : variant.tensors) {
    if (tensor.shape.dtype != DType::kI8) continue;
    for (uint8_t& byte : tensor.bytes) {
      if (random() % sparsity != 0) continue;
      const int value = static_cast<int8_t>(byte) + (random() % 2 != 0 ? k : -k);
      byte = static_cast<uint8_t>(std::max(-128, std::min(127, value)));
    }
  }
  return variant;
}

class EngineTest : public testing::Test {
 protected:
  EngineTest()
      : config_(SmallConfig()),
        model_(RandomLlama(config_, kSeed)),
        tokens_(RandomTokens(config_.context, config_.vocab)) {}

  std::vector<Scores> RunModel(const TestModel& model, size_t batch, const NetworkOptions& options = {},
                               std::vector<size_t> pieces = {}, const DeltaList* deltas = nullptr) {
    TestEngine engine(LlamaNetwork(config_, model, options), model);
    TestSource source(&model);
    source.piece_sizes = std::move(pieces);
    source.deltas = deltas;
    return RunAll(&engine, &source, tokens_, batch);
  }

  TransformerConfig config_;
  TestModel model_;
  std::vector<uint16_t> tokens_;
};

// Nats of each next token, as the float model says, against those of the engine's scores.
TEST_F(EngineTest, AgreesWithTheFloatModel) {
  const absl::StatusOr<Transformer> transformer = Transformer::Create(config_, ToFloats(model_), "random");
  ASSERT_TRUE(transformer.ok()) << transformer.status();
  std::vector<uint16_t> record = tokens_;
  record.push_back(3);
  const TokenScores expected = transformer->Score(record);
  const std::vector<Scores> all = RunModel(model_, 1);
  ASSERT_EQ(all.size(), config_.context);
  double squares = 0;
  for (size_t t = 0; t < all.size(); ++t) {
    double sum = 0;
    const std::vector<double> scores = all[t].doubles();
    for (const double score : scores) sum += std::exp(score);
    const double nll = std::log(sum) - scores[record[t + 1]];
    squares += (nll - static_cast<double>(expected.nll[t])) * (nll - static_cast<double>(expected.nll[t]));
  }
  EXPECT_LT(std::sqrt(squares / static_cast<double>(all.size())), 0.1);
}

TEST_F(EngineTest, GivesTheSameIntegersInBatches) {
  const std::vector<Scores> single = RunModel(model_, 1);
  for (const size_t batch : {2u, 3u, 4u, 5u, 16u, 20u}) {
    SCOPED_TRACE(batch);
    const std::vector<Scores> batched = RunModel(model_, batch);
    for (size_t i = 0; i < batched.size(); ++i) {
      EXPECT_EQ(batched[i], single[std::min((i + 1) * batch, single.size()) - 1]) << "batch " << i;
    }
  }
}

TEST_F(EngineTest, GivesTheSameIntegersWhereverPiecesEnd) {
  const Scores whole = RunModel(model_, 1).back();
  EXPECT_EQ(RunModel(model_, 1, {}, {1}).back(), whole);
  EXPECT_EQ(RunModel(model_, 1, {}, {5, 97, 1000, 23}).back(), whole);
  EXPECT_EQ(RunModel(model_, 20, {}, {7, 24, 25, 99, 150}).back(), whole);
}

TEST_F(EngineTest, DeltasGiveTheVariantsIntegers) {
  for (const int k : {1, 3, 127}) {
    SCOPED_TRACE(k);
    const TestModel variant = Variant(model_, 9, k);
    const TestDeltas deltas(model_, variant, k);
    ASSERT_GT(deltas.differences(), 500u);
    const std::vector<Scores> dense = RunModel(variant, 1);
    EXPECT_NE(dense.back(), RunModel(model_, 1).back());
    EXPECT_EQ(RunModel(model_, 1, {}, {}, deltas.list()), dense);
    EXPECT_EQ(RunModel(model_, 1, {}, {11, 300}, deltas.list()), dense);
    EXPECT_EQ(RunModel(model_, 20, {}, {}, deltas.list()).back(), dense.back());
  }
}

}  // namespace
}  // namespace modelvault
