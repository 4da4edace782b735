// codec/base_encoder.cc and codec/core/base_decoder.cc: any bytes of the base come back from its chunks.
#include "codec/core/base_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "codec/base_encoder.h"
#include "codec/prefix_coding.h"
#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

// The chunks of a base, with a decoder on top that counts its fetches.
class CodedBase {
 public:
  CodedBase(const SharedTables* shared, const Bytes& data, uint32_t chunk_size)
      : cache_(std::make_unique<WideTableCache>()), decoder_(shared, chunk_size, {&Fetch, this}, cache_.get()) {
    const BaseEncoder encoder(shared, chunk_size);
    for (uint64_t c = 0; c < encoder.chunk_count(); ++c) {
      const size_t size = std::min<size_t>(chunk_size, data.size() - c * chunk_size);
      chunks_.push_back(encoder.Encode(c, absl::MakeConstSpan(data).subspan(c * chunk_size, size)));
    }
  }
  CodedBase(const CodedBase&) = delete;
  CodedBase& operator=(const CodedBase&) = delete;

  std::vector<std::string>& chunks() { return chunks_; }
  BaseDecoder& decoder() { return decoder_; }
  size_t fetches() const { return fetches_; }
  void FailFetches(bool fail) { fail_ = fail; }

  CoreStatus Read(uint64_t offset, Bytes* out) { return decoder_.Read(offset, {out->data(), out->size()}); }

 private:
  static CoreStatus Fetch(void* context, uint64_t chunk, ByteView* stored) {
    auto* self = static_cast<CodedBase*>(context);
    ++self->fetches_;
    if (self->fail_) return CoreStatus::kReadFailed;
    // One buffer, as on the board: the last chunk's bytes are gone.
    self->fetched_.assign(self->chunks_[chunk].begin(), self->chunks_[chunk].end());
    self->fetched_.shrink_to_fit();
    *stored = View(self->fetched_);
    return CoreStatus::kOk;
  }

  std::vector<std::string> chunks_;
  Bytes fetched_;
  size_t fetches_ = 0;
  bool fail_ = false;
  std::unique_ptr<WideTableCache> cache_;
  BaseDecoder decoder_;
};

// A stored table of `first` to `first` + 15, four bits each.
std::string SixteenSymbols(uint8_t first) {
  CodeLengths lengths;
  for (unsigned s = 0; s < 16; ++s) lengths.length[first + s] = 4;
  return SerializeCodeLengths(lengths);
}

// A stored table of all symbols, eight bits each.
std::string AllSymbols() {
  CodeLengths lengths;
  lengths.length.fill(8);
  return SerializeCodeLengths(lengths);
}

PrefixCode CodeOf(const std::string& table) {
  CodeLengths lengths;
  ByteReader reader(View(table));
  unsigned longest;
  EXPECT_EQ(ReadCodeLengths(&reader, lengths.length.data(), &lengths.only, &longest), CoreStatus::kOk);
  return PrefixCode(lengths);
}

void ExpectRoundTrip(const TestBase& base, uint32_t chunk_size) {
  SCOPED_TRACE(testing::Message() << "chunk size " << chunk_size);
  const Bytes& data = base.data();
  CodedBase coded(&base.shared(), data, chunk_size);
  ASSERT_EQ(coded.chunks().size(), (data.size() + chunk_size - 1) / chunk_size);
  Bytes all(data.size());
  ASSERT_EQ(coded.Read(0, &all), CoreStatus::kOk);
  ASSERT_EQ(all, data);
  ASSERT_EQ(coded.fetches(), coded.chunks().size());
  ASSERT_EQ(coded.decoder().chunks_begun(), coded.chunks().size());
  if (data.empty()) return;
  Random random(chunk_size);
  for (int i = 0; i < 50; ++i) {
    const size_t offset = random.Below(data.size());
    const size_t most = data.size() - offset;
    Bytes piece(random.Chance(0.5) ? random.Below(std::min<size_t>(most, 300) + 1) : random.Below(most + 1));
    ASSERT_EQ(coded.Read(offset, &piece), CoreStatus::kOk) << offset << " " << piece.size();
    ASSERT_TRUE(std::equal(piece.begin(), piece.end(), data.begin() + static_cast<std::ptrdiff_t>(offset)))
        << offset << " " << piece.size();
  }
}

