// Frames that describe themselves: what they say comes back, and what does not add up is refused.
#include "restore/described_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "proto/model_frame.pb.h"
#include "tests/fuzz/frame_targets.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// "HEAD", 64 weights, "--", three blocks of a scale and 4 weights, "TAIL!"; in two files.
ModelStructure SmallStructure() {
  ModelStructure structure;
  structure.format = "small";
  structure.tensors = {
      {"embed", DType::kI8, {4, 16}, 0}, {"scales", DType::kF16, {3}, 64}, {"blocks", DType::kI8, {3, 4}, 70}};
  structure.pieces = {{0, 4}, {64, 2}, {82, 5}};
  structure.weaves = {{64, 3, {2, 4}}};
  structure.files = {{"a.bin", 70}, {"b/c.bin", 23}};
  return structure;
}

std::string SmallFrame() {
  const absl::StatusOr<std::string> description = EncodeDescription(SmallStructure(), "small");
  EXPECT_THAT(description, IsOk());
  return description.value_or("") + "HEAD--TAIL!";
}

TEST(DescribedFrameTest, WhatItSaysComesBack) {
  const std::string frame = SmallFrame();
  EXPECT_EQ(frame.substr(0, 8), "MVFRAME\x01");
  EXPECT_EQ(DescriptionSize(frame), frame.size() - 11);
  EXPECT_EQ(DescriptionSize("MVFRAME\x01\xff\xff\xff\xff"), 12u);
  EXPECT_EQ(DescriptionSize("MVFRAME\x02" + frame.substr(8)), 0u);
  ASSERT_OK_AND_ASSIGN(const ModelStructure structure, ParseDescribedFrame(frame, 82, "v: base"));
  const ModelStructure expected = SmallStructure();
  EXPECT_EQ(structure.tensors, expected.tensors);
  EXPECT_EQ(structure.pieces, expected.pieces);
  EXPECT_EQ(structure.weaves, expected.weaves);
  EXPECT_EQ(structure.files, expected.files);
  EXPECT_EQ(structure.format, "small");
  EXPECT_EQ(structure.description_size, frame.size() - 11);
  EXPECT_FALSE(structure.whole_file);
}

TEST(DescribedFrameTest, OpaqueTensorsKeepTheirSizeAndType) {
  ModelStructure structure;
  ModelTensor packed;
  packed.name = "packed";
  packed.shape = {3, 5};
  packed.opaque_type = "I4";
  packed.opaque_bits = 4;
  packed.end = 8;
  structure.tensors = {packed};
  structure.whole_file = true;
  ASSERT_OK_AND_ASSIGN(const std::string frame, EncodeDescription(structure, "m"));
  ASSERT_OK_AND_ASSIGN(const ModelStructure parsed, ParseDescribedFrame(frame, 8, "m"));
  EXPECT_THAT(parsed.tensors, ElementsAre(packed));
  EXPECT_THAT(parsed.pieces, IsEmpty());
  EXPECT_TRUE(parsed.whole_file);
}

TEST(DescribedFrameTest, FilesAreTakenApartAndPutTogether) {
  const std::string frame = SmallFrame();
  ASSERT_OK_AND_ASSIGN(const ModelStructure structure, ParseDescribedFrame(frame, 82, "m"));
  FuzzAssembly(frame, structure, 82);
  // Block by block: a scale, its weights.
  std::string file;
  FileAssembler assembler(frame, structure, [&](absl::Span<const uint8_t> bytes) {
    file.append(bytes.begin(), bytes.end());
    return absl::OkStatus();
  });
  const std::string data = std::string(64, 'w') + "aabbcc" + "AAAABBBBCCCC";
  ASSERT_THAT(assembler.Append({reinterpret_cast<const uint8_t*>(data.data()), data.size()}), IsOk());
  ASSERT_THAT(assembler.Finish(), IsOk());
  EXPECT_EQ(file, "HEAD" + std::string(64, 'w') + "--" + "aaAAAAbbBBBBccCCCC" + "TAIL!");
}

// The frame of a changed message, or the reason for which it is refused.
absl::Status Changed(const std::function<void(ModelFrame*)>& change, uint64_t data_size = 82) {
  const std::string frame = SmallFrame();
  ModelFrame message;
  EXPECT_TRUE(message.ParseFromString(frame.substr(12, frame.size() - 11 - 12)));
  change(&message);
  const std::string description = message.SerializeAsString();
  std::string changed = frame.substr(0, 12) + description + "HEAD--TAIL!";
  StoreLe32(reinterpret_cast<uint8_t*>(changed.data()) + 8, static_cast<uint32_t>(description.size()));
  return ParseDescribedFrame(changed, data_size, "v: base").status();
}

