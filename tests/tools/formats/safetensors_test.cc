#include "tools/formats/safetensors.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/faulty_file_system.h"
#include "tests/vault/memory_file.h"
#include "tools/formats/model_formats.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return absl::Span<const uint8_t>(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

std::string Le64(uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
  return bytes;
}

std::string WithLength(const std::string& json) { return Le64(json.size()) + json; }

absl::StatusOr<SafetensorsHeader> Parse(const std::string& json, uint64_t data_size) {
  return ParseSafetensorsHeader(Bytes(WithLength(json)), data_size, "m.safetensors");
}

absl::StatusOr<ModelFile> OpenBytes(const std::string& bytes) {
  static const SafetensorsFormat kFormat;
  return ModelFile::FromFile(
      kFormat, std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "m.safetensors"));
}

// The header entry of one tensor.
std::string Entry(const std::string& name, const std::string& dtype, const std::string& shape, uint64_t begin,
                  uint64_t end) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":[", begin, ",",
                      end, "]}");
}

std::string Object(const std::vector<std::string>& entries) {
  return absl::StrCat("{", absl::StrJoin(entries, ","), "}");
}

// Expects an error that names the file and `what`.
void ExpectBad(const std::string& json, uint64_t data_size, const std::string& what) {
  SCOPED_TRACE(json.substr(0, 200));
  EXPECT_THAT(Parse(json, data_size),
              StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("m.safetensors"), HasSubstr(what))));
}

constexpr char kSmallJson[] =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"I8","shape":[2,3],"data_offsets":[4,10]},)"
    R"("b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}  )";

TEST(SafetensorsTest, ReadsTensorsInDataOrderWithTheirBytes) {
  const std::string bytes = WithLength(kSmallJson) + "0123456789";
  ASSERT_OK_AND_ASSIGN(const ModelFile file, OpenBytes(bytes));
  EXPECT_THAT(file.tensors(),
              ElementsAre(ModelTensor("b", DType::kF32, {}, 0), ModelTensor("a", DType::kI8, {2, 3}, 4)));
  EXPECT_EQ(file.tensors()[1].size(), 6u);
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, Parse(kSmallJson, 10));
  EXPECT_THAT(header.metadata, ElementsAre(Pair("format", "pt")));
  EXPECT_EQ(file.frame(), WithLength(kSmallJson));
  EXPECT_THAT(file.structure().pieces, ElementsAre(FramePiece{0, sizeof(kSmallJson) - 1 + 8}));
  EXPECT_EQ(file.data_size(), 10u);
  EXPECT_EQ(file.path(), "m.safetensors");
  std::vector<uint8_t> out(6);
  EXPECT_THAT(file.ReadData(4, absl::MakeSpan(out)), IsOk());
  EXPECT_EQ(std::string(out.begin(), out.end()), "456789");
  EXPECT_THAT(file.ReadData(5, absl::MakeSpan(out)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("m.safetensors")));
  EXPECT_THAT(file.ReadData(~uint64_t{0}, absl::MakeSpan(out)), StatusIs(StatusCode::kInvalidArgument));
}

TEST(SafetensorsTest, OpensFilesOfTheFileSystem) {
  const TempFolder folder;
  const std::string bytes = WithLength(kSmallJson) + "0123456789";
  ASSERT_OK_AND_ASSIGN(const ModelFile file,
                       OpenModelFile(FileSystem::Default(), folder.Write("x.safetensors", bytes)));
  EXPECT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.path(), folder.File("x.safetensors"));
  EXPECT_EQ(file.size(), bytes.size());
  EXPECT_THAT(OpenModelFile(FileSystem::Default(), folder.File("none")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(OpenModelFile(FileSystem::Default(), folder.Write("empty", "")),
              StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr(folder.File("empty")), HasSubstr("empty"))));
}

TEST(SafetensorsTest, AnyFailingReadIsReported) {
  const TempFolder folder;
  const std::string path = folder.Write("x.safetensors", WithLength(kSmallJson) + "0123456789");
  FaultyFileSystem disk;
  ASSERT_THAT(OpenModelFile(disk, path), IsOk());
  const int count = disk.count();
  ASSERT_GE(count, 5);  // open, look, read the head, the length, the header
  for (int n = 1; n <= count; ++n) {
    disk.FailAt(n, EIO);
    EXPECT_THAT(OpenModelFile(disk, path), StatusIs(StatusCode::kUnavailable, HasSubstr(path))) << n;
  }
}

