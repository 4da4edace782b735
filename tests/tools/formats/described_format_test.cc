// From typed ranges to a frame that describes itself, and to a file's data and back.
#include "tools/formats/described/described_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "restore/described_frame.h"
#include "tests/status_matchers.h"
#include "tests/vault/memory_file.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TypedRange Range(const std::string& name, DType dtype, std::vector<uint64_t> shape, uint64_t begin, uint64_t end) {
  TypedRange range;
  range.tensor.name = name;
  range.tensor.dtype = dtype;
  range.tensor.shape = std::move(shape);
  range.tensor.begin = begin;
  range.tensor.end = end;
  return range;
}

class RangesFormat : public DescribedFormat {
 public:
  explicit RangesFormat(std::vector<TypedRange> ranges) : ranges_(std::move(ranges)) {}
  absl::string_view name() const override { return "ranges"; }
  std::vector<absl::string_view> extensions() const override { return {".ranges"}; }
  bool Recognises(absl::Span<const uint8_t>) const override { return true; }
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile&,
                                                     const std::vector<FilePart>&) const override {
    return ranges_;
  }

 private:
  std::vector<TypedRange> ranges_;
};

absl::StatusOr<ModelFile> Open(std::vector<TypedRange> ranges, const std::string& bytes,
                               const FrameOptions& options = {}) {
  // A frame's file does not ask its format for anything any more.
  static const RangesFormat* format = nullptr;
  delete format;
  format = new RangesFormat(std::move(ranges));
  return ModelFile::FromFile(
      *format, std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "m"), options);
}

std::string Data(const ModelFile& file) {
  std::string data(static_cast<size_t>(file.data_size()), '\0');
  EXPECT_THAT(file.ReadData(0, absl::MakeSpan(reinterpret_cast<uint8_t*>(data.data()), data.size())), IsOk());
  return data;
}

std::vector<std::string> Names(const ModelFile& file) {
  std::vector<std::string> names;
  for (const ModelTensor& tensor : file.tensors()) names.push_back(tensor.name);
  return names;
}

// What a frame holds behind its description.
std::string Opaque(const ModelFile& file) {
  return file.frame().substr(static_cast<size_t>(file.structure().description_size));
}

constexpr char kFile[] = "HEADaaaa--bbbbbbTAIL!";

TEST(DescribedFormatTest, RangesComeInAnyOrderAndTwice) {
  ASSERT_OK_AND_ASSIGN(const ModelFile file,
                       Open({Range("b", DType::kI16, {3}, 10, 16), Range("a", DType::kI8, {2, 2}, 4, 8),
                             Range("also b", DType::kU8, {6}, 10, 16), Range("none", DType::kF32, {0, 7}, 9, 9)},
                            kFile));
  EXPECT_THAT(Names(file), ElementsAre("a", "b"));
  EXPECT_EQ(file.tensors()[1].dtype, DType::kI16);
  EXPECT_EQ(Data(file), "aaaabbbbbb");
  EXPECT_EQ(Opaque(file), "HEAD--TAIL!");
  EXPECT_EQ(file.structure().format, "ranges");
  EXPECT_EQ(file.size(), 21u);
  ASSERT_OK_AND_ASSIGN(const std::string again, file.ReadFrameAgain());
  EXPECT_EQ(again, file.frame());
}

TEST(DescribedFormatTest, AWholeFileIsItsDataSection) {
  FrameOptions options;
  options.whole_file = true;
  ASSERT_OK_AND_ASSIGN(const ModelFile file,
                       Open({Range("a", DType::kI8, {4}, 4, 8), Range("b", DType::kI8, {6}, 10, 16)}, kFile, options));
  EXPECT_THAT(Names(file), ElementsAre("bytes.1", "a", "bytes.2", "b", "bytes.3"));
  EXPECT_EQ(Data(file), kFile);
  EXPECT_EQ(Opaque(file), "");
  EXPECT_EQ(file.tensors()[0].type_name(), "bytes");
  EXPECT_TRUE(file.structure().whole_file);
}

TEST(DescribedFormatTest, LongOpaqueBytesAreATensor) {
  const std::string bytes = std::string(kMaxFramePiece, 'x') + "aaaa" + std::string(kMaxFramePiece + 1, 'y');
  ASSERT_OK_AND_ASSIGN(const ModelFile file,
                       Open({Range("a", DType::kI8, {4}, kMaxFramePiece, kMaxFramePiece + 4)}, bytes));
  EXPECT_THAT(Names(file), ElementsAre("a", "bytes.1"));
  EXPECT_EQ(Opaque(file).size(), kMaxFramePiece);
}