TEST(DescribedFrameTest, WhatDoesNotAddUpIsRefused) {
  constexpr uint64_t kHuge = uint64_t{1} << 63;
  const std::vector<std::pair<std::string, std::function<void(ModelFrame*)>>> cases = {
      {"'embed', at byte 0 of the data: 128 bytes, 82 are left",
       [](auto* m) { m->mutable_tensors(0)->set_shape(0, 8); }},
      {"its tensors have 78 bytes, the data section has 82", [](auto* m) { m->mutable_tensors(0)->set_shape(1, 15); }},
      {"the elements of [9223372036854775808, 16] do not fit 64 bits",
       [](auto* m) { m->mutable_tensors(0)->set_shape(0, kHuge); }},
      {"tensor 'scales', at byte 64 of the data: the elements of [9223372036854775808] do not fit 64 bits",
       [](auto* m) { m->mutable_tensors(1)->set_shape(0, kHuge); }},
      {"unknown type 14", [](auto* m) { m->mutable_tensors(0)->set_dtype(14); }},
      {"unknown type 4294967295", [](auto* m) { m->mutable_tensors(0)->set_dtype(0xFFFFFFFF); }},
      {"only opaque ones have a size", [](auto* m) { m->mutable_tensors(0)->set_size(64); }},
      {"tensor ''", [](auto* m) { m->mutable_tensors(0)->clear_name(); }},
      {"tensor 'a\\x00\\x62'", [](auto* m) { m->mutable_tensors(0)->set_name(std::string("a\0b", 3)); }},
      {"of UTF-8 without NUL", [](auto* m) { m->mutable_tensors(0)->set_name(std::string(1025, 'n')); }},
      {"more than 64 dimensions",
       [](auto* m) {
         for (int i = 0; i < 63; ++i) m->mutable_tensors(0)->add_shape(1);
       }},
      {"12 opaque bytes before byte 0 of the data, 11 are left", [](auto* m) { m->mutable_tensors(0)->set_gap(12); }},
      {"18446744073709551615 opaque bytes", [](auto* m) { m->mutable_tensors(1)->set_gap(~uint64_t{0}); }},
      {"1 opaque bytes too many", [](auto* m) { m->set_tail(4); }},
      {"a weave of 2 tensors from number 2", [](auto* m) { m->mutable_weaves(0)->set_first_tensor(2); }},
      {"a weave of 2 tensors from number 18446744073709551615",
       [](auto* m) { m->mutable_weaves(0)->set_first_tensor(~uint64_t{0}); }},
      {"a weave of 1 tensors", [](auto* m) { m->mutable_weaves(0)->mutable_parts()->RemoveLast(); }},
      {"tensor 'blocks': 12 bytes are not 3 blocks of 3", [](auto* m) { m->mutable_weaves(0)->set_parts(1, 3); }},
      {"tensor 'blocks': 12 bytes are not 3 blocks of 2", [](auto* m) { m->mutable_weaves(0)->set_parts(1, 2); }},
      {"are not 0 blocks of 0", [](auto* m) { m->mutable_weaves(0)->set_parts(0, 0); }},
      {"a weave of 2 tensors from number 1, after 3", [](auto* m) { *m->add_weaves() = m->weaves(0); }},
      {"opaque bytes inside the weave at tensor 'scales'",
       [](auto* m) {
         m->mutable_tensors(2)->set_gap(1);
         m->set_tail(4);
       }},
      {"its files have 92 bytes, all that is stored are 93", [](auto* m) { m->mutable_files(0)->set_size(69); }},
      {"do not fit 64 bits", [](auto* m) { m->mutable_files(0)->set_size(~uint64_t{0}); }},
      {"'../c' is no path below", [](auto* m) { m->mutable_files(1)->set_path("../c"); }},
      {"two files 'a.bin'", [](auto* m) { m->mutable_files(1)->set_path("a.bin"); }},
  };
  EXPECT_THAT(Changed([](ModelFrame*) {}), IsOk());
  for (const auto& [expected, change] : cases) {
    EXPECT_THAT(Changed(change),
                StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("v: base: bad frame: "), HasSubstr(expected))));
  }
  EXPECT_THAT(Changed([](ModelFrame*) {}, 83),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("the data section has 83")));
}

TEST(DescribedFrameTest, CutAndForeignFramesAreRefused) {
  const std::string frame = SmallFrame();
  const auto refused = [](const std::string& bytes, const std::string& why) {
    EXPECT_THAT(ParseDescribedFrame(bytes, 82, "v"), StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)));
  };
  refused("", "does not describe itself");
  refused("MVFRAME\x02", "does not describe itself");
  refused(frame.substr(0, 8), "8 bytes, not even its head");
  refused(frame.substr(0, 11), "11 bytes, not even its head");
  refused(frame.substr(0, 40), "28 follow");
  std::string garbled = frame;
  garbled[12] = '\xff';
  refused(garbled, "does not parse");
  for (size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(ParseDescribedFrame(frame.substr(0, size), 82, "v").ok()) << size;
  }
}

TEST(DescribedFrameTest, OnlyPathsBelowAFolderAreSafe) {
  for (const char* path : {"a", "model-00001-of-00002.safetensors", "a/b/c", "...", "a b", "..a", "\xC3\xA9"}) {
    EXPECT_TRUE(IsSafePath(path)) << path;
  }
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "./a", "a/.", "a\\b",
                           "a\nb", "C:", "c:/a", "a\x7f"}) {
    EXPECT_FALSE(IsSafePath(path)) << path;
  }
  EXPECT_FALSE(IsSafePath(absl::string_view("a\0b", 3)));
  EXPECT_FALSE(IsSafePath(std::string(1025, 'a')));
}

TEST(DescribedFrameTest, NothingIsWrittenThatIsNotRead) {
  ModelStructure structure = SmallStructure();
  structure.files[0].path = "../a";
  EXPECT_THAT(EncodeDescription(structure, "m"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("'../a'")));
  structure = SmallStructure();
  structure.tensors[0].name = "";
  EXPECT_THAT(EncodeDescription(structure, "m"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("a name has")));
  structure.tensors[0].name = "\xff";
  EXPECT_THAT(EncodeDescription(structure, "m"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("of UTF-8 without NUL")));
}

}  // namespace
}  // namespace modelvault