TEST(SafetensorsTest, TruncationAtEveryByteIsAnError) {
  const std::string bytes = WithLength(kSmallJson) + "0123456789";
  ASSERT_THAT(OpenBytes(bytes), IsOk());
  for (size_t size = 0; size < bytes.size(); ++size) {
    SCOPED_TRACE(absl::StrCat("first ", size, " of ", bytes.size(), " bytes"));
    EXPECT_THAT(OpenBytes(bytes.substr(0, size)), StatusIs(StatusCode::kInvalidArgument, HasSubstr("m.safetensors")));
  }
  EXPECT_THAT(OpenBytes(bytes + "x"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("tensors cover 10 bytes of a data section of 11")));
}

TEST(SafetensorsTest, AHeaderShortenedWithItsLengthIsAnErrorAtEveryByte) {
  const std::string json(kSmallJson);
  for (size_t size = 0; size < json.size() - 2; ++size) {  // the two spaces at the end may go
    SCOPED_TRACE(size);
    EXPECT_THAT(Parse(json.substr(0, size), 10), StatusIs(StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(Parse(json.substr(0, json.size() - 2), 10), IsOk());
}

TEST(SafetensorsTest, LyingHeaderLengths) {
  const std::string rest = std::string(kSmallJson) + "0123456789";
  for (const uint64_t length : {uint64_t{rest.size() + 1}, uint64_t{100'000'000}}) {
    EXPECT_THAT(OpenBytes(Le64(length) + rest),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(absl::StrCat("header length ", length, ", but"))));
  }
  for (const uint64_t length : {uint64_t{100'000'001}, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 7}) {
    EXPECT_THAT(OpenBytes(Le64(length) + rest),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(absl::StrCat("header length ", length, " exceeds"))));
    EXPECT_THAT(ParseSafetensorsHeader(Bytes(Le64(length) + rest), 0, "f"),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("exceeds")));
  }
  EXPECT_THAT(OpenBytes(Le64(0)), StatusIs(StatusCode::kInvalidArgument, HasSubstr("does not start with '{'")));
  EXPECT_THAT(ParseSafetensorsHeader(Bytes("{}"), 0, "f"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseSafetensorsHeader(Bytes(Le64(1) + "{}"), 0, "f"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("header length 1, but 2 bytes follow")));
}

TEST(SafetensorsTest, TheSmallestFilesAreFine) {
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader none, Parse("{}", 0));
  EXPECT_THAT(none.tensors, IsEmpty());
  EXPECT_THAT(Parse("{}      ", 0), IsOk());
  EXPECT_THAT(Parse(R"({"__metadata__":{}})", 0), IsOk());
  EXPECT_THAT(Parse(R"({"__metadata__":null})", 0), IsOk());
}

TEST(SafetensorsTest, EmptyTensorsAndScalars) {
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header,
                       Parse(Object({Entry("s", "I16", "[]", 0, 2), Entry("z", "F32", "[0]", 2, 2),
                                     Entry("y", "F32", "[3,0,18446744073709551615,2]", 2, 2),
                                     Entry("x", "U8", "[1,1,1]", 2, 3), Entry("w", "I64", "[0]", 0, 0)}),
                             3));
  std::vector<std::string> names;
  for (const ModelTensor& tensor : header.tensors) names.push_back(tensor.name);
  EXPECT_THAT(names, ElementsAre("w", "s", "y", "z", "x"));
  ExpectBad(Object({Entry("s", "I16", "[]", 0, 2), Entry("z", "F32", "[0]", 1, 1)}), 2, "tensor 'z': overlaps");
  ExpectBad(Object({Entry("z", "F32", "[0]", 1, 1)}), 0, "tensor 'z': data_offsets [1, 1] do not lie within");
}

