// Arrays of NumPy and archives of NumPy and PyTorch to typed tensors, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/tools/formats/archive/array_files.h"
#include "tests/tools/formats/archive/zip_writer.h"
#include "tests/tools/formats/open_model.h"
#include "tests/vault/test_vault.h"
#include "tools/formats/archive/numpy_formats.h"
#include "tools/formats/archive/torch_format.h"
#include "tools/formats/archive/torch_pickle.h"
#include "tools/formats/archive/zip_members.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const NpyFormat kNpy;
const NpzFormat kNpz;
const TorchFormat kTorch;

// What the format makes of the file's tensors, when it also comes back.
std::vector<std::string> Tensors(const ModelFormat& format, const std::string& bytes) {
  for (const bool whole_file : {true, false}) {
    FrameOptions options;
    options.whole_file = whole_file;
    const absl::StatusOr<ModelFile> file = OpenModel(format, bytes, options);
    EXPECT_THAT(file, IsOk());
    if (!file.ok()) return {};
    EXPECT_TRUE(Assembled(*file) == bytes);
    if (!whole_file) return Described(*file);
  }
  return {};
}

void ExpectRefused(const ModelFormat& format, const std::string& bytes, const std::string& why) {
  EXPECT_THAT(OpenModel(format, bytes),
              StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("m: "), HasSubstr(why))));
}

bool Recognises(const ModelFormat& format, const std::string& head) {
  return format.Recognises({reinterpret_cast<const uint8_t*>(head.data()), std::min(head.size(), kModelHeadSize)});
}

TEST(NpyFormatTest, NumbersAreTyped) {
  EXPECT_THAT(Tensors(kNpy, Npy("<f4", "2, 3", std::string(24, 'a'))), ElementsAre("array F32 [2, 3]"));
  EXPECT_THAT(Tensors(kNpy, Npy("|b1", "3,", std::string("\1\0\1", 3))), ElementsAre("array BOOL [3]"));
  EXPECT_THAT(Tensors(kNpy, Npy("<f8", "", std::string(8, 'a'))), ElementsAre("array F64 []"));
  for (const auto& [type, name] : std::vector<std::pair<std::string, std::string>>{{"|i1", "I8"},
                                                                                   {"|u1", "U8"},
                                                                                   {"<i2", "I16"},
                                                                                   {"<u2", "U16"},
                                                                                   {"<i4", "I32"},
                                                                                   {"<u4", "U32"},
                                                                                   {"<i8", "I64"},
                                                                                   {"<u8", "U64"},
                                                                                   {"<f2", "F16"}}) {
    const std::string bytes(3 * static_cast<size_t>(type[2] - '0'), 'x');
    EXPECT_THAT(Tensors(kNpy, Npy(type, "3,", bytes)), ElementsAre("array " + name + " [3]"));
  }
  EXPECT_THAT(Tensors(kNpy, Npy("<f4", "0, 3", "")), IsEmpty());
}

TEST(NpyFormatTest, FortransOrderHasItsShapeBackwards) {
  EXPECT_THAT(Tensors(kNpy, Npy("<i2", "2, 3", std::string(12, 'a'), true)), ElementsAre("array I16 [3, 2]"));
}

TEST(NpyFormatTest, OtherTypesAreOpaque) {
  EXPECT_THAT(Tensors(kNpy, Npy(">f4", "2,", std::string(8, 'a'))), ElementsAre("array >f4 [2]"));
  EXPECT_THAT(Tensors(kNpy, Npy("<c8", "2,", std::string(16, 'a'))), ElementsAre("array <c8 [2]"));
  EXPECT_THAT(Tensors(kNpy, Npy("<U5", "2,", std::string(40, 'a'))), ElementsAre("array <U5 [2]"));
  EXPECT_THAT(Tensors(kNpy, Npy("|S7", "1,", std::string(7, 'a'))), ElementsAre("array |S7 [1]"));
  EXPECT_THAT(Tensors(kNpy, Npy("<M8[ns]", "1,", std::string(8, 'a'))), ElementsAre("array <M8[ns] [1]"));
  const std::string structured =
      "{'descr': [('a', '<f4'), (']', '|u1', (3,))], 'fortran_order': False, 'shape': (2,), }";
  EXPECT_THAT(Tensors(kNpy, NpyWithHeader(structured, std::string(14, 'a'), 3)), ElementsAre("array struct [2]"));
}

