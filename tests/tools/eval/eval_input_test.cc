#include "tools/eval/eval_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "tests/status_matchers.h"
#include "tests/tools/eval/tiny_models.h"

namespace modelvault {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kModel[] = R"({"config": {"architecture": "llama", "dim": 24, "hidden_dim": 37, "layers": 2, "heads": 4,
  "kv_heads": 2, "vocab": 29, "rope_theta": 500.5, "rope_pairs": "interleaved", "norm_eps": 0.001,
  "tied_embeddings": true, "eval_context": 7}, "variants": [{"name": "a"}, {"name": "b", "tokens": 3}]})";

class EvalInputTest : public testing::Test {
 protected:
  absl::StatusOr<EvalModel> Read(const std::string& text) {
    return ReadEvalModel(FileSystem::Default(), folder_.Write("corpus.json", text));
  }
  absl::StatusOr<std::vector<uint16_t>> Tokens(const std::string& bytes) {
    return ReadTokens(FileSystem::Default(), folder_.Write("d.tok", bytes), TinyConfig());
  }
  TempFolder folder_;
};

TEST_F(EvalInputTest, ReadsDimensionsAndDepartments) {
  ASSERT_OK_AND_ASSIGN(const EvalModel model, Read(kModel));
  EXPECT_EQ(model.config.dim, 24u);
  EXPECT_EQ(model.config.hidden_dim, 37u);
  EXPECT_EQ(model.config.layers, 2u);
  EXPECT_EQ(model.config.heads, 4u);
  EXPECT_EQ(model.config.kv_heads, 2u);
  EXPECT_EQ(model.config.vocab, 29u);
  EXPECT_EQ(model.config.context, 7u);
  EXPECT_EQ(model.config.rope_theta, 500.5);
  EXPECT_EQ(model.config.norm_eps, 0.001);
  EXPECT_THAT(model.departments, ElementsAre("a", "b"));
}

TEST_F(EvalInputTest, WhatIsNotAModelIsRefusedByItsKey) {
  const std::vector<std::pair<std::string, std::string>> kReplaced = {{"llama", "gpt"},
                                                                      {"interleaved", "halves"},
                                                                      {"true", "false"},
                                                                      {"\"dim\": 24", "\"dim\": -24"},
                                                                      {"\"dim\": 24", "\"dim\": 0"},
                                                                      {"\"dim\": 24", "\"dim\": 24.5"},
                                                                      {"\"dim\": 24", "\"dim\": 99999999"},
                                                                      {"\"vocab\": 29, ", ""},
                                                                      {"500.5", "0"},
                                                                      {"0.001", "\"x\""},
                                                                      {"\"heads\": 4", "\"heads\": 5"}};
  const std::vector<std::string> kNamed = {"architecture", "rope_pairs", "tied_embeddings", "dim",      "dim",  "dim",
                                           "dim",          "vocab",      "rope_theta",      "norm_eps", "heads"};
  for (size_t i = 0; i < kReplaced.size(); ++i) {
    EXPECT_THAT(Read(absl::StrReplaceAll(kModel, {kReplaced[i]})),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("corpus.json: "), HasSubstr(kNamed[i]))))
        << kReplaced[i].first;
  }
  for (const char* text : {"", "{", "[]", "{}", R"({"config": 3})"}) {
    EXPECT_THAT(Read(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"config\""))) << text;
  }
  for (const char* list : {"{\"name\": 1}", "3"}) {
    EXPECT_THAT(Read(absl::StrReplaceAll(kModel, {{"{\"name\": \"a\"}", list}})),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("variants")));
  }
  EXPECT_THAT(ReadEvalModel(FileSystem::Default(), folder_.File("none")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
}

TEST_F(EvalInputTest, TokensAreWholeRecordsBelowTheVocabulary) {
  const std::vector<uint16_t> tokens = RandomTokens(TinyConfig(), 2, 3);
  const std::string bytes = TokenBytes(tokens);
  EXPECT_THAT(Tokens(bytes), IsOkAndHolds(tokens));
  for (const size_t size : {size_t{0}, size_t{1}, size_t{15}, size_t{17}, size_t{31}}) {
    EXPECT_THAT(Tokens(bytes.substr(0, size)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected a multiple of 16")))
        << size;
  }
  std::vector<uint16_t> beyond = tokens;
  beyond[5] = 28;
  EXPECT_THAT(Tokens(TokenBytes(beyond)), IsOk());
  beyond[5] = 29;
  EXPECT_THAT(Tokens(TokenBytes(beyond)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("token 5 is 29, the vocabulary has 29")));
}

}  // namespace
}  // namespace modelvault