void ExpectRoundTrips(const TestBase& base) {
  for (uint32_t chunk_size : {256u, 4096u, 65536u}) ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, chunk_size));
}

TEST(BaseCodingTest, EveryDtypeAndShapeComesBack) {
  for (unsigned d = 0; d < kDTypeCount; ++d) {
    const DType dtype = static_cast<DType>(d);
    using Shape = std::pair<uint64_t, uint64_t>;
    for (const auto& [rows, cols] : {Shape{1, 0}, Shape{1, 1}, Shape{1, 31}, Shape{1, 32}, Shape{1, 257}, Shape{33, 31},
                                     Shape{5, 5000}, Shape{700, 3}}) {
      if (dtype == DType::kOpaque && rows != 1) continue;
      SCOPED_TRACE(testing::Message() << "dtype " << d << " shape " << rows << " x " << cols);
      Random random(d);
      const std::vector<ModelTensor> specs = {{dtype, rows, cols}};
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrips(TestBase(specs, RandomData(&random, specs))));
    }
  }
}

TEST(BaseCodingTest, EmptyTensorsAnywhereComeBack) {
  Random random(1);
  const ModelTensor empty{DType::kI8, 0, 7}, none{DType::kF32, 5, 0}, opaque{DType::kOpaque, 1, 0};
  const ModelTensor weights{DType::kI8, 20, 50}, floats{DType::kF32, 3, 100}, scalar{DType::kF16, 1, 1};
  for (const std::vector<ModelTensor>& specs : std::vector<std::vector<ModelTensor>>{
           {},
           {empty},
           {empty, none, opaque},
           {empty, none, weights},
           {weights, empty, none, floats},
           {weights, floats, empty},
           {empty, scalar, none, weights, empty, empty, floats, opaque, scalar, none}}) {
    SCOPED_TRACE(specs.size());
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrips(TestBase(specs, RandomData(&random, specs))));
  }
}

TEST(BaseCodingTest, MixturesComeBack) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<ModelTensor> specs(1 + random.Below(12));
    for (ModelTensor& t : specs) {
      const DType dtype = static_cast<DType>(random.Below(kDTypeCount));
      const uint64_t rows = dtype == DType::kOpaque ? 1 : random.Below(30);
      t = ModelTensor(dtype, rows, random.Below(random.Chance(0.2) ? 500 : 40));
    }
    Bytes data = RandomData(&random, specs);
    // Rows that repeat, exactly and nearly.
    uint64_t offset = 0;
    for (const ModelTensor& t : specs) {
      for (uint64_t row = 1; t.dtype == DType::kI8 && row < t.rows() && random.Chance(0.9); ++row) {
        for (uint64_t j = 0; j < t.cols(); ++j) {
          data[offset + row * t.cols() + j] = static_cast<uint8_t>(data[offset + j] + (random.Chance(0.05) ? 1 : 0));
        }
      }
      offset += t.size();
    }
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrips(TestBase(specs, data)));
  }
}

// 600 rows: two of three repeat one of two, exactly or nearly. Chunks of 256 cut rows of 255 and 257 in all places.
TestBase DictionaryBase(uint64_t cols, double changed) {
  Random random(9);
  const std::vector<ModelTensor> specs = {{DType::kF16, 1, 37}, {DType::kI8, 600, cols}, {DType::kI8, 1, 11}};
  Bytes data = RandomData(&random, specs);
  for (size_t row = 1; row < 600; ++row) {
    if (row % 3 == 0) continue;
    for (size_t j = 0; j < cols; ++j) {
      data[74 + row * cols + j] = static_cast<uint8_t>(data[74 + (row % 3 - 1) * cols + j] +
                                                       (random.Chance(changed) ? random.Between(-1, 1) : 0));
    }
  }
  return TestBase(specs, data);
}

TEST(BaseCodingTest, RepeatedRowsComeBackWhereverAChunkCutsThem) {
  for (uint64_t cols : {8u, 64u, 255u, 256u, 257u, 300u, 1000u}) {
    for (double changed : {0.0, 0.004, 0.1}) {
      SCOPED_TRACE(testing::Message() << cols << " columns, changed " << changed);
      const TestBase base = DictionaryBase(cols, changed);
      ASSERT_TRUE(base.shared().tensor(1).flags & kFlagDictionary);
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrips(base));
    }
  }
}