TEST(NpyFormatTest, HeadersAreReadAsWrittenByOthers) {
  const std::string odd = "{\"shape\":(2L,1),'fortran_order' :False ,'descr':\"<i2\"}";
  EXPECT_THAT(Tensors(kNpy, NpyWithHeader(odd, "aabb", 2)), ElementsAre("array I16 [2, 1]"));
  EXPECT_THAT(Tensors(kNpy, Npy("<i2", "1,", "aabehind")), ElementsAre("array I16 [1]"));
}

TEST(NpyFormatTest, WhatIsNoArrayIsRefused) {
  ExpectRefused(kNpy, Npy("|O", "1,", "pickled"), "array 'array' at offset 10: type '|O': objects are pickled");
  ExpectRefused(kNpy, NpyWithHeader("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (2,), }", "pickled"),
                "objects are pickled");
  ExpectRefused(kNpy, Npy("<f4", "2,", "1234567"), "the elements of [2], of 4 bytes, do not fit the 7 that follow");
  ExpectRefused(kNpy, Npy("<f4", "4294967296, 4294967296", "12345678"), "do not fit the 8");
  ExpectRefused(kNpy, Npy("<f4", "4611686018427387905,", "12345678"), "do not fit the 8");
  ExpectRefused(kNpy, Npy("<f4", "18446744073709551616,", "12345678"), "at offset 10: header");
  ExpectRefused(kNpy, Npy("<f4", "-1,", "1234"), "header");
  ExpectRefused(kNpy, Npy("f4", "1,", "1234"), "unknown type 'f4'");
  ExpectRefused(kNpy, Npy("<f99999999999", "1,", "1234"), "unknown type");
  ExpectRefused(kNpy, NpyWithHeader("{'descr': '<f4', 'shape': (1,), }", "1234"), "header");
  ExpectRefused(kNpy, NpyWithHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } exit()", "1234"),
                "header");
  ExpectRefused(kNpy, NpyWithHeader("{'descr': [[[[", "1234"), "header");
  ExpectRefused(kNpy, NpyWithHeader("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", "1234", 4), "version 4");
  ExpectRefused(kNpy, "\x93NUMPY" + LeBytes(1, 2) + LeBytes(9, 2) + "{}", "a header of 9 bytes, 2 follow");
  const std::string bytes = Npy("<i2", "1,", "ab");
  for (size_t size = 6; size < bytes.size(); ++size) {
    EXPECT_THAT(OpenModel(kNpy, bytes.substr(0, size)), StatusIs(StatusCode::kInvalidArgument)) << size;
  }
}

TEST(NpzFormatTest, StoredArraysAreTypedAndAllElseIsOpaque) {
  ZipMemberOptions deflated, zip64;
  deflated.method = 8;
  deflated.whole_size = 1000;
  zip64.zip64 = true;
  ZipWriter zip;
  zip.Member("w.npy", Npy("<f4", "2, 3", std::string(24, 'a')), zip64).Member("small.npy", "not inflated", deflated);
  zip.Member("notes.txt", "text").Member("layer/b.npy", Npy("|i1", "3,", "xyz"), zip64).Member("folder/", "");
  EXPECT_THAT(Tensors(kNpz, zip.File()), ElementsAre("w F32 [2, 3]", "layer/b I8 [3]"));
  EXPECT_THAT(Tensors(kNpz, zip.File(std::string(60000, 'c'))), ElementsAre("w F32 [2, 3]", "layer/b I8 [3]"));
  EXPECT_TRUE(Recognises(kNpz, zip.File()));
  EXPECT_FALSE(Recognises(kTorch, zip.File()));
  EXPECT_FALSE(Recognises(kNpz, ZipWriter().Member("a.txt", "").File()));
}

TEST(NpzFormatTest, BytesBeforeTheArchiveAreRefused) {
  const std::string archive = ZipWriter().Member("w.npy", Npy("|i1", "3,", "xyz")).File();
  ExpectRefused(kNpz, "#!/a/program\n" + archive, "bad ZIP archive: Not a zip archive");
}