TEST(SafetensorsTest, EveryKnownDtypeHasItsSize) {
  const std::vector<std::pair<std::string, uint32_t>> bits = {
      {"BOOL", 8},        {"U8", 8},          {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
      {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
      {"I32", 32},        {"U32", 32},        {"F32", 32},    {"F64", 64},    {"I64", 64},    {"U64", 64},
      {"C64", 64},        {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}};
  for (const auto& [dtype, size] : bits) {
    SCOPED_TRACE(dtype);
    EXPECT_EQ(SafetensorsTensor("t", dtype, {}, 0, 0).element_bits(), size);
    EXPECT_EQ(SafetensorsTensor("t", dtype, {}, 0, 0).type_name(), dtype);
    EXPECT_THAT(Parse(Object({Entry("t", dtype, "[4,5,4]", 0, 10 * size)}), 10 * size), IsOk());
    ExpectBad(Object({Entry("t", dtype, "[4,5,4]", 0, 10 * size + 1)}), 10 * size + 1,
              absl::StrCat("tensor 't': shape [4, 5, 4] of ", dtype, " takes ", 10 * size, " bytes, data_offsets [0, ",
                           10 * size + 1, "] hold ", 10 * size + 1));
    ExpectBad(Object({Entry("t", dtype, "[4,5,4]", 0, 10 * size - 1)}), 10 * size - 1, "tensor 't'");
  }
  EXPECT_EQ(SafetensorsTensor("t", "i8", {}, 0, 0).element_bits(), 0u);
  ExpectBad(Object({Entry("t", "F4", "[3]", 0, 2)}), 2, "does not fill whole bytes");
  ExpectBad(Object({Entry("t", "F6_E2M3", "[2]", 0, 2)}), 2, "does not fill whole bytes");
}

TEST(SafetensorsTest, UnknownDtypesAreOpaqueBytes) {
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, Parse(Object({Entry("t", "Q4_K", "[100]", 0, 57)}), 57));
  EXPECT_EQ(header.tensors[0].dtype, DType::kOpaque);
  EXPECT_EQ(header.tensors[0].type_name(), "Q4_K");
  EXPECT_EQ(header.tensors[0].elements(), 57u);
  EXPECT_EQ(header.tensors[0].size(), 57u);
  ExpectBad(Object({Entry("t", std::string(33, 'Q'), "[1]", 0, 1)}), 1, "dtype must have 1 to 32 bytes, has 33");
  ExpectBad(Object({Entry("t", "", "[1]", 0, 1)}), 1, "has 0");
}

TEST(SafetensorsTest, TensorsMustTileTheDataSection) {
  const auto two = [](uint64_t begin1, uint64_t end1, uint64_t begin2, uint64_t end2) {
    return Object({Entry("one", "U8", absl::StrCat("[", end1 - begin1, "]"), begin1, end1),
                   Entry("two", "U8", absl::StrCat("[", end2 - begin2, "]"), begin2, end2)});
  };
  EXPECT_THAT(Parse(two(0, 4, 4, 8), 8), IsOk());
  EXPECT_THAT(Parse(two(4, 8, 0, 4), 8), IsOk());
  ExpectBad(two(0, 4, 5, 8), 8, "tensor 'two': leaves a hole before it in the data section: expected begin 4, found 5");
  ExpectBad(two(1, 4, 4, 8), 8, "tensor 'one': leaves a hole before it in the data section: expected begin 0, found 1");
  ExpectBad(two(0, 5, 4, 8), 8, "tensor 'two': overlaps the tensor before it in the data section: expected begin 5");
  ExpectBad(two(0, 8, 0, 8), 8, "tensor 'two': overlaps");  // the same bytes twice
  ExpectBad(two(0, 4, 4, 7), 8, "tensors cover 7 bytes of a data section of 8");
  ExpectBad(two(0, 4, 4, 9), 8,
            "tensor 'two': data_offsets [4, 9] do not lie within the data section of 8 bytes, which is 1 short");
  ExpectBad("{}", 1, "tensors cover 0 bytes of a data section of 1");
}

TEST(SafetensorsTest, ImpossibleOffsets) {
  const std::string start = R"({"t":{"dtype":"I8","shape":[4],"data_offsets":)";
  ExpectBad(start + "[4,0]}}", 4, "data_offsets [4, 0] do not lie within");
  ExpectBad(start + "[18446744073709551612,0]}}", 4, "do not lie within");
  ExpectBad(start + "[0,18446744073709551615]}}", 4, "do not lie within");
  ExpectBad(start + "[0,18446744073709551616]}}", 4, "expected a number from 0 to 2^64 - 1");
  ExpectBad(start + "[-1,4]}}", 4, "tensor 't': data_offsets: expected a number from 0 to 2^64 - 1, found negative -1");
  ExpectBad(start + "[0,4.0]}}", 4, "found '4.0'");
  ExpectBad(start + "[0,4e0]}}", 4, "found '4e0'");
  ExpectBad(start + "[0,\"4\"]}}", 4, "found a string");
  ExpectBad(start + "[0,null]}}", 4, "found null");
  ExpectBad(start + "[0,[4]]}}", 4, "found an array");
  ExpectBad(start + "[]}}", 4, "data_offsets has 0 numbers, not 2");
  ExpectBad(start + "[4]}}", 4, "data_offsets has 1 numbers, not 2");
  ExpectBad(start + "[0,4,4]}}", 4, "data_offsets has more than 2 numbers");
  ExpectBad(start + "4}}", 4, "data_offsets: expected an array, found 4");
  ExpectBad(start + "{\"begin\":0,\"end\":4}}}", 4, "data_offsets: expected an array, found an object");
}

TEST(SafetensorsTest, ImpossibleShapes) {
  const auto with_shape = [](const std::string& shape) { return Object({Entry("t", "F32", shape, 0, 4)}); };
  EXPECT_THAT(Parse(with_shape("[1]"), 4), IsOk());
  // Each product is 2^64 or 2^65 and would pass as 0 or, with the element's size, as 4 bytes if it wrapped.
  ExpectBad(with_shape("[4294967296,4294967296]"), 4, "has too many elements");
  ExpectBad(with_shape("[18446744073709551615,18446744073709551615]"), 4, "has too many elements");
  ExpectBad(with_shape("[4611686018427387905]"), 4, "has too many bits");
  ExpectBad(with_shape("[576460752303423489]"), 4, "has too many bits");
  ExpectBad(Object({Entry("t", "Q", "[4294967296,4294967296]", 0, 4)}), 4, "has too many elements");
  ExpectBad(with_shape("[-1]"), 4, "tensor 't': shape: expected a number from 0 to 2^64 - 1, found negative -1");
  ExpectBad(with_shape("[1.0]"), 4, "found '1.0'");
  ExpectBad(with_shape("[true]"), 4, "found a boolean");
  ExpectBad(with_shape("[{}]"), 4, "found an object");
  ExpectBad(with_shape("1"), 4, "shape: expected an array, found 1");
  ExpectBad(with_shape("null"), 4, "shape: expected an array, found null");
  std::string many = "[1";
  for (int i = 1; i < 64; ++i) many += ",1";
  EXPECT_THAT(Parse(with_shape(many + "]"), 4), IsOk());
  ExpectBad(with_shape(many + ",1]"), 4, "shape has more than 64 dimensions");
}

TEST(SafetensorsTest, ElementCounts) {
  EXPECT_THAT(ElementCount({}), testing::Optional(1u));
  EXPECT_THAT(ElementCount({3, 4}), testing::Optional(12u));
  EXPECT_THAT(ElementCount({~uint64_t{0}}), testing::Optional(~uint64_t{0}));
  EXPECT_THAT(ElementCount({~uint64_t{0}, ~uint64_t{0}, 0}), testing::Optional(0u));
  EXPECT_EQ(ElementCount({~uint64_t{0}, 2}), std::nullopt);
}

TEST(SafetensorsTest, RepeatedKeysAreRefused) {
  const std::string entry = Entry("t", "I8", "[0]", 0, 0);
  ExpectBad(Object({entry, entry}), 0, "repeated key 't'");
  // Spelt differently, the same all the same.
  ExpectBad(Object({entry, Entry("\\u0074", "I8", "[0]", 0, 0)}), 0, "repeated key 't'");
  ExpectBad(Object({entry, Entry("u", "I8", "[0]", 0, 0), Entry("t", "I8", "[4]", 0, 4)}), 4, "repeated key 't'");
  ExpectBad(R"({"__metadata__":{},"__metadata__":{}})", 0, "repeated key '__metadata__'");
  ExpectBad(R"({"__metadata__":{"a":"1","b":"2","a":"1"}})", 0, "__metadata__: repeated key 'a'");
  ExpectBad(R"({"t":{"dtype":"I8","dtype":"I8","shape":[0],"data_offsets":[0,0]}})", 0,
            "tensor 't': repeated key 'dtype'");
  ExpectBad(R"({"t":{"dtype":"I8","shape":[0],"shape":[0],"data_offsets":[0,0]}})", 0, "repeated key 'shape'");
  ExpectBad(R"({"t":{"dtype":"I8","shape":[0],"data_offsets":[0,0],"data_offsets":[0,0]}})", 0,
            "repeated key 'data_offsets'");
}

TEST(SafetensorsTest, MissingAndMistypedFields) {
  ExpectBad(R"({"t":{}})", 0, "tensor 't': dtype is missing");
  ExpectBad(R"({"t":{"shape":[0],"data_offsets":[0,0]}})", 0, "tensor 't': dtype is missing");
  ExpectBad(R"({"t":{"dtype":"I8","data_offsets":[0,0]}})", 0, "tensor 't': shape is missing");
  ExpectBad(R"({"t":{"dtype":"I8","shape":[0]}})", 0, "tensor 't': data_offsets is missing");
  ExpectBad(R"({"t":{"dtype":8,"shape":[0],"data_offsets":[0,0]}})", 0, "dtype: expected a string, found 8");
  ExpectBad(R"({"t":{"dtype":{},"shape":[0],"data_offsets":[0,0]}})", 0, "dtype: expected a string, found an object");
  for (const auto& [value, found] : std::vector<std::pair<std::string, std::string>>{{"1", "1"},
                                                                                     {"-1", "negative -1"},
                                                                                     {"1.5", "'1.5'"},
                                                                                     {"\"x\"", "a string"},
                                                                                     {"[]", "an array"},
                                                                                     {"null", "null"},
                                                                                     {"true", "a boolean"}}) {
    ExpectBad("{\"t\":" + value + "}", 0, "tensor 't': expected an object, found " + found);
    if (found == "a string") continue;  // as it should be in metadata
    ExpectBad("{\"__metadata__\":{\"k\":" + value + "}}", 0,
              "__metadata__: key 'k': expected a string, found " + found);
  }
  ExpectBad(R"({"__metadata__":[]})", 0, "__metadata__: expected an object, found an array");
  ExpectBad(R"({"__metadata__":"pt"})", 0, "__metadata__: expected an object, found a string");
}

TEST(SafetensorsTest, UnknownFieldsOfATensorAreIgnored) {
  for (const char* value : {"1", "\"x\"", "null", "{}", "[]", "[[1,{\"dtype\":\"F32\",\"shape\":[[]]}],2]",
                            "{\"a\":{\"b\":[1,-2,3.5,true,null]},\"c\":\"d\"}"}) {
    SCOPED_TRACE(value);
    const std::string json =
        absl::StrCat(R"({"t":{"dtype":"I8","extra":)", value, R"(,"shape":[3],"data_offsets":[0,3]}})");
    ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, Parse(json, 3));
    EXPECT_THAT(header.tensors, ElementsAre(ModelTensor("t", DType::kI8, {3}, 0)));
  }
}

