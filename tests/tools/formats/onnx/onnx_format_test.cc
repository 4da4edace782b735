// What is found in ONNX files, and what is refused.
#include "tools/formats/onnx/onnx_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/text_bytes.h"
#include "restore/model_file.h"
#include "tests/status_matchers.h"
#include "tests/tools/formats/onnx/onnx_bytes.h"
#include "tests/vault/memory_file.h"
#include "tools/formats/onnx/onnx_tensors.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using namespace onnx;  // NOLINT: messages are made of many pieces.
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<ModelFile> Open(const std::string& bytes, const FrameOptions& options = {}) {
  static const OnnxFormat kFormat;
  return ModelFile::FromFile(
      kFormat, std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "m.onnx"), options);
}

// Of the tensors of a file: name, type, shape and bytes.
std::vector<std::string> Tensors(const ModelFile& file) {
  std::vector<std::string> tensors;
  for (const ModelTensor& tensor : file.tensors()) {
    std::string bytes(static_cast<size_t>(tensor.size()), '\0');
    EXPECT_THAT(file.ReadData(tensor.begin, absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size())),
                IsOk());
    tensors.push_back(
        absl::StrCat(tensor.name, " ", tensor.type_name(), "[", absl::StrJoin(tensor.shape, ","), "] ", bytes));
  }
  return tensors;
}

void ExpectTensors(const std::string& bytes, const std::vector<std::string>& tensors) {
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(bytes));
  EXPECT_EQ(Tensors(file), tensors);
  ASSERT_OK_AND_ASSIGN(const std::string again, file.ReadFrameAgain());
  EXPECT_EQ(again, file.frame());
}

void ExpectRefused(const std::string& bytes, const std::string& why) {
  EXPECT_THAT(Open(bytes), StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("m.onnx: "), HasSubstr(why))));
}

TEST(OnnxFormatTest, RawDataHaveTheirTypes) {
  ExpectTensors(
      Model(
          Initializer(Tensor("w", kFloat, {1, 2}, "aaaabbbb")) + Initializer(Tensor("half", kFloat16, {2}, "ccdd")) +
          Initializer(Tensor("brain", kBfloat16, {1}, "ee")) + Initializer(Tensor("byte", kUint8, {3}, "fgh")) +
          Initializer(Tensor("int8", kInt8, {1, 3}, "ijk")) + Initializer(Tensor("short", kInt16, {1}, "ll")) +
          Initializer(Tensor("int", kInt32, {}, "mmmm")) + Initializer(Tensor("long", kInt64, {1}, "nnnnnnnn")) +
          Initializer(Tensor("bool", kBool, {1}, "o")) + Initializer(Tensor("double", kDouble, {1}, "pppppppp")) +
          Initializer(Tensor("nibbles", kInt4, {3}, "qq")) + Initializer(Tensor("unsigned nibbles", kUint4, {2}, "r")) +
          Initializer(Tensor("tiny", kFloat8, {2, 1}, "st")) + Initializer(Tensor("from the future", 99, {2}, "uvw")) +
          Initializer(Tensor("", kInt8, {1}, "x")) + Initializer(Tensor("none", kInt8, {0, 5}, ""))),
      {"w F32[1,2] aaaabbbb", "half F16[2] ccdd", "brain BF16[1] ee", "byte U8[3] fgh", "int8 I8[1,3] ijk",
       "short I16[1] ll", "int I32[] mmmm", "long I64[1] nnnnnnnn", "bool BOOL[1] o", "double F64[1] pppppppp",
       "nibbles I4[3] qq", "unsigned nibbles U4[2] r", "tiny F8_E4M3[2,1] st", "from the future type 99[2] uvw",
       "#2 I8[1] x"});
}