TEST(ZipMembersTest, HostileMembersAreRefused) {
  const std::string array = Npy("|i1", "3,", "xyz");
  const auto refused = [&](const std::string& name, const ZipMemberOptions& options, const std::string& why) {
    ExpectRefused(kNpz, ZipWriter().Member("first.npy", array).Member(name, array, options).File(), why);
  };
  ZipMemberOptions encrypted, link, long_one, other_size, outside, zip64;
  encrypted.flags = 1;
  refused("e.npy", encrypted, "member 'e.npy' at offset 170: it is encrypted");
  link.attributes = 0120777u << 16;
  refused("l.npy", link, "member 'l.npy' at offset 170: a symbolic link");
  refused("../w.npy", {}, "member '../w.npy' at offset 170: its name is no path below a folder");
  refused("/w.npy", {}, "no path below a folder");
  refused("a/../w.npy", {}, "no path below a folder");
  refused("a\\w.npy", {}, "no path below a folder");
  refused(std::string("a\0.npy", 6), {}, "member 'a .npy' at offset 170: what stands there is not its header");
  refused(std::string(2000, 'n'), {}, "no path below a folder");
  refused("", {}, "no path below a folder");
  refused("first.npy", {}, "member 'first.npy' at offset 170: two members have the name");
  long_one.size = 1000000;
  long_one.whole_size = 1000000;
  refused("w.npy", long_one, "member 'w.npy' at offset 170: 1000000 bytes, but the file has");
  long_one.zip64 = true;
  long_one.size = long_one.whole_size = ~uint64_t{0};
  refused("w.npy", long_one, "member 'w.npy': its bytes are not where the directory says");
  other_size.whole_size = 5;
  refused("w.npy", other_size, "stored as it is, but 131 bytes are to be 5");
  outside.offset = 0xfffffff0;
  refused("w.npy", outside, "member 'w.npy': its bytes are not where the directory says");
  outside.offset = 3;
  refused("w.npy", outside, "member 'w.npy': its bytes are not where the directory says");
  outside.offset = 0;
  refused("w.npy", outside, "member 'w.npy' at offset 0: what stands there is not its header");
  outside.zip64 = true;
  outside.offset = ~uint64_t{0} - 2;
  refused("w.npy", outside, "bad ZIP archive: Seek error");
  zip64.zip64 = true;
  EXPECT_THAT(Tensors(kNpz, ZipWriter().Member("first.npy", array).Member("w.npy", array, zip64).File()),
              ElementsAre("first I8 [3]", "w I8 [3]"));
}

TEST(ZipMembersTest, OverlappingMembersAreRefused) {
  // A member with all of another in it.
  const std::string array = Npy("|i1", "3,", "xyz");
  const std::string inner = ZipWriter().Member("b.npy", array).File();
  ZipMemberOptions inside;
  inside.offset = 35;
  ExpectRefused(kNpz, ZipWriter().Member("a.npy", inner).Member("b.npy", array, inside).File(),
                "member 'b.npy' at offset 35: overlaps member 'a.npy'");
}

TEST(ZipMembersTest, DamagedDirectoriesAreRefused) {
  const std::string bytes =
      ZipWriter().Member("a.npy", Npy("|i1", "3,", "xyz")).Member("b.npy", Npy("|i1", "3,", "xyz")).File();
  for (size_t size = 40; size < bytes.size(); ++size) {
    ExpectRefused(kNpz, bytes.substr(0, size), "bad ZIP archive: Not a zip archive");
  }
  std::string damaged = bytes;
  damaged[bytes.rfind("PK\1\2")] = 'Q';
  ExpectRefused(kNpz, damaged, "bad ZIP archive: Not a zip archive");
  damaged = bytes;
  damaged[bytes.rfind("PK\3\4") + 2] = 9;
  ExpectRefused(kNpz, damaged, "member 'b.npy'");
}

