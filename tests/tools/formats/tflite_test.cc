#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/tools/formats/tflite_models.h"
#include "tests/vault/memory_file.h"
#include "tools/formats/tflite/tflite_format.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::unique_ptr<MemoryFile> File(const std::string& bytes) {
  return std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "m.tflite");
}

absl::StatusOr<ModelFile> Open(const std::string& bytes) {
  static const TfliteFormat kFormat;
  return ModelFile::FromFile(kFormat, File(bytes));
}

// What a model's tensors are called, of which type, and what they hold.
std::vector<std::string> Described(const ModelFile& file) {
  std::vector<std::string> all;
  for (const ModelTensor& t : file.tensors()) {
    std::string data(static_cast<size_t>(t.size()), '\0');
    EXPECT_THAT(file.ReadData(t.begin, absl::MakeSpan(reinterpret_cast<uint8_t*>(data.data()), data.size())), IsOk());
    std::string shape;
    for (const uint64_t dimension : t.shape) absl::StrAppend(&shape, " ", dimension);
    all.push_back(absl::StrCat(t.name, " ", t.type_name(), shape, ": ", data));
  }
  return all;
}

void ExpectRefused(const std::string& bytes, const std::string& why) {
  EXPECT_THAT(Open(bytes), StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("m.tflite: "), HasSubstr(why))));
}

TEST(TfliteTest, IsKnownByItsIdentifier) {
  const TfliteFormat format;
  const std::string model = MakeTflite({}, {});
  const auto recognised = [&](const std::string& head) {
    return format.Recognises({reinterpret_cast<const uint8_t*>(head.data()), head.size()});
  };
  EXPECT_TRUE(recognised(model));
  EXPECT_FALSE(recognised(model.substr(0, 7)));
  EXPECT_FALSE(recognised("\x1c\0\0\0TFL2"));
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(model));
  EXPECT_THAT(file.tensors(), IsEmpty());
  EXPECT_EQ(file.data_size(), 0u);
}

TEST(TfliteTest, TensorsHaveTheirTypesAndShapes) {
  const std::string model =
      MakeTflite({{{"w", 9, {2, 3}, 1},
                   {"bias", 2, {2}, 2},
                   {"packed", 17, {3, 3}, 3},
                   {"wide", 7, {1}, 4},
                   {"f", 0, {}, 5},
                   {"half", 1, {2}, 6},
                   {"text", 5, {1}, 7},
                   {"computed", 9, {1, 49}, 0},
                   {"new", 77, {9}, 8}}},
                 {{}, {"wwwwww"}, {"biasBIAS"}, {"12345"}, {"ii"}, {"ffff"}, {"hhHH"}, {"some text"}, {"???"}});
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(model));
  // The library writes a vector before what refers to it: the last one is nearest to the start.
  EXPECT_THAT(Described(file),
              testing::UnorderedElementsAre("w I8 2 3: wwwwww", "bias I32 2: biasBIAS", "packed I4 3 3: 12345",
                                            "wide I16 1: ii", "f F32: ffff", "half F16 2: hhHH",
                                            "text STRING 1: some text", "new type 77 9: ???"));
  EXPECT_EQ(file.structure().format, "TFLite");
  EXPECT_EQ(file.size(), model.size());
}

TEST(TfliteTest, SharedBuffersAreStoredOnce) {
  const std::string model = MakeTflite({{{"a", 9, {4}, 1}, {"b", 3, {2, 2}, 1}}, {{"c", 9, {4}, 1}, {"d", 9, {1}, 2}}},
                                       {{}, {"abcd"}, {"x"}});
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(model));
  EXPECT_THAT(Described(file), testing::UnorderedElementsAre("a I8 4: abcd", "d I8 1: x"));
}

TEST(TfliteTest, NamesMayRepeatOrBeMissing) {
  const std::string model = MakeTflite({{{"a", 9, {1}, 1}, {"", 9, {1}, 2}}, {{"a", 9, {1}, 3}, {"a", 9, {1}, 4}}},
                                       {{}, {"1"}, {"2"}, {"3"}, {"4"}});
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(model));
  EXPECT_THAT(Described(file),
              testing::UnorderedElementsAre("a I8 1: 1", "@0.1 I8 1: 2", "a@1.0 I8 1: 3", "a@1.1 I8 1: 4"));
}

TEST(TfliteTest, BuffersMayLieBehindTheFlatBuffer) {
  std::string model = MakeTflite({{{"a", 9, {4}, 1}, {"b", 9, {3}, 2}}}, {{}, {"", 4096, 4}, {"", 4100, 3}});
  ASSERT_LT(model.size(), 4096u);
  model.resize(4096);
  model += "abcdxyz tail";
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(model));
  EXPECT_THAT(Described(file), ElementsAre("a I8 4: abcd", "b I8 3: xyz"));
  ExpectRefused(model.substr(0, 4102), "buffer 2 has 3 bytes at offset 4100, but the file has 4102");
}

