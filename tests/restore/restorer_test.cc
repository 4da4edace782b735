// Models out of vaults, whole and in parts, by one thread and by many, and what is said of those that are not as they
// were packed.
#include "restore/restorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/restore/coded_models.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/faulty_file_system.h"
#include "tests/vault/recorded_file.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr size_t kTileSizes[] = {256, 257, 1000, 4096, 65536};
constexpr int kThreadCounts[] = {1, 2, 4, 0};
constexpr uint32_t kChunkSize = 512;
constexpr uint32_t kSegmentSize = 4096;

const CodedModels& Models() {
  static const CodedModels* const models = new CodedModels(Encode(MakeFreeModels(2), kChunkSize, kSegmentSize));
  return *models;
}
const std::string& VaultBytes() {
  static const std::string* const bytes = new std::string(CodedVaultBytes(Models()));
  return *bytes;
}

TestBytes Slice(const TestBytes& bytes, uint64_t begin, uint64_t end) {
  return TestBytes(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.begin() + static_cast<ptrdiff_t>(end));
}

// Gathers what a restore hands over, checking that it comes in order.
VaultModel::Consumer Gather(uint64_t begin, TestBytes* bytes) {
  bytes->clear();
  return [begin, bytes](uint64_t offset, absl::Span<const uint8_t> piece) {
    EXPECT_EQ(offset, begin + bytes->size());
    EXPECT_FALSE(piece.empty());
    bytes->insert(bytes->end(), piece.begin(), piece.end());
    return absl::OkStatus();
  };
}

RestoreOptions Options(size_t tile_size, int threads) {
  RestoreOptions options;
  options.tile_size = tile_size;
  options.threads = threads;
  return options;
}

// What the test's models are called, the base included.
std::vector<std::string> ModelNames() {
  std::vector<std::string> names = {"base"};
  for (const CodedVariant& v : Models().variants) names.push_back(v.name);
  return names;
}
const TestBytes& Expected(const std::string& name) {
  return name == "base" ? Models().base : Models().variant(name).data;
}

class RestorerTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto restorer = OpenBytes(VaultBytes());
    ASSERT_THAT(restorer, IsOk());
    restorer_ = *std::move(restorer);
    auto model = OpenModel(*restorer_, GetParam());
    ASSERT_THAT(model, IsOk());
    model_ = *std::move(model);
  }

  std::unique_ptr<Restorer> restorer_;
  std::unique_ptr<const VaultModel> model_;
  const TestBytes& expected_ = Expected(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Models, RestorerTest, testing::ValuesIn(ModelNames()), [](const auto& test) {
  return absl::StrReplaceAll(test.param, {{"-", "_"}});
});

TEST_P(RestorerTest, ComesBackWholeInTilesOfEverySizeOnAnyNumberOfThreads) {
  EXPECT_EQ(model_->name(), GetParam());
  EXPECT_EQ(model_->is_base(), GetParam() == "base");
  ASSERT_EQ(model_->data_size(), expected_.size());
  for (const int threads : kThreadCounts) {
    for (const size_t tile_size : kTileSizes) {
      SCOPED_TRACE(absl::StrCat(threads, " threads, tiles of ", tile_size));
      const RestoreOptions options = Options(tile_size, threads);
      TestBytes bytes;
      EXPECT_THAT(model_->Restore(options, Gather(0, &bytes)), IsOk());
      EXPECT_TRUE(bytes == expected_);
      EXPECT_THAT(model_->Verify(options), IsOk());
    }
  }
}

TEST_P(RestorerTest, OneThreadHandsOverTilesSeveralHandOverSegments) {
  std::vector<size_t> sizes;
  const auto consumer = [&sizes](uint64_t, absl::Span<const uint8_t> bytes) {
    sizes.push_back(bytes.size());
    return absl::OkStatus();
  };
  ASSERT_THAT(model_->Restore(Options(1000, 1), consumer), IsOk());
  for (size_t i = 0; i + 1 < sizes.size(); ++i) EXPECT_EQ(sizes[i], 1000u);
  EXPECT_EQ(sizes.size(), (expected_.size() + 999) / 1000);
  sizes.clear();
  ASSERT_THAT(model_->Restore(Options(1000, 3), consumer), IsOk());
  for (size_t size : sizes) EXPECT_LE(size, kSegmentSize + kStripSize);
  EXPECT_GE(sizes.size(), expected_.size() / kSegmentSize);
}

