#include "tools/packing/network_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/restore/infer/network_fixture.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Code = OperatorCode;
using Tensors = std::vector<ModelTensor>;

void AddLinear(const std::string& name, uint64_t rows, uint64_t cols, Tensors* tensors) {
  tensors->emplace_back(name, DType::kI8, std::vector<uint64_t>{rows, cols});
  tensors->emplace_back(name + ".scale", DType::kF32, std::vector<uint64_t>{rows});
}

// dim 8, hidden 5, 4 heads of 2 that share 2, a vocabulary of 6; one layer.
NetworkInput Llama() {
  NetworkInput input;
  input.path = "model.json";
  ModelConfig& c = input.config;
  c.dim = 8;
  c.hidden_dim = 5;
  c.layers = 1;
  c.heads = 4;
  c.kv_heads = 2;
  c.vocab = 6;
  c.window = 9;
  c.sinks = 2;
  return input;
}

// Numbers: embed 0, 1; norm 2; attn_norm 3; wq 4, 5; wk 6, 7; wv 8, 9; wo 10, 11; ffn_norm 12; w1 13, 14; w2 15, 16;
// w3 17, 18.
Tensors LlamaTensors() {
  Tensors tensors;
  const auto norm = [&](const std::string& name) { tensors.emplace_back(name, DType::kF16, std::vector<uint64_t>{8}); };
  AddLinear("embed", 6, 8, &tensors);
  norm("norm");
  norm("layers.0.attn_norm");
  AddLinear("layers.0.wq", 8, 8, &tensors);
  AddLinear("layers.0.wk", 4, 8, &tensors);
  AddLinear("layers.0.wv", 4, 8, &tensors);
  AddLinear("layers.0.wo", 8, 8, &tensors);
  norm("layers.0.ffn_norm");
  AddLinear("layers.0.w1", 5, 8, &tensors);
  AddLinear("layers.0.w2", 8, 5, &tensors);
  AddLinear("layers.0.w3", 5, 8, &tensors);
  return tensors;
}

// What a layer of a llama computes, by hand. Buffers: 0 x, 1 h, 2 q, 3 k, 4 v, 5 gate, 6 up, 7 scores.
NetworkParts LlamaParts() {
  NetworkParts parts;
  parts.inputs = parts.outputs = 6;
  parts.window = 9;
  parts.sinks = 2;
  parts.cache_count = 1;
  parts.widths = {8, 8, 8, 4, 4, 5, 5, 6};
  parts.rope_steps = {683565276};   // 2^32 / 2π.
  constexpr uint32_t kEps = 42950;  // 1e-5 · 2^32.
  parts.operators = {
      {Code::kEmbed, 0, kNone8, kNone8, 0, 1, kNone16, 0, 0, 0},
      {Code::kRmsNorm, 1, 0, kNone8, 3, kNone16, kNone16, 0, 0, kEps},
      {Code::kMatmul, 2, 1, kNone8, 4, 5, kNone16, 0, 0, 0},
      {Code::kMatmul, 3, 1, kNone8, 6, 7, kNone16, 0, 0, 0},
      {Code::kMatmul, 4, 1, kNone8, 8, 9, kNone16, 0, 0, 0},
      {Code::kRope, 2, kNone8, kNone8, kNone16, kNone16, kNone16, 4, 0, 0},
      {Code::kRope, 3, kNone8, kNone8, kNone16, kNone16, kNone16, 2, 0, 0},
      {Code::kAttention, 1, 2, 3, kNone16, kNone16, kNone16, 4, 2, 4},
      {Code::kMatmul, 0, 1, kNone8, 10, 11, kNone16, 1, 0, 0},
      {Code::kRmsNorm, 1, 0, kNone8, 12, kNone16, kNone16, 0, 0, kEps},
      {Code::kMatmul, 5, 1, kNone8, 13, 14, kNone16, 0, 0, 0},
      {Code::kMatmul, 6, 1, kNone8, 17, 18, kNone16, 0, 0, 0},
      {Code::kSiluGate, 5, 5, 6, kNone16, kNone16, kNone16, 0, 0, 0},
      {Code::kMatmul, 0, 5, kNone8, 15, 16, kNone16, 1, 0, 0},
      {Code::kRmsNorm, 1, 0, kNone8, 2, kNone16, kNone16, 0, 0, kEps},
      {Code::kMatmul, 7, 1, kNone8, 0, 1, kNone16, 0, 0, 0},
  };
  return parts;
}

absl::StatusOr<std::string> Build(const NetworkInput& input, const Tensors& tensors) {
  return BuildNetwork(input, tensors, "base.safetensors");
}

TEST(NetworkBuilderTest, ALlamaIsWhatItsOperatorsAreByHand) {
  EXPECT_THAT(Build(Llama(), LlamaTensors()), IsOkAndHolds(LlamaParts().Bytes()));
  NetworkInput input = Llama();
  NetworkParts parts = LlamaParts();
  input.tokenizer = parts.tokenizer = SmallTokenizer().Bytes();
  EXPECT_THAT(Build(input, LlamaTensors()), IsOkAndHolds(parts.Bytes()));
}

