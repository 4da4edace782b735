// Offsets beyond 4 GiB: in the base's data, and in the file. Nothing of that size is written or read: the far base is
// zeros that code to nothing, the far blob lies behind a hole in a sparse file.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/base_encoder.h"
#include "codec/prefix_coding.h"
#include "codec/rans_encoder.h"
#include "codec/segment_encoder.h"
#include "codec/varint.h"
#include "restore/restorer.h"
#include "tests/restore/coded_models.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

// Zeros, then `tail`.
class FarSource : public DataSource {
 public:
  FarSource(uint64_t zeros, TestBytes tail) : zeros_(zeros), tail_(std::move(tail)) {}

  uint64_t size() const override { return zeros_ + tail_.size(); }
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) override {
    for (size_t i = 0; i < out.size(); ++i) {
      const uint64_t at = offset + i;
      out[i] = at < zeros_ ? uint8_t{0} : tail_[static_cast<size_t>(at - zeros_)];
    }
    return absl::OkStatus();
  }

 private:
  uint64_t zeros_;
  TestBytes tail_;
};

constexpr uint64_t kFar = uint64_t{1} << 32;
constexpr uint32_t kUnit = 1u << 24;  // of chunks and segments
constexpr uint64_t kFirstSize = kFar + 300;

ModelTensor First() { return {DType::kI8, 1, kFirstSize}; }
ModelTensor Second() { return {DType::kI8, 10, 100}; }

// MODEL of the two tensors: the first has a table of zeros only, the second one of its own.
std::string FarModel(const TestBytes& second) {
  std::string model;
  AppendVarint(&model, 2);
  AppendVarint(&model, 2);
  Histogram zeros{}, histogram{};
  zeros[0] = 1;
  for (uint8_t byte : second) ++histogram[byte];
  model += SerializeCodeLengths(OptimalCodeLengths(zeros));
  model += SerializeCodeLengths(OptimalCodeLengths(histogram));
  for (const ModelTensor& spec : {First(), Second()}) {
    model += static_cast<char>(spec.dtype);
    AppendVarint(&model, spec.rows());
    AppendVarint(&model, spec.cols());
    model += std::string("\0\x14", 2);  // no flags, level 20
    model += static_cast<char>(spec.rows() == 1 ? 0 : 1);
  }
  model.resize((model.size() + 3) / 4 * 4);
  return model;
}

// A segment in which nothing differs.
std::string SameSegment() {
  SegmentContexts contexts;
  RansEncoder rans;
  for (const unsigned node : {1u, 2u, 4u}) EncodeBit(&rans, &contexts.mode[1][node], false);
  return rans.Finish();
}

class FarBaseTest : public testing::Test {
 protected:
  void SetUp() override {
    TestRandom random(6);
    TestBytes base_tail(300);
    const TestBytes second = RandomTensor(Second(), &random);
    base_tail.insert(base_tail.end(), second.begin(), second.end());
    TestBytes variant_tail = base_tail;
    for (uint8_t& byte : variant_tail) byte = static_cast<uint8_t>(byte + random.Below(3));
    base_ = std::make_unique<FarSource>(kFar, base_tail);
    variant_ = std::make_unique<FarSource>(kFar, variant_tail);

    const std::string section = FarModel(second);
    auto model = ParsedSharedTables::Parse(section);
    ASSERT_THAT(model, IsOk());
    const VaultParams params = {
        .chunk_size = kUnit, .segment_size = kUnit, .base_data_size = base_->size(), .tensor_count = 2};
    const std::string path = folder_.File("v.mvlt");
    ASSERT_OK_AND_ASSIGN(const auto writer, VaultWriter::Create(FileSystem::Default(), path, params, section));
    const BaseEncoder chunks(&(*model)->tables(), kUnit);
    ASSERT_EQ(chunks.chunk_count(), kFar / kUnit + 1);
    // A table's only symbol has no bits.
    for (uint64_t c = 0; c < kFar / kUnit; ++c) ASSERT_THAT(writer->AppendBaseChunk(PrefixEncoder().Finish()), IsOk());
    ASSERT_THAT(writer->AppendBaseChunk(chunks.Encode(kFar / kUnit, base_tail)), IsOk());
    ASSERT_THAT(writer->FinishBase({}, "{}"), IsOk());

    const VariantLayout layout(&(*model)->tables());
    const SegmentEncoder segments(&layout, kUnit);
    ASSERT_EQ(segments.segment_count(), kFar / kUnit + 1);
    ASSERT_OK_AND_ASSIGN(const std::string last, segments.Encode(kFar / kUnit, base_.get(), variant_.get()));
    ASSERT_THAT(writer->BeginVariant("far", {}, segments.segment_count()), IsOk());
    for (uint64_t s = 0; s < kFar / kUnit; ++s) ASSERT_THAT(writer->AppendSegment(SameSegment()), IsOk());
    ASSERT_THAT(writer->AppendSegment(last), IsOk());
    ASSERT_THAT(writer->FinishVariant({}, "{}"), IsOk());
    ASSERT_THAT(writer->Finish(), IsOk());
    ASSERT_THAT(writer->Commit(), IsOk());
    auto restorer = Restorer::Open(FileSystem::Default(), path);
    ASSERT_THAT(restorer, IsOk());
    restorer_ = *std::move(restorer);
  }