TEST_P(RestorerTest, AnyRangeIsASliceOnAnyNumberOfThreads) {
  const std::vector<uint64_t> borders = Borders(model_->layout(), kChunkSize, kSegmentSize);
  constexpr uint64_t kSeed = 79;
  TestRandom random(kSeed);
  TestBytes bytes;
  for (int i = 0; i < 400; ++i) {
    uint64_t begin = random.Below(expected_.size() + 1);
    uint64_t end = random.Below(expected_.size() + 1);
    if (i % 2 == 0) {
      begin = borders[random.Below(borders.size())];
      end = borders[random.Below(borders.size())];
    }
    if (begin > end) std::swap(begin, end);
    const int threads = kThreadCounts[random.Below(3)];
    const size_t tile_size = kTileSizes[random.Below(5)];
    ASSERT_THAT(model_->ReadRange(begin, end, Options(tile_size, threads), Gather(begin, &bytes)), IsOk());
    ASSERT_TRUE(bytes == Slice(expected_, begin, end))
        << begin << " to " << end << " on " << threads << " threads, tiles of " << tile_size << ", seed " << kSeed;
  }
}

// Which of the file's bytes ranges have.
std::vector<bool> BytesOf(const std::vector<FileRange>& ranges) {
  std::vector<bool> bytes(VaultBytes().size(), false);
  for (const FileRange& range : ranges) {
    for (uint64_t at = range.begin; at < std::min<uint64_t>(range.end, bytes.size()); ++at) bytes[at] = true;
  }
  return bytes;
}

TEST_P(RestorerTest, WhatIsReadIsAnnounced) {
  FileReads reads;
  auto reader = VaultReader::FromFile(std::make_unique<RecordedFile>(FileOf(VaultBytes()), &reads));
  ASSERT_THAT(reader, IsOk());
  ASSERT_OK_AND_ASSIGN(const auto restorer, Restorer::FromReader(*std::move(reader)));
  const auto read_of_it = [&] {
    std::vector<FileRange> read;
    for (const FileReads::Read& r : reads.all) read.push_back({r.offset, r.offset + r.size});
    return BytesOf(read);
  };
  const auto expect_announced = [&](const std::string& what) {
    const std::vector<bool> announced = BytesOf(reads.announced);
    const std::vector<bool> read = read_of_it();
    for (size_t at = 0; at < read.size(); ++at) ASSERT_LE(read[at], announced[at]) << what << ", offset " << at;
    reads = FileReads();
  };
  reads = FileReads();
  restorer->WillRestore(GetParam());
  ASSERT_OK_AND_ASSIGN(const auto model, OpenModel(*restorer, GetParam()));
  TestBytes bytes;
  ASSERT_THAT(model->Restore(Options(4096, 1), Gather(0, &bytes)), IsOk());
  expect_announced("all");
  const VariantLayout& layout = model->layout();
  for (size_t i = 0; i < layout.tensor_count(); ++i) {
    const VariantTensor t = layout.tensor(i);
    ASSERT_THAT(model->ReadRange(t.offset, t.offset + t.size, Options(4096, 1), Gather(t.offset, &bytes)), IsOk());
    if (model->is_base()) {
      EXPECT_TRUE(BytesOf(reads.announced) == read_of_it()) << "and no more than that";
    }
    expect_announced(absl::StrCat("tensor ", i));
  }
}

