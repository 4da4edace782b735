// Scales and zero points that the nodes of an ONNX model have for its weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/status_matchers.h"
#include "tests/tools/formats/onnx/onnx_bytes.h"
#include "tests/vault/memory_file.h"
#include "tools/formats/onnx/onnx_format.h"

namespace modelvault {
namespace {

using namespace onnx;  // NOLINT: messages are made of many pieces.
using testing::ElementsAre;
using testing::IsEmpty;

// Little-endian floats.
const std::string kHalf("\0\0\0\x3F", 4), kOne("\0\0\x80\x3F", 4), kTwo("\0\0\0\x40", 4);

// "TENSOR axis AXIS: SCALES; ZERO POINTS" of each.
std::vector<std::string> Told(const std::string& graph, const std::string& external = "") {
  const std::string model = Model(graph);
  std::vector<FilePart> files;
  if (!external.empty()) files = {{"m.onnx", model.size()}, {"m.data", external.size()}};
  const std::string all = model + external;
  const auto found =
      OnnxFormat().ReadQuantisation(MemoryFile(std::vector<uint8_t>(all.begin(), all.end()), "m.onnx"), files);
  EXPECT_THAT(found, IsOk());
  std::vector<std::string> told;
  if (!found.ok()) return told;
  for (const TensorQuantisation& q : *found) {
    told.push_back(absl::StrCat(q.tensor, " axis ", q.axis, ": ", absl::StrJoin(q.scales, " "), "; ",
                                absl::StrJoin(q.zero_points, " ")));
  }
  return told;
}

const std::string kWeights = Initializer(Tensor("w", kInt8, {2, 3}, "wwwwww"));
const std::string kScales = Initializer(Tensor("s2", kFloat, {2}, kHalf + kTwo)) +
                            Initializer(Tensor("s3", kFloat, {3}, kOne + kTwo + kHalf)) +
                            Initializer(Head("s", kFloat, {}) + Bytes(kFloatData, kHalf));

TEST(OnnxQuantisationTest, OneScaleForATensor) {
  // Nodes come before what they refer to.
  EXPECT_THAT(Told(Operation("DequantizeLinear", {"w", "s"}) + kWeights + kScales), ElementsAre("w axis 0: 0.5; "));
  EXPECT_THAT(Told(kWeights + kScales + Initializer(Tensor("z", kInt8, {}, "\xFD")) +
                   Operation("DequantizeLinear", {"w", "s", "z"})),
              ElementsAre("w axis 0: 0.5; -3"));
  // Exporters write small integers as varints of 32 bits.
  EXPECT_THAT(Told(kWeights + kScales + Initializer(Head("z", kUint8, {}) + Bytes(kInt32Data, Varint(200))) +
                   Operation("DequantizeLinear", {"w", "s", "z"})),
              ElementsAre("w axis 0: 0.5; 200"));
  EXPECT_THAT(
      Told(kWeights + kScales + Initializer(Head("z", kInt8, {}) + Bytes(kInt32Data, Varint(~uint64_t{0} - 127))) +
           Operation("DequantizeLinear", {"w", "s", "z"})),
      ElementsAre("w axis 0: 0.5; -128"));
}

TEST(OnnxQuantisationTest, AScaleForEachIndexOfAnAxis) {
  const std::string zeros = Initializer(Tensor("z", kInt8, {2}, "\x01\x02"));
  const auto told = [&](const std::string& scale, const std::string& attributes) {
    return Told(kWeights + kScales + Operation("DequantizeLinear", {"w", scale}, attributes));
  };
  EXPECT_THAT(told("s3", ""), ElementsAre("w axis 1: 1 2 0.5; "));
  EXPECT_THAT(told("s2", AxisOf(0)), ElementsAre("w axis 0: 0.5 2; "));
  EXPECT_THAT(told("s2", AxisOf(-2)), ElementsAre("w axis 0: 0.5 2; "));
  EXPECT_THAT(Told(kWeights + kScales + zeros + Operation("DequantizeLinear", {"w", "s2", "z"}, AxisOf(0))),
              ElementsAre("w axis 0: 0.5 2; 1 2"));
}

TEST(OnnxQuantisationTest, OperatorsOnIntegersHaveWeightsToo) {
  const std::string zeros = Initializer(Tensor("z", kInt32, {}, std::string("\0\x01\0\0", 4)));
  EXPECT_THAT(
      Told(kWeights + kScales + zeros +
           Operation("QLinearConv", {"x", "xs", "xz", "w", "s2", "z", "ys", "yz", "bias"}) +
           Operation("QLinearMatMul", {"x", "xs", "xz", "w2", "s3", "z", "ys", "yz"}) +
           Operation("QLinearMatMul", {"w3", "s2", "z", "x", "xs", "xz", "ys", "yz"}) +
           Initializer(Tensor("w2", kInt8, {2, 3}, "vvvvvv")) + Initializer(Tensor("w3", kInt8, {2, 3}, "uuuuuu"))),
      ElementsAre("w axis 0: 0.5 2; 256", "w2 axis 1: 1 2 0.5; 256", "w3 axis 0: 0.5 2; 256"));
}

TEST(OnnxQuantisationTest, ScalesAreFloatsOfAnySizeAndAnywhere) {
  EXPECT_THAT(Told(kWeights + Initializer(Tensor("h", kFloat16, {}, std::string("\0\x38", 2))) +
                   Initializer(Tensor("b", kBfloat16, {}, std::string("\0\x40", 2))) +
                   Initializer(Tensor("v", kInt16, {1}, "vv")) + Operation("DequantizeLinear", {"w", "h"}) +
                   Operation("DequantizeLinear", {"v", "b"})),
              ElementsAre("w axis 0: 0.5; ", "v axis 0: 2; "));
  const Entries place = {{"location", "m.data"}, {"offset", "4"}};
  EXPECT_THAT(
      Told(kWeights + Initializer(ExternalTensor("e", kFloat, {}, place)) + Operation("DequantizeLinear", {"w", "e"}),
           "skip" + kTwo),
      ElementsAre("w axis 0: 2; "));
  const std::string inner = kWeights + kScales + Operation("DequantizeLinear", {"w", "s"});
  EXPECT_THAT(Told(Node("if", 6, inner)), ElementsAre("w axis 0: 0.5; "));
  EXPECT_THAT(Told(Node("if", 11, inner)), ElementsAre("w axis 0: 0.5; "));
}

TEST(OnnxQuantisationTest, WhatIsNotCertainIsLeftOut) {
  const std::string all = kWeights + kScales;
  const auto left_out = [&](const std::string& more) { EXPECT_THAT(Told(all + more), IsEmpty()); };
  left_out(Operation("QuantizeLinear", {"w", "s"}));
  left_out(Operation("DequantizeLinear", {"w"}));
  left_out(Operation("DequantizeLinear", {"computed", "s"}));
  left_out(Operation("DequantizeLinear", {"w", "computed"}));
  left_out(Operation("DequantizeLinear", {"w", "s", "computed"}));
  left_out(Operation("DequantizeLinear", {"w", "s2"}));  // Of dimension 1 there are three.
  left_out(Operation("DequantizeLinear", {"w", "s2"}, AxisOf(2)));
  left_out(Operation("DequantizeLinear", {"w", "s2"}, AxisOf(-3)));
  left_out(Operation("DequantizeLinear", {"w", "w"}));
  left_out(Initializer(Tensor("z", kInt8, {3}, "123")) + Operation("DequantizeLinear", {"w", "s2", "z"}, AxisOf(0)));
  left_out(Initializer(Tensor("z", kFloat8, {}, "1")) + Operation("DequantizeLinear", {"w", "s", "z"}));
  left_out(Initializer(Tensor("blocks", kFloat, {2, 1}, kOne + kTwo)) +
           Operation("DequantizeLinear", {"w", "blocks"}, AxisOf(0)));
  // The branches of an `If` may have the same names.
  const std::string branch = Initializer(Tensor("s4", kFloat, {}, kOne));
  left_out(Operation("DequantizeLinear", {"w", "s4"}) + Node("if", 6, branch) + Node("if", 6, branch));
  const std::string zero = Initializer(Head("z", kInt8, {}) + Bytes(kInt32Data, Varint(1)));
  left_out(Operation("DequantizeLinear", {"w", "s", "z"}) + Node("if", 6, zero) + Node("if", 6, zero));
  left_out(Operation("DequantizeLinear", {"w", "s", "z"}) + zero +
           Node("if", 6, Initializer(Tensor("z", kInt8, {}, "1"))));
  // The first is told.
  EXPECT_THAT(
      Told(all + Operation("DequantizeLinear", {"w", "s2"}, AxisOf(0)) + Operation("DequantizeLinear", {"w", "s"})),
      ElementsAre("w axis 0: 0.5 2; "));
}

// Nodes that all refer to one vector stand for more numbers than there are bytes.
TEST(OnnxQuantisationTest, NoMoreNumbersThanTheFileHasBytes) {
  std::string scales, nodes;
  for (int i = 0; i < 100; ++i) scales += kHalf;
  for (int i = 0; i < 100; ++i) {
    const std::string name = absl::StrCat("w", i);
    nodes += Initializer(Tensor(name, kInt8, {100, 0}, "w")) + Operation("DequantizeLinear", {name, "s"}, AxisOf(0));
  }
  const std::string graph = nodes + Initializer(Tensor("s", kFloat, {100}, scales));
  EXPECT_EQ(Told(graph).size(), Model(graph).size() / scales.size());
}

TEST(OnnxQuantisationTest, NodesThatAreNoneAreRefused) {
  const std::string model = Model(kWeights + Bytes(1, Number(1, 5)));
  EXPECT_THAT(OnnxFormat().ReadQuantisation(MemoryFile(std::vector<uint8_t>(model.begin(), model.end()), "m.onnx"), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("m.onnx: offset ")));
}

}  // namespace
}  // namespace modelvault
