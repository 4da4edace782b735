// ONNX models whose values are in files beside them.
#include "tools/formats/onnx/external_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/tools/formats/onnx/onnx_bytes.h"
#include "tools/formats/model_formats.h"
#include "vault/file_system.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using namespace onnx;  // NOLINT: messages are made of many pieces.
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class ExternalDataTest : public testing::Test {
 protected:
  absl::StatusOr<ModelFile> Open(const std::string& graph) {
    return OpenModelFile(FileSystem::Default(), folder_.Write("m.onnx", Model(graph)));
  }

  // A model with the tensor w, four bytes, in 20 bytes of weights.bin, or elsewhere.
  absl::StatusOr<ModelFile> Open(const Entries& entries) {
    folder_.Write("weights.bin", "HEADaaaabbbbccccTAIL");
    return Open(Initializer(ExternalTensor("w", kInt8, {4}, entries)));
  }

  void ExpectRefused(const Entries& entries, const std::string& why) {
    EXPECT_THAT(Open(entries), StatusIs(StatusCode::kInvalidArgument,
                                        AllOf(HasSubstr("m.onnx: tensor 'w' at offset 10: "), HasSubstr(why))));
  }

  static std::string Bytes(const ModelFile& file, const ModelTensor& tensor) {
    std::string bytes(static_cast<size_t>(tensor.size()), '\0');
    EXPECT_THAT(file.ReadData(tensor.begin, absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size())),
                IsOk());
    return bytes;
  }

  static std::vector<std::string> Tensors(const ModelFile& file) {
    std::vector<std::string> tensors;
    for (const ModelTensor& tensor : file.tensors()) tensors.push_back(tensor.name + " " + Bytes(file, tensor));
    return tensors;
  }

  TempFolder folder_;
};

TEST_F(ExternalDataTest, ValuesAreFoundInTheFilesInTheOrderOfFirstUse) {
  folder_.Write("weights.bin", "HEADaaaabbbbTAIL");
  std::filesystem::create_directory(folder_.File("data"));
  folder_.Write("data/more.bin", "ccccdddd");
  const auto external = [](const std::string& name, const Entries& entries) {
    return Initializer(ExternalTensor(name, kInt8, {2, 2}, entries));
  };
  const std::string graph =
      external("c", {{"location", "data/more.bin"}}) +
      external("b", {{"location", "weights.bin"}, {"offset", "8"}, {"length", "4"}, {"checksum", "not looked at"}}) +
      Initializer(Tensor("inside", kInt8, {2}, "xy")) +
      external("a", {{"offset", "4"}, {"length", "4"}, {"location", "weights.bin"}}) +
      // Shared values are one tensor.
      external("b again", {{"location", "weights.bin"}, {"offset", "8"}}) +
      external("d", {{"location", "data/more.bin"}, {"offset", "4"}});
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(graph));
  EXPECT_THAT(Tensors(file), ElementsAre("inside xy", "c cccc", "d dddd", "a aaaa", "b bbbb"));
  EXPECT_THAT(file.structure().files, ElementsAre(FilePart{"m.onnx", Model(graph).size()}, FilePart{"data/more.bin", 8},
                                                  FilePart{"weights.bin", 16}));
  EXPECT_THAT(file.frame(), HasSubstr("HEADTAIL"));
  // A folder with one model is that model.
  ASSERT_OK_AND_ASSIGN(const ModelFile same, OpenModelFile(FileSystem::Default(), folder_.path()));
  EXPECT_EQ(same.frame(), file.frame());
}

TEST_F(ExternalDataTest, EntriesCountOnlyWhereTheLocationSaysSo) {
  ASSERT_OK_AND_ASSIGN(const ModelFile file,
                       Open(Initializer(Tensor("w", kInt8, {1}, "a") +
                                        onnx::Bytes(kExternalData, onnx::Bytes(1, "checksum") + onnx::Bytes(2, "?")))));
  EXPECT_THAT(Tensors(file), ElementsAre("w a"));
  EXPECT_TRUE(file.structure().files.empty());
}

