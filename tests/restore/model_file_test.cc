// The seam for model files, tried with a format that has bytes before, between and behind its tensors.
#include "restore/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "restore/file_assembler.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/memory_file.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

absl::Span<const uint8_t> Bytes(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// "HEAD", two bytes of the first tensor, "--", three of the second, "TAIL!". What it claims may be a lie.
class PiecesFormat : public ModelFormat {
 public:
  absl::string_view name() const override { return "pieces"; }
  std::vector<absl::string_view> extensions() const override { return {".pieces"}; }
  bool Recognises(absl::Span<const uint8_t> head) const override {
    return head.size() >= 4 && head.first(4) == Bytes("HEAD");
  }
  absl::StatusOr<std::string> ReadFrame(const RandomAccessFile& file, const FrameOptions&) const override {
    std::string all(static_cast<size_t>(file.size()), '\0');
    const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(all.data()), all.size());
    if (absl::Status status = file.ReadAt(0, bytes); !status.ok()) return status;
    return all.substr(0, 4) + all.substr(6, 2) + all.substr(11);
  }
  absl::StatusOr<ModelStructure> ParseFrame(absl::Span<const uint8_t>, uint64_t, absl::string_view) const override {
    return structure;
  }

  ModelStructure structure = [] {
    ModelStructure s;
    s.tensors = {{"a", DType::kU8, {2}, 0}, {"b", DType::kI8, {3}, 2}};
    s.pieces = {{0, 4}, {2, 2}, {5, 5}};
    return s;
  }();
};

constexpr char kFile[] = "HEADab--cdeTAIL!";

absl::StatusOr<ModelFile> Open(const ModelFormat& format, const std::string& bytes) {
  return ModelFile::FromFile(format,
                             std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "m"));
}

TEST(ModelFileTest, TensorsAreReadAcrossTheBytesBetweenThem) {
  const PiecesFormat format;
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(format, kFile));
  EXPECT_EQ(file.frame(), "HEAD--TAIL!");
  EXPECT_EQ(file.data_size(), 5u);
  EXPECT_EQ(file.size(), sizeof(kFile) - 1);
  for (size_t begin = 0; begin <= 5; ++begin) {
    for (size_t end = begin; end <= 5; ++end) {
      std::vector<uint8_t> out(end - begin);
      ASSERT_THAT(file.ReadData(begin, absl::MakeSpan(out)), IsOk());
      EXPECT_EQ(std::string(out.begin(), out.end()), std::string("abcde").substr(begin, end - begin));
    }
  }
  std::vector<uint8_t> out(2);
  EXPECT_THAT(file.ReadData(4, absl::MakeSpan(out)), StatusIs(StatusCode::kInvalidArgument, HasSubstr("m: 2 bytes")));
  ASSERT_OK_AND_ASSIGN(const std::string again, file.ReadFrameAgain());
  EXPECT_EQ(again, file.frame());
}

TEST(ModelFileTest, AFileLargerThanAnyMemoryIsRefused) {
  const PiecesFormat format;
  const auto open = [&](size_t most) {
    const absl::string_view bytes = kFile;
    return ModelFile::FromFile(
        format, std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "m"), {}, most);
  };
  EXPECT_THAT(open(16), IsOk());
  EXPECT_THAT(open(15), StatusIs(StatusCode::kInvalidArgument, "m: 16 bytes, this program takes at most 15"));
}

TEST(ModelFileTest, AFileIsPutTogetherAgainHoweverItsDataArrive) {
  const PiecesFormat format;
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open(format, kFile));
  for (size_t step = 1; step <= 5; ++step) {
    std::string result;
    FileAssembler assembler(file.frame(), file.structure(), [&](absl::Span<const uint8_t> bytes) {
      result.append(bytes.begin(), bytes.end());
      return absl::OkStatus();
    });
    const absl::string_view data = "abcde";
    for (size_t at = 0; at < data.size(); at += step) {
      ASSERT_THAT(assembler.Append(Bytes(data.substr(at, step))), IsOk());
    }
    ASSERT_THAT(assembler.Finish(), IsOk());
    EXPECT_EQ(result, kFile) << step;
  }
  int calls = 0;
  FileAssembler failing(file.frame(), file.structure(), [&](absl::Span<const uint8_t>) {
    return ++calls == 3 ? absl::UnavailableError("full") : absl::OkStatus();
  });
  EXPECT_THAT(failing.Append(Bytes("abcde")), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(calls, 3);
}