TEST(DescribedFormatTest, NamesBecomeUnique) {
  const std::string long_name(2000, 'n');
  ASSERT_OK_AND_ASSIGN(
      const ModelFile file,
      Open({Range("", DType::kI8, {1}, 0, 1), Range("x", DType::kI8, {1}, 1, 2), Range("x", DType::kI8, {1}, 2, 3),
            Range("", DType::kI8, {1}, 3, 4), Range("\xff", DType::kI8, {1}, 4, 5),
            Range(std::string("a\0", 2), DType::kI8, {1}, 5, 6), Range(long_name, DType::kI8, {1}, 6, 7)},
           kFile));
  EXPECT_THAT(Names(file), ElementsAre("#2", "x", "x#2", "#3", "\\xff", "a\\x00", std::string(250, 'n')));
}

TEST(DescribedFormatTest, BlocksAreTakenApart) {
  TypedRange blocks = Range("q", DType::kOpaque, {}, 4, 16);
  blocks.tensor.opaque_type = "Q";
  blocks.parts = {{ModelTensor("q.scales", DType::kF16, {3}), 2}, {ModelTensor("q", DType::kI8, {3, 2}), 2}};
  ASSERT_OK_AND_ASSIGN(const ModelFile file, Open({blocks}, "HEADssqqttrruuvv+"));
  EXPECT_THAT(Names(file), ElementsAre("q.scales", "q"));
  EXPECT_EQ(Data(file), "ssttuuqqrrvv");
  EXPECT_EQ(Opaque(file), "HEAD+");
  EXPECT_THAT(file.structure().weaves, ElementsAre(Weave{0, 3, {2, 2}}));
}

TEST(DescribedFormatTest, RangesThatCannotBeAreRefused) {
  const auto refused = [](std::vector<TypedRange> ranges, const std::string& why) {
    EXPECT_THAT(Open(std::move(ranges), kFile),
                StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("m: tensor "), HasSubstr(why))));
  };
  constexpr uint64_t kMax = ~uint64_t{0};
  refused({Range("a", DType::kI8, {4}, 18, 22)}, "'a' at offset 18: bytes up to 22, but the file has 21");
  refused({Range("a", DType::kI8, {4}, 8, 4)}, "'a' at offset 8: bytes up to 4");
  refused({Range("a", DType::kI8, {4}, kMax - 3, kMax)}, "but the file has 21");
  refused({Range("a", DType::kI8, {4}, kMax, 3)}, "at offset 18446744073709551615");
  refused({Range("a", DType::kI8, {4}, 4, 8), Range("b", DType::kI8, {4}, 7, 11)},
          "'b' at offset 7: overlaps tensor 'a', which has the bytes 4 to 8");
  refused({Range("a", DType::kI8, {4}, 4, 8), Range("b", DType::kI8, {3}, 4, 7)},
          "'a' at offset 4: overlaps tensor 'b'");
  refused({Range("a", DType::kI8, {5}, 4, 8)}, "4 bytes, but I8 [5] has 5");
  refused({Range("a", DType::kI8, {uint64_t{1} << 32, uint64_t{1} << 32, 4}, 4, 8)}, "do not fit 64 bits");
  refused({Range("a", DType::kI32, {(uint64_t{1} << 62) + 1}, 4, 8)}, "do not fit 64 bits");
  refused({Range("a", DType::kI8, std::vector<uint64_t>(65, 1), 4, 5)}, "65 dimensions");
  TypedRange nibbles = Range("a", DType::kOpaque, {9}, 4, 8);
  nibbles.tensor.opaque_bits = 4;
  nibbles.tensor.opaque_type = "I4";
  refused({nibbles}, "4 bytes, but I4 [9] has 5");
  TypedRange blocks = Range("q", DType::kOpaque, {}, 4, 16);
  blocks.parts = {{ModelTensor("s", DType::kF16, {3}), 2}, {ModelTensor("q", DType::kI8, {3, 3}), 3}};
  refused({blocks}, "'q' at offset 4: 12 bytes are not blocks of 5");
  blocks.parts[1] = {ModelTensor("q", DType::kI8, {3, 3}), 2};
  refused({blocks}, "6 bytes, but I8 [3, 3] has 9");
}

}  // namespace
}  // namespace modelvault