TEST_P(RestorerTest, SingleTensorsAndSingleTilesAreSlices) {
  TestBytes bytes;
  const VariantLayout& layout = model_->layout();
  uint64_t sum = 0;
  for (size_t t = 0; t < layout.tensor_count(); ++t) {
    const VariantTensor tensor = layout.tensor(t);
    EXPECT_EQ(tensor.offset, sum);
    sum += tensor.size;
    ASSERT_THAT(model_->ReadRange(tensor.offset, sum, {}, Gather(tensor.offset, &bytes)), IsOk());
    EXPECT_TRUE(bytes == Slice(expected_, tensor.offset, sum)) << t;
  }
  EXPECT_EQ(sum, expected_.size());
  for (uint64_t tile = 0; tile < expected_.size(); tile += 1000) {
    const uint64_t end = std::min<uint64_t>(tile + 1000, expected_.size());
    int calls = 0;
    ASSERT_THAT(model_->ReadRange(tile, end, Options(1000, 1),
                                  [&](uint64_t offset, absl::Span<const uint8_t> piece) {
                                    ++calls;
                                    EXPECT_EQ(offset, tile);
                                    EXPECT_TRUE(TestBytes(piece.begin(), piece.end()) == Slice(expected_, tile, end));
                                    return absl::OkStatus();
                                  }),
                IsOk());
    EXPECT_EQ(calls, 1);
  }
}

TEST_P(RestorerTest, ArgumentsOutOfRangeAreNamed) {
  const auto never = [](uint64_t, absl::Span<const uint8_t>) { return absl::InternalError("called"); };
  const uint64_t size = expected_.size();
  EXPECT_THAT(model_->ReadRange(0, size + 1, {}, never),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("v.mvlt"), HasSubstr(GetParam()), HasSubstr(absl::StrCat(size + 1)),
                             HasSubstr(absl::StrCat("which has ", size)))));
  EXPECT_THAT(model_->ReadRange(2, 1, {}, never), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(model_->ReadRange(~uint64_t{0}, ~uint64_t{0}, {}, never), StatusIs(StatusCode::kInvalidArgument));
  for (const size_t tile_size : {size_t{0}, size_t{255}, (size_t{1} << 24) + 1, ~size_t{0}}) {
    EXPECT_THAT(model_->Restore(Options(tile_size, 1), never),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(absl::StrCat("tile size ", tile_size))));
  }
  EXPECT_THAT(model_->ReadRange(7, 7, {}, never), IsOk());
}

TEST_P(RestorerTest, AConsumersErrorEndsTheRestoreAndIsReturned) {
  for (const int threads : kThreadCounts) {
    for (const int fail_at : {1, 2, 4}) {
      int calls = 0;
      const absl::Status status =
          model_->Restore(Options(1000, threads), [&](uint64_t, absl::Span<const uint8_t>) -> absl::Status {
            return ++calls == fail_at ? absl::CancelledError("enough") : absl::OkStatus();
          });
      EXPECT_THAT(status, StatusIs(StatusCode::kCancelled, "enough"));
      EXPECT_EQ(calls, fail_at);
    }
  }
  EXPECT_THAT(model_->Verify(), IsOk());
}