  // Whether bytes [begin, end) of a model are those of `expected`.
  void ExpectRange(const VaultModel& model, FarSource* expected, uint64_t begin, uint64_t end, int threads) {
    SCOPED_TRACE(absl::StrCat(begin, " to ", end, " on ", threads, " threads"));
    RestoreOptions options;
    options.threads = threads;
    uint64_t at = begin;
    TestBytes wanted;
    bool same = true;
    EXPECT_THAT(model.ReadRange(begin, end, options,
                                [&](uint64_t offset, absl::Span<const uint8_t> bytes) {
                                  same = same && offset == at;
                                  wanted.resize(bytes.size());
                                  EXPECT_THAT(expected->Read(at, absl::MakeSpan(wanted)), IsOk());
                                  same = same && absl::MakeConstSpan(wanted) == bytes;
                                  at += bytes.size();
                                  return absl::OkStatus();
                                }),
                IsOk());
    EXPECT_EQ(at, end);
    EXPECT_TRUE(same);
  }

  TempFolder folder_;
  std::unique_ptr<FarSource> base_;
  std::unique_ptr<FarSource> variant_;
  std::unique_ptr<Restorer> restorer_;
};

TEST_F(FarBaseTest, RangesOnBothSidesOfFourGibibytesComeBackExactly) {
  EXPECT_EQ(restorer_->vault().header().features, kFeatureWideChunks);
  EXPECT_LT(restorer_->vault().header().file_size, 20000u);
  ASSERT_OK_AND_ASSIGN(const auto far, restorer_->OpenVariant("far"));
  ASSERT_OK_AND_ASSIGN(const auto base, restorer_->OpenBase());
  const uint64_t size = kFar + 1300;
  ASSERT_EQ(far->data_size(), size);
  for (const auto& [begin, end] : std::vector<std::pair<uint64_t, uint64_t>>{
           {kFar, size}, {kFar - 1, kFar + 1}, {kFar + 299, kFar + 301}, {size - 1, size}, {kFar - 5000, kFar - 1}}) {
    ExpectRange(*far, variant_.get(), begin, end, 1);
    ExpectRange(*base, base_.get(), begin, end, 1);
  }
  // Wide enough for two threads to share.
  ExpectRange(*far, variant_.get(), kFar - kUnit - 1000, size, 2);
  const VariantTensor second = far->layout().tensor(1);
  EXPECT_EQ(second.offset, kFirstSize);
  ExpectRange(*far, variant_.get(), second.offset, second.offset + second.size, 1);
}

TEST_F(FarBaseTest, CodersReadTheFarBase) {
  const auto source = restorer_->BaseSource();
  EXPECT_EQ(source->size(), kFar + 1300);
  TestBytes found(1400), expected(1400);
  ASSERT_THAT(source->Read(kFar - 100, absl::MakeSpan(found)), IsOk());
  ASSERT_THAT(base_->Read(kFar - 100, absl::MakeSpan(expected)), IsOk());
  EXPECT_EQ(found, expected);
}

// Moves the blob of `name` to `far`, and INDEX and MANIFEST behind it, in a file with a hole nobody wrote.
void MoveBlob(const std::string& path, const std::string& vault, const std::string& name, uint64_t far) {
  ASSERT_OK_AND_ASSIGN(const auto reader, VaultReader::FromFile(FileOf(vault)));
  std::vector<VaultVariant> variants = reader->variants();
  std::sort(variants.begin(), variants.end(), IndexOrder);
  std::string blob;
  std::string front = vault.substr(0, SectionOffset(vault, 3));
  for (VaultVariant& v : variants) {
    if (v.name != name) continue;
    blob = vault.substr(v.offset, v.stored_size);
    std::fill_n(front.begin() + static_cast<ptrdiff_t>(v.offset), v.stored_size, '\0');
    v.offset = far;
  }
  ASSERT_FALSE(blob.empty());
  const std::string index = EncodeIndex(variants, true);
  const std::string manifest = vault.substr(SectionOffset(vault, 4));
  VaultHeader header = reader->header();
  header.features |= kFeatureWideIndex;
  SectionPlace& place = header.section(Section::kIndex);
  place = {
      .offset = AlignUp(far + blob.size()), .size = index.size(), .checksum = XXH64(index.data(), index.size(), 0)};
  header.section(Section::kManifest).offset = AlignUp(place.end());
  header.file_size = header.section(Section::kManifest).end();

  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ASSERT_GE(fd, 0);
  const auto put = [&](uint64_t offset, const std::string& bytes) {
    ASSERT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)), static_cast<ssize_t>(bytes.size()));
  };
  put(0, front);
  put(far, blob);
  put(place.offset, index);
  put(header.section(Section::kManifest).offset, manifest);
  put(0, EncodeHeader(header));
  close(fd);
}

TEST(FarBlobTest, AVariantBeyondFourGibibytesOfTheFileComesBackExactly) {
  const CodedModels models = Encode(MakePlainModels(3), 512, 4096);
  const std::string vault = CodedVaultBytes(models);
  TempFolder folder;
  for (const std::string name : {"ternary", "retyped", "unrelated"}) {
    const std::string path = folder.File("v.mvlt");
    // The last case has the border inside a segment.
    for (const uint64_t far : {uint64_t{5} << 30, kFar, kFar - 1000 * (name == "unrelated" ? 8 : 0)}) {
      MoveBlob(path, vault, name, far);
      ASSERT_OK_AND_ASSIGN(const auto restorer, Restorer::Open(FileSystem::Default(), path));
      EXPECT_EQ(restorer->vault().header().features, kFeatureWideIndex);
      EXPECT_GT(restorer->vault().header().file_size, kFar);
      for (const CodedVariant& v : models.variants) {
        ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant(v.name));
        for (const int threads : {1, 2}) {
          RestoreOptions options;
          options.threads = threads;
          TestBytes bytes;
          EXPECT_THAT(model->Restore(options,
                                     [&](uint64_t, absl::Span<const uint8_t> piece) {
                                       bytes.insert(bytes.end(), piece.begin(), piece.end());
                                       return absl::OkStatus();
                                     }),
                      IsOk());
          EXPECT_TRUE(bytes == v.data) << v.name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace modelvault