TEST(BaseCodingTest, RepeatedRowsCostNextToNothing) {
  const TestBase base = DictionaryBase(300, 0);
  CodedBase coded(&base.shared(), base.data(), 4096);
  size_t stored = 0;
  for (const std::string& chunk : coded.chunks()) stored += chunk.size();
  EXPECT_LT(stored, 200 * 300 + 10000u);  // A third of the rows is fresh, below 8 bits a weight.
}

TEST(BaseCodingTest, CodedBytesAreNearTheEntropy) {
  Random random(10);
  const std::vector<ModelTensor> specs = {{DType::kI8, 1, 100000}};
  const TestBase base(specs, RandomData(&random, specs));
  Histogram histogram{};
  for (uint8_t byte : base.data()) ++histogram[byte];
  const uint64_t bits = CodedBits(histogram, OptimalCodeLengths(histogram));
  CodedBase coded(&base.shared(), base.data(), 65536);
  size_t stored = 0;
  for (const std::string& chunk : coded.chunks()) stored += chunk.size();
  EXPECT_GT(8 * stored, bits);
  EXPECT_LE(8 * stored, bits + 8 * coded.chunks().size());  // The end of each chunk takes up to a byte.
}

TEST(BaseCodingTest, MoreTablesThanTheCacheHoldsComeBack) {
  // Eight kinds of tensors in turn, so that each enters with other tables than the one before left behind.
  std::vector<ModelTensor> specs;
  Bytes data;
  Random random(11);
  for (size_t i = 0; i < 40; ++i) {
    const ModelTensor spec{i % 5 == 4 ? DType::kU32 : DType::kU8, 1, 600};
    for (uint64_t at = 0; at < spec.size(); ++at) {
      const uint64_t plane = at % ElementSize(static_cast<uint8_t>(spec.dtype));
      data.push_back(static_cast<uint8_t>(30 * ((i * 7 + 3 * plane) % 8) + random.Below(12)));
    }
    specs.push_back(spec);
  }
  const TestBase base(specs, data);
  ASSERT_GT(base.shared().table_count(), 2 * kMaxTablesPerTensor);
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrips(base));
}

TEST(BaseCodingTest, TablesInUseAreNeverEvicted) {
  // Tensors whose four planes use any three of four tables, one after the other, read to and fro.
  std::vector<std::string> tables;
  for (unsigned t = 0; t < 4; ++t) tables.push_back(SixteenSymbols(static_cast<uint8_t>(16 * t)));
  std::vector<RecordFields> records;
  Bytes data;
  Random random(12);
  for (int round = 0; round < 200; ++round) {
    RecordFields r;
    r.dtype = static_cast<uint8_t>(DType::kU32);
    r.cols = 1 + random.Below(20);
    const uint64_t left_out = random.Below(4);
    r.tables.clear();
    for (int plane = 0; plane < 4; ++plane) {
      const uint64_t t = (left_out + 1 + random.Below(3)) % 4;
      r.tables.push_back(random.Chance(0.1) ? kRawPlane : static_cast<uint8_t>(t));
    }
    for (uint64_t at = 0; at < 4 * r.cols; ++at) {
      const uint8_t t = r.tables[at % 4];
      data.push_back(t == kRawPlane ? random.Byte() : static_cast<uint8_t>(16 * t + random.Below(16)));
    }
    records.push_back(r);
  }
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrips(TestBase(WriteModel(tables, records), data)));
}

// An INT8 tensor whose fresh rows are raw, with `dictionary`'s rows of `cols` bytes. All skips have 8 bits; copies may
// differ from the dictionary by 0 … 15.
struct CopiedRows {
  CopiedRows(uint64_t cols, const Bytes& dictionary, const Bytes& rows)
      : base(WriteModel({AllSymbols(), SixteenSymbols(0)}, {Record(cols, dictionary, rows)}), rows) {}

  static RecordFields Record(uint64_t cols, const Bytes& dictionary, const Bytes& rows) {
    RecordFields r;
    r.rows = rows.size() / cols;
    r.cols = cols;
    r.flags = kFlagDictionary;
    r.dictionary_rows = dictionary.size() / cols;
    r.skip_table = 0;
    r.near_table = 1;
    r.area.assign(dictionary.begin(), dictionary.end());
    return r;
  }

  TestBase base;
  PrefixCode skips = CodeOf(AllSymbols());
  PrefixCode near = CodeOf(SixteenSymbols(0));
};