TEST_P(RestorerTest, ManyThreadsMayUseOneModel) {
  std::vector<std::thread> threads;
  std::atomic<int> exact{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      TestBytes bytes;
      if (model_->Restore(Options(256, i % 2 + 1), Gather(0, &bytes)).ok() && bytes == expected_) ++exact;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(exact, 4);
}

// --- Damage.

// Where a model's two digests are in the vault.
struct DigestPlaces {
  size_t xxh64;
  size_t xxh3;
};
DigestPlaces PlacesOfDigests(const std::string& vault, const std::string& name) {
  if (name == "base") return {56, 40};
  const auto reader = VaultReader::FromFile(FileOf(vault));
  std::vector<VaultVariant> variants = (*reader)->variants();
  std::sort(variants.begin(), variants.end(), IndexOrder);
  for (size_t i = 0; i < variants.size(); ++i) {
    if (variants[i].name == name) return {IndexEntry(vault, i) + 16, IndexEntry(vault, i) + 24};
  }
  ADD_FAILURE() << name;
  return {};
}

TEST_P(RestorerTest, EitherDigestAloneTellsThatTheModelIsAnother) {
  const DigestPlaces places = PlacesOfDigests(VaultBytes(), GetParam());
  for (const size_t place : {places.xxh64, places.xxh64 + 7, places.xxh3, places.xxh3 + 15}) {
    std::string forged = VaultBytes();
    forged[place] = static_cast<char>(forged[place] ^ 1);
    RepairChecksums(&forged);
    ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(forged));
    for (const std::string& name : ModelNames()) {
      ASSERT_OK_AND_ASSIGN(const auto model, OpenModel(*restorer, name));
      TestBytes bytes;
      for (const int threads : {1, 2}) {
        const absl::Status status = model->Restore(Options(4096, threads), Gather(0, &bytes));
        EXPECT_TRUE(bytes == Expected(name));
        EXPECT_EQ(model->Verify(Options(4096, threads)), status);
        if (name != GetParam()) {
          EXPECT_THAT(status, IsOk());
          continue;
        }
        EXPECT_THAT(status, StatusIs(StatusCode::kDataLoss,
                                     AllOf(HasSubstr("v.mvlt"), HasSubstr(name), HasSubstr("digest mismatch"),
                                           HasSubstr(absl::StrCat(bytes.size(), " bytes")), HasSubstr("expected"),
                                           HasSubstr("computed"))));
      }
      // A part has no digest, and its own checksums are right.
      EXPECT_THAT(model->ReadRange(1, 2000, {}, Gather(1, &bytes)), IsOk());
    }
  }
}

TEST_P(RestorerTest, ADamagedBaseChunkIsNamedByAllModelsThatNeedIt) {
  const size_t base = SectionOffset(VaultBytes(), 2);
  std::string damaged = VaultBytes();
  const size_t last = base + SectionSize(damaged, 2) - 1;
  damaged[last] = static_cast<char>(damaged[last] ^ 0x40);
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(damaged));
  ASSERT_OK_AND_ASSIGN(const auto model, OpenModel(*restorer, GetParam()));
  const std::string chunk = absl::StrCat("base chunk ", Models().chunks.size() - 1, " at offset 0x");
  EXPECT_THAT(model->Verify(), StatusIs(StatusCode::kDataLoss,
                                        AllOf(HasSubstr("v.mvlt"), HasSubstr(chunk), HasSubstr("checksum mismatch"))));
  EXPECT_THAT(model->Verify(Options(256, 4)), StatusIs(StatusCode::kDataLoss, HasSubstr(chunk)));
}

TEST_P(RestorerTest, WrongBytesUnderRightChecksumsNeverVerify) {
  constexpr uint64_t kSeed = 80;
  TestRandom random(kSeed);
  const size_t begin = SectionOffset(VaultBytes(), 2);
  const size_t end = SectionOffset(VaultBytes(), 3);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string forged = VaultBytes();
    const size_t place = begin + random.Below(end - begin);
    forged[place] = static_cast<char>(forged[place] ^ (1 << random.Below(8)));
    RepairEverything(&forged);
    const auto restorer = OpenBytes(forged);
    if (!restorer.ok()) {
      EXPECT_THAT(restorer, StatusIs(StatusCode::kDataLoss, HasSubstr("v.mvlt")));
      continue;
    }
    const auto model = OpenModel(**restorer, GetParam());
    TestBytes bytes;
    const absl::Status status = model.ok() ? (*model)->Restore(Options(1000, 1), Gather(0, &bytes)) : model.status();
    if (status.ok()) {
      EXPECT_TRUE(bytes == expected_) << "bit at " << place << ", seed " << kSeed;
      continue;
    }
    ++refused;
    EXPECT_THAT(status, StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt"), HasSubstr(GetParam()))));
    EXPECT_THAT(status.message(), Not(HasSubstr("checksum"))) << place;
  }
  EXPECT_GT(refused, 0);
}

