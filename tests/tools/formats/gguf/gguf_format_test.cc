// GGUF files to typed tensors, and what is refused.
#include "tools/formats/gguf/gguf_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/tools/formats/gguf/gguf_writer.h"
#include "tests/tools/formats/open_model.h"
#include "tests/vault/test_vault.h"
#include "tools/formats/gguf/ggml_types.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kF32 = 0, kF16 = 1, kQ40 = 2, kQ80 = 8, kI8 = 24;

absl::StatusOr<ModelFile> Open(const std::string& bytes, const FrameOptions& options = {}) {
  static const GgufFormat kFormat;
  return OpenModel(kFormat, bytes, options);
}

void ExpectRefused(const std::string& bytes, const std::string& why) {
  EXPECT_THAT(Open(bytes), StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("m: "), HasSubstr(why))));
}

TEST(GgufFormatTest, NumbersAreTyped) {
  for (const uint32_t version : {2u, 3u}) {
    GgufWriter writer(version);
    writer.Key("general.architecture", 8, GgufText("llama"));
    writer.Tensor("f32", {2, 3}, kF32, std::string(24, 'a')).Tensor("f16", {5}, kF16, std::string(10, 'b'));
    writer.Tensor("bf16", {1, 2, 3}, 30, std::string(12, 'c')).Tensor("f64", {}, 28, std::string(8, 'd'));
    writer.Tensor("i8", {3}, kI8, "eee").Tensor("i16", {1}, 25, "ff").Tensor("i32", {1}, 26, "gggg");
    writer.Tensor("i64", {1}, 27, "hhhhhhhh").Tensor("none", {0, 4}, kF32, "");
    ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(writer.File()));
    EXPECT_THAT(Described(file), ElementsAre("f32 F32 [2, 3]", "f16 F16 [5]", "bf16 BF16 [1, 2, 3]", "f64 F64 []",
                                             "i8 I8 [3]", "i16 I16 [1]", "i32 I32 [1]", "i64 I64 [1]"));
    EXPECT_EQ(TensorBytes(file, file.tensors()[1]), std::string(10, 'b'));
    EXPECT_EQ(Assembled(file), writer.File());
    EXPECT_EQ(file.structure().format, "gguf");
  }
}

TEST(GgufFormatTest, BlocksOfAScaleAreTakenApart) {
  std::string q8, q4;
  for (int block = 0; block < 4; ++block) {
    q8 += "s" + std::to_string(block) + std::string(32, static_cast<char>('a' + block));
    q4 += "t" + std::to_string(block) + std::string(16, static_cast<char>('k' + block));
  }
  GgufWriter writer;
  writer.Tensor("w", {2, 64}, kQ80, q8).Tensor("v", {4, 32}, kQ40, q4);
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(writer.File()));
  EXPECT_THAT(Described(file),
              ElementsAre("w.scales F16 [2, 2]", "w I8 [2, 64]", "v.scales F16 [4, 1]", "v U8 [4, 16]"));
  EXPECT_EQ(TensorBytes(file, file.tensors()[0]), "s0s1s2s3");
  EXPECT_EQ(TensorBytes(file, file.tensors()[1]),
            std::string(32, 'a') + std::string(32, 'b') + std::string(32, 'c') + std::string(32, 'd'));
  EXPECT_EQ(TensorBytes(file, file.tensors()[2]), "t0t1t2t3");
  EXPECT_EQ(Assembled(file), writer.File());
  FrameOptions whole;
  whole.whole_file = true;
  ASSERT_OK_AND_ASSIGN(const ModelFile all, Open(writer.File(), whole));
  EXPECT_EQ(Assembled(all), writer.File());
}

TEST(GgufFormatTest, EveryTypeIsCarried) {
  GgufWriter writer;
  TestRandom random(3);
  int types = 0;
  for (uint32_t number = 0; number < 64; ++number) {
    const GgmlType* const type = FindGgmlType(number);
    if (type == nullptr || type->block_elements == 0) continue;
    ++types;
    writer.Tensor(type->name, {3, 2 * uint64_t{type->block_elements}}, number, random.Bytes(6 * type->block_bytes));
  }
  EXPECT_EQ(types, 34);
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(writer.File()));
  EXPECT_EQ(file.tensors().size(), 36u);
  EXPECT_EQ(Assembled(file), writer.File());
  EXPECT_THAT(Described(file),
              testing::IsSupersetOf({"Q6_K Q6_K [3, 512]", "IQ4_XS IQ4_XS [3, 512]", "TQ1_0 TQ1_0 [3, 512]"}));
}