Bytes Rows(const std::string& rows) { return Bytes(rows.begin(), rows.end()); }

TEST(BaseCodingTest, TheEncoderChoosesTheNearestDictionaryRow) {
  // Rows 0 and 1 are in the dictionary, row 2 is fresh, row 3 is like row 0 but for two bytes.
  CodeLengths skips, near;
  skips.length[5] = 1;
  skips.length[2] = skips.length[1] = 2;
  near.only = 0xFF;
  const RecordFields r = CopiedRows::Record(5, Rows("abcdeABCDE"), Rows("abcdeABCDExyzxyabbdd"));
  const TestBase base(WriteModel({SerializeCodeLengths(skips), SerializeCodeLengths(near)}, {r}),
                      Rows("abcdeABCDExyzxyabbdd"));
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, 256));
  PrefixEncoder stream;
  const PrefixCode code(skips);
  for (uint32_t row : {0u, 1u}) {
    stream.Raw(1, 1);
    stream.Raw(row, 1);
    stream.Symbol(code, 5);
  }
  stream.Raw(0, 1);
  for (char c : std::string("xyzxy")) stream.Raw(static_cast<uint8_t>(c), 8);
  stream.Raw(1, 1);
  stream.Raw(0, 1);
  stream.Symbol(code, 2);  // "ab", a byte that differs in no bits at all,
  stream.Symbol(code, 1);  // "d", and another.
  EXPECT_EQ(CodedBase(&base.shared(), base.data(), 256).chunks()[0], stream.Finish());
}

TEST(BaseCodingTest, SkipsOfEveryLengthAreCodedAsDocumentedAndComeBack) {
  for (size_t skip : {0u, 1u, 253u, 254u, 255u, 256u, 257u, 509u, 510u, 511u, 512u, 765u}) {
    // `skip` bytes like the dictionary's, one that is not (unless the row ends there), and `rest` that are.
    for (int rest : {-1, 0, 1, 254, 255, 256, 510, 511}) {
      SCOPED_TRACE(testing::Message() << skip << " bytes, then " << rest);
      const size_t cols = skip + static_cast<size_t>(rest + 1);
      if (cols < 5) continue;  // A fresh row is shorter.
      Random random(skip);
      const Bytes dictionary = random.Uniform(3 * cols);
      Bytes row(dictionary.begin() + static_cast<std::ptrdiff_t>(2 * cols), dictionary.end());
      if (rest >= 0) row[skip] = static_cast<uint8_t>(row[skip] + 9);
      const CopiedRows rows(cols, dictionary, row);
      CodedBase coded(&rows.base.shared(), row, 65536);

      PrefixEncoder stream;
      stream.Raw(1, 1);
      stream.Raw(2, 2);
      // The documented way: 255 stands for as many and another skip, unless the row ends there.
      const auto put = [&](size_t equal, bool row_ends) {
        for (; equal >= 255 && !(equal == 255 && row_ends); equal -= 255) stream.Symbol(rows.skips, 255);
        stream.Symbol(rows.skips, static_cast<uint8_t>(equal));
      };
      put(skip, rest < 0);
      if (rest >= 0) stream.Symbol(rows.near, 9);
      if (rest > 0) put(static_cast<size_t>(rest), true);
      ASSERT_EQ(coded.chunks()[0], stream.Finish());

      for (size_t first = 0; first <= cols; ++first) {
        Bytes begin(first), end(cols - first);
        ASSERT_EQ(coded.Read(0, &begin), CoreStatus::kOk) << first;
        ASSERT_EQ(coded.Read(first, &end), CoreStatus::kOk) << first;
        ASSERT_TRUE(std::equal(begin.begin(), begin.end(), row.begin())) << first;
        ASSERT_TRUE(std::equal(end.rbegin(), end.rend(), row.rbegin())) << first;
      }
      Bytes one(1);
      for (size_t at = 0; at < cols; ++at) {
        ASSERT_EQ(coded.Read(at, &one), CoreStatus::kOk) << at;
        ASSERT_EQ(one[0], row[at]) << at;
      }
      EXPECT_EQ(coded.decoder().chunks_begun(), cols + 2);
    }
  }
}