TEST(OnnxFormatTest, OtherValuesAreTypedWhereTheyStandAsTheyAre) {
  const auto valued = [](const std::string& name, uint64_t type, std::vector<uint64_t> dims,
                         const std::string& values) { return Initializer(Head(name, type, dims) + values); };
  ExpectTensors(Model(valued("packed", kFloat, {2}, Bytes(kFloatData, "aaaabbbb")) +
                      valued("doubles", kDouble, {1}, Bytes(kDoubleData, "cccccccc")) +
                      // Varints, strings, and arrays in pieces are opaque.
                      valued("varints", kInt32, {2}, Bytes(kInt32Data, Varint(300) + Varint(1))) +
                      valued("long", kInt64, {2}, Number(kInt64Data, 5) + Number(kInt64Data, 6)) +
                      valued("texts", kString, {2}, Bytes(kStringData, "one") + Bytes(kStringData, "two")) +
                      valued("pieces", kFloat, {2}, Bytes(kFloatData, "dddd") + Bytes(kFloatData, "eeee")) +
                      valued("single", kFloat, {1}, Varint(kFloatData << 3 | 5) + "ffff") +
                      valued("segment", kFloat, {1}, Bytes(3, Number(1, 0)) + Bytes(kRawData, "gggg")) +
                      valued("empty first", kFloat, {1}, Bytes(kRawData, "") + Bytes(kFloatData, "hhhh"))),
                {"packed F32[2] aaaabbbb", "doubles F64[1] cccccccc", "empty first F32[1] hhhh"});
}

TEST(OnnxFormatTest, DimensionsMayBePacked) {
  ExpectTensors(Model(Initializer(Bytes(kDims, Varint(2) + Varint(1)) + Number(kDataType, kInt8) + Bytes(kName, "w") +
                                  Bytes(kRawData, "ab"))),
                {"w I8[2,1] ab"});
}

TEST(OnnxFormatTest, TensorsAreFoundEverywhere) {
  const auto raw = [](const std::string& name, const std::string& value) { return Tensor(name, kInt8, {1}, value); };
  const std::string inner = Initializer(raw("inner", "a")) + Node("deep", 5, raw("", "b"));
  const std::string sparse = Bytes(1, raw("sparse", "f")) + Bytes(2, raw("indices", "g"));
  const std::string graph = Node("branch", 6, inner) + Node("branches", 11, Initializer(raw("other", "c"))) +
                            Node("constant", 5, raw("value", "d")) + Node("list", 10, raw("value", "e")) +
                            Bytes(15, sparse) + Node("sparse constant", 22, Bytes(1, raw("", "h"))) +
                            Node("sparse list", 23, Bytes(1, raw("", "i"))) + Node("", 5, raw("own name", "j"));
  const std::string training =
      Bytes(20, Bytes(1, Initializer(raw("start", "k"))) + Bytes(2, Initializer(raw("step", "l"))));
  std::string node = Node("in function", 5, raw("", "m"));
  node[0] = 7 << 3 | 2;  // As a FunctionProto calls it.
  const std::string function = Bytes(25, Bytes(1, "f") + node + Bytes(11, Bytes(5, raw("default", "n"))));
  ExpectTensors(Model(graph) + training + function,
                {"inner I8[1] a", "deep I8[1] b", "other I8[1] c", "constant I8[1] d", "list I8[1] e", "sparse I8[1] f",
                 "indices I8[1] g", "sparse constant I8[1] h", "sparse list I8[1] i", "own name I8[1] j",
                 "start I8[1] k", "step I8[1] l", "in function I8[1] m", "default I8[1] n"});
}

TEST(OnnxFormatTest, FieldsOfLaterVersionsArePassedOver) {
  const std::string unknown = Number(900, ~uint64_t{0}) + Bytes(901, "anything") + Varint(902 << 3 | 1) + "8 bytes!" +
                              Varint(903 << 3 | 5) + "four";
  ExpectTensors(Model(unknown + Initializer(unknown + Tensor("w", kInt8, {2}, "ab") + unknown)) + unknown,
                {"w I8[2] ab"});
}

TEST(OnnxFormatTest, FilesAreRecognisedByTheirFirstFields) {
  const OnnxFormat format;
  const auto recognised = [&](const std::string& head) {
    return format.Recognises(BytesOf(head).first(std::min<size_t>(head.size(), kModelHeadSize)));
  };
  EXPECT_TRUE(recognised(Model("")));
  EXPECT_TRUE(recognised(Model(std::string(1000, 'g'))));
  EXPECT_TRUE(recognised(Number(1, 3)));
  EXPECT_TRUE(recognised(Model("").substr(0, 5)));
  EXPECT_FALSE(recognised(""));
  EXPECT_FALSE(recognised(Number(1, 0)));
  EXPECT_FALSE(recognised(Bytes(7, "a graph without a version")));
  EXPECT_FALSE(recognised(Number(1, 8) + Bytes(9, "a field that models have not")));
  EXPECT_FALSE(recognised(Number(1, 8) + Number(7, 1)));
  EXPECT_FALSE(recognised("GGUF"));
  EXPECT_FALSE(recognised(std::string("\x08\x01\0\0\0\0\0\0{", 9)));
}