TEST(TfliteTest, SparseTensorsAreRows) {
  const std::string model = MakeTflite(
      {{{"s", 9, {100, 100}, 1, {}, {}, 0, true}, {"f", 0, {7, 7}, 2, {}, {}, 0, true}}}, {{}, {"abcde"}, {"12345"}});
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(model));
  EXPECT_THAT(Described(file), testing::UnorderedElementsAre("s I8 5: abcde", "f sparse 5: 12345"));
}

TEST(TfliteTest, TellsQuantisationAndTakesManyScalesForATensor) {
  const std::vector<float> scales = {1, 2, 3, 4, 5, 6, 7, 8.5};
  const std::string model = MakeTflite(
      {{{"w", 9, {8}, 1, scales, std::vector<int64_t>(8), 3}, {"a", 9, {1}, 0, {0.25f}, {-128}}, {"b", 9, {1}, 0}}},
      {{}, {"weights!"}});
  const TfliteFormat format;
  ASSERT_OK_AND_ASSIGN(const auto found, format.ReadQuantisation(*File(model), {}));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].tensor, "w");
  EXPECT_EQ(found[0].axis, 3);
  EXPECT_EQ(found[0].scales, scales);
  EXPECT_THAT(found[0].zero_points, SizeIs(8));
  EXPECT_EQ(found[1].tensor, "a");
  EXPECT_THAT(found[1].scales, ElementsAre(0.25f));
  EXPECT_THAT(found[1].zero_points, ElementsAre(-128));
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(model));
  std::vector<std::string> names;
  for (const ModelTensor& tensor : file.tensors()) names.push_back(tensor.name + " " + tensor.type_name());
  EXPECT_THAT(names, testing::UnorderedElementsAre("w I8", "w.scales F32"));
}

TEST(TfliteTest, WhatCannotBeIsRefused) {
  const std::string model = MakeTflite({{{"a", 9, {1}, 0}, {"w", 9, {4, -1}, 1}}}, {{}, {"abcd"}});
  const auto* const tensor = tflite::GetModel(model.data())->subgraphs()->Get(0)->tensors()->Get(1);
  ExpectRefused(model, absl::StrCat("tensor 'w' at offset ", reinterpret_cast<const char*>(tensor) - model.data(),
                                    ": dimension 1 is -1"));
  ExpectRefused(MakeTflite({{{"w", 9, {4}, 9}}}, {{}, {"abcd"}}), "buffer 9, but there are 2");
  ExpectRefused(MakeTflite({{{"w", 9, {5}, 1}}}, {{}, {"abcd"}}), "4 bytes, but I8 [5] has 5");
  ExpectRefused(MakeTflite({{{"w", 9, {65536, 65536, 65536, 65536}, 1}}}, {{}, {"abcd"}}), "do not fit 64 bits");
  ExpectRefused(MakeTflite({{{"w", 9, std::vector<int32_t>(1000, 1), 1}}}, {{}, {"a"}}), "65 dimensions");
  const uint64_t huge = ~uint64_t{0};
  ExpectRefused(MakeTflite({{{"w", 9, {4}, 1}}}, {{}, {"", huge - 1, 4}}),
                "has 4 bytes at offset 18446744073709551614");
  ExpectRefused(MakeTflite({{{"w", 9, {4}, 1}}}, {{}, {"", 4, huge}}), "has 18446744073709551615 bytes at offset 4");
  ExpectRefused(MakeTflite({{{"w", 9, {8}, 1}, {"v", 9, {8}, 2}}}, {{}, {"", 16, 8}, {"", 20, 8}}),
                "tensor 'v' at offset 20: overlaps tensor 'w', which has the bytes 16 to 24");
}

TEST(TfliteTest, DamagedFlatBuffersAreRefused) {
  const std::string model = MakeTflite({{{"w", 9, {4}, 1}}}, {{}, {"abcd"}});
  for (const size_t size : {12u, 16u, 40u}) ExpectRefused(model.substr(0, size), " at offset ");
  // Every table is the first one: its offset leads nowhere else.
  for (size_t at = 0; at + 4 <= model.size(); ++at) {
    for (const char* const word : {"\0\0\0\0", "\x04\0\0\0", "\xfc\xff\xff\xff", "\xff\xff\xff\x7f"}) {
      std::string damaged = model;
      damaged.replace(at, 4, std::string(word, 4));
      const absl::StatusOr<ModelFile> file = Open(damaged);
      EXPECT_TRUE(file.ok() || absl::IsInvalidArgument(file.status())) << at << ": " << file.status();
    }
  }
}

}  // namespace
}  // namespace modelvault
