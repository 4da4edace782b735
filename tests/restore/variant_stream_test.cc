// The loop of host and board on bytes in memory: every tile size, every border, every failure, and the memory it is
// promised to need.
#include "restore/core/variant_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "tests/restore/allocation_meter.h"
#include "tests/restore/coded_models.h"

namespace modelvault {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr size_t kTileSizes[] = {256, 257, 1000, 4096, 65536};
constexpr uint32_t kChunkSize = 1024;
constexpr uint32_t kSegmentSize = 4096;

// Stored pieces handed out one at a time, in a block of just their size: whoever reads past a piece, or keeps it after
// the next is fetched, reads memory that is not there. Can fail at the n-th fetch.
class Pieces {
 public:
  explicit Pieces(const std::vector<std::string>* stored) : stored_(stored) {}

  static CoreStatus Fetch(void* self, uint64_t number, ByteView* stored) {
    return static_cast<Pieces*>(self)->Give(number, stored);
  }
  void FailAt(int n, CoreStatus status) {
    fetches_ = 0;
    fail_at_ = n;
    failure_ = status;
  }
  int fetches() const { return fetches_; }
  const std::vector<uint64_t>& numbers() const { return numbers_; }

 private:
  CoreStatus Give(uint64_t number, ByteView* stored) {
    ++fetches_;
    numbers_.push_back(number);
    if (fetches_ == fail_at_) return failure_;
    if (number >= stored_->size()) return CoreStatus::kBadArgument;
    const std::string& piece = (*stored_)[static_cast<size_t>(number)];
    current_.reset(new uint8_t[piece.size()]);
    std::memcpy(current_.get(), piece.data(), piece.size());
    *stored = {current_.get(), piece.size()};
    return CoreStatus::kOk;
  }

  const std::vector<std::string>* stored_;
  std::unique_ptr<uint8_t[]> current_;
  std::vector<uint64_t> numbers_;
  int fetches_ = 0;
  int fail_at_ = 0;
  CoreStatus failure_ = CoreStatus::kOk;
};

// A stream with the least memory it may be given, each part in a block of its own.
class TestStream {
 public:
  TestStream(const CodedModels& models, const CodedVariant& variant, size_t tile_size)
      : TestStream(models, variant, tile_size, static_cast<size_t>(models.shared->tables().max_prior_cols())) {}

  TestStream(const CodedModels& models, const CodedVariant& variant, size_t tile_size, size_t columns)
      : chunks_(&models.chunks),
        segments_(&variant.segments),
        order_(columns),
        strips_(ColumnOrder::StripCount(columns)),
        tile_(TileBufferSize(tile_size)),
        stream_(variant.layout.get(), models.chunk_size, models.segment_size, {&Pieces::Fetch, &chunks_},
                variant.segments.empty() ? SegmentSource{} : SegmentSource{&Pieces::Fetch, &segments_},
                {&tables_, {order_.data(), strips_.data(), columns}, {tile_.data(), tile_.size()}}) {}

  VariantStream& stream() { return stream_; }
  Pieces& chunks() { return chunks_; }
  Pieces& segments() { return segments_; }