TEST(BaseCodingTest, ARowCutByAChunkIsCopiedFromItsColumnOn) {
  // A row of 600 in chunks of 256: each piece names its dictionary row, which need not be the same.
  Random random(17);
  const Bytes dictionary = random.Uniform(2 * 600);
  Bytes row(dictionary.begin(), dictionary.begin() + 600);
  std::copy_n(dictionary.begin() + 600 + 300, 200, row.begin() + 300);  // Most of the second piece is like row 1.
  row[299] = static_cast<uint8_t>(dictionary[600 + 299] + 1);
  const CopiedRows rows(600, dictionary, row);
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(rows.base, 256));
  CodedBase coded(&rows.base.shared(), row, 256);
  ASSERT_EQ(coded.chunks().size(), 3u);
  PrefixEncoder stream;
  stream.Raw(1, 1);
  stream.Raw(0, 1);
  stream.Symbol(rows.skips, 255);
  stream.Symbol(rows.skips, 1);
  EXPECT_EQ(coded.chunks()[0], stream.Finish());
  stream.Raw(1, 1);
  stream.Raw(0, 1);
  stream.Symbol(rows.skips, 88);  // Columns 512 … 599.
  EXPECT_EQ(coded.chunks()[2], stream.Finish());
}

TEST(BaseDecoderTest, GoingOnCostsNoNewChunkAndGoingBackDoes) {
  Random random(13);
  const std::vector<ModelTensor> specs = {{DType::kI8, 1, 3000}};
  const TestBase base(specs, RandomData(&random, specs));
  CodedBase coded(&base.shared(), base.data(), 1024);
  Bytes piece(100);
  ASSERT_EQ(coded.Read(0, &piece), CoreStatus::kOk);
  ASSERT_EQ(coded.Read(100, &piece), CoreStatus::kOk);
  EXPECT_EQ(coded.decoder().chunks_begun(), 1u);
  ASSERT_EQ(coded.Read(500, &piece), CoreStatus::kOk);  // Ahead in the same chunk.
  EXPECT_EQ(coded.decoder().chunks_begun(), 1u);
  ASSERT_EQ(coded.Read(500, &piece), CoreStatus::kOk);  // Back.
  EXPECT_EQ(coded.decoder().chunks_begun(), 2u);
  ASSERT_EQ(coded.Read(2990 - 100, &piece), CoreStatus::kOk);  // Another chunk.
  EXPECT_EQ(coded.decoder().chunks_begun(), 3u);
}

TEST(BaseDecoderTest, RefusesWhatLiesOutsideTheData) {
  Random random(14);
  const std::vector<ModelTensor> specs = {{DType::kI8, 1, 300}};
  const TestBase base(specs, RandomData(&random, specs));
  CodedBase coded(&base.shared(), base.data(), 256);
  Bytes one(1), none;
  EXPECT_EQ(coded.Read(300, &one), CoreStatus::kBadArgument);
  EXPECT_EQ(coded.Read(~uint64_t{0}, &one), CoreStatus::kBadArgument);
  EXPECT_EQ(coded.Read(301, &none), CoreStatus::kBadArgument);
  EXPECT_EQ(coded.Read(300, &none), CoreStatus::kOk);
  EXPECT_EQ(coded.Read(299, &one), CoreStatus::kOk);
  EXPECT_EQ(one[0], base.data()[299]);
}

TEST(BaseDecoderTest, AFetchThatFailsIsReportedAndTheNextReadIsRight) {
  const TestBase base = DictionaryBase(64, 0.1);
  CodedBase coded(&base.shared(), base.data(), 4096);
  Bytes piece(6000);
  ASSERT_EQ(coded.Read(10, &piece), CoreStatus::kOk);
  coded.FailFetches(true);
  EXPECT_EQ(coded.Read(9000, &piece), CoreStatus::kReadFailed);
  EXPECT_EQ(coded.Read(9000, &piece), CoreStatus::kReadFailed);
  coded.FailFetches(false);
  for (uint64_t offset : {9000u, 8192u, 10u}) {
    ASSERT_EQ(coded.Read(offset, &piece), CoreStatus::kOk);
    EXPECT_TRUE(std::equal(piece.begin(), piece.end(), base.data().begin() + static_cast<std::ptrdiff_t>(offset)));
  }
}

