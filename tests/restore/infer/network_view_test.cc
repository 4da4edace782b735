#include "restore/infer/network_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/restore/infer/network_fixture.h"

namespace modelvault {
namespace {

CoreStatus Parse(const std::string& bytes, const ShapeList& shapes, size_t* bad_offset = nullptr) {
  const AlignedBytes aligned(bytes);
  Network network;
  return ParseNetwork(aligned.view(), shapes.shapes(), &network, bad_offset);
}

constexpr size_t kOperators = 32 + 16 + 4;  // Of the language model, in the section.

TEST(NetworkViewTest, ReadsEveryField) {
  const AlignedBytes bytes(SmallLanguageModel().Bytes());
  const ShapeList shapes = SmallLanguageModelShapes();
  Network network;
  ASSERT_EQ(ParseNetwork(bytes.view(), shapes.shapes(), &network), CoreStatus::kOk);
  EXPECT_EQ(network.task, NetworkTask::kTokens);
  EXPECT_EQ(network.activation_bits, 8);
  EXPECT_EQ(network.operator_count, 16);
  EXPECT_EQ(network.inputs, 6u);
  EXPECT_EQ(network.outputs, 6u);
  EXPECT_EQ(network.window, 9);
  EXPECT_EQ(network.sinks, 2);
  EXPECT_EQ(network.buffer_count, 8);
  EXPECT_EQ(network.rope_pair_count, 1);
  EXPECT_EQ(network.cache_count, 1);
  EXPECT_EQ(network.width(5), 5u);
  EXPECT_EQ(network.rope_step(0), 683565276u);
  EXPECT_EQ(network.tokenizer.size, SmallTokenizer().Bytes().size());
  const NetworkOperator op = network.op(7);
  EXPECT_EQ(op.code, OperatorCode::kAttention);
  EXPECT_EQ(op.out, 1);
  EXPECT_EQ(op.in, 2);
  EXPECT_EQ(op.in2, 3);
  EXPECT_EQ(op.a, 4);
  EXPECT_EQ(op.b, 2);
  EXPECT_EQ(op.c, 4u);
  EXPECT_EQ(network.op(2).weights, 3);
  EXPECT_EQ(network.op(2).scales, 4);
  EXPECT_EQ(network.op(2).bias, 5);
  EXPECT_EQ(network.op(1).c, 42950u);
}

TEST(NetworkViewTest, AClassifierTakesFeaturesInBufferZero) {
  EXPECT_EQ(Parse(SmallClassifier().Bytes(), SmallClassifierShapes()), CoreStatus::kOk);
  NetworkParts parts = SmallClassifier();
  parts.inputs = 4;
  size_t bad = 99;
  EXPECT_EQ(Parse(parts.Bytes(), SmallClassifierShapes(), &bad), CoreStatus::kBadNetwork);
  EXPECT_EQ(bad, 32u);
}

TEST(NetworkViewTest, RefusesEveryTruncationAndExtension) {
  for (const NetworkParts& parts : {SmallLanguageModel(), SmallClassifier()}) {
    const ShapeList shapes = parts.task == 1 ? SmallLanguageModelShapes() : SmallClassifierShapes();
    const std::string whole = parts.Bytes();
    ASSERT_EQ(Parse(whole, shapes), CoreStatus::kOk);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(Parse(whole.substr(0, size), shapes), CoreStatus::kBadNetwork) << size;
    }
    EXPECT_EQ(Parse(whole + '\0', shapes), CoreStatus::kBadNetwork);
    EXPECT_EQ(Parse(whole + std::string(16, '\0'), shapes), CoreStatus::kBadNetwork);
  }
}

struct PartsCase {
  const char* what;
  std::function<void(NetworkParts*)> edit;
};

TEST(NetworkViewTest, RefusesHeadsThatLie) {
  const PartsCase cases[] = {
      {"task 0", [](NetworkParts* p) { p->task = 0; }},
      {"task 3", [](NetworkParts* p) { p->task = 3; }},
      {"features with a window", [](NetworkParts* p) { p->task = 2; }},
      {"activations", [](NetworkParts* p) { p->activation_bits = 5; }},
      {"no operators", [](NetworkParts* p) { p->operators.clear(); }},
      {"no inputs", [](NetworkParts* p) { p->inputs = 0; }},
      {"inputs", [](NetworkParts* p) { p->inputs = 65536; }},
      {"outputs", [](NetworkParts* p) { p->outputs = 7; }},
      {"no window", [](NetworkParts* p) { p->window = 0; }},
      {"more positions than a u16 counts",
       [](NetworkParts* p) {
         p->window = 65535;
         p->sinks = 1;
       }},
      {"sinks fill the window", [](NetworkParts* p) { p->sinks = 9; }},
      {"no caches", [](NetworkParts* p) { p->cache_count = 0; }},
      {"more caches", [](NetworkParts* p) { p->cache_count = 2; }},
      {"no buffers", [](NetworkParts* p) { p->widths.clear(); }},
      {"17 buffers", [](NetworkParts* p) { p->widths.resize(17, 1); }},
      {"a buffer of nothing", [](NetworkParts* p) { p->widths.push_back(0); }},
      {"no steps", [](NetworkParts* p) { p->rope_steps.clear(); }},
      {"two steps", [](NetworkParts* p) { p->rope_steps.push_back(1); }},
      {"129 steps", [](NetworkParts* p) { p->rope_steps.resize(129); }},
      {"another tokenizer", [](NetworkParts* p) { p->inputs = 5; }},
      {"a broken tokenizer", [](NetworkParts* p) { p->tokenizer[11] = 3; }},
  };
  for (const PartsCase& c : cases) {
    NetworkParts parts = SmallLanguageModel();
    c.edit(&parts);
    EXPECT_EQ(Parse(parts.Bytes(), SmallLanguageModelShapes()), CoreStatus::kBadNetwork) << c.what;
  }
  std::string reserved = SmallLanguageModel().Bytes();
  for (size_t at = 24; at < 32; ++at) {
    reserved[at] = 1;
    EXPECT_EQ(Parse(reserved, SmallLanguageModelShapes()), CoreStatus::kBadNetwork);
    reserved[at] = 0;
  }
  for (const size_t at : {32 + 6, 32 + 7}) {
    std::string padding = SmallClassifier().Bytes();
    padding[at] = 1;
    EXPECT_EQ(Parse(padding, SmallClassifierShapes()), CoreStatus::kBadNetwork);
  }
}

TEST(NetworkViewTest, TakesTheMostThatItSays) {
  NetworkParts parts = SmallClassifier();
  parts.operators.insert(parts.operators.begin() + 1, 4093, parts.operators[1]);
  ASSERT_EQ(parts.operators.size(), 4096u);
  EXPECT_EQ(Parse(parts.Bytes(), SmallClassifierShapes()), CoreStatus::kOk);
  parts.operators.insert(parts.operators.begin() + 1, parts.operators[1]);
  EXPECT_EQ(Parse(parts.Bytes(), SmallClassifierShapes()), CoreStatus::kBadNetwork);
  parts = SmallClassifier();
  parts.widths.resize(16, 65535);
  EXPECT_EQ(Parse(parts.Bytes(), SmallClassifierShapes()), CoreStatus::kOk);
  ShapeList wide = SmallClassifierShapes();
  parts.inputs = parts.widths[0] = 65535;
  wide[0].cols = 65535;
  EXPECT_EQ(Parse(parts.Bytes(), wide), CoreStatus::kOk);
}

TEST(NetworkViewTest, TokenizersAreForTokensAndNotNeeded) {
  NetworkParts parts = SmallLanguageModel();
  parts.tokenizer.clear();
  EXPECT_EQ(Parse(parts.Bytes(), SmallLanguageModelShapes()), CoreStatus::kOk);
  // Of another vocabulary than the network's.
  TokenizerParts more = SmallTokenizer();
  more.tokens.push_back({0, 0});
  parts.tokenizer = more.Bytes();
  EXPECT_EQ(Parse(parts.Bytes(), SmallLanguageModelShapes()), CoreStatus::kBadNetwork);
  NetworkParts classifier = SmallClassifier();
  TokenizerParts three = SmallTokenizer();
  three.tokens.resize(3);
  three.pieces.clear();
  three.longest = 0;
  classifier.tokenizer = three.Bytes();
  EXPECT_EQ(Parse(classifier.Bytes(), SmallClassifierShapes()), CoreStatus::kBadNetwork);
}

struct OperatorCase {
  const char* what;
  size_t op;
  std::function<void(NetworkOperator*)> edit;
};

TEST(NetworkViewTest, RefusesOperatorsThatDoNotFitAndSaysWhich) {
  using Op = NetworkOperator;
  const OperatorCase cases[] = {
      {"no code", 0, [](Op* o) { o->code = static_cast<OperatorCode>(0); }},
      {"code 9", 0, [](Op* o) { o->code = static_cast<OperatorCode>(9); }},
      {"out", 0, [](Op* o) { o->out = 8; }},
      {"no out", 0, [](Op* o) { o->out = 255; }},
      {"embed of another width", 0, [](Op* o) { o->out = 3; }},
      {"embed with in", 0, [](Op* o) { o->in = 0; }},
      {"embed with in2", 0, [](Op* o) { o->in2 = 0; }},
      {"embed with bias", 0, [](Op* o) { o->bias = 1; }},
      {"embed with a", 0, [](Op* o) { o->a = 1; }},
      {"embed with b", 0, [](Op* o) { o->b = 1; }},
      {"embed with c", 0, [](Op* o) { o->c = 1; }},
      {"embed's weights", 0, [](Op* o) { o->weights = 3; }},
      {"embed's scales", 0, [](Op* o) { o->scales = 4; }},
      {"rmsnorm of nothing", 1, [](Op* o) { o->in = 255; }},
      {"rmsnorm of what is not written", 1, [](Op* o) { o->in = 2; }},
      {"rmsnorm to another width", 1, [](Op* o) { o->out = 3; }},
      {"rmsnorm's gains", 1, [](Op* o) { o->weights = 1; }},
      {"rmsnorm's gains in INT8", 1, [](Op* o) { o->weights = 3; }},
      {"rmsnorm without epsilon", 1, [](Op* o) { o->c = 0; }},
      {"rmsnorm with scales", 1, [](Op* o) { o->scales = 4; }},
      {"matmul in place", 2, [](Op* o) { o->in = 2; }},
      {"matmul of what is not written", 2, [](Op* o) { o->in = 7; }},
      {"matmul to what is not written", 2, [](Op* o) { o->a = 1; }},
      {"matmul's a", 8, [](Op* o) { o->a = 2; }},
      {"matmul's weights", 2, [](Op* o) { o->weights = 6; }},
      {"matmul's weights in floats", 2, [](Op* o) { o->weights = 5; }},
      {"no weights", 2, [](Op* o) { o->weights = 11; }},
      {"matmul without scales", 2, [](Op* o) { o->scales = kNone16; }},
      {"matmul's scales", 2, [](Op* o) { o->scales = 7; }},
      {"matmul's bias", 2, [](Op* o) { o->bias = 7; }},
      {"matmul's bias is not there", 2, [](Op* o) { o->bias = 11; }},
      {"matmul with in2", 2, [](Op* o) { o->in2 = 0; }},
      {"matmul with c", 2, [](Op* o) { o->c = 1; }},
      {"rope of what is not written", 5, [](Op* o) { o->out = 5; }},
      {"rope without heads", 5, [](Op* o) { o->a = 0; }},
      {"rope of other heads", 5, [](Op* o) { o->a = 2; }},
      {"rope's pairs", 5, [](Op* o) { o->b = 2; }},
      {"rope of other pairs than the one before", 6, [](Op* o) { o->b = 0; }},
      {"rope with in", 5, [](Op* o) { o->in = 2; }},
      {"attention without heads", 7, [](Op* o) { o->a = 0; }},
      {"attention without keys' heads", 7, [](Op* o) { o->b = 0; }},
      {"attention's heads do not divide", 7, [](Op* o) { o->b = 3; }},
      {"attention's heads are no part of the width", 7, [](Op* o) { o->a = 3; }},
      {"attention's keys", 7, [](Op* o) { o->in2 = 0; }},
      {"attention's values", 7, [](Op* o) { o->c = 0; }},
      {"attention's values are not there", 7, [](Op* o) { o->c = 8; }},
      {"attention's values past a byte", 7, [](Op* o) { o->c = 256 + 4; }},
      {"attention's values are not written", 7, [](Op* o) { o->c = 5; }},
      {"attention in place", 7, [](Op* o) { o->out = 2; }},
      {"attention with weights", 7, [](Op* o) { o->weights = 0; }},
      {"silu-gate of another width", 11, [](Op* o) { o->in = 0; }},
      {"silu-gate by another width", 11, [](Op* o) { o->in2 = 0; }},
      {"silu-gate to another width", 11, [](Op* o) { o->out = 0; }},
      {"relu of what is not written", 12, [](Op* o) { o->out = 7; }},
      {"relu with in", 12, [](Op* o) { o->in = 5; }},
      {"add of what is not written", 14, [](Op* o) { o->in2 = 7; }},
      {"add with b", 14, [](Op* o) { o->b = 1; }},
  };
  for (const OperatorCase& c : cases) {
    NetworkParts parts = SmallLanguageModel();
    c.edit(&parts.operators[c.op]);
    size_t bad = 0;
    EXPECT_EQ(Parse(parts.Bytes(), SmallLanguageModelShapes(), &bad), CoreStatus::kBadNetwork) << c.what;
    EXPECT_EQ(bad, kOperators + 16 * c.op) << c.what;
  }
}

TEST(NetworkViewTest, WhatIsForTokensIsRefusedWithFeatures) {
  for (const size_t op : {0, 5, 7}) {
    NetworkParts parts = SmallClassifier();
    parts.operators.insert(parts.operators.begin(), SmallLanguageModel().operators[op]);
    EXPECT_EQ(Parse(parts.Bytes(), SmallClassifierShapes()), CoreStatus::kBadNetwork) << op;
  }
}

TEST(NetworkViewTest, HeadsAreOfBoundedWidth) {
  NetworkParts parts;
  parts.inputs = parts.outputs = 1;
  parts.window = 1;
  parts.cache_count = 1;
  parts.widths = {256, 256};
  parts.operators = {{OperatorCode::kEmbed, 0, kNone8, kNone8, 0, 1, kNone16, 0, 0, 0},
                     {OperatorCode::kAttention, 1, 0, 0, kNone16, kNone16, kNone16, 1, 1, 0},
                     {OperatorCode::kMatmul, 2, 1, kNone8, 2, 1, kNone16, 0, 0, 0}};
  parts.widths.push_back(1);
  ShapeList shapes({{DType::kI8, 1, 256}, {DType::kF32, 1, 1}, {DType::kI8, 1, 256}});
  EXPECT_EQ(Parse(parts.Bytes(), shapes), CoreStatus::kOk);
  parts.widths[0] = parts.widths[1] = 257;
  shapes[0].cols = shapes[2].cols = 257;
  EXPECT_EQ(Parse(parts.Bytes(), shapes), CoreStatus::kBadNetwork);
}

TEST(NetworkViewTest, AttentionIsOfTheHeadsThatAreRotated) {
  NetworkParts parts = SmallLanguageModel();
  parts.operators[7].a = 2;
  parts.operators[7].b = 1;
  EXPECT_EQ(Parse(parts.Bytes(), SmallLanguageModelShapes()), CoreStatus::kBadNetwork);
  parts.operators.erase(parts.operators.begin() + 5, parts.operators.begin() + 7);
  parts.rope_steps.clear();
  EXPECT_EQ(Parse(parts.Bytes(), SmallLanguageModelShapes()), CoreStatus::kOk);
}

TEST(NetworkViewTest, TheFirstOperatorTakesTheFeatures) {
  NetworkParts parts = SmallClassifier();
  parts.operators.insert(parts.operators.begin(),
                         {OperatorCode::kRelu, 0, kNone8, kNone8, kNone16, kNone16, kNone16, 0, 0, 0});
  size_t bad = 0;
  EXPECT_EQ(Parse(parts.Bytes(), SmallClassifierShapes(), &bad), CoreStatus::kBadNetwork);
  EXPECT_EQ(bad, 32u + 8);
}

TEST(NetworkViewTest, WhatFollowsTheWidthsIsNoWidth) {
  NetworkParts parts = SmallLanguageModel();
  parts.rope_steps[0] = 6;
  parts.operators[15].out = 8;
  EXPECT_EQ(Parse(parts.Bytes(), SmallLanguageModelShapes()), CoreStatus::kBadNetwork);
  parts.operators[15].out = 7;
  EXPECT_EQ(Parse(parts.Bytes(), SmallLanguageModelShapes()), CoreStatus::kOk);
}

TEST(NetworkViewTest, OneBufferIsEnough) {
  NetworkParts parts = SmallClassifier();
  parts.outputs = 3;
  parts.widths = {3};
  parts.operators = {{OperatorCode::kAdd, 0, 0, 0, kNone16, kNone16, kNone16, 0, 0, 0}};
  EXPECT_EQ(Parse(parts.Bytes(), SmallClassifierShapes()), CoreStatus::kOk);
}

TEST(NetworkViewTest, IdsHave16Bits) {
  NetworkParts parts;
  parts.inputs = 65535;
  parts.outputs = 2;
  parts.window = 1;
  parts.widths = {2};
  parts.operators = {{OperatorCode::kEmbed, 0, kNone8, kNone8, 0, 1, kNone16, 0, 0, 0}};
  ShapeList shapes({{DType::kI8, 65535, 2}, {DType::kF32, 1, 65535}});
  EXPECT_EQ(Parse(parts.Bytes(), shapes), CoreStatus::kOk);
  parts.inputs = 65536;
  shapes[0].rows = shapes[1].cols = 65536;
  EXPECT_EQ(Parse(parts.Bytes(), shapes), CoreStatus::kBadNetwork);
}

TEST(NetworkViewTest, TensorsMustBeOfTheirShapesAndTypes) {
  const ShapeList good = SmallLanguageModelShapes();
  const std::string bytes = SmallLanguageModel().Bytes();
  ASSERT_EQ(Parse(bytes, good), CoreStatus::kOk);
  for (size_t i = 0; i < good.shapes().count; ++i) {
    const TensorShape shape = good.shapes().shape(&good, i);
    const bool matrix = shape.dtype == DType::kI8;
    for (const TensorShape& other :
         {TensorShape{shape.dtype, shape.rows + 1, shape.cols}, TensorShape{shape.dtype, shape.rows, shape.cols + 1},
          TensorShape{matrix ? DType::kU8 : DType::kF64, shape.rows, shape.cols},
          TensorShape{DType::kOpaque, shape.rows, shape.cols}, TensorShape{shape.dtype, shape.cols, shape.rows + 9}}) {
      ShapeList shapes = good;
      shapes[i] = other;
      EXPECT_EQ(Parse(bytes, shapes), CoreStatus::kBadNetwork) << i;
    }
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBf16}) {
      ShapeList shapes = good;
      shapes[i].dtype = dtype;
      EXPECT_EQ(Parse(bytes, shapes), matrix ? CoreStatus::kBadNetwork : CoreStatus::kOk) << i;
    }
  }
}

}  // namespace
}  // namespace modelvault