TEST(NetworkBuilderTest, DescriptionsSayMoreThanDimensions) {
  NetworkInput input = Llama();
  NetworkParts parts = LlamaParts();
  Tensors tensors = LlamaTensors();
  input.config.rope_halves = true;
  parts.operators[5].b = parts.operators[6].b = 1;
  input.config.activation_bits = parts.activation_bits = 4;
  input.config.norm_eps = 1.0 / (1 << 20);
  for (const size_t norm : {1, 9, 14}) parts.operators[norm].c = 1 << 12;
  // A head of its own, and a bias, behind all other tensors.
  input.config.tied_embeddings = false;
  AddLinear("output", 6, 8, &tensors);
  tensors.emplace_back("layers.0.wk.bias", DType::kBf16, std::vector<uint64_t>{4});
  parts.operators[15].weights = 19;
  parts.operators[15].scales = 20;
  parts.operators[3].bias = 21;
  EXPECT_THAT(Build(input, tensors), IsOkAndHolds(parts.Bytes()));
  // Under other names.
  for (ModelTensor& tensor : tensors) {
    if (tensor.name == "layers.0.w1") tensor.name = "blk0.gate";
    if (tensor.name == "layers.0.w1.scale") tensor.name = "blk0.gate.scale";
  }
  input.config.names["w1"] = "blk*.gate";
  EXPECT_THAT(Build(input, tensors), IsOkAndHolds(parts.Bytes()));
}

TEST(NetworkBuilderTest, StepsAreTurnsOfTheirPairs) {
  NetworkInput input = Llama();
  input.config.heads = input.config.kv_heads = 1;
  input.config.rope_theta = 256;
  Tensors tensors = LlamaTensors();
  for (const size_t i : {6, 8}) tensors[i] = ModelTensor(tensors[i].name, DType::kI8, {8, 8});
  for (const size_t i : {7, 9}) tensors[i] = ModelTensor(tensors[i].name, DType::kF32, {8});
  ASSERT_OK_AND_ASSIGN(const std::string section, Build(input, tensors));
  // 256^(−2i/8) is a quarter of the one before.
  const uint8_t* const steps = reinterpret_cast<const uint8_t*>(section.data()) + 32 + 16;
  EXPECT_EQ(LoadLe32(steps), 683565276u);
  EXPECT_EQ(LoadLe32(steps + 4), 170891319u);
  EXPECT_EQ(LoadLe32(steps + 8), 42722830u);
  EXPECT_EQ(LoadLe32(steps + 12), 10680707u);
}

TEST(NetworkBuilderTest, AnMlpIsWhatItsOperatorsAreByHand) {
  NetworkInput input;
  input.path = "model.json";
  input.config.architecture = Architecture::kMlp;
  input.config.mlp = {"hidden1", "output"};
  Tensors tensors;
  AddLinear("hidden1", 4, 3, &tensors);
  tensors.emplace_back("hidden1.bias", DType::kF32, std::vector<uint64_t>{4});
  AddLinear("output", 2, 4, &tensors);
  NetworkParts parts = SmallClassifier();
  parts.activation_bits = 8;
  parts.operators[0].bias = 2;
  parts.operators[2].weights = 3;
  parts.operators[2].scales = 4;
  EXPECT_THAT(Build(input, tensors), IsOkAndHolds(parts.Bytes()));

  const auto refuses = [&](const std::string& why) {
    EXPECT_THAT(Build(input, tensors), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
  };
  tensors[3] = ModelTensor("output", DType::kI8, {2, 5});
  refuses("tensor 'output' is I8 [2, 5], expected I8 [2, 4]");
  tensors[0] = ModelTensor("hidden1", DType::kI8, {12});
  refuses("tensor 'hidden1' is I8 [12], expected I8 [1, 1]");
  input.config.mlp = {"hidden"};
  refuses("there is no tensor 'hidden'");
  input.config.mlp.resize(16, "hidden1");
  refuses("config: 16 layers: expected at most 15");
}

TEST(NetworkBuilderTest, TensorsThatDoNotFitAreNamedWithWhatWasExpected) {
  const Tensors good = LlamaTensors();
  for (size_t i = 0; i < good.size(); ++i) {
    SCOPED_TRACE(good[i].name);
    const std::string begin = "model.json does not describe base.safetensors: ";
    Tensors tensors = good;
    tensors.erase(tensors.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_THAT(Build(Llama(), tensors),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat(begin, "there is no tensor '", good[i].name, "', expected "))));
    tensors = good;
    tensors[i].shape[0] += 1;
    EXPECT_THAT(Build(Llama(), tensors),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(absl::StrCat(begin, "tensor '", good[i].name, "' is ", good[i].type_name(),
                                                      " [", good[i].shape[0] + 1)),
                               HasSubstr("expected "))));
    tensors = good;
    tensors[i].dtype = DType::kU8;
    EXPECT_THAT(Build(Llama(), tensors),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat(begin, "tensor '", good[i].name, "' is U8 ["))));
  }
  // Weights that were never quantised.
  Tensors floats = good;
  floats[0].dtype = DType::kF32;
  EXPECT_THAT(Build(Llama(), floats), StatusIs(absl::StatusCode::kInvalidArgument,
                                               HasSubstr("tensor 'embed' is F32 [6, 8], expected I8 [6, 8]")));
}