TEST(BaseDecoderTest, ADamagedChunkIsAnErrorOrWrongBytesAndTheOthersStayReadable) {
  for (const bool dictionary : {false, true}) {
    Random random(15);
    const std::vector<ModelTensor> specs = {{DType::kI8, 1, 300}, {DType::kF32, 1, 100}, {DType::kI8, 1, 100}};
    const TestBase base = dictionary ? DictionaryBase(9, 0.2) : TestBase(specs, RandomData(&random, specs));
    ASSERT_EQ((base.shared().tensor(1).flags & kFlagDictionary) != 0, dictionary);
    CodedBase coded(&base.shared(), base.data(), 256);
    const std::string chunk = coded.chunks()[1];
    Bytes piece(256);
    const absl::Span<const uint8_t> second = absl::MakeConstSpan(base.data()).subspan(256, 256);
    for (size_t size = 0; size < chunk.size(); ++size) {
      coded.chunks()[1] = chunk.substr(0, size);
      ASSERT_EQ(coded.Read(256, &piece), CoreStatus::kBadStream) << "cut to " << size;
    }
    coded.chunks()[1] = chunk + std::string(2, '\0');
    EXPECT_EQ(coded.Read(256, &piece), CoreStatus::kBadStream);
    for (size_t bit = 0; bit < 8 * chunk.size(); ++bit) {
      coded.chunks()[1] = chunk;
      coded.chunks()[1][bit / 8] = static_cast<char>(chunk[bit / 8] ^ (1 << bit % 8));
      const CoreStatus status = coded.Read(256, &piece);
      ASSERT_TRUE(status != CoreStatus::kOk || absl::MakeConstSpan(piece) != second) << bit;
      ASSERT_TRUE(status == CoreStatus::kOk || status == CoreStatus::kBadStream) << bit;
    }
    coded.chunks()[1] = chunk;
    Bytes around(600);
    ASSERT_EQ(coded.Read(100, &around), CoreStatus::kOk);
    EXPECT_TRUE(std::equal(around.begin(), around.end(), base.data().begin() + 100));
  }
}

TEST(BaseDecoderTest, AChunkDecodesToItsOwnBytesInAnothersPlace) {
  Random random(16);
  const std::vector<ModelTensor> specs = {{DType::kI8, 1, 512}};
  const TestBase base(specs, RandomData(&random, specs));
  CodedBase coded(&base.shared(), base.data(), 256);
  std::swap(coded.chunks()[0], coded.chunks()[1]);
  Bytes all(512);
  // Nothing in the stream says where it belongs: that is for the container's checksums and digests to notice.
  ASSERT_EQ(coded.Read(0, &all), CoreStatus::kOk);
  EXPECT_TRUE(std::equal(all.begin(), all.begin() + 256, base.data().begin() + 256));
}

// Two rows of 300 bytes in chunks of 512, the second of which a chunk cuts after 212 bytes.
class CopiedStreamTest : public testing::Test {
 protected:
  static constexpr size_t kCols = 300;
  static constexpr size_t kCut = 512 - kCols;

  static Bytes ThreeRows() { return Random(18).Uniform(3 * kCols); }
  static Bytes TwoRows() { return Bytes(2 * kCols); }

  // What `stream` says as chunk 0.
  CoreStatus Decode(PrefixEncoder* stream, Bytes* out) {
    CodedBase coded(&rows_.base.shared(), rows_.base.data(), 512);
    coded.chunks()[0] = stream->Finish();
    out->assign(512, 0xEE);
    const CoreStatus status = coded.Read(0, out);
    // In pieces: the same.
    CoreStatus in_pieces = CoreStatus::kOk;
    for (size_t at = 0; at < 512 && in_pieces == CoreStatus::kOk; at += 64) {
      Bytes piece(64);
      in_pieces = coded.Read(at, &piece);
      if (status == CoreStatus::kOk) {
        EXPECT_TRUE(std::equal(piece.begin(), piece.end(), &(*out)[at])) << at;
      }
    }
    EXPECT_EQ(in_pieces, status);
    return status;
  }

  CoreStatus Decode(PrefixEncoder* stream) {
    Bytes out;
    return Decode(stream, &out);
  }

  void Row(PrefixEncoder* stream, uint32_t number) {
    stream->Raw(1, 1);
    stream->Raw(number, 2);
  }
  void Skip(PrefixEncoder* stream, uint8_t count) { stream->Symbol(rows_.skips, count); }
  void Differ(PrefixEncoder* stream, uint8_t by) { stream->Symbol(rows_.near, by); }
  // The first row as it is in the dictionary.
  void FirstRow(PrefixEncoder* stream) {
    Row(stream, 0);
    Skip(stream, 255);
    Skip(stream, kCols - 255);
  }