// The offset of a variant's blob, and its size.
std::pair<size_t, size_t> BlobPlace(const std::string& vault, const std::string& name) {
  const auto reader = VaultReader::FromFile(FileOf(vault));
  const auto variant = (*reader)->Find(name);
  return {(*variant)->offset, (*variant)->stored_size};
}

TEST(RestorerLayoutTest, AVariantMayHaveNoTensors) {
  PlainModels plain = MakePlainModels(2);
  plain.variants = {{"nothing", {}, {}, false}};
  const std::string vault = CodedVaultBytes(Encode(plain, kChunkSize, kSegmentSize));
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(vault));
  ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant("nothing"));
  EXPECT_EQ(model->layout().tensor_count(), 0u);
  EXPECT_EQ(model->data_size(), 0u);
  EXPECT_EQ(model->stored_size(), 2u);
  EXPECT_THAT(model->Verify(), IsOk());
}

TEST(RestorerErrorsTest, ATensorWithoutABaseIsNamedAsTheVariantsOwn) {
  std::string forged = VaultBytes();
  const auto reader = VaultReader::FromFile(FileOf(forged));
  const VaultVariant& free = **(*reader)->Find("free");
  ASSERT_OK_AND_ASSIGN(const VaultBlob blob, (*reader)->OpenBlob(free));
  Store<uint32_t>(&forged, free.offset + blob.head_size(), 0);  // No coder begins with that state.
  RepairEverything(&forged);
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(forged));
  ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant("free"));
  EXPECT_THAT(model->Verify(), StatusIs(StatusCode::kDataLoss,
                                        HasSubstr("v.mvlt: variant 'free': tensor number 0 of its own, at or after")));
}

TEST(RestorerErrorsTest, ACorruptSegmentIsNamedWithFileVariantTensorAndOffset) {
  std::string forged = VaultBytes();
  const auto [offset, size] = BlobPlace(forged, "ternary");
  // The state that segment 2 begins with: the head is flags, count, and 8 bytes a segment.
  const auto& segments = Models().variant("ternary").segments;
  const size_t segment = offset + 2 + 8 * segments.size() + segments[0].size() + segments[1].size();
  Store<uint32_t>(&forged, segment, 1);
  {
    ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(forged));
    ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant("ternary"));
    EXPECT_THAT(model->Verify(), StatusIs(StatusCode::kDataLoss,
                                          AllOf(HasSubstr("v.mvlt: variant 'ternary', segment 2 at offset"),
                                                HasSubstr("checksum mismatch, stored 0x"), HasSubstr("computed 0x"))));
  }
  RepairEverything(&forged);
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(forged));
  for (const int threads : {1, 2}) {
    ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant("ternary"));
    // 8,192 is in the second tensor, which begins at 0; strips of its 300 columns begin at 8,100 and 8,356.
    EXPECT_THAT(model->Verify(Options(256, threads)),
                StatusIs(StatusCode::kDataLoss,
                         AllOf(HasSubstr("v.mvlt: variant 'ternary': tensor number 1, at or after offset 8"),
                               HasSubstr("coded stream corrupt"))));
    // Segments before and after it are as good as ever.
    TestBytes bytes;
    EXPECT_THAT(model->ReadRange(0, 8000, Options(256, threads), Gather(0, &bytes)), IsOk());
    EXPECT_THAT(model->ReadRange(13000, 24000, Options(256, threads), Gather(13000, &bytes)), IsOk());
    EXPECT_TRUE(bytes == Slice(Expected("ternary"), 13000, 24000));
  }
  restorer->set_tensor_names({"first", "second", "third"});
  EXPECT_EQ(restorer->TensorName(1), "'second'");
  EXPECT_EQ(restorer->TensorName(3), "number 3");
  ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant("ternary"));
  EXPECT_THAT(model->Verify(), StatusIs(StatusCode::kDataLoss, HasSubstr("tensor 'second'")));
  ASSERT_OK_AND_ASSIGN(const auto other, restorer->OpenVariant("dense"));
  EXPECT_THAT(other->Verify(), IsOk());
}