TEST(ModelFileTest, AFileWithoutTensorsIsItsFrame) {
  std::string result;
  ModelStructure structure;
  structure.pieces = {{0, 2}, {0, 3}};
  FileAssembler assembler("abcde", structure, [&](absl::Span<const uint8_t> bytes) {
    result.append(bytes.begin(), bytes.end());
    return absl::OkStatus();
  });
  ASSERT_THAT(assembler.Finish(), IsOk());
  EXPECT_EQ(result, "abcde");
}

TEST(ModelFileTest, AStructureThatDoesNotCoverTheFileIsAFaultOfTheFormat) {
  const auto refused = [](auto change) {
    PiecesFormat format;
    change(&format.structure);
    EXPECT_THAT(Open(format, kFile), StatusIs(StatusCode::kInternal, HasSubstr("m: format pieces")));
  };
  refused([](ModelStructure* s) { s->tensors.pop_back(); });
  refused([](ModelStructure* s) { s->tensors[1].begin = 1; });
  refused([](ModelStructure* s) { s->pieces.pop_back(); });
  refused([](ModelStructure* s) { s->pieces[2].size = 6; });
  refused([](ModelStructure* s) { s->pieces[2].data_offset = 6; });
  refused([](ModelStructure* s) { s->pieces[0].data_offset = 3; });
}

TEST(ModelFormatsTest, AFileIsOpenedByWhatIsInIt) {
  const TempFolder folder;
  const PiecesFormat pieces;
  const ModelFormats formats({&pieces});
  FileSystem& disk = FileSystem::Default();
  ASSERT_OK_AND_ASSIGN(const ModelFile file, formats.Open(disk, folder.Write("m.gguf", kFile)));
  EXPECT_EQ(file.format().name(), "pieces");
  EXPECT_THAT(file.tensors(), SizeIs(2));
  ASSERT_OK_AND_ASSIGN(const ModelStructure parsed, formats.ParseFrame(file.frame(), file.data_size(), "v: base"));
  EXPECT_EQ(parsed.tensors, file.tensors());
  EXPECT_THAT(formats.ParseFrame("other", 5, "v: base"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("v: base: not a model file (pieces)")));
  EXPECT_THAT(formats.Open(disk, folder.File("none")), StatusIs(StatusCode::kNotFound));
  EXPECT_TRUE(formats.HasExtension("m.pieces"));
  EXPECT_FALSE(formats.HasExtension("m.gguf"));
  EXPECT_EQ(formats.Extensions(), "*.pieces");
}

TEST(ModelFormatsTest, AForeignFileIsCalledWhatItIs) {
  const TempFolder folder;
  const PiecesFormat pieces;
  const ModelFormats formats({&pieces});
  const std::string tar = std::string(257, 'x') + "ustar";
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"", "it is empty"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"},
      {"\n<!DOCTYPE HTML><html>", "an HTML page"},
      {"<html><head>", "an HTML page"},
      {std::string("PK\x03\x04\x14\0", 6), "a ZIP archive"},
      {"GGUF\x03", "a GGUF file"},
      {"\x1f\x8b\x08", "gzip-compressed"},
      {"\x28\xb5\x2f\xfd", "zstd-compressed"},
      {std::string("\0\0\0\0TFL3", 8), "a TensorFlow Lite model"},
      {"\x93NUMPY", "a NumPy array"},
      {"\x80\x02}q", "a Python pickle"},
      {tar, "a tar archive"},
      {"{\"weight_map\": {}}", "join the shards first"},
      {std::string(600, '\0'), "zeros"},
      {"Access denied\n", "text that begins with 'Access denied\\n'"},
      {"\x01\xff\x02", "it is a binary file of no kind known here"},
  };
  for (const auto& [content, expected] : kinds) {
    const std::string path = folder.Write("model.safetensors", content);
    EXPECT_THAT(formats.Open(FileSystem::Default(), path),
                StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr(path), HasSubstr(expected))))
        << expected;
  }
}

}  // namespace
}  // namespace modelvault