 private:
  Pieces chunks_;
  Pieces segments_;
  WideTableCache tables_;
  std::vector<uint8_t> order_;
  std::vector<StripColumns> strips_;
  std::vector<uint8_t> tile_;
  VariantStream stream_;
};

// Reads [begin, end) and checks the sizes and places of the tiles on the way.
CoreStatus ReadTiles(VariantStream& stream, uint64_t begin, uint64_t end, size_t tile_size, TestBytes* bytes) {
  bytes->clear();
  CoreStatus status = stream.Start(begin, end, tile_size);
  while (status == CoreStatus::kOk) {
    EXPECT_EQ(stream.position(), begin + bytes->size());
    ByteView tile;
    status = stream.Next(&tile);
    if (status != CoreStatus::kOk || tile.size == 0) break;
    bytes->insert(bytes->end(), tile.data, tile.data + tile.size);
    EXPECT_TRUE(tile.size == tile_size || begin + bytes->size() == end) << tile.size;
    if (begin + bytes->size() > end) break;
  }
  if (status == CoreStatus::kOk) {
    ByteView tile;
    EXPECT_EQ(stream.Next(&tile), CoreStatus::kOk);
    EXPECT_EQ(tile.size, 0u);
  }
  return status;
}

TestBytes Slice(const TestBytes& bytes, uint64_t begin, uint64_t end) {
  return TestBytes(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.begin() + static_cast<ptrdiff_t>(end));
}

const CodedModels& Models() {
  static const CodedModels* const models = new CodedModels(Encode(MakeFreeModels(1), kChunkSize, kSegmentSize));
  return *models;
}

std::vector<std::string> VariantNames() {
  return {"same", "ternary", "ternary-too", "dense", "residual", "unrelated", "reordered", "retyped", "free"};
}

class VariantStreamTest : public testing::TestWithParam<std::string> {
 protected:
  const CodedModels& models_ = Models();
  const CodedVariant& variant_ = models_.variant(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Variants, VariantStreamTest, testing::ValuesIn(VariantNames()), [](const auto& test) {
  return absl::StrReplaceAll(test.param, {{"-", "_"}});
});

TEST(VariantStreamFixtureTest, TheModelsHaveWhatTheTestsAreAbout) {
  const SharedTables& shared = Models().shared->tables();
  EXPECT_EQ(shared.max_prior_cols(), 300u);
  bool dictionary = false, row_prior = false;
  for (size_t t = 0; t < shared.tensor_count(); ++t) {
    dictionary = dictionary || (shared.tensor(t).flags & kFlagDictionary) != 0;
    row_prior = row_prior || (shared.tensor(t).flags & kFlagRowPrior) != 0;
  }
  EXPECT_TRUE(dictionary);
  EXPECT_TRUE(row_prior);
  EXPECT_THAT(Models().variant("same").segments, IsEmpty());
  EXPECT_GT(Models().variant("ternary").segments.size(), 5u);
  EXPECT_GT(Models().chunks.size(), 20u);
}

TEST_P(VariantStreamTest, TilesOfEverySizeMakeTheVariant) {
  for (const size_t tile_size : kTileSizes) {
    SCOPED_TRACE(tile_size);
    TestStream test(models_, variant_, tile_size);
    TestBytes bytes;
    ASSERT_EQ(ReadTiles(test.stream(), 0, variant_.data.size(), tile_size, &bytes), CoreStatus::kOk);
    EXPECT_TRUE(bytes == variant_.data);
  }
}

TEST_P(VariantStreamTest, EverySegmentAndChunkIsFetchedOnceAndInOrder) {
  TestStream test(models_, variant_, 4096);
  TestBytes bytes;
  ASSERT_EQ(ReadTiles(test.stream(), 0, variant_.data.size(), 4096, &bytes), CoreStatus::kOk);
  std::vector<uint64_t> all(variant_.segments.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  EXPECT_EQ(test.segments().numbers(), all);
  if (variant_.layout->is_base_layout()) {
    std::vector<uint64_t> chunks(models_.chunks.size());
    for (size_t i = 0; i < chunks.size(); ++i) chunks[i] = i;
    EXPECT_EQ(test.chunks().numbers(), chunks);
  }
}

TEST_P(VariantStreamTest, RangesFromBorderToBorderAreSlices) {
  const std::vector<uint64_t> borders = Borders(*variant_.layout, kChunkSize, kSegmentSize);
  ASSERT_GT(borders.size(), 200u);
  constexpr uint64_t kSeed = 77;
  TestRandom random(kSeed);
  for (const size_t tile_size : kTileSizes) {
    TestStream test(models_, variant_, tile_size);
    TestBytes bytes;
    for (size_t i = 0; i < borders.size(); ++i) {
      const uint64_t begin = borders[i];
      std::vector<uint64_t> ends = {begin, std::min<uint64_t>(begin + 1, variant_.data.size()), variant_.data.size(),
                                    borders[i + random.Below(borders.size() - i)]};
      if (i + 1 < borders.size()) ends.push_back(borders[i + 1]);
      if (i % 16 != 0) ends.erase(ends.begin() + 2);  // All the rest of the variant, not every time.
      for (const uint64_t end : ends) {
        ASSERT_EQ(ReadTiles(test.stream(), begin, end, tile_size, &bytes), CoreStatus::kOk) << begin << " " << end;
        ASSERT_TRUE(bytes == Slice(variant_.data, begin, end))
            << begin << " to " << end << " in tiles of " << tile_size << ", seed " << kSeed;
      }
    }
  }
}

TEST_P(VariantStreamTest, RangesAtRandomAreSlices) {
  constexpr uint64_t kSeed = 78;
  TestRandom random(kSeed);
  TestStream test(models_, variant_, 65536);
  TestBytes bytes;
  for (int i = 0; i < 300; ++i) {
    const uint64_t begin = random.Below(variant_.data.size() + 1);
    const uint64_t end = begin + random.Below(variant_.data.size() - begin + 1);
    const size_t tile_size = kMinTileSize + random.Below(3000);
    ASSERT_EQ(ReadTiles(test.stream(), begin, end, tile_size, &bytes), CoreStatus::kOk);
    ASSERT_TRUE(bytes == Slice(variant_.data, begin, end))
        << begin << " to " << end << " in tiles of " << tile_size << ", seed " << kSeed;
  }
}

TEST_P(VariantStreamTest, ARangeInsideASegmentFetchesNothingBeforeItsSegmentAndChunk) {
  const uint64_t begin = 3 * kSegmentSize + 1500;
  TestStream test(models_, variant_, 256);
  TestBytes bytes;
  ASSERT_EQ(ReadTiles(test.stream(), begin, begin + 100, 256, &bytes), CoreStatus::kOk);
  EXPECT_TRUE(bytes == Slice(variant_.data, begin, begin + 100));
  if (!variant_.segments.empty()) {
    EXPECT_THAT(test.segments().numbers(), ElementsAre(3));
  }
  if (variant_.layout->is_base_layout()) {
    // The strip before the range's first byte may reach back into the chunk before.
    ASSERT_FALSE(test.chunks().numbers().empty());
    EXPECT_GE(test.chunks().numbers().front(), (begin - kStripSize) / kChunkSize);
    EXPECT_LE(test.chunks().fetches(), 2);
  }
}

TEST_P(VariantStreamTest, AFailingFetchIsReportedByEveryCallUntilTheNextStart) {
  TestStream test(models_, variant_, 1000);
  TestBytes bytes;
  ASSERT_EQ(ReadTiles(test.stream(), 0, variant_.data.size(), 1000, &bytes), CoreStatus::kOk);
  const auto expect_failure = [&](CoreStatus failure) {
    EXPECT_EQ(ReadTiles(test.stream(), 0, variant_.data.size(), 1000, &bytes), failure);
    EXPECT_TRUE(bytes == Slice(variant_.data, 0, bytes.size()));
    for (int i = 0; i < 2; ++i) {
      ByteView tile = {bytes.data(), 1};
      EXPECT_EQ(test.stream().Next(&tile), failure);
      EXPECT_EQ(tile.size, 0u);
    }
  };
  const int chunks = test.chunks().fetches();
  for (int n = 1; n <= chunks; ++n) {
    test.chunks().FailAt(n, CoreStatus::kReadFailed);
    expect_failure(CoreStatus::kReadFailed);
  }
  test.chunks().FailAt(0, CoreStatus::kOk);
  for (int n = 1; n <= static_cast<int>(variant_.segments.size()); ++n) {
    test.segments().FailAt(n, CoreStatus::kChecksumMismatch);
    expect_failure(CoreStatus::kChecksumMismatch);
  }
  test.segments().FailAt(0, CoreStatus::kOk);
  ASSERT_EQ(ReadTiles(test.stream(), 0, variant_.data.size(), 1000, &bytes), CoreStatus::kOk);
  EXPECT_TRUE(bytes == variant_.data);
}

TEST_P(VariantStreamTest, PiecesThatDoNotEndWhereTheyMustAreCorrupt) {
  CodedModels models = Encode(MakeFreeModels(1), kChunkSize, kSegmentSize);
  CodedVariant& variant = models.variant(GetParam());
  const auto read = [&] {
    TestStream test(models, variant, 4096);
    TestBytes bytes;
    return ReadTiles(test.stream(), 0, variant.data.size(), 4096, &bytes);
  };
  // A longer piece decodes to the same bytes, and only its end tells.
  if (variant.layout->is_base_layout()) {
    for (std::string& chunk : models.chunks) {
      chunk += std::string(2, '\0');
      EXPECT_EQ(read(), CoreStatus::kBadStream);
      chunk.resize(chunk.size() - 2);
    }
  }
  for (std::string& segment : variant.segments) {
    const std::string whole = segment;
    segment = whole + std::string(2, '\0');
    EXPECT_EQ(read(), CoreStatus::kBadStream);
    segment = whole.substr(0, whole.size() - 2);
    EXPECT_NE(read(), CoreStatus::kOk);
    segment = whole.substr(0, 3);
    EXPECT_EQ(read(), CoreStatus::kBadStream);
    segment = whole;
  }
  EXPECT_EQ(read(), CoreStatus::kOk);
}

TEST_P(VariantStreamTest, CallsOutsideTheContractAreRefused) {
  TestStream test(models_, variant_, 1000);
  VariantStream& stream = test.stream();
  const uint64_t size = variant_.data.size();
  const auto expect_refused = [&](uint64_t begin, uint64_t end, size_t tile_size) {
    EXPECT_EQ(stream.Start(begin, end, tile_size), CoreStatus::kBadArgument) << begin << " " << end << " " << tile_size;
    ByteView tile;
    EXPECT_EQ(stream.Next(&tile), CoreStatus::kBadArgument);
    EXPECT_EQ(tile.size, 0u);
  };
  expect_refused(1, 0, 1000);
  expect_refused(0, size + 1, 1000);
  expect_refused(size + 1, size + 1, 1000);
  expect_refused(0, ~uint64_t{0}, 1000);
  expect_refused(0, size, kMinTileSize - 1);
  expect_refused(0, size, 0);
  expect_refused(0, size, 1001);  // The workspace's tile is for 1000.
  expect_refused(0, size, ~size_t{0});
  TestBytes bytes;
  EXPECT_EQ(ReadTiles(stream, 0, size, 1000, &bytes), CoreStatus::kOk);
  EXPECT_TRUE(bytes == variant_.data);
  EXPECT_EQ(ReadTiles(stream, size, size, 1000, &bytes), CoreStatus::kOk);
  EXPECT_THAT(bytes, IsEmpty());
}

TEST_P(VariantStreamTest, NothingIsTakenFromTheHeap) {
  std::unique_ptr<uint8_t[]> expected(new uint8_t[variant_.data.size()]);
  TestStream test(models_, variant_, 4096);
  ASSERT_EQ(test.stream().Start(0, variant_.data.size(), 4096), CoreStatus::kOk);
  // The sources of this test allocate: once a fetch, and now and then for their record of fetches.
  uint64_t allocations = 0;
  size_t done = 0;
  for (;;) {
    const int fetches = test.chunks().fetches() + test.segments().fetches();
    const AllocationMeter meter;
    ByteView tile;
    ASSERT_EQ(test.stream().Next(&tile), CoreStatus::kOk);
    if (test.chunks().fetches() + test.segments().fetches() == fetches) allocations += meter.count();
    if (tile.size == 0) break;
    done += tile.size;
  }
  EXPECT_EQ(done, variant_.data.size());
  EXPECT_EQ(allocations, 0u);
}

TEST(VariantStreamWorkspaceTest, OneColumnLessThanTheWidestPriorIsTooSmall) {
  const CodedModels& models = Models();
  const CodedVariant& variant = models.variant("ternary");
  const size_t columns = static_cast<size_t>(models.shared->tables().max_prior_cols());
  TestStream enough(models, variant, 256, columns);
  TestStream too_small(models, variant, 256, columns - 1);
  TestBytes bytes;
  EXPECT_EQ(ReadTiles(enough.stream(), 0, variant.data.size(), 256, &bytes), CoreStatus::kOk);
  EXPECT_EQ(ReadTiles(too_small.stream(), 0, variant.data.size(), 256, &bytes), CoreStatus::kWorkspaceTooSmall);
}

TEST(VariantStreamWorkspaceTest, ABufferWithoutRoomForAStripIsTooSmall) {
  const CodedModels& models = Models();
  const CodedVariant& variant = models.variant("same");
  TestBytes tile(TileBufferSize(kMinTileSize) - 1);
  Pieces chunks(&models.chunks);
  WideTableCache tables;
  for (const size_t size : {size_t{0}, TileBufferSize(0) - 1, TileBufferSize(0), tile.size()}) {
    VariantStream stream(variant.layout.get(), kChunkSize, kSegmentSize, {&Pieces::Fetch, &chunks}, {},
                         {&tables, {}, {tile.data(), size}});
    EXPECT_EQ(stream.Start(0, 1, kMinTileSize), CoreStatus::kBadArgument) << size;
  }
}

// What the board's memory is reckoned from: the parts of a stream do not grow with the model.
TEST(VariantStreamWorkspaceTest, SizesAreWhatTheBoardReckonsWith) {
  EXPECT_EQ(TileBufferSize(kDefaultTileSize), 4096u + 256u);
  EXPECT_EQ(ColumnOrder::StripCount(256), 1u);
  EXPECT_EQ(ColumnOrder::StripCount(257), 2u);
  EXPECT_LE(sizeof(StripColumns), 92u);
  EXPECT_LE(TableCache::Size(kShortCodeLength), 3u * 512u);
  EXPECT_LE(sizeof(WideTableCache), 3u * 2048u + 96u);
  EXPECT_LE(sizeof(SegmentContexts), 3u * 1024u + 512u);
  EXPECT_LE(sizeof(VariantStream), 5u * 1024u + 512u);
}

// What StreamVerified hands over.
struct Received {
  TestBytes bytes;
  CoreStatus verdict = CoreStatus::kOk;
  size_t fail_after = SIZE_MAX;

  static CoreStatus Consume(void* self, uint64_t offset, ByteView tile) {
    auto* received = static_cast<Received*>(self);
    EXPECT_EQ(offset, received->bytes.size());
    received->bytes.insert(received->bytes.end(), tile.data, tile.data + tile.size);
    return received->bytes.size() > received->fail_after ? received->verdict : CoreStatus::kOk;
  }
};

TEST_P(VariantStreamTest, TheVerdictFollowsFromTheDigestWithAndWithoutAConsumer) {
  const uint64_t size = variant_.data.size();
  const uint64_t digest = variant_.digests.xxh64;
  for (const size_t tile_size : kTileSizes) {
    TestStream test(models_, variant_, tile_size);
    Received received;
    const TileConsumer consumer = {&Received::Consume, &received};
    EXPECT_EQ(StreamVerified(&test.stream(), size, tile_size, digest, &consumer), CoreStatus::kOk);
    EXPECT_TRUE(received.bytes == variant_.data);
    EXPECT_EQ(StreamVerified(&test.stream(), size, tile_size, digest, nullptr), CoreStatus::kOk);
    for (const unsigned bit : {0u, 31u, 63u}) {
      received = {};
      const uint64_t other = digest ^ (uint64_t{1} << bit);
      EXPECT_EQ(StreamVerified(&test.stream(), size, tile_size, other, &consumer), CoreStatus::kDigestMismatch);
      EXPECT_TRUE(received.bytes == variant_.data);
      EXPECT_EQ(StreamVerified(&test.stream(), size, tile_size, other, nullptr), CoreStatus::kDigestMismatch);
    }
    // Of less than the whole the digest is another.
    EXPECT_EQ(StreamVerified(&test.stream(), size - 1, tile_size, digest, nullptr), CoreStatus::kDigestMismatch);
  }
}

TEST_P(VariantStreamTest, AConsumersRefusalEndsTheStreamAndIsTheVerdict) {
  TestStream test(models_, variant_, 256);
  for (const size_t fail_after : {size_t{0}, size_t{5000}, variant_.data.size() - 1}) {
    Received received;
    received.verdict = CoreStatus::kReadFailed;
    received.fail_after = fail_after;
    const TileConsumer consumer = {&Received::Consume, &received};
    EXPECT_EQ(StreamVerified(&test.stream(), variant_.data.size(), 256, variant_.digests.xxh64, &consumer),
              CoreStatus::kReadFailed);
    EXPECT_GT(received.bytes.size(), fail_after);
    EXPECT_LE(received.bytes.size(), fail_after + 256);
  }
}

TEST_P(VariantStreamTest, AFailureOfTheStreamIsTheVerdict) {
  TestStream test(models_, variant_, 256);
  test.chunks().FailAt(2, CoreStatus::kReadFailed);
  EXPECT_EQ(StreamVerified(&test.stream(), variant_.data.size(), 256, variant_.digests.xxh64, nullptr),
            CoreStatus::kReadFailed);
  EXPECT_EQ(StreamVerified(&test.stream(), variant_.data.size(), 255, variant_.digests.xxh64, nullptr),
            CoreStatus::kBadArgument);
}

// --- Models of odd sizes.

PlainModels OneVariant(const std::vector<ModelTensor>& specs, uint64_t seed) {
  TestRandom random(seed);
  PlainModels plain;
  plain.specs = specs;
  plain.base = RandomData(specs, &random);
  plain.variants = {{"same", {}, plain.base, false}, {"other", {}, plain.base, false}};
  for (uint8_t& byte : plain.variants[1].data) byte = static_cast<uint8_t>(byte + random.Below(3));
  return plain;
}

void ExpectExact(const CodedModels& models) {
  for (const CodedVariant& variant : models.variants) {
    for (const size_t tile_size : kTileSizes) {
      TestStream test(models, variant, tile_size);
      TestBytes bytes;
      ASSERT_EQ(ReadTiles(test.stream(), 0, variant.data.size(), tile_size, &bytes), CoreStatus::kOk) << variant.name;
      EXPECT_TRUE(bytes == variant.data) << variant.name;
      EXPECT_EQ(StreamVerified(&test.stream(), variant.data.size(), tile_size, variant.digests.xxh64, nullptr),
                CoreStatus::kOk);
    }
  }
}

TEST(VariantStreamSizesTest, ModelsWithoutBytes) {
  ExpectExact(Encode(OneVariant({}, 1), 256, 4096));
  ExpectExact(Encode(OneVariant({{DType::kF32, 1, 0}}, 1), 256, 4096));
  ExpectExact(Encode(OneVariant({{DType::kI8, 1, 0}, {DType::kOpaque, 1, 0}}, 1), 256, 4096));
  // With a layout of its own, an empty model still has a blob.
  PlainModels plain = OneVariant({{DType::kI8, 1, 0}, {DType::kF32, 1, 0}}, 1);
  plain.variants.push_back({"reordered", {{1, DType::kF32, 0}, {0, DType::kI8, 0}}, {}, false});
  const CodedModels models = Encode(plain, 256, 4096);
  EXPECT_FALSE(models.variant("reordered").stored_layout.bytes.empty());
  ExpectExact(models);
}

TEST(VariantStreamSizesTest, SizesAroundStripsChunksTilesAndSegments) {
  for (const uint64_t size :
       {1, 2, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097, 4351, 4352, 4353, 8191, 8192, 8193, 65536, 65537}) {
    SCOPED_TRACE(size);
    ExpectExact(Encode(OneVariant({{DType::kI8, 1, size}}, size), 256, 4096));
  }
}

TEST(VariantStreamSizesTest, ManySmallTensorsOneByteEach) {
  ExpectExact(Encode(OneVariant(std::vector<ModelTensor>(5000, ModelTensor{DType::kI8, 1, 1}), 3), 256, 4096));
}

TEST(VariantStreamSizesTest, EmptyTensorsBetweenAllOthers) {
  std::vector<ModelTensor> specs;
  for (uint64_t i = 0; i < 30; ++i) {
    specs.push_back({DType::kF32, 1, 0});
    specs.push_back({i % 2 == 0 ? DType::kI8 : DType::kI16, 1, 100 + 37 * i});
    specs.push_back({DType::kOpaque, 1, 0});
  }
  const CodedModels models = Encode(OneVariant(specs, 4), 512, 4096);
  ExpectExact(models);
  const CodedVariant& variant = models.variant("other");
  TestStream test(models, variant, 256);
  TestBytes bytes;
  for (const uint64_t begin : Borders(*variant.layout, 512, 4096)) {
    const uint64_t end = std::min<uint64_t>(begin + 300, variant.data.size());
    ASSERT_EQ(ReadTiles(test.stream(), begin, end, 256, &bytes), CoreStatus::kOk);
    ASSERT_TRUE(bytes == Slice(variant.data, begin, end)) << begin;
  }
}

// The last segment of such a variant holds no strip, because the last strip begins in the segment before.
TEST(VariantStreamSizesTest, ALastSegmentWithoutStripsIsCheckedAsWell) {
  CodedModels models = Encode(OneVariant({{DType::kI8, 1, 100}, {DType::kI8, 1, 8100}}, 5), 256, 4096);
  ExpectExact(models);
  CodedVariant& variant = models.variant("other");
  ASSERT_EQ(variant.segments.size(), 3u);
  TestStream test(models, variant, 256);
  TestBytes bytes;
  EXPECT_EQ(ReadTiles(test.stream(), 0, variant.data.size(), 256, &bytes), CoreStatus::kOk);
  EXPECT_THAT(test.segments().numbers(), ElementsAre(0, 1, 2));
  std::string& last = variant.segments[2];
  ASSERT_EQ(last.size(), 4u);
  last[0] = 1;
  EXPECT_EQ(ReadTiles(test.stream(), 0, variant.data.size(), 256, &bytes), CoreStatus::kBadStream);
  EXPECT_EQ(ReadTiles(test.stream(), 0, variant.data.size() - 300, 256, &bytes), CoreStatus::kOk);
}

}  // namespace
}  // namespace modelvault