TEST(OnnxFormatTest, WhatIsNoMessageIsRefused) {
  const std::string graph = Initializer(Tensor("w", kInt8, {2}, "ab"));
  const std::string model = Model(graph);
  for (size_t size = 3; size < model.size(); ++size) {
    const auto opened = Open(model.substr(0, size));
    if (opened.ok()) continue;  // Between two fields.
    EXPECT_THAT(opened, StatusIs(StatusCode::kInvalidArgument, HasSubstr("m.onnx: offset "))) << size;
  }
  const std::string start = Number(1, 8);
  ExpectRefused(start + Varint(7 << 3 | 2) + Varint(100) + graph,
                absl::StrCat("offset 2: field 7 has 100 bytes, but only ", graph.size(), " follow"));
  // What a reader that keeps 32 bits of a length takes for 3.
  ExpectRefused(start + Varint(7 << 3 | 2) + Varint((uint64_t{1} << 32) + 3) + "abc",
                "offset 2: field 7 has 4294967299 bytes, but only 3 follow");
  ExpectRefused(start + Varint(7 << 3 | 2) + Varint(~uint64_t{0}) + "abc", "has 18446744073709551615 bytes");
  // Within a graph that ends before its tensor does.
  ExpectRefused(start + Bytes(7, Varint(5 << 3 | 2) + Varint(4) + "abc") + "defg",
                "offset 4: field 5 has 4 bytes, but only 3 follow");
  ExpectRefused(start + Varint((uint64_t{1} << 32 | 7) << 3 | 2) + Varint(0), "which no field has");
  ExpectRefused(start + std::string(1, '\0'), "offset 2: tag 0, which no field has");
  ExpectRefused(start + Varint(30 << 3 | 3), "offset 2: field 30 has wire type 3");
  ExpectRefused(start + Varint(30 << 3) + std::string(11, '\xff'), "expected a varint");
  ExpectRefused(start + Number(7, 4), "offset 2: field 7: expected bytes of a length, found a varint");
  ExpectRefused(start + Bytes(7, Initializer(Bytes(kDataType, "1"))), "expected a varint, found bytes of a length");
  ExpectRefused(start + Varint(30 << 3 | 1) + "short", "offset 2: expected 8 bytes");
}

TEST(OnnxFormatTest, NestingIsLimited) {
  std::string graph = Initializer(Tensor("w", kInt8, {1}, "a"));
  for (int i = 0; i < 30; ++i) graph = Node("if", 6, graph);
  ExpectTensors(Model(graph), {"w I8[1] a"});
  for (int i = 0; i < 10; ++i) graph = Node("if", 6, graph);
  ExpectRefused(Model(graph), "messages are nested too deeply");
}