TEST(RestorerErrorsTest, ACorruptBaseChunkIsNamedWithFileTensorAndOffset) {
  std::string forged = VaultBytes();
  size_t chunk = SectionOffset(forged, 2);
  for (size_t i = 0; i <= 30; ++i) chunk += Models().chunks[i].size();
  forged[chunk - 1] = '\0';  // A stream without an end.
  RepairEverything(&forged);
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(forged));
  EXPECT_THAT(restorer->vault().CheckBaseSection(), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto base, restorer->OpenBase());
  // Chunk 30 ends before byte 15,872 of the base, in the tensor that begins at 15,076; the tile that ends there begins
  // at 15,616.
  EXPECT_THAT(base->Verify(Options(256, 1)),
              StatusIs(StatusCode::kDataLoss,
                       AllOf(HasSubstr("v.mvlt: base: tensor number 4, at or after offset 540 "),
                             HasSubstr("(byte 15616 of the model's)"), HasSubstr("coded stream corrupt"))));
  const auto source = restorer->BaseSource();
  TestBytes bytes(100);
  EXPECT_THAT(source->Read(15800, absl::MakeSpan(bytes)),
              StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt: base: coded stream corrupt"),
                                                    HasSubstr("100 bytes"), HasSubstr("offset 15800"))));
  EXPECT_THAT(source->Read(100, absl::MakeSpan(bytes)), IsOk());
  EXPECT_TRUE(bytes == Slice(Models().base, 100, 200));
}

TEST(RestorerErrorsTest, AHeaderThatDisagreesWithModelIsRefused) {
  for (const size_t field : {size_t{32}, size_t{64}}) {  // base_data_size and tensor_count
    for (const int step : {-1, 1}) {
      std::string forged = VaultBytes();
      forged[field] = static_cast<char>(forged[field] + step);
      RepairEverything(&forged);
      EXPECT_THAT(OpenBytes(forged), StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt"), HasSubstr("MODEL"))));
    }
  }
}

TEST(RestorerErrorsTest, AModelThatDoesNotParseIsRefused) {
  std::string forged = VaultBytes();
  forged[SectionOffset(forged, 0)] = 13;  // One tensor fewer than there are.
  RepairEverything(&forged);
  EXPECT_THAT(OpenBytes(forged), StatusIs(StatusCode::kDataLoss, HasSubstr("v.mvlt")));
}

TEST(RestorerErrorsTest, TooManyOrTooFewSegmentsAreRefused) {
  for (const int step : {-1, 1}) {
    CodedModels models = Encode(MakePlainModels(2), kChunkSize, kSegmentSize);
    std::vector<std::string>& segments = models.variant("dense").segments;
    const size_t count = segments.size();
    segments.resize(count + static_cast<size_t>(step), "four");
    ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(CodedVaultBytes(models)));
    EXPECT_THAT(restorer->OpenVariant("dense"),
                StatusIs(StatusCode::kDataLoss,
                         AllOf(HasSubstr("v.mvlt: variant 'dense'"), HasSubstr(absl::StrCat("expected ", count)),
                               HasSubstr(absl::StrCat("found ", segments.size())))));
    EXPECT_THAT(restorer->OpenVariant("ternary"), IsOk());
  }
}

TEST(RestorerErrorsTest, ALayoutThatDoesNotFitTheBaseIsRefused) {
  // A tensor twice, a tensor that is not there, an unknown dtype, a dtype for what the base has as bytes alone.
  const std::vector<std::pair<size_t, char>> forgeries = {{0, 1}, {0, 14}, {1, 14}, {1, 3}};
  for (const auto& [place, byte] : forgeries) {
    CodedModels models = Encode(MakePlainModels(2), kChunkSize, kSegmentSize);
    std::string& layout = models.variant("retyped").stored_layout.bytes;
    ASSERT_EQ(layout[0], 13);  // The base's last tensor, which is opaque.
    layout[place] = byte;
    const auto restorer = OpenBytes(CodedVaultBytes(models));
    ASSERT_THAT(restorer, IsOk());
    EXPECT_THAT((*restorer)->OpenVariant("retyped"),
                StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr("v.mvlt"), HasSubstr("variant 'retyped'"))));
  }
}

