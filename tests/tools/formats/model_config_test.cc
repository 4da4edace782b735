#include "tools/formats/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kLlama[] = R"({"config": {"architecture": "llama", "dim": 24, "hidden_dim": 37, "layers": 2,
  "heads": 4, "kv_heads": 2, "vocab": 29, "rope_theta": 500.5, "rope_pairs": "halves", "norm_eps": 0.001,
  "tied_embeddings": false, "eval_context": 7, "window": 40, "sinks": 3, "activation_bits": 4,
  "tokenizer": "tok.bin", "leading_space": true, "names": {"wq": "blk.*.q", "embed": "wte"}},
  "variants": [{"name": "a"}, {"name": "b"}]})";

constexpr char kMlp[] = R"({"config": {"architecture": "mlp", "layers": ["hidden1", "output"], "activation": "relu"}})";

class ModelConfigTest : public testing::Test {
 protected:
  absl::StatusOr<ModelConfig> Read(const std::string& text) {
    return ReadModelConfig(FileSystem::Default(), folder_.Write("model.json", text));
  }
  TempFolder folder_;
};

TEST_F(ModelConfigTest, ReadsALanguageModel) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Read(kLlama));
  EXPECT_EQ(config.architecture, Architecture::kLlama);
  EXPECT_EQ(config.dim, 24u);
  EXPECT_EQ(config.hidden_dim, 37u);
  EXPECT_EQ(config.layers, 2u);
  EXPECT_EQ(config.heads, 4u);
  EXPECT_EQ(config.kv_heads, 2u);
  EXPECT_EQ(config.vocab, 29u);
  EXPECT_EQ(config.rope_theta, 500.5);
  EXPECT_TRUE(config.rope_halves);
  EXPECT_EQ(config.norm_eps, 0.001);
  EXPECT_FALSE(config.tied_embeddings);
  EXPECT_EQ(config.eval_context, 7u);
  EXPECT_EQ(config.window, 40u);
  EXPECT_EQ(config.sinks, 3u);
  EXPECT_EQ(config.activation_bits, 4u);
  EXPECT_EQ(config.tokenizer, folder_.File("tok.bin"));
  EXPECT_TRUE(config.leading_space);
  EXPECT_EQ(config.TensorName("wq", 11), "blk.11.q");
  EXPECT_EQ(config.TensorName("wk", 11), "layers.11.wk");
  EXPECT_EQ(config.TensorName("embed"), "wte");
  EXPECT_EQ(config.TensorName("norm"), "norm");
  EXPECT_THAT(config.departments, ElementsAre("a", "b"));
}

TEST_F(ModelConfigTest, MostOfItGoesWithoutSaying) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Read(R"({"config": {"architecture": "llama", "dim": 24,
      "hidden_dim": 37, "layers": 2, "heads": 4, "kv_heads": 2, "vocab": 29, "more": "that nobody knows"}})"));
  EXPECT_EQ(config.rope_theta, 10000);
  EXPECT_FALSE(config.rope_halves);
  EXPECT_EQ(config.norm_eps, 1e-5);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_EQ(config.eval_context, 0u);
  EXPECT_EQ(config.window, 128u);
  EXPECT_EQ(config.sinks, 4u);
  EXPECT_EQ(config.activation_bits, 8u);
  EXPECT_EQ(config.tokenizer, "");
  EXPECT_FALSE(config.leading_space);
  EXPECT_THAT(config.departments, ElementsAre());
  // No more sinks than a small window leaves room for.
  ASSERT_OK_AND_ASSIGN(const ModelConfig small, Read(R"({"config": {"architecture": "llama", "dim": 24,
      "hidden_dim": 37, "layers": 2, "heads": 4, "kv_heads": 2, "vocab": 29, "window": 2}})"));
  EXPECT_EQ(small.sinks, 1u);
}

TEST_F(ModelConfigTest, ReadsAnMlp) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Read(kMlp));
  EXPECT_EQ(config.architecture, Architecture::kMlp);
  EXPECT_THAT(config.mlp, ElementsAre("hidden1", "output"));
  EXPECT_EQ(config.activation_bits, 8u);
}

TEST_F(ModelConfigTest, WhatIsWrongIsNamedByItsKey) {
  struct Case {
    const char* text;
    std::pair<const char*, const char*> replaced;
    const char* message;
  };
  const Case cases[] = {
      {kLlama, {"llama", "gpt"}, R"(config.architecture: expected "llama" or "mlp", found "gpt")"},
      {kLlama,
       {"\"architecture\": \"llama\",", ""},
       "config.architecture: expected \"llama\" or \"mlp\", found nothing"},
      {kLlama, {"halves", "thirds"}, R"(config.rope_pairs: expected "interleaved" or "halves", found "thirds")"},
      {kLlama, {"\"dim\": 24", "\"dim\": -24"}, "config.dim: expected a whole number from 1 to 1048576, found -24"},
      {kLlama, {"\"vocab\": 29, ", ""}, "config.vocab: expected a whole number from 1 to 1048576, found nothing"},
      {kLlama, {"500.5", "0"}, "config.rope_theta: expected a positive number, found 0"},
      {kLlama, {"0.001", "\"x\""}, "config.norm_eps: expected a positive number, found \"x\""},
      {kLlama, {": false", ": 0"}, "config.tied_embeddings: expected true or false, found 0"},
      {kLlama, {": true", ": 1"}, "config.leading_space: expected true or false, found 1"},
      {kLlama, {"\"window\": 40", "\"window\": 0"}, "config.window: expected a whole number from 1 to 65535, found 0"},
      {kLlama, {"\"sinks\": 3", "\"sinks\": 40"}, "config.sinks: expected a whole number from 0 to 39, found 40"},
      {kLlama,
       {"\"activation_bits\": 4", "\"activation_bits\": 5"},
       "config.activation_bits: expected 8 or 4, found 5"},
      {kLlama, {"\"tok.bin\"", "\"\""}, "config.tokenizer: expected a string that is not empty, found \"\""},
      {kLlama, {"\"wte\"", "7"}, "config.names: expected an object of names, found "},
      {kLlama, {"{\"wq\": \"blk.*.q\", \"embed\": \"wte\"}", "[\"wte\"]"}, "config.names: expected an object of names"},
      {kLlama, {"{\"name\": \"a\"}", "{\"name\": 1}"}, "variants: expected a list of objects with a name"},
      {kMlp, {"[\"hidden1\", \"output\"]", "2"}, "config.layers: expected a list of names, found 2"},
      {kMlp, {"[\"hidden1\", \"output\"]", "[]"}, "config.layers: expected a list of names, found []"},
      {kMlp, {"\"output\"", "3"}, "config.layers: expected a list of names, found [\"hidden1\",3]"},
      {kMlp, {"relu", "gelu"}, R"(config.activation: expected "relu", found "gelu")"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(Read(absl::StrReplaceAll(c.text, {c.replaced})),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("model.json: "), HasSubstr(c.message))))
        << c.replaced.second;
  }
  for (const char* text : {"", "{", "[]", "{}", R"({"config": 3})"}) {
    EXPECT_THAT(Read(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"config\""))) << text;
  }
}

}  // namespace
}  // namespace modelvault