TEST_F(ExternalDataTest, NothingLeavesTheFolder) {
  const TempFolder other;
  other.Write("secret", "aaaa");
  const std::string up = "../" + std::filesystem::path(other.path()).filename().string() + "/secret";
  for (const std::string& location :
       {up, other.File("secret"), std::string("data/../weights.bin"), std::string("data\\more.bin"),
        std::string("C:weights.bin"), std::string("weights.bin\0.txt", 16), std::string(),
        std::string("data//more.bin"), std::string("./weights.bin"), std::string("\xff")}) {
    ExpectRefused({{"location", location}}, "expected the path of a file below the model's folder");
  }
}

TEST_F(ExternalDataTest, NoLinkIsFollowed) {
  const TempFolder other;
  other.Write("secret", "aaaa");
  std::filesystem::create_symlink(other.File("secret"), folder_.File("link"));
  ExpectRefused({{"location", "link"}}, "/link: is a symbolic link, which is not followed");
  std::filesystem::create_symlink("weights.bin", folder_.File("near"));
  ExpectRefused({{"location", "near"}}, "/near: is a symbolic link, which is not followed");
  std::filesystem::create_directory_symlink(other.path(), folder_.File("linked"));
  ExpectRefused({{"location", "linked/secret"}}, "/linked: is a symbolic link, which is not followed");
  // The model may be one, with its data beside the link.
  std::filesystem::create_directory(folder_.File("beside"));
  folder_.Write("beside/weights.bin", "bbbb");
  folder_.Write("m.onnx", Model(Initializer(ExternalTensor("w", kInt8, {4}, {{"location", "weights.bin"}}))));
  std::filesystem::create_symlink("../m.onnx", folder_.File("beside/m.onnx"));
  for (const std::string path : {"beside/m.onnx", "beside"}) {
    ASSERT_OK_AND_ASSIGN(const ModelFile file, OpenModelFile(FileSystem::Default(), folder_.File(path)));
    EXPECT_THAT(Tensors(file), ElementsAre("w bbbb"));
  }
}

TEST_F(ExternalDataTest, FilesThatCannotBeReadAreNamed) {
  EXPECT_THAT(Open(Entries{{"location", "gone.bin"}}),
              StatusIs(StatusCode::kNotFound,
                       AllOf(HasSubstr("m.onnx: tensor 'w' at offset 10: its values are in another file: "),
                             HasSubstr("/gone.bin: cannot open: No such file"))));
  std::filesystem::create_directory(folder_.File("folder"));
  ExpectRefused({{"location", "folder"}}, "/folder: is a directory");
  ASSERT_EQ(mkfifo(folder_.File("pipe").c_str(), 0600), 0);
  ExpectRefused({{"location", "pipe"}}, "/pipe: is not a regular file");
  ExpectRefused({{"location", "m.onnx"}}, "its external data are in the model's own file");
}

TEST_F(ExternalDataTest, PlacesThatCannotBeAreRefused) {
  ExpectRefused({}, "external data without a location");
  ExpectRefused({{"offset", "4"}}, "external data without a location");
  ExpectRefused({{"location", "weights.bin"}, {"location", "weights.bin"}},
                "external location 'weights.bin': it is there twice");
  ExpectRefused({{"offset", "4"}, {"offset", "4"}}, "external offset '4': it is there twice");
  ExpectRefused({{"length", "4"}, {"length", "4"}}, "external length '4': it is there twice");
  for (const char* const number : {"-1", "+1", " 1", "1 ", "0x1", "1.0", "", "18446744073709551616", "many"}) {
    ExpectRefused({{"location", "weights.bin"}, {"offset", number}},
                  absl::StrCat("external offset '", number, "': not a number of bytes below 2^64"));
    ExpectRefused({{"location", "weights.bin"}, {"length", number}},
                  absl::StrCat("external length '", number, "': not a number of bytes below 2^64"));
  }
  ExpectRefused({{"location", "weights.bin"}, {"offset", "18446744073709551615"}, {"length", "2"}},
                "2 bytes at 18446744073709551615 do not fit 64 bits");
  ExpectRefused({{"location", "weights.bin"}, {"offset", "17"}, {"length", "4"}},
                "4 bytes at 17 of 'weights.bin', which has 20");
  ExpectRefused({{"location", "weights.bin"}, {"offset", "17"}}, "4 bytes at 17 of 'weights.bin', which has 20");
  ExpectRefused({{"location", "weights.bin"}, {"offset", "4294967296"}}, "4 bytes at 4294967296 of 'weights.bin'");
  ExpectRefused({{"location", "weights.bin"}, {"offset", "18446744073709551615"}}, "4 bytes at 18446744073709551615");
}