TEST(SafetensorsTest, WhatIsNotUtf8JsonIsRefused) {
  for (const char* json : {"[]", "null", "1", "\"{}\"", " {}", "\n{}", "\xef\xbb\xbf{}"}) {
    ExpectBad(json, 0, "does not start with '{'");
  }
  ExpectBad("{", 0, "header is not UTF-8 JSON at offset 9");
  ExpectBad("{}}", 0, "header is not UTF-8 JSON at offset 10");
  ExpectBad("{} x", 0, "header is not UTF-8 JSON at offset 11");
  ExpectBad("{,}", 0, "not UTF-8 JSON");
  ExpectBad(R"({"a" 1})", 0, "not UTF-8 JSON");
  ExpectBad(R"({"a":NaN})", 0, "not UTF-8 JSON");
  ExpectBad("{\"a\xff\":1}", 0, "not UTF-8 JSON");
  ExpectBad("{\"\xc0\x80\":1}", 0, "not UTF-8 JSON");      // an overlong NUL
  ExpectBad("{\"\xed\xa0\x80\":1}", 0, "not UTF-8 JSON");  // a surrogate
  ExpectBad(R"({"\ud800":1})", 0, "not UTF-8 JSON");       // half of an escaped pair
  ExpectBad("{\"a\nb\":1}", 0, "not UTF-8 JSON");          // a bare control character
  ExpectBad(R"({"__metadata__":{"k":1e999}})", 0, "not UTF-8 JSON");
  ExpectBad("{}/* */", 0, "not UTF-8 JSON");
}