TEST(NetworkBuilderTest, DimensionsThatNoNetworkHasAreRefused) {
  const auto refuses = [](void (*edit)(ModelConfig*), const std::string& why) {
    NetworkInput input = Llama();
    edit(&input.config);
    EXPECT_THAT(Build(input, LlamaTensors()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model.json: config: " + why)));
  };
  refuses([](ModelConfig* c) { c->heads = 3; }, "dim 8, heads 3, kv_heads 2 do not go together");
  refuses([](ModelConfig* c) { c->heads = 8; }, "dim 8, heads 8, kv_heads 2 do not go together");
  refuses([](ModelConfig* c) { c->kv_heads = 3; }, "dim 8, heads 4, kv_heads 3 do not go together");
  refuses([](ModelConfig* c) { c->vocab = 65536; }, "dim 8, hidden_dim 5, vocab 65536: expected at most 65535");
  refuses([](ModelConfig* c) { c->dim = 1032; }, "4 heads of 258: expected at most 255 of 256");
  refuses([](ModelConfig* c) { c->layers = 293; }, "293 layers: expected at most 292");
  refuses([](ModelConfig* c) { c->norm_eps = 1e-12; }, "norm_eps 1e-12: expected a number from 2^-33 to 1");
  refuses([](ModelConfig* c) { c->norm_eps = 1; }, "norm_eps 1: expected");
}

class NetworkInputTest : public testing::Test {
 protected:
  absl::StatusOr<NetworkInput> Read(const std::string& config, const std::string& tokenizer = "") {
    return ReadNetworkInput(FileSystem::Default(),
                            folder_.Write("model.json", absl::StrCat("{\"config\": {", config, "}}")), tokenizer);
  }
  // Three tokens and more pieces, of one letter each.
  std::string Vocabulary(const std::string& name, int pieces) {
    std::string bytes("\1\0\0\0", 4);
    for (int i = 0; i < 3; ++i) bytes += std::string("\0\0\0\0\0\0\0\0", 8);
    for (int i = 0; i < pieces; ++i) bytes += std::string("\0\0\0\0\1\0\0\0", 8) + static_cast<char>('a' + i);
    return folder_.Write(name, bytes);
  }
  const std::string llama_ =
      R"("architecture": "llama", "dim": 8, "hidden_dim": 5, "layers": 1, "heads": 4, "kv_heads": 2, "vocab": 6)";
  TempFolder folder_;
};

TEST_F(NetworkInputTest, ReadsTheVocabularyThatIsNamedOrGiven) {
  ASSERT_OK_AND_ASSIGN(const NetworkInput none, Read(llama_));
  EXPECT_EQ(none.tokenizer, "");
  EXPECT_EQ(none.path, folder_.File("model.json"));
  Vocabulary("tok.bin", 3);
  ASSERT_OK_AND_ASSIGN(const NetworkInput named, Read(llama_ + R"(, "tokenizer": "tok.bin")"));
  EXPECT_EQ(named.tokenizer.size(), 16u + 4 * 6 + 4 * 3 + 4);
  EXPECT_EQ(named.tokenizer[10], 0);
  ASSERT_OK_AND_ASSIGN(const NetworkInput space, Read(llama_ + R"(, "tokenizer": "tok.bin", "leading_space": true)"));
  EXPECT_EQ(space.tokenizer[10], 1);
  EXPECT_THAT(Read(llama_ + R"(, "tokenizer": "none.bin")"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.bin")));
  EXPECT_THAT(Read(llama_ + R"(, "tokenizer": "none.bin")", Vocabulary("given.bin", 3)), IsOk());
}

TEST_F(NetworkInputTest, AVocabularyOfAnotherModelIsRefused) {
  EXPECT_THAT(Read(llama_, Vocabulary("tok.bin", 4)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("tok.bin: 7 tokens, expected the 6 of config.vocab in "))));
  EXPECT_THAT(Read(R"("architecture": "mlp", "layers": ["a"])", Vocabulary("tok.bin", 3)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("describes a model that takes no tokens")));
  EXPECT_THAT(Read(llama_, folder_.Write("tok.bin", "")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tok.bin: no vocabulary")));
}

}  // namespace
}  // namespace modelvault