TEST(OnnxFormatTest, TensorsThatCannotBeAreRefused) {
  const auto refused = [](const std::string& tensor, const std::string& why) {
    ExpectRefused(Model(Initializer(tensor)), why);
  };
  refused(Tensor("w", kFloat, {2, 3}, "aaaabbbb"), "tensor 'w' at offset 23: 8 bytes, but F32 [2, 3] has 24");
  refused(Tensor("w", kInt4, {5}, "aa"), "2 bytes, but I4 [5] has 3");
  refused(Head("w", kFloat, {3}) + Bytes(kFloatData, "aaaabbbb"), "8 bytes, but F32 [3] has 12");
  refused(Tensor("w", kDouble, {(uint64_t{1} << 61) + 1}, "aaaaaaaa"),
          "the elements of [2305843009213693953] do not fit");
  refused(Tensor("w", kInt8, {uint64_t{1} << 32, uint64_t{1} << 32, 2}, "ab"),
          "tensor 'w' at offset 33: the elements of [4294967296, 4294967296, 2] do not fit 64 bits");
  refused(Tensor("w", kInt8, {static_cast<uint64_t>(-2)}, "ab"), "tensor '' at offset 10: dimension -2 is negative");
  refused(Bytes(kName, "w") + Bytes(kDims, Varint(static_cast<uint64_t>(-1))), "tensor 'w' at offset 10: dimension -1");
  refused(Tensor("w", kInt8, std::vector<uint64_t>(65, 1), "a"), "offset 142: more than 64 numbers");
  refused(Tensor(std::string("w\0x", 3), kInt8, {1}, "a"), "the name 'w\\x00x' has a NUL");
  refused(Tensor(std::string(70000, 'w'), kInt8, {1}, "a"), "a text of 70000 bytes, at most 65536 are taken");
  refused(Tensor("w", kFloat, {1}, "aaaa") + Bytes(kRawData, "bbbb"),
          "tensor 'w' at offset 10: values in field 9 and again in field 9 at offset 25");
  refused(Tensor("w", kFloat, {1}, "aaaa") + Bytes(kFloatData, "bbbb"), "again in field 4");
  refused(Tensor("w", kInt32, {1}, "aaaa") + Number(kInt32Data, 1), "again in field 5");
}

TEST(OnnxFormatTest, InitializersOfAGraphHaveNamesOfTheirOwn) {
  const std::string w = Initializer(Tensor("w", kInt8, {1}, "a"));
  ExpectRefused(Model(w + w), "tensor 'w' at offset 22: the graph has two initializers of this name");
  ExpectRefused(Model(w + Bytes(15, Bytes(1, Tensor("w", kInt8, {1}, "b")))), "two initializers of this name");
  // In another graph it is another tensor.
  ExpectTensors(Model(w + Node("if", 6, w)), {"w I8[1] a", "w#2 I8[1] a"});
}

TEST(OnnxFormatTest, AFailingDiskIsNoBadFile) {
  class FailingFile : public MemoryFile {
   public:
    explicit FailingFile(const std::string& bytes) : MemoryFile({bytes.begin(), bytes.end()}, "m.onnx") {}
    absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
      return offset > 0 ? absl::UnavailableError("m.onnx: the disk is gone") : MemoryFile::ReadAt(offset, out);
    }
  };
  // Two tensors so large that the second one's message takes another read.
  const std::string large(200000, 'w');
  const std::string model = Model(Initializer(Tensor("v", kInt8, {large.size()}, large)) +
                                  Initializer(Tensor("w", kInt8, {large.size()}, large)));
  EXPECT_THAT(ReadOnnxTensors(FailingFile(model), model.size()),
              StatusIs(StatusCode::kUnavailable, "m.onnx: the disk is gone"));
}

// They are worth mutating only as long as they are models.
TEST(OnnxFormatTest, SeedsOfTheFuzzTargetAreRead) {
  const std::map<std::string, std::vector<std::string>> names = {
      {"plain", {"w", "h", "n", "f"}},
      {"nested", {"inner", "deep", "list", "sparse", "at", "w", "h", "n", "f"}},
      {"external", {"w", "same", "v"}},
      {"quantised", {"w", "scales"}}};
  for (const auto& [seed, expected] : names) {
    std::ifstream in(std::string(MODELVAULT_FUZZ_CORPUS "/onnx/") + seed, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    ASSERT_OK_AND_ASSIGN(const std::vector<OnnxTensor> tensors,
                         ReadOnnxTensors(MemoryFile({bytes.begin(), bytes.end()}), bytes.size()));
    std::vector<std::string> found;
    for (const OnnxTensor& tensor : tensors) found.push_back(tensor.name);
    EXPECT_EQ(found, expected) << seed;
  }
}

TEST(OnnxFormatTest, AMessageHasLessThan2GiB) {
  class LargeFile : public MemoryFile {
   public:
    LargeFile() : MemoryFile({}, "m.onnx") {}
    uint64_t size() const override { return uint64_t{1} << 31; }
  };
  EXPECT_THAT(ReadOnnxTensors(LargeFile(), uint64_t{1} << 31),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("m.onnx: 2147483648 bytes, but an ONNX message has at most 2147483647")));
}

}  // namespace
}  // namespace modelvault