// The JSON parser takes a NUL for the end of the input: what follows would be in the file, but in no check.
TEST(SafetensorsTest, ANulAnywhereInTheHeaderIsRefused) {
  using std::string_literals::operator""s;
  ExpectBad("{}\0"s, 0, "padded with NUL bytes, which must be spaces, from offset 10");
  ExpectBad("{}\0\0hidden"s, 0, "contains a NUL at offset 10");
  ExpectBad("{\0}"s, 0, "contains a NUL at offset 9");
}

TEST(SafetensorsTest, Names) {
  const auto named = [](const std::string& name) { return Object({Entry(name, "I8", "[0]", 0, 0)}); };
  for (const std::string& name : {std::string("a/b.c d"), std::string("gewicht\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
                                  std::string("'"), std::string(1024, 'n')}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, Parse(named(name), 0));
    EXPECT_EQ(header.tensors[0].name, name);
  }
  ExpectBad(named(""), 0, "a tensor has no name");
  ExpectBad(named(std::string(1025, 'n')), 0, "name has 1025 bytes, limit 1024");
  ExpectBad(named("a\\u0000b"), 0, "tensor 'a\\x00\\x62': name contains a NUL");
}

TEST(SafetensorsTest, MessagesAreShortAndHarmlessWhateverTheNames) {
  const absl::Status status =
      Parse(Object({Entry("\\u001b[31m" + std::string(1000, 'n'), "I8", "[1]", 0, 0)}), 0).status();
  EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, HasSubstr("\\x1b[31mnnn")));
  EXPECT_LT(status.message().size(), 300u);
  EXPECT_EQ(status.message().find('\x1b'), absl::string_view::npos);
  // A token that never ends is not repeated either.
  EXPECT_LT(Parse("{\"" + std::string(1'000'000, 'x'), 0).status().message().size(), 200u);
}