TEST(GgufFormatTest, KeysOfEveryTypeArePassedOver) {
  constexpr uint64_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  GgufWriter writer;
  for (uint32_t type = 0; type < 13; ++type) {
    if (kSizes[type] == 0) continue;
    writer.Key(absl::StrCat("key", type), type, std::string(kSizes[type], '\x01'));
    writer.Key(absl::StrCat("keys", type), 9, GgufArray(type, 70000, std::string(70000 * kSizes[type], '\x02')));
  }
  writer.Key("text", 8, GgufText("a text"));
  writer.Key("texts", 9, GgufArray(8, 3, GgufText("a") + GgufText("") + GgufText(std::string(100000, 'x'))));
  writer.Key("nested", 9, GgufArray(9, 2, GgufArray(8, 1, GgufText("y")) + GgufArray(5, 2, std::string(8, '\0'))));
  writer.Key("nothing", 9, GgufArray(9, 0, ""));
  writer.Tensor("w", {4}, kI8, "abcd");
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(writer.File()));
  ASSERT_EQ(file.tensors().back().name, "w");
  EXPECT_EQ(TensorBytes(file, file.tensors().back()), "abcd");
  EXPECT_EQ(Assembled(file), writer.File());
}

TEST(GgufFormatTest, TheAlignmentIsTheFiles) {
  GgufWriter writer;
  writer.Alignment(256).Tensor("a", {1}, kI8, "x").Tensor("b", {2}, kI8, "yz");
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(writer.File()));
  EXPECT_EQ(TensorBytes(file, file.tensors()[1]), "yz");
  EXPECT_EQ(writer.DataOffset() % 256, 0u);
  ExpectRefused(GgufWriter().Alignment(0).Tensor("a", {1}, kI8, "x").File(), "general.alignment 0, expected a power");
  ExpectRefused(GgufWriter().Alignment(24).Tensor("a", {1}, kI8, "x").File(), "general.alignment 24");
  ExpectRefused(GgufWriter().Key("general.alignment", 10, LeBytes(32, 8)).File(), "general.alignment of type 10");
  ExpectRefused(GgufWriter().Alignment(64).Info("a", {1}, kI8, 32).Data(std::string(64, '\0')).File(),
                "tensor 'a': offset 32 is no multiple of 64");
  ExpectRefused(GgufWriter().Key("general.alignment", 4, LeBytes(1u << 31, 4)).Info("a", {1}, kI8, 0).Data("x").File(),
                "padding before the data of 2147483");
}

TEST(GgufFormatTest, AFileWithoutTensorsIsOpaque) {
  const std::string bytes = GgufWriter().Key("vocabulary", 8, GgufText("only")).File();
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(bytes));
  EXPECT_TRUE(file.tensors().empty());
  EXPECT_EQ(Assembled(file), bytes);
}

TEST(GgufFormatTest, AliasesAreTakenOnce) {
  GgufWriter writer;
  writer.Tensor("embed", {4}, kI8, "abcd").Info("output", {4}, kI8, 0);
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(writer.File()));
  EXPECT_THAT(Described(file), ElementsAre("embed I8 [4]"));
}

TEST(GgufFormatTest, OtherVersionsAreRefused) {
  ExpectRefused(GgufWriter(1).File(), "at offset 8: version 1, expected 2 or 3");
  ExpectRefused(GgufWriter(4).File(), "version 4");
  ExpectRefused(GgufWriter(0x03000000).File(), "a big-endian file");
}

TEST(GgufFormatTest, TypesThatAreNoneAreRefusedByNameAndNumber) {
  ExpectRefused(GgufWriter().Tensor("w", {4}, 77, "abcd").File(), "tensor 'w': unknown type 77");
  ExpectRefused(GgufWriter().Tensor("w", {32}, 4, "abcd").File(), "tensor 'w': type Q4_2 (4), which is not in use");
  ExpectRefused(GgufWriter().Tensor("w", {32}, 31, "abcd").File(), "type Q4_0_4_4 (31)");
  ExpectRefused(GgufWriter().Key("k", 13, "x").File(), "unknown type of value 13");
  ExpectRefused(GgufWriter().Key("k", 9, GgufArray(99, 1, "x")).File(), "unknown type of elements 99");
}

TEST(GgufFormatTest, CountsAreNotBelieved) {
  constexpr uint64_t kMax = ~uint64_t{0};
  ExpectRefused(GgufWriter().Counts(kMax, 0).File(), "18446744073709551615 tensors");
  ExpectRefused(GgufWriter().Counts(uint64_t{1} << 32, 0).File(), "4294967296 tensors");
  ExpectRefused(GgufWriter().Counts(0, kMax).File(), "18446744073709551615 keys");
  ExpectRefused(GgufWriter().Counts(1, 0).File(), "1 tensors");
  ExpectRefused(GgufWriter().Key("k", 9, GgufArray(12, kMax / 8 + 2, std::string(8, 'x'))).File(),
                "2305843009213693953 elements of an array");
  ExpectRefused(GgufWriter().Key("k", 9, GgufArray(8, kMax, GgufText("x"))).File(), "elements of an array");
  ExpectRefused(GgufWriter().Key("k", 8, LeBytes(kMax, 8)).File(), "a string of 18446744073709551615 bytes");
  ExpectRefused("GGUF" + LeBytes(3, 4) + LeBytes(0, 8) + LeBytes(1, 8) + LeBytes(kMax, 8) + "key..",
                "a key of 18446744073709551615 bytes");
}