  const Bytes dictionary_ = ThreeRows();
  const CopiedRows rows_{kCols, dictionary_, TwoRows()};
};

TEST_F(CopiedStreamTest, AnyWayToSayItIsRead) {
  PrefixEncoder stream;
  Row(&stream, 1);
  for (size_t at = 0; at < kCols; ++at) {  // Byte by byte, each "other" by 0.
    Skip(&stream, 0);
    Differ(&stream, 0);
  }
  Row(&stream, 2);
  Skip(&stream, 10);
  Differ(&stream, 15);
  Skip(&stream, kCut - 11);
  Bytes out;
  ASSERT_EQ(Decode(&stream, &out), CoreStatus::kOk);
  Bytes expected(dictionary_.begin() + kCols, dictionary_.begin() + 2 * kCols + kCols);
  expected.resize(512);
  expected[kCols + 10] = static_cast<uint8_t>(expected[kCols + 10] + 15);
  EXPECT_EQ(out, expected);
}

TEST_F(CopiedStreamTest, ARowBeyondTheDictionaryIsAnError) {
  for (uint32_t row = 0; row < 4; ++row) {
    PrefixEncoder stream;
    FirstRow(&stream);
    Row(&stream, row);
    Skip(&stream, kCut);
    EXPECT_EQ(Decode(&stream), row < 3 ? CoreStatus::kOk : CoreStatus::kBadStream) << row;
  }
}

TEST_F(CopiedStreamTest, ASkipBeyondTheRowIsAnError) {
  for (unsigned more = 0; more < 3; ++more) {
    PrefixEncoder stream;
    Row(&stream, 0);
    Skip(&stream, 255);
    Skip(&stream, static_cast<uint8_t>(kCols - 255 + more));
    Row(&stream, 0);
    Skip(&stream, kCut);
    EXPECT_EQ(Decode(&stream), more == 0 ? CoreStatus::kOk : CoreStatus::kBadStream) << more;
  }
}

TEST_F(CopiedStreamTest, ASkipBeyondTheChunkIsAnError) {
  for (size_t skip : {kCut - 1, kCut, kCut + 1, size_t{254}, size_t{255}}) {
    PrefixEncoder stream;
    FirstRow(&stream);
    Row(&stream, 1);
    Skip(&stream, static_cast<uint8_t>(skip));
    if (skip < kCut) Differ(&stream, 3);
    EXPECT_EQ(Decode(&stream), skip <= kCut ? CoreStatus::kOk : CoreStatus::kBadStream) << skip;
  }
}

TEST_F(CopiedStreamTest, NothingFollowsASkipToTheEnd) {
  PrefixEncoder stream;
  FirstRow(&stream);
  Row(&stream, 1);
  Skip(&stream, kCut);
  Differ(&stream, 3);
  EXPECT_EQ(Decode(&stream), CoreStatus::kBadStream);
  // After 255 bytes another skip follows, but not at the row's end.
  for (bool another : {false, true}) {
    const Bytes row(dictionary_.begin(), dictionary_.begin() + 255);
    const CopiedRows rows(255, row, row);
    CodedBase coded(&rows.base.shared(), row, 256);
    stream.Raw(1, 1);
    stream.Symbol(rows.skips, 255);
    if (another) stream.Symbol(rows.skips, 0);
    coded.chunks()[0] = stream.Finish();
    Bytes out(255);
    EXPECT_EQ(coded.Read(0, &out), another ? CoreStatus::kBadStream : CoreStatus::kOk);
  }
}

TEST_F(CopiedStreamTest, AfterABadRowTheRestIsStillReadable) {
  CodedBase coded(&rows_.base.shared(), rows_.base.data(), 512);
  PrefixEncoder stream;
  FirstRow(&stream);
  Row(&stream, 3);
  Skip(&stream, kCut);
  coded.chunks()[0] = stream.Finish();
  Bytes all(2 * kCols), first(kCols), last(600 - 512);
  EXPECT_EQ(coded.Read(0, &all), CoreStatus::kBadStream);
  EXPECT_EQ(coded.Read(0, &first), CoreStatus::kOk);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), dictionary_.begin()));
  EXPECT_EQ(coded.Read(512, &last), CoreStatus::kOk);
  EXPECT_EQ(last, Bytes(600 - 512));
}

}  // namespace
}  // namespace modelvault
