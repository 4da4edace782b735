#include "restore/infer/engine.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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

// The float model once more, in doubles, with a window: position p attends to itself, the `window` - 1 before it and
// the first `sinks`, which stand right before the window when it has left them behind.
class WindowedModel {
 public:
  WindowedModel(const TransformerConfig& config, const FloatTensors& tensors, const NetworkOptions& options)
      : c_(config), tensors_(tensors), options_(options), keys_(config.layers), values_(config.layers) {}

  std::vector<double> Next(uint16_t token) {
    const FloatTensor& embed = tensors_.at("embed");
    std::vector<double> h(embed.values.begin() + token * static_cast<std::ptrdiff_t>(c_.dim),
                          embed.values.begin() + (token + 1) * static_cast<std::ptrdiff_t>(c_.dim));
    for (size_t l = 0; l < c_.layers; ++l) {
      const std::string p = absl::StrCat("layers.", l, ".");
      const std::vector<double> x = Norm(h, p + "attn_norm");
      keys_[l].push_back(Product(p + "wk", x));
      values_[l].push_back(Product(p + "wv", x));
      AddTo(Product(p + "wo", Attention(l, Product(p + "wq", x))), &h);
      const std::vector<double> y = Norm(h, p + "ffn_norm");
      std::vector<double> gate = Product(p + "w1", y);
      const std::vector<double> up = Product(p + "w3", y);
      for (size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
      AddTo(Product(p + "w2", gate), &h);
    }
    ++position_;
    return Product("embed", Norm(h, "norm"));
  }

 private:
  static void AddTo(const std::vector<double>& what, std::vector<double>* to) {
    for (size_t i = 0; i < to->size(); ++i) (*to)[i] += what[i];
  }

  std::vector<double> Norm(const std::vector<double>& in, const std::string& name) const {
    double squares = 0;
    for (const double value : in) squares += value * value;
    const double root = std::sqrt(squares / static_cast<double>(in.size()) + c_.norm_eps);
    std::vector<double> out;
    for (size_t i = 0; i < in.size(); ++i) {
      out.push_back(in[i] / root * static_cast<double>(tensors_.at(name).values[i]));
    }
    return out;
  }

  std::vector<double> Product(const std::string& name, const std::vector<double>& in) const {
    const FloatTensor& weights = tensors_.at(name);
    std::vector<double> out(static_cast<size_t>(weights.shape[0]));
    for (size_t r = 0; r < out.size(); ++r) {
      for (size_t i = 0; i < in.size(); ++i) out[r] += static_cast<double>(weights.values[r * in.size() + i]) * in[i];
    }
    return out;
  }

  // The pairs of one head.
  std::vector<double> Turned(const std::vector<double>& all, size_t head, double position) const {
    const size_t d = c_.head_dim();
    std::vector<double> out(all.begin() + static_cast<std::ptrdiff_t>(head * d),
                            all.begin() + static_cast<std::ptrdiff_t>((head + 1) * d));
    for (size_t i = 0; i < d; i += 2) {
      const double angle = position * std::pow(c_.rope_theta, -static_cast<double>(i) / static_cast<double>(d));
      const double a = out[i], b = out[i + 1];
      out[i] = a * std::cos(angle) - b * std::sin(angle);
      out[i + 1] = a * std::sin(angle) + b * std::cos(angle);
    }
    return out;
  }

  std::vector<double> Attention(size_t layer, const std::vector<double>& queries) const {
    const size_t d = c_.head_dim(), per_kv = c_.heads / c_.kv_heads;
    std::vector<double> out(queries.size());
    for (size_t head = 0; head < c_.heads; ++head) {
      const std::vector<double> query = Turned(queries, head, static_cast<double>(position_));
      double sum = 0;
      std::vector<double> mixed(d);
      for (size_t p = 0; p <= position_; ++p) {
        const bool in_window = p + options_.window > position_, moved = position_ >= options_.window + options_.sinks;
        if (!in_window && p >= options_.sinks) continue;
        size_t place = p;
        if (moved && p < options_.sinks) place = position_ - options_.window + 1 - options_.sinks + p;
        const std::vector<double> key = Turned(keys_[layer][p], head / per_kv, static_cast<double>(place));
        double score = 0;
        for (size_t i = 0; i < d; ++i) score += query[i] * key[i];
        const double weight = std::exp(score / std::sqrt(static_cast<double>(d)));
        sum += weight;
        for (size_t i = 0; i < d; ++i) mixed[i] += weight * values_[layer][p][head / per_kv * d + i];
      }
      for (size_t i = 0; i < d; ++i) out[head * d + i] = mixed[i] / sum;
    }
    return out;
  }

  const TransformerConfig& c_;
  const FloatTensors& tensors_;
  NetworkOptions options_;
  std::vector<std::vector<std::vector<double>>> keys_, values_;  // [layer][position]
  size_t position_ = 0;
};

// How far scores are from doubles, over how far those are from one another: root of the mean squares.
double RelativeError(const std::vector<std::vector<double>>& expected, const std::vector<Scores>& found, size_t from) {
  double errors = 0, squares = 0;
  for (size_t t = from; t < found.size(); ++t) {
    const std::vector<double> scores = found[t].doubles();
    for (size_t i = 0; i < scores.size(); ++i) {
      errors += (scores[i] - expected[t][i]) * (scores[i] - expected[t][i]);
      squares += expected[t][i] * expected[t][i];
    }
  }
  return std::sqrt(errors / squares);
}

TEST_F(EngineTest, TheWindowMovesOnAndSinksStay) {
  const std::vector<uint16_t> tokens = RandomTokens(60, config_.vocab);
  const FloatTensors floats = ToFloats(model_);
  for (const uint16_t sinks : {uint16_t{0}, uint16_t{1}, uint16_t{4}}) {
    SCOPED_TRACE(sinks);
    NetworkOptions options;
    options.window = 11;
    options.sinks = sinks;
    WindowedModel reference(config_, floats, options);
    std::vector<std::vector<double>> expected;
    for (const uint16_t token : tokens) expected.push_back(reference.Next(token));
    TestEngine engine(LlamaNetwork(config_, model_, options), model_);
    TestSource source(&model_);
    const std::vector<Scores> found = RunAll(&engine, &source, tokens, 1);
    EXPECT_LT(RelativeError(expected, found, 0), 0.03);
    EXPECT_LT(RelativeError(expected, found, 40), 0.03);
    EXPECT_EQ(engine->position(), 60u);
    // Batches where there is room for them, one by one where there is not.
    TestEngine batched(LlamaNetwork(config_, model_, options), model_);
    EXPECT_EQ(RunAll(&batched, &source, tokens, 20).back(), found.back());
  }
}

TEST_F(EngineTest, LongPromptsGoInBatches) {
  const std::vector<uint16_t> tokens = RandomTokens(120, config_.vocab);
  TestSource one(&model_), many(&model_);
  TestEngine single(LlamaNetwork(config_, model_), model_), batched(LlamaNetwork(config_, model_), model_);
  const Scores expected = RunAll(&single, &one, tokens, 1).back();
  EXPECT_EQ(RunAll(&batched, &many, tokens, 120).back(), expected);
  // A tensor is read once a batch, which is smaller the less of the cache is free; an embedding's row for each token.
  const int matrices = 7 * static_cast<int>(config_.layers) + 1;
  EXPECT_EQ(one.calls, 120 * (matrices + 1));
  EXPECT_LT(many.calls, one.calls / 2);
}

TEST_F(EngineTest, FourBitsAreCoarser) {
  const FloatTensors floats = ToFloats(model_);
  NetworkOptions options;
  WindowedModel reference(config_, floats, options);
  std::vector<std::vector<double>> expected;
  for (const uint16_t token : tokens_) expected.push_back(reference.Next(token));
  const double error8 = RelativeError(expected, RunModel(model_, 1, options), 0);
  options.activation_bits = 4;
  const std::vector<Scores> four = RunModel(model_, 1, options);
  const double error4 = RelativeError(expected, four, 0);
  EXPECT_LT(error8, 0.02);
  EXPECT_GT(error4, 4 * error8);
  EXPECT_LT(error4, 0.3);
  EXPECT_EQ(RunModel(model_, 20, options).back(), four.back());
}

TEST_F(EngineTest, SaturatedWeightsAndTheirDeltas) {
  TestModel base = model_;
  for (TestTensor& tensor : base.tensors) {
    if (tensor.shape.dtype != DType::kI8) continue;
    for (size_t i = 0; i < tensor.bytes.size(); ++i) tensor.bytes[i] = static_cast<uint8_t>(i % 3 == 0 ? -128 : 127);
  }
  const TestModel variant = Variant(base, 3, 100);
  const TestDeltas deltas(base, variant, 100);
  EXPECT_EQ(RunModel(base, 1, {}, {}, deltas.list()), RunModel(variant, 1));
}

// Scales as large and as small as floats are: nothing overflows, and what is left is a score for each token.
TEST_F(EngineTest, AnyScales) {
  for (const float scale : {0.0f, 1e-45f, 1e-30f, 1e30f, 3.4e38f}) {
    SCOPED_TRACE(scale);
    TestModel model = model_;
    for (TestTensor& tensor : model.tensors) {
      if (!tensor.name.ends_with(".scale")) continue;
      const TestTensor filled = FloatTensorOf(tensor.name, std::vector<float>(tensor.shape.cols, scale));
      tensor.bytes = filled.bytes;
    }
    const std::vector<Scores> all = RunModel(model, 1);
    EXPECT_EQ(all.back().values.size(), config_.vocab);
    EXPECT_EQ(RunModel(model, 20).back(), all.back());
  }
}

TEST_F(EngineTest, ASourceThatFailsGivesNoScores) {
  TestSource counting(&model_);
  TestEngine counter(LlamaNetwork(config_, model_), model_);
  RunAll(&counter, &counting, tokens_, 20);
  ASSERT_GT(counting.calls, 20);
  const Scores expected = counter.scores();
  for (int at = 0; at < counting.calls; ++at) {
    for (const bool ends_early : {false, true}) {
      TestEngine engine(LlamaNetwork(config_, model_), model_);
      TestSource source(&model_);
      source.fail_at = at;
      source.ends_early = ends_early;
      EXPECT_EQ(engine->Run(tokens_.data(), tokens_.size(), source.source()),
                ends_early ? CoreStatus::kReadFailed : CoreStatus::kChecksumMismatch)
          << "piece " << at;
      EXPECT_EQ(engine->scores().count, 0u);
      // The batch that failed is as if it had not been begun.
      const uint32_t done = engine->position();
      EXPECT_EQ(engine->Run(tokens_.data() + done, tokens_.size() - done, source.source()), CoreStatus::kOk);
      EXPECT_EQ(engine.scores(), expected);
    }
  }
}

TEST_F(EngineTest, ResetForgets) {
  TestEngine engine(LlamaNetwork(config_, model_), model_);
  TestSource source(&model_);
  const std::vector<Scores> first = RunAll(&engine, &source, tokens_, 1);
  engine->Reset();
  EXPECT_EQ(engine->scores().count, 0u);
  EXPECT_EQ(engine->position(), 0u);
  EXPECT_EQ(RunAll(&engine, &source, tokens_, 1), first);
}

TEST_F(EngineTest, AnotherVariantsDeltasAfterReset) {
  const TestModel variant = Variant(model_, 5, 2);
  const TestDeltas deltas(model_, variant, 2);
  TestEngine engine(LlamaNetwork(config_, model_), model_);
  TestSource source(&model_);
  RunAll(&engine, &source, tokens_, 1);
  engine->Reset();
  source.deltas = deltas.list();
  EXPECT_EQ(RunAll(&engine, &source, tokens_, 1), RunModel(variant, 1));
}

TEST_F(EngineTest, CallsOutsideTheContract) {
  TestEngine engine(LlamaNetwork(config_, model_), model_);
  TestSource source(&model_);
  const uint16_t beyond[] = {1, static_cast<uint16_t>(config_.vocab)};
  const int32_t feature = 0;
  EXPECT_EQ(engine->Run(beyond, 0, source.source()), CoreStatus::kBadArgument);
  EXPECT_EQ(engine->Run(beyond, 2, source.source()), CoreStatus::kBadArgument);
  EXPECT_EQ(engine->RunFeatures(&feature, 1, source.source()), CoreStatus::kBadArgument);
  EXPECT_EQ(engine->position(), 0u);
  EXPECT_EQ(engine->Run(beyond, 1, source.source()), CoreStatus::kOk);
}

TEST_F(EngineTest, ParametersComeInOrderAndWhole) {
  TestEngine engine(LlamaNetwork(config_, model_), model_);
  TestSource source(&model_);
  const uint16_t number = model_.number("norm");
  const std::vector<uint8_t>& bytes = model_.tensors[number].bytes;
  const uint16_t token = 1;
  EXPECT_EQ(engine->ConsumeRestored(model_.tensors.size(), 0, {bytes.data(), 1}), CoreStatus::kBadArgument);
  EXPECT_EQ(engine->ConsumeRestored(number, 1, {bytes.data(), 1}), CoreStatus::kBadArgument);
  EXPECT_TRUE(engine->ready());
  // Begun again, it is not ready until it is whole.
  EXPECT_EQ(engine->ConsumeRestored(number, 0, {bytes.data(), 5}), CoreStatus::kOk);
  EXPECT_FALSE(engine->ready());
  EXPECT_EQ(engine->Run(&token, 1, source.source()), CoreStatus::kBadArgument);
  EXPECT_EQ(engine->ConsumeRestored(number, 6, {bytes.data() + 6, 1}), CoreStatus::kBadArgument);
  EXPECT_EQ(engine->ConsumeRestored(number, 5, {bytes.data() + 5, bytes.size() - 5}), CoreStatus::kOk);
  EXPECT_TRUE(engine->ready());
  EXPECT_EQ(engine->Run(&token, 1, source.source()), CoreStatus::kOk);
  // Not a number.
  const std::vector<uint8_t> bad(bytes.size(), 0xFF);
  EXPECT_EQ(engine->ConsumeRestored(number, 0, {bad.data(), bad.size()}), CoreStatus::kOutOfRange);
  EXPECT_FALSE(engine->ready());
}

TEST_F(EngineTest, MemoryIsWhatMeasureSays) {
  const TestNetwork network(LlamaNetwork(config_, model_), model_.shapes());
  const EngineMemory memory = Engine::Measure(network.network(), model_.shapes());
  // Per layer and position keys, values and their codes.
  const size_t entry = 2 * config_.layers * (config_.kv_dim() + config_.kv_heads);
  EXPECT_NEAR(static_cast<double>(memory.cache), static_cast<double>(132 * entry), 16);
  std::vector<uint64_t> words(memory.total() / 8 + 1);
  Engine engine;
  for (size_t size = 0; size < memory.total(); size += 64) {
    EXPECT_EQ(engine.Init(network.network(), model_.shapes(), words.data(), size), CoreStatus::kWorkspaceTooSmall);
  }
  EXPECT_EQ(engine.Init(network.network(), model_.shapes(), words.data(), memory.total() - 8),
            CoreStatus::kWorkspaceTooSmall);
  EXPECT_EQ(
      engine.Init(network.network(), model_.shapes(), reinterpret_cast<uint8_t*>(words.data()) + 2, memory.total()),
      CoreStatus::kBadArgument);
  EXPECT_EQ(engine.Init(network.network(), model_.shapes(), words.data(), memory.total()), CoreStatus::kOk);
  EXPECT_EQ(engine.memory().total(), memory.total());
  EXPECT_FALSE(engine.ready());
}

// Two layers with biases and a rectifier, and a sum: what a classifier is made of.
TEST(FeatureEngineTest, AgreesWithDoubles) {
  std::mt19937 random(kSeed);
  const auto values = [&](size_t count) {
    std::vector<int> result;
    for (size_t i = 0; i < count; ++i) result.push_back(static_cast<int>(random() % 256) - 128);
    return result;
  };
  const auto floats = [&](size_t count) {
    std::vector<float> result;
    for (size_t i = 0; i < count; ++i) result.push_back(static_cast<float>(random() % 2048 + 1) / 65536 - 0.01f);
    return result;
  };
  constexpr size_t kIn = 37, kHidden = 20, kOut = 7;
  TestModel model;
  model.tensors = {Int8Tensor("a", kHidden, kIn, values(kHidden * kIn)), FloatTensorOf("a.scale", floats(kHidden)),
                   FloatTensorOf("a.bias", floats(kHidden)), Int8Tensor("b", kOut, kHidden, values(kOut * kHidden)),
                   FloatTensorOf("b.scale", floats(kOut))};
  NetworkParts parts;
  parts.task = static_cast<uint8_t>(NetworkTask::kFeatures);
  parts.inputs = kIn;
  parts.outputs = kOut;
  parts.widths = {kIn, kHidden, kHidden, kOut};
  parts.operators = {
      {OperatorCode::kMatmul, 1, 0, kNoBuffer, 0, 1, 2, 0, 0, 0},
      {OperatorCode::kRelu, 1, kNoBuffer, kNoBuffer, kNoTensor, kNoTensor, kNoTensor, 0, 0, 0},
      {OperatorCode::kAdd, 2, 1, 1, kNoTensor, kNoTensor, kNoTensor, 0, 0, 0},
      {OperatorCode::kMatmul, 3, 2, kNoBuffer, 3, 4, kNoTensor, 0, 0, 0},
  };
  TestEngine engine(parts, model);
  EXPECT_EQ(engine.memory().cache, 0u);
  TestSource source(&model);
  std::vector<int32_t> features;
  for (size_t i = 0; i < kIn; ++i) features.push_back(static_cast<int32_t>(random() % 131072) - 65536);
  ASSERT_EQ(engine->RunFeatures(features.data(), kIn, source.source()), CoreStatus::kOk);
  const auto product = [&](const std::string& name, const std::vector<double>& in) {
    const TestTensor& weights = model.tensors[model.number(name)];
    const uint16_t bias = model.number(name + ".bias");
    std::vector<double> out;
    for (size_t r = 0; r < weights.shape.rows; ++r) {
      const auto at = [&](uint16_t tensor) {
        return static_cast<double>(std::bit_cast<float>(LoadLe32(model.tensors[tensor].bytes.data() + 4 * r)));
      };
      double sum = 0;
      for (size_t i = 0; i < in.size(); ++i) sum += static_cast<int8_t>(weights.bytes[r * in.size() + i]) * in[i];
      out.push_back(sum * at(model.number(name + ".scale")) + (bias == kNoTensor ? 0 : at(bias)));
    }
    return out;
  };
  std::vector<double> in;
  for (const int32_t feature : features) in.push_back(feature / 65536.0);
  std::vector<double> hidden = product("a", in);
  for (double& value : hidden) value = 2 * std::max(0.0, value);
  EXPECT_LT(RelativeError({product("b", hidden)}, {engine.scores()}, 0), 0.02);
  const uint16_t token = 0;
  EXPECT_EQ(engine->RunFeatures(features.data(), kIn - 1, source.source()), CoreStatus::kBadArgument);
  EXPECT_EQ(engine->Run(&token, 1, source.source()), CoreStatus::kBadArgument);
}

// Operators in any order: whatever parses gives the same integers in batches as token by token.
TEST(RandomNetworkTest, BatchesDoNotMatter) {
  std::mt19937 random(kSeed);
  const auto below = [&](size_t n) { return static_cast<uint8_t>(random() % n); };
  const size_t widths[] = {8, 16};
  constexpr size_t kVocabulary = 11;
  TestModel model;
  const auto matrix = [&](size_t rows, size_t cols) {
    std::vector<int> values;
    std::vector<float> scales;
    for (size_t i = 0; i < rows * cols; ++i) values.push_back(static_cast<int>(random() % 256) - 128);
    for (size_t i = 0; i < rows; ++i) scales.push_back(static_cast<float>(random() % 100 + 1) / 10000);
    model.tensors.push_back(Int8Tensor(absl::StrCat("w", model.tensors.size()), rows, cols, values));
    model.tensors.push_back(FloatTensorOf(absl::StrCat("s", model.tensors.size()), scales));
  };
  // Matrices 8·(2·a + b) of widths[a] rows and widths[b] columns, then embeddings, then gains.
  for (const size_t rows : widths) {
    for (const size_t cols : widths) matrix(rows, cols);
  }
  for (const size_t cols : widths) matrix(kVocabulary, cols);
  for (const size_t size : widths) {
    model.tensors.push_back(FloatTensorOf(absl::StrCat("g", size), std::vector<float>(size, 1.5f)));
  }
  int run = 0;
  for (int attempt = 0; attempt < 100000 && run < 200; ++attempt) {
    NetworkParts parts;
    parts.inputs = kVocabulary;
    parts.window = 30;
    parts.sinks = below(3);
    const size_t buffers = 3 + below(5);
    std::vector<uint8_t> kinds;  // Of each buffer: which of `widths`.
    for (size_t b = 0; b < buffers; ++b) {
      kinds.push_back(below(2));
      parts.widths.push_back(static_cast<uint16_t>(widths[kinds.back()]));
    }
    const size_t count = 4 + below(14);
    for (size_t i = 0; i < count; ++i) {
      const uint8_t out = below(buffers), in = below(buffers), in2 = below(buffers);
      NetworkOperator op = {OperatorCode::kEmbed, out, kNoBuffer, kNoBuffer, kNoTensor, kNoTensor, kNoTensor, 0, 0, 0};
      op.code = i == 0 ? OperatorCode::kEmbed : static_cast<OperatorCode>(1 + below(8));
      switch (op.code) {
        case OperatorCode::kEmbed:
          op.weights = static_cast<uint16_t>(8 + 2 * kinds[out]);
          op.scales = static_cast<uint16_t>(op.weights + 1);
          break;
        case OperatorCode::kRmsNorm:
          op.in = in;
          op.weights = static_cast<uint16_t>(12 + kinds[out]);
          op.c = 43;
          break;
        case OperatorCode::kMatmul:
          op.in = in;
          op.weights = static_cast<uint16_t>(2 * (2 * kinds[out] + kinds[in]));
          op.scales = static_cast<uint16_t>(op.weights + 1);
          op.a = below(2);
          break;
        case OperatorCode::kRope:
          op.a = static_cast<uint8_t>(widths[kinds[out]] / 4);
          parts.rope_steps = RopeSteps(100, 4);
          break;
        case OperatorCode::kAttention:
          op.in = in;
          op.in2 = in2;
          op.c = below(buffers);
          op.a = static_cast<uint8_t>(widths[kinds[out]] / 4);
          op.b = static_cast<uint8_t>(widths[kinds[in2]] / 4);
          ++parts.cache_count;
          break;
        case OperatorCode::kSiluGate:
        case OperatorCode::kAdd:
          op.in = in;
          op.in2 = in2;
          break;
        case OperatorCode::kRelu:
          break;
      }
      parts.operators.push_back(op);
    }
    parts.outputs = parts.widths[parts.operators.back().out];
    const AlignedBytes section(parts.Bytes());
    Network network;
    if (ParseNetwork(section.view(), model.shapes(), &network) != CoreStatus::kOk) continue;
    ++run;
    SCOPED_TRACE(testing::Message() << "attempt " << attempt);
    const std::vector<uint16_t> tokens = RandomTokens(40, kVocabulary);
    TestSource source(&model);
    TestEngine single(parts, model), batched(parts, model);
    EXPECT_EQ(RunAll(&batched, &source, tokens, 10).back(), RunAll(&single, &source, tokens, 1).back());
  }
  EXPECT_EQ(run, 200);
}

}  // namespace
}  // namespace modelvault