TEST(RestorerErrorsTest, VariantsThatAreNotThereAreNotFound) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  for (const char* name : {"", "base", "Ternary", "ternary ", "zzz"}) {
    EXPECT_THAT(restorer->OpenVariant(name), StatusIs(StatusCode::kNotFound, HasSubstr("v.mvlt"))) << name;
  }
}

TEST(RestorerFilesTest, AFailingReadIsReportedAndARetryRestoresExactly) {
  TempFolder folder;
  const std::string path = folder.Write("v.mvlt", VaultBytes());
  FaultyFileSystem disk;
  for (const std::string& name : ModelNames()) {
    TestBytes bytes;
    const auto restore = [&]() -> absl::Status {
      const auto restorer = Restorer::Open(disk, path);
      if (!restorer.ok()) return restorer.status();
      const auto model = OpenModel(**restorer, name);
      if (!model.ok()) return model.status();
      return (*model)->Restore({}, Gather(0, &bytes));
    };
    disk.Repair();
    ASSERT_THAT(restore(), IsOk());
    const int count = disk.count();
    const int reads = disk.count(DiskOperation::kRead);
    ASSERT_GT(count, 30);
    ASSERT_GT(reads, 20);
    for (int n = 1; n <= count; ++n) {
      SCOPED_TRACE(absl::StrCat(name, ", fault at operation ", n, " of ", count));
      disk.FailAt(n, EIO);
      EXPECT_THAT(restore(), StatusIs(StatusCode::kUnavailable, HasSubstr(path)));
      EXPECT_TRUE(bytes == Slice(Expected(name), 0, bytes.size()));
    }
    for (int n = 1; n <= reads; n += 3) {
      disk.EndFileAtRead(n);
      EXPECT_THAT(restore(), StatusIs(StatusCode::kDataLoss, HasSubstr(path)));
    }
    disk.Repair();
    EXPECT_THAT(restore(), IsOk());
    EXPECT_TRUE(bytes == Expected(name));
  }
}

TEST(RestorerFilesTest, AMissingFileIsNotFoundAndOtherFilesAreNoVaults) {
  TempFolder folder;
  EXPECT_THAT(Restorer::Open(FileSystem::Default(), folder.File("none")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Restorer::Open(FileSystem::Default(), folder.Write("empty", "")), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(Restorer::Open(FileSystem::Default(), folder.Write("text", std::string(1000, 'x'))),
              StatusIs(StatusCode::kDataLoss, HasSubstr("not a vault")));
}

// --- The base as coders read it.

TEST(BaseSourceTest, AnyRangeIsASliceAndEachThreadHasItsOwn) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  std::vector<std::thread> threads;
  std::atomic<int> exact{0};
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      TestRandom random(t);
      const auto source = restorer->BaseSource();
      bool all = source->size() == Models().base.size();
      for (int i = 0; i < 200; ++i) {
        const uint64_t begin = random.Below(Models().base.size() + 1);
        TestBytes bytes(random.Below(Models().base.size() - begin + 1));
        all = all && source->Read(begin, absl::MakeSpan(bytes)).ok() &&
              bytes == Slice(Models().base, begin, begin + bytes.size());
      }
      if (all) ++exact;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(exact, 4);
  const auto source = restorer->BaseSource();
  TestBytes bytes(2);
  EXPECT_FALSE(source->Read(Models().base.size() - 1, absl::MakeSpan(bytes)).ok());
  EXPECT_FALSE(source->Read(~uint64_t{0}, absl::MakeSpan(bytes)).ok());
}

// --- Odd models.

PlainModels OneVariant(const std::vector<ModelTensor>& specs) {
  TestRandom random(5);
  PlainModels plain;
  plain.specs = specs;
  plain.base = RandomData(specs, &random);
  plain.variants = {{"same", {}, plain.base, false}, {"other", {}, plain.base, false}};
  for (uint8_t& byte : plain.variants[1].data) byte = static_cast<uint8_t>(byte + random.Below(3));
  return plain;
}

TEST(RestorerSizesTest, EmptyModelsVerify) {
  const std::vector<std::vector<ModelTensor>> models = {
      {}, {{DType::kF32, 1, 0}}, {{DType::kI8, 1, 0}, {DType::kOpaque, 1, 0}, {DType::kI64, 1, 0}}};
  for (const auto& specs : models) {
    ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(CodedVaultBytes(Encode(OneVariant(specs), 256, 4096))));
    for (const std::string name : {"base", "same", "other"}) {
      ASSERT_OK_AND_ASSIGN(const auto model, OpenModel(*restorer, name));
      EXPECT_EQ(model->data_size(), 0u);
      for (const int threads : kThreadCounts) EXPECT_THAT(model->Verify(Options(256, threads)), IsOk());
      EXPECT_THAT(model->ReadRange(0, 1, {}, nullptr), StatusIs(StatusCode::kInvalidArgument));
    }
  }
}