TEST(GgufFormatTest, DeepArraysAreRefused) {
  std::string value = GgufArray(0, 1, "x");
  for (int i = 0; i < 7; ++i) value = GgufArray(9, 1, value);
  EXPECT_THAT(Open(GgufWriter().Key("k", 9, value).File()), IsOk());
  ExpectRefused(GgufWriter().Key("k", 9, GgufArray(9, 1, value)).File(), "arrays within arrays, more than 8 deep");
  for (int i = 0; i < 100000; ++i) value += GgufArray(9, 1, "");
  ExpectRefused(GgufWriter().Key("k", 9, GgufArray(9, 1, GgufArray(9, 1, value))).File(), "more than 8 deep");
}

TEST(GgufFormatTest, TensorsThatCannotBeAreRefused) {
  const std::string data(64, 'x');
  const auto refused = [&](std::vector<uint64_t> shape, uint32_t type, uint64_t offset, const std::string& why) {
    ExpectRefused(GgufWriter().Info("w", std::move(shape), type, offset).Data(data).File(), "tensor 'w': " + why);
  };
  constexpr uint64_t kMax = ~uint64_t{0};
  refused({65}, kI8, 0, "the elements of [65] do not fit the file");
  refused({64}, kI8, 32, "64 bytes at 32 of the data, which have 64");
  refused({1}, kI8, 64, "1 bytes at 64 of the data");
  refused({1}, kI8, kMax - 31, "1 bytes at 18446744073709551584");
  refused({1}, kI8, 1, "offset 1 is no multiple of 32");
  refused({uint64_t{1} << 32, uint64_t{1} << 32}, kI8, 0, "the elements of [4294967296, 4294967296] do not fit");
  refused({(uint64_t{1} << 62) + 1}, kF32, 0, "the elements of [4611686018427387905] do not fit");
  refused({uint64_t{1} << 33, uint64_t{1} << 31, 4, 2}, kQ80, 0, "the elements of [8589934592, ");
  refused({2, 16}, kQ80, 0, "rows of 16 elements are not blocks of 32 (Q8_0)");
  refused({}, kQ40, 0, "rows of 1 elements");
  refused({1, 1, 1, 1, 1}, kI8, 0, "5 dimensions, at most 4");
  ExpectRefused(GgufWriter().Info("a", {64}, kI8, 0).Info("b", {32}, kI8, 32).Data(data).File(),
                "tensor 'b' at offset 128: overlaps tensor 'a', which has the bytes 96 to 160");
}

TEST(GgufFormatTest, NamesThatCannotBeAreRefused) {
  ExpectRefused(GgufWriter().Tensor(std::string("a\0b", 3), {1}, kI8, "x").File(), "tensor 'a\\x00\\x62'");
  ExpectRefused(GgufWriter().Tensor("", {1}, kI8, "x").File(), "tensor '': a name is");
  ExpectRefused(GgufWriter().Tensor("\xff", {1}, kI8, "x").File(), "tensor '\\xff'");
  ExpectRefused(GgufWriter().Tensor("a", {1}, kI8, "x").Tensor("a", {1}, kI8, "x").File(), "tensor 'a': two tensors");
  ExpectRefused(GgufWriter().Tensor(std::string(65536, 'a'), {1}, kI8, "x").File(), "a tensor's name of 65536 bytes");
}

TEST(GgufFormatTest, EveryTruncationIsRefusedOrWhole) {
  GgufWriter writer;
  writer.Key("k", 9, GgufArray(8, 2, GgufText("one") + GgufText("two"))).Key("n", 4, LeBytes(1, 4));
  writer.Tensor("w", {2, 32}, kQ80, std::string(68, 's')).Tensor("b", {4}, kI8, "abcd");
  const std::string bytes = writer.File();
  const size_t end = bytes.size() - 28;  // Behind "abcd" there is padding, which is nothing to the tensors.
  for (size_t size = 4; size < bytes.size(); ++size) {
    const absl::StatusOr<ModelFile> file = Open(bytes.substr(0, size));
    EXPECT_EQ(file.ok(), size >= end) << size << file.status();
  }
}

TEST(GgufFormatTest, FilesAreRecognisedByTheirMagic) {
  const GgufFormat format;
  const auto recognises = [&](const std::string& head) {
    return format.Recognises({reinterpret_cast<const uint8_t*>(head.data()), head.size()});
  };
  EXPECT_TRUE(recognises(GgufWriter().File()));
  EXPECT_TRUE(recognises("GGUF"));
  EXPECT_FALSE(recognises("GGU"));
  EXPECT_FALSE(recognises("GGML...."));
}

}  // namespace
}  // namespace modelvault