TEST(SafetensorsTest, HostileNestingIsCheap) {
  const std::string extra = R"({"t":{"dtype":"I8","shape":[0],"data_offsets":[0,0],"x":)";
  const auto nested = [&](size_t depth) { return extra + std::string(depth, '[') + std::string(depth, ']') + "}}"; };
  EXPECT_THAT(Parse(nested(126), 0), IsOk());
  ExpectBad(nested(127), 0, "nested more than 128 deep");
  ExpectBad(extra + std::string(10'000'000, '['), 0, "nested more than 128 deep");
  std::string objects = extra;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  ExpectBad(objects, 0, "nested more than 128 deep");
  ExpectBad(std::string("{\"t\":") + std::string(10'000'000, '['), 0, "expected an object, found an array");
}

TEST(SafetensorsTest, ManyTensors) {
  std::vector<std::string> entries;
  for (uint64_t i = 0; i < 50'000; ++i)
    entries.push_back(Entry(absl::StrCat("t", 49'999 - i), "I8", "[2]", 2 * i, 2 * i + 2));
  ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, Parse(Object(entries), 100'000));
  EXPECT_EQ(header.tensors.size(), 50'000u);
  EXPECT_EQ(header.tensors[1].name, "t49998");
}

TEST(SafetensorsTest, EverySingleBitFlipOfAHeaderIsAnErrorOrADescriptionOfExactlyTheData) {
  const std::string bytes = WithLength(kSmallJson);
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto header = ParseSafetensorsHeader(Bytes(flipped), 10, "f");
    if (!header.ok()) {
      EXPECT_THAT(header, StatusIs(StatusCode::kInvalidArgument, HasSubstr("f: bad safetensors file"))) << bit;
      continue;
    }
    uint64_t covered = 0;
    for (const ModelTensor& tensor : header->tensors) {
      EXPECT_EQ(tensor.begin, covered) << bit;
      covered = tensor.end;
    }
    EXPECT_EQ(covered, 10u) << bit;
  }
}

TEST(SafetensorsHeaderForTest, WritesTheCanonicalForm) {
  ASSERT_OK_AND_ASSIGN(const std::string header, SafetensorsHeaderFor({ModelTensor("b", DType::kF32, {}, 100),
                                                                       ModelTensor("a", DType::kI8, {2, 3}, 7)},
                                                                      {{"z", "\"quoted\""}, {"format", "pt"}}));
  const std::string json =
      R"({"__metadata__":{"format":"pt","z":"\"quoted\""},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("a":{"dtype":"I8","shape":[2,3],"data_offsets":[4,10]}})";
  EXPECT_EQ(header.size() % 8, 0u);
  EXPECT_EQ(header.substr(0, 8), Le64(header.size() - 8));
  EXPECT_EQ(header.substr(8, json.size()), json);
  EXPECT_EQ(header.substr(8 + json.size()), std::string(header.size() - 8 - json.size(), ' '));
  EXPECT_LT(header.size() - 8 - json.size(), 8u);
}

TEST(SafetensorsHeaderForTest, WhatItWritesReadsBack) {
  const SafetensorsMetadata metadata = {{"k\n\xc3\xa4", "v\t\\"}, {"", ""}};
  std::vector<ModelTensor> tensors;
  uint64_t begin = 0;
  for (const std::string& name :
       {std::string("x"), std::string("sub/\"n\"\n"), std::string("\xe2\x82\xac"), std::string(100, 'y')}) {
    tensors.emplace_back(name, DType::kF16, std::vector<uint64_t>{name.size(), 2}, begin);
    begin = tensors.back().end;
    ASSERT_OK_AND_ASSIGN(const std::string bytes, SafetensorsHeaderFor(tensors, metadata));
    ASSERT_OK_AND_ASSIGN(const SafetensorsHeader header, ParseSafetensorsHeader(Bytes(bytes), begin, "f"));
    EXPECT_EQ(header.tensors, tensors);
    EXPECT_EQ(header.metadata, metadata);
    EXPECT_EQ(bytes.size() % 8, 0u);
  }
  for (size_t size = 1; size <= 16; ++size) {
    const ModelTensor tensor(std::string(size, 'n'), DType::kI8, {0});
    ASSERT_OK_AND_ASSIGN(const std::string bytes, SafetensorsHeaderFor({tensor}, {}));
    EXPECT_EQ(bytes.size() % 8, 0u);
    EXPECT_LT(bytes.size() - 1 - bytes.rfind('}'), 8u);
  }
  ASSERT_OK_AND_ASSIGN(const std::string none, SafetensorsHeaderFor({}, {}));
  EXPECT_EQ(none, Le64(8) + "{}      ");
}

TEST(SafetensorsHeaderForTest, RefusesWhatCouldNotBeReadBack) {
  const ModelTensor good("t", DType::kI8, {4});
  ASSERT_THAT(SafetensorsHeaderFor({good}, {}), IsOk());
  const auto expect_bad = [&](auto change, const std::string& what) {
    ModelTensor tensor = good;
    change(tensor);
    EXPECT_THAT(SafetensorsHeaderFor({tensor}, {}), StatusIs(StatusCode::kInvalidArgument, HasSubstr(what)));
  };
  expect_bad([](ModelTensor& t) { t.name = ""; }, "no name");
  expect_bad([](ModelTensor& t) { t.name = "\xff"; }, "name is not UTF-8");
  expect_bad([](ModelTensor& t) { t.name = "__metadata__"; }, "reserved");
  expect_bad([](ModelTensor& t) { t = SafetensorsTensor("t", "\xff", {4}, 0, 4); }, "dtype is not UTF-8");
  expect_bad([](ModelTensor& t) { t = SafetensorsTensor("t", "", {4}, 0, 4); }, "dtype must have");
  expect_bad([](ModelTensor& t) { t.end = 5; }, "tensor 't': shape [4] of I8 takes 4 bytes");
  expect_bad([](ModelTensor& t) { t.begin = 5; }, "impossible range [5, 4]");
  EXPECT_THAT(SafetensorsHeaderFor({good, good}, {}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("repeated key")));
  const ModelTensor huge = SafetensorsTensor("h", "Q", {1}, 0, ~uint64_t{0});
  EXPECT_THAT(SafetensorsHeaderFor({good, huge}, {}), StatusIs(StatusCode::kInvalidArgument, HasSubstr("impossible")));
  EXPECT_THAT(SafetensorsHeaderFor({}, {{"k", "\xff"}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not UTF-8")));
  EXPECT_THAT(SafetensorsHeaderFor({}, {{"\xff", "v"}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not UTF-8")));
}

}  // namespace
}  // namespace modelvault