TEST(RestorerSizesTest, SizesAroundSegments) {
  for (const uint64_t size : {1, 255, 256, 257, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 12289, 40000}) {
    const CodedModels models = Encode(OneVariant({{DType::kI8, 1, 100}, {DType::kI16, 1, size}}), 256, 4096);
    ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(CodedVaultBytes(models)));
    ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant("other"));
    for (const int threads : kThreadCounts) {
      TestBytes bytes;
      EXPECT_THAT(model->Restore(Options(256, threads), Gather(0, &bytes)), IsOk()) << size;
      EXPECT_TRUE(bytes == models.variant("other").data) << size;
    }
  }
}

TEST(RestorerSizesTest, AnIdenticalVariantIsStoredInNothing) {
  ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(VaultBytes()));
  ASSERT_OK_AND_ASSIGN(const auto same, restorer->OpenVariant("same"));
  EXPECT_EQ(same->stored_size(), 0u);
  ASSERT_OK_AND_ASSIGN(const auto base, restorer->OpenBase());
  EXPECT_EQ(same->digests(), base->digests());
  EXPECT_EQ(base->stored_size(), SectionSize(VaultBytes(), 2));
  ASSERT_OK_AND_ASSIGN(const auto other, restorer->OpenVariant("ternary"));
  EXPECT_EQ(other->stored_size(), BlobPlace(VaultBytes(), "ternary").second);
}

TEST(RestorerSizesTest, ABitInALastSegmentWithoutStripsIsFound) {
  const CodedModels models = Encode(OneVariant({{DType::kI8, 1, 100}, {DType::kI8, 1, 8100}}), 256, 4096);
  const std::string vault = CodedVaultBytes(models);
  const auto [offset, size] = BlobPlace(vault, "other");
  ASSERT_EQ(models.variant("other").segments.back().size(), 4u);
  for (size_t bit = 0; bit < 32; ++bit) {
    std::string damaged = vault;
    const size_t place = offset + size - 4 + bit / 8;
    damaged[place] = static_cast<char>(damaged[place] ^ (1 << (bit % 8)));
    for (const bool repaired : {false, true}) {
      if (repaired) RepairEverything(&damaged);
      ASSERT_OK_AND_ASSIGN(const auto restorer, OpenBytes(damaged));
      ASSERT_OK_AND_ASSIGN(const auto model, restorer->OpenVariant("other"));
      for (const int threads : {1, 2}) {
        EXPECT_THAT(model->Verify(Options(256, threads)), StatusIs(StatusCode::kDataLoss, HasSubstr("variant 'other'")))
            << bit;
      }
    }
  }
}

}  // namespace
}  // namespace modelvault