TEST_F(ExternalDataTest, RangesOverlapEntirelyOrNotAtAll) {
  const auto open = [&](const std::string& offset, uint64_t size) {
    folder_.Write("weights.bin", "HEADaaaabbbbccccTAIL");
    return Open(Initializer(ExternalTensor("w", kInt8, {4}, {{"location", "weights.bin"}, {"offset", "4"}})) +
                Initializer(ExternalTensor("v", kInt8, {size}, {{"location", "weights.bin"}, {"offset", offset}})));
  };
  EXPECT_THAT(open("4", 4), IsOk());
  EXPECT_THAT(open("8", 4), IsOk());
  EXPECT_THAT(open("7", 4), StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("m.onnx: tensor 'v' at offset "),
                                                                         HasSubstr("overlaps tensor 'w'"))));
  EXPECT_THAT(open("4", 5), StatusIs(StatusCode::kInvalidArgument, HasSubstr("overlaps tensor 'w'")));
}

TEST_F(ExternalDataTest, ShapesMustFitWhatIsTold) {
  EXPECT_THAT(Open(Entries{{"location", "weights.bin"}, {"length", "5"}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("5 bytes, but I8 [4] has 4")));
  folder_.Write("weights.bin", "aaaa");
  const auto open = [&](uint64_t type, const std::vector<uint64_t>& dims) {
    return Open(Initializer(ExternalTensor("w", type, dims, {{"location", "weights.bin"}})));
  };
  EXPECT_THAT(open(99, {4}), StatusIs(StatusCode::kInvalidArgument, HasSubstr("neither a length nor type and shape")));
  EXPECT_THAT(open(kInt8, {uint64_t{1} << 62, 5}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("neither a length nor type and shape")));
  EXPECT_THAT(
      Open(Initializer(ExternalTensor("w", kInt8, {4}, {{"location", "weights.bin"}}) + onnx::Bytes(kRawData, "bbbb"))),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("tensor 'w' at offset 10: values here and in external")));
}

TEST_F(ExternalDataTest, FilesMayHaveMoreThan4GiB) {
  constexpr uint64_t kSize = uint64_t{5} << 30, kOffset = kSize - 4;
  folder_.Write("first.bin", "");
  folder_.Write("second.bin", "");
  std::filesystem::resize_file(folder_.File("first.bin"), uint64_t{3} << 30);  // Sparse.
  std::filesystem::resize_file(folder_.File("second.bin"), kSize);
  std::fstream(folder_.File("second.bin"), std::ios::in | std::ios::out | std::ios::binary).seekp(kOffset) << "wwww";
  const auto external = [](const std::string& name, const std::string& location, uint64_t offset) {
    return Initializer(
        ExternalTensor(name, kInt8, {4}, {{"location", location}, {"offset", absl::StrCat(offset)}, {"length", "4"}}));
  };
  ASSERT_OK_AND_ASSIGN(const ModelFile file,
                       Open(external("v", "first.bin", uint64_t{1} << 31) + external("w", "second.bin", kOffset)));
  EXPECT_EQ(file.size(), file.structure().files[0].size + (uint64_t{8} << 30));
  EXPECT_EQ(file.tensors().back().name, "w");
  EXPECT_EQ(Bytes(file, file.tensors().back()), "wwww");
}

}  // namespace
}  // namespace modelvault