TEST(TorchFormatTest, StoragesAreTypedByThePickle) {
  const std::string pickle = TorchPickle({
      {"w", "FloatStorage", "0", {2, 3}, {}},
      {"b", "BFloat16Storage", "1", {2}, {}},
      {"scalar", "LongStorage", "2", {}, {}},
      {"part", "HalfStorage", "3", {2}, {}, 1, 4},
      {"transposed", "CharStorage", "4", {2, 3}, {1, 2}},
      {"wrong size", "FloatStorage", "5", {2}, {}},
      {"complex", "ComplexFloatStorage", "6", {1}, {}},
      {"one row", "ByteStorage", "7", {1, 4}, {9, 1}},
      {"w again", "FloatStorage", "0", {6}, {}},
  });
  const std::string bytes = TorchFile(
      pickle, {std::string(24, 'a'), "bbbb", "cccccccc", "ddddeeee", "ffffff", "short", "gggggggg", "hhhh", "alone"});
  EXPECT_THAT(Tensors(kTorch, bytes),
              ElementsAre("w F32 [2, 3]", "b BF16 [2]", "scalar I64 []", "data/3 F16 [4]", "data/4 I8 [6]",
                          "data/5 bytes []", "data/6 bytes []", "one row U8 [1, 4]", "data/8 bytes []"));
  ASSERT_OK_AND_ASSIGN(const ModelFile file, OpenModel(kTorch, bytes));
  EXPECT_EQ(TensorBytes(file, file.tensors()[3]), "ddddeeee");
  EXPECT_TRUE(Recognises(kTorch, bytes));
  EXPECT_FALSE(Recognises(kNpz, bytes));
}

TEST(TorchFormatTest, WhatThePickleDoesNotTellIsOpaque) {
  const std::string pickle = TorchPickle({{"w", "FloatStorage", "0", {1}, {}}});
  EXPECT_THAT(Tensors(kTorch, TorchFile(pickle, {"aaaa"}, "big")), ElementsAre("data/0 bytes []"));
  EXPECT_THAT(Tensors(kTorch, TorchFile(".", {"aaaa"})), ElementsAre("data/0 bytes []"));
  EXPECT_THAT(Tensors(kTorch, TorchFile("cos\nsystem\n(X\4\0\0\0true"
                                        "tR.",
                                        {"aaaa"})),
              ElementsAre("data/0 bytes []"));
}

TEST(TorchFormatTest, OtherArchivesAndPicklesAreRefused) {
  ExpectRefused(kTorch, ZipWriter().Member("folder/file", "x").File(), "a ZIP archive of 1 members, but not PyTorch's");
  const std::string legacy("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.", 21);
  EXPECT_TRUE(Recognises(kTorch, legacy));
  ExpectRefused(kTorch, legacy, "a PyTorch file of the time before 1.6, one pickle from offset 0");
  EXPECT_FALSE(Recognises(kTorch, ZipWriter().Member("flat", "x").File()));
}

std::vector<std::string> KeysOf(const std::string& pickle) {
  std::vector<std::string> keys;
  for (const auto& [key, storage] : ReadTorchPickle({reinterpret_cast<const uint8_t*>(pickle.data()), pickle.size()})) {
    keys.push_back(key);
  }
  return keys;
}

TEST(TorchPickleTest, EveryTruncationAndEveryByteIsHarmless) {
  const std::string pickle = TorchPickle({{"w", "FloatStorage", "0", {2, 3}, {}}, {"b", "HalfStorage", "1", {2}, {}}});
  EXPECT_THAT(KeysOf(pickle), ElementsAre("0", "1"));
  for (size_t size = 0; size < pickle.size(); ++size) EXPECT_LE(KeysOf(pickle.substr(0, size)).size(), 2u);
  for (size_t at = 0; at < pickle.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = pickle;
      changed[at] = static_cast<char>(byte);
      EXPECT_LE(KeysOf(changed).size(), 2u);
    }
  }
}

TEST(TorchPickleTest, ManyValuesEndTheReading) {
  std::string pickle;
  for (int i = 0; i < 1 << 21; ++i) pickle += "K\1";
  EXPECT_THAT(KeysOf(pickle + TorchPickle({{"w", "FloatStorage", "0", {1}, {}}})), IsEmpty());
  EXPECT_THAT(KeysOf(std::string(1 << 20, '(') + TorchPickle({{"w", "FloatStorage", "0", {1}, {}}})), ElementsAre("0"));
}

}  // namespace
}  // namespace modelvault
