// codec/core/segment_decoder.cc against streams that lie, and what it tells of its progress.
#include "codec/core/segment_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "codec/rans_encoder.h"
#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

using ::testing::ElementsAre;

constexpr uint8_t kBothPriors = kFlagRowPrior | kFlagColumnPrior;

// Writes a segment's stream by hand, with the adaptive state of a real one.
class StreamWriter {
 public:
  StreamWriter& Mode(DType dtype, unsigned mode) {
    AdaptiveBit* tree = contexts_->mode[dtype == DType::kI8 ? 1 : 0];
    unsigned node = 1;
    for (int i = 2; i >= 0; --i) {
      const bool bit = (mode >> i) & 1;
      EncodeBit(&out_, &tree[node], bit);
      node = 2 * node + (bit ? 1 : 0);
    }
    return *this;
  }
  // Of a tensor with gaps, and whether one scale follows for all its groups.
  StreamWriter& Level(uint64_t zigzag, bool one_scale = false) {
    EncodeGamma(&out_, &contexts_->level, zigzag);
    return OneScale(one_scale);
  }
  StreamWriter& OneScale(bool one_scale) {
    EncodeBit(&out_, &contexts_->one_scale, one_scale);
    return *this;
  }
  StreamWriter& Gap(unsigned level, uint32_t gap, bool negative = false) {
    out_.SetGap(out_.Gap(level), gap, negative);
    return *this;
  }
  StreamWriter& SameScale() {
    EncodeBit(&out_, &contexts_->same_scale, true);
    return *this;
  }
  StreamWriter& Scale(uint64_t k) {
    EncodeBit(&out_, &contexts_->same_scale, false);
    EncodeGamma(&out_, &contexts_->scale, k);
    return *this;
  }
  StreamWriter& Magnitude(unsigned context, uint64_t magnitude) {
    EncodeGamma(&out_, &contexts_->magnitude[context], magnitude - 1);
    return *this;
  }
  StreamWriter& Residual(bool wide, uint64_t value) {
    if (wide) {
      EncodeGamma(&out_, &contexts_->residual, value);
    } else {
      EncodeGamma(&out_, &contexts_->byte_residual, value);
    }
    return *this;
  }
  StreamWriter& Raw(uint32_t value, unsigned bits) {
    out_.Raw(value, bits);
    return *this;
  }
  std::string Take() { return out_.Finish(); }

 private:
  RansEncoder out_;
  std::unique_ptr<SegmentContexts> contexts_ = std::make_unique<SegmentContexts>();
};

// What the one segment of a variant gives.
struct Result {
  CoreStatus status;
  Bytes data;
};

Result Decode(const TestBase& base, const std::string& stream, const StoredLayout& layout = {},
              const DecodeOptions& options = {}) {
  const DecodedVariant decoded = DecodeVariant(base, {layout, {stream}}, 1 << 20, options);
  return {decoded.status, decoded.data};
}

// A base of one tensor, its data given.
TestBase One(const RecordFields& fields, Bytes data) { return TestBase(WriteModel({}, {fields}), std::move(data)); }

TEST(SegmentDecoderTest, HandWrittenGapsAreWhatTheySay) {
  const TestBase base = One(RawRecord(DType::kI8, 1, 300), Bytes(300, 10));
  const std::string stream = StreamWriter()
                                 .Mode(DType::kI8, 5)
                                 .Level(0)
                                 .Gap(20, 2, true)
                                 .SameScale()  // 1, as at a segment's start.
                                 .Gap(20, 130)
                                 .Scale(200)
                                 .Gap(20, 150, true)
                                 .Scale(0)
                                 .Magnitude(10, 7)
                                 .Gap(20, 15)
                                 .Take();
  const Result result = Decode(base, stream);
  ASSERT_EQ(result.status, CoreStatus::kOk);
  Bytes expected(300, 10);
  expected[2] = 9;
  expected[133] = 127;  // 10 + 200 saturates.
  expected[284] = 3;
  EXPECT_EQ(result.data, expected);
}

// A lane holds 32,767 of a gap; the rest of it waits elsewhere. From a segment's start, from one hit to the next, and
// with escapes in between.
TEST(SegmentDecoderTest, GapsLongerThanALaneEndWhereTheySay) {
  constexpr unsigned kLevel = 63;
  RecordFields fields = RawRecord(DType::kI8, 1, 400'000);
  fields.level = kLevel;
  const TestBase base = One(fields, Bytes(400'000, 10));
  for (const uint32_t first : {0u, 32'766u, 32'767u, 32'768u, 32'769u, 65'535u, 131'071u}) {
    StreamWriter writer;
    writer.Mode(DType::kI8, 5).Level(0, /*one_scale=*/true).Scale(5).Gap(kLevel, first);
    Bytes expected(400'000, 10);
    size_t hit = first;
    bool negative = false;
    for (const uint32_t left : {32'766u, 32'767u, 32'768u, 32'769u, 70'000u, 3u}) {  // Of the gap, at the strip's end.
      expected[hit] = negative ? 5 : 15;
      negative = !negative;
      const uint32_t gap = left + static_cast<uint32_t>(kStripSize - hit % kStripSize - 1);
      writer.Gap(kLevel, gap, negative);
      hit += gap + 1;
    }
    expected[hit] = negative ? 5 : 15;
    const Result result = Decode(base, writer.Gap(kLevel, 400'000).Take());
    ASSERT_EQ(result.status, CoreStatus::kOk) << first;
    EXPECT_TRUE(result.data == expected) << first;
  }
}

// Magnitudes adapt by pairs of levels, and together from level 30 on: a neighbour's would not decode.
TEST(SegmentDecoderTest, EachPairOfLevelsHasItsMagnitudes) {
  std::vector<RecordFields> records;
  StreamWriter writer;
  Bytes expected;
  for (uint8_t level = 0; level < kLevelCount; ++level) {
    records.push_back(RawRecord(DType::kI8, 1, kGroupSize));
    records.back().level = level;
    const unsigned context = std::min(level / 2u, kMagnitudeContexts - 1);
    writer.Mode(DType::kI8, 5).Level(0).Gap(level, 2).Scale(0);
    Bytes weights(kGroupSize, 0);
    for (size_t hit = 2; hit <= 8; hit += 2) {
      const int magnitude = 1 + (level / 2 * 37 + 50) % 100;
      weights[hit] = static_cast<uint8_t>(magnitude);
      writer.Magnitude(context, static_cast<uint64_t>(magnitude)).Gap(level, hit < 8 ? 1 : kGroupSize);
    }
    expected.insert(expected.end(), weights.begin(), weights.end());
  }
  const TestBase base(WriteModel({}, records), Bytes(expected.size(), 0));
  const Result result = Decode(base, writer.Take());
  ASSERT_EQ(result.status, CoreStatus::kOk);
  EXPECT_TRUE(result.data == expected);
}

TEST(SegmentDecoderTest, RefusesModesThatATensorCannotHave) {
  struct Case {
    const char* what;
    DType base, variant;
    unsigned mode;
    CoreStatus status;
  };
  constexpr CoreStatus kBad = CoreStatus::kBadMode;
  const Case cases[] = {
      {"plain on floats", DType::kF16, DType::kF16, 6, kBad},
      {"seven", DType::kI8, DType::kI8, 7, kBad},
      {"gap on floats", DType::kF32, DType::kF32, 1, kBad},
      {"sign on floats", DType::kF32, DType::kF32, 2, kBad},
      {"gap-flat on floats", DType::kF32, DType::kF32, 5, kBad},
      {"gap on U8", DType::kU8, DType::kU8, 1, kBad},
      {"sign on BOOL", DType::kBool, DType::kBool, 2, kBad},
      {"gap on I8 over U8", DType::kU8, DType::kI8, 1, kBad},
      {"sign on I8 over F32", DType::kF32, DType::kI8, 2, kBad},
      {"gap-flat on U8 over I8", DType::kI8, DType::kU8, 5, kBad},
      {"same without a prediction", DType::kF32, DType::kI8, 0, kBad},
      {"same, BF16 over F16", DType::kF16, DType::kBf16, 0, kBad},
      {"same, F16 over F32", DType::kF32, DType::kF16, 0, CoreStatus::kOk},
  };
  for (const Case& c : cases) {
    const TestBase base = One(RawRecord(c.base, 1, 4), Bytes(4u * ElementSize(static_cast<uint8_t>(c.base)), 1));
    const StoredLayout layout = SerializeLayout({{0, c.variant, 0}}, 1);
    EXPECT_EQ(Decode(base, StreamWriter().Mode(c.variant, c.mode).Take(), layout).status, c.status) << c.what;
  }
}

TEST(SegmentDecoderTest, OpaqueBytesOfAnotherSizeCannotBeSame) {
  const TestBase base = One(RawRecord(DType::kOpaque, 1, 4), Bytes(4, 1));
  const std::string stream = StreamWriter().Mode(DType::kOpaque, 0).Take();
  EXPECT_EQ(Decode(base, stream, SerializeLayout({{0, DType::kOpaque, 4}}, 1)).status, CoreStatus::kOk);
  EXPECT_EQ(Decode(base, stream, SerializeLayout({{0, DType::kOpaque, 5}}, 1)).status, CoreStatus::kBadMode);
}

TEST(SegmentDecoderTest, RefusesLevelsOutsideTheirRange) {
  RecordFields fields = RawRecord(DType::kI8, 1, 4);
  for (uint8_t base_level : {uint8_t{0}, uint8_t{20}, uint8_t{63}}) {
    fields.level = base_level;
    const TestBase base = One(fields, Bytes(4, 1));
    for (uint64_t zigzag = 0; zigzag < 256; ++zigzag) {
      const int step = zigzag % 2 == 0 ? static_cast<int>(zigzag / 2) : -static_cast<int>(zigzag / 2) - 1;
      const int level = base_level + step;
      const bool good = level >= 0 && level <= 63;
      StreamWriter stream;
      stream.Mode(DType::kI8, 5).Level(zigzag);
      if (good) stream.Gap(static_cast<unsigned>(level), 4);
      EXPECT_EQ(Decode(base, stream.Take()).status, good ? CoreStatus::kOk : CoreStatus::kBadStream)
          << int{base_level} << " " << step;
    }
  }
}

TEST(SegmentDecoderTest, LevelsAddUpFromTensorToTensor) {
  RecordFields first = RawRecord(DType::kI8, 1, 4), second = RawRecord(DType::kI8, 1, 4);
  first.level = 20;
  second.level = 30;
  const TestBase base(WriteModel({}, {first, second}), Bytes(8, 1));
  // 5 up in the first; 1 down from that in the second: 34.
  const std::string stream =
      StreamWriter().Mode(DType::kI8, 5).Level(10).Gap(25, 4).Mode(DType::kI8, 1).Level(1).Gap(34, 8).Take();
  EXPECT_EQ(Decode(base, stream).status, CoreStatus::kOk);
}

TEST(SegmentDecoderTest, RefusesGapsWithoutEnd) {
  // 2^30 weights are more than any segment has. A gap of level 63 takes a symbol for 31 * 2,048 of them.
  RecordFields fields = RawRecord(DType::kI8, 1, 4);
  fields.level = 63;
  const TestBase base = One(fields, Bytes(4, 1));
  for (uint32_t gap : {(1u << 30) - 2048, 1u << 30, (1u << 31) - 1}) {
    const std::string stream = StreamWriter().Mode(DType::kI8, 5).Level(0).Gap(63, gap).Take();
    EXPECT_EQ(Decode(base, stream).status, gap < 1u << 30 ? CoreStatus::kOk : CoreStatus::kBadStream) << gap;
  }
}

TEST(SegmentDecoderTest, RefusesShiftsOfAllBits) {
  for (DType dtype : {DType::kU8, DType::kF16, DType::kF32, DType::kF64}) {
    const unsigned width = 8 * ElementSize(static_cast<uint8_t>(dtype));
    const TestBase base = One(RawRecord(dtype, 1, 1), Bytes(width / 8, 1));
    for (uint32_t shift = 0; shift < 64; ++shift) {
      const std::string stream = StreamWriter().Mode(dtype, 3).Raw(shift, 6).Residual(width > 8, 0).Take();
      const Result result = Decode(base, stream);
      // With a shift the rest of the stream is read too; without, the decoder stops at it.
      EXPECT_EQ(result.status, shift < width ? CoreStatus::kOk : CoreStatus::kBadStream) << width << " " << shift;
    }
  }
}

TEST(SegmentDecoderTest, ResidualsLargerThanTheElementWrapAndStayInside) {
  const TestBase base = One(RawRecord(DType::kI16, 1, 3), Bytes{1, 0, 2, 0, 3, 0});
  StreamWriter stream;
  stream.Mode(DType::kI16, 3).Raw(0, 6);
  for (int i = 0; i < 3; ++i) stream.Residual(true, ~uint64_t{0} - 4).Raw(static_cast<uint32_t>(i % 2), 1);
  const Result result = Decode(base, stream.Take());
  ASSERT_EQ(result.status, CoreStatus::kOk);
  EXPECT_EQ(result.data, (Bytes{0xFC, 0xFF, 7, 0, 0xFE, 0xFF}));
}

TEST(SegmentDecoderTest, RefusesSignsWithTheEscape) {
  const TestBase base = One(RawRecord(DType::kI8, 1, 2), Bytes(2, 1));
  const auto signs = [](bool one_scale) {
    StreamWriter stream;
    stream.Mode(DType::kI8, 2).OneScale(one_scale);
    return stream;
  };
  for (const bool one_scale : {false, true}) {
    EXPECT_EQ(Decode(base, signs(one_scale).SameScale().Raw(2, 2).Take()).data, (Bytes{2, 0}));
    EXPECT_EQ(Decode(base, signs(one_scale).Scale(0).Raw(2, 2).Take()).status, CoreStatus::kBadStream);
  }
}

TEST(SegmentDecoderTest, OneScaleIsThatOfEveryGroup) {
  const TestBase base = One(RawRecord(DType::kI8, 1, 300), Bytes(300, 10));
  const auto gaps = [] {
    StreamWriter stream;
    stream.Mode(DType::kI8, 5).Level(0, true);
    return stream;
  };
  const Result result =
      Decode(base, gaps().Scale(30).Gap(20, 2, true).Gap(20, 130).Gap(20, 150, true).Gap(20, 15).Take());
  ASSERT_EQ(result.status, CoreStatus::kOk);
  Bytes expected(300, 10);
  expected[2] = static_cast<uint8_t>(-20);
  expected[133] = 40;
  expected[284] = static_cast<uint8_t>(-20);
  EXPECT_EQ(result.data, expected);
  // The escape is for single groups.
  EXPECT_EQ(Decode(base, gaps().Scale(0).Gap(20, 299).Gap(20, 0).Take()).status, CoreStatus::kBadStream);
}

TEST(SegmentDecoderTest, RefusesEscapesOutsideInt8) {
  for (int weight : {-128, -1, 0, 127}) {
    const TestBase base = One(RawRecord(DType::kI8, 1, 1), Bytes{static_cast<uint8_t>(weight)});
    for (int magnitude : {1, 127, 128, 129, 255, 256}) {
      for (bool negative : {false, true}) {
        const std::string stream = StreamWriter()
                                       .Mode(DType::kI8, 5)
                                       .Level(0)
                                       .Gap(20, 0, negative)
                                       .Scale(0)
                                       .Magnitude(10, static_cast<uint64_t>(magnitude))
                                       .Gap(20, 0)
                                       .Take();
        const int expected = weight + (negative ? -magnitude : magnitude);
        const bool inside = expected >= -128 && expected <= 127;
        const Result result = Decode(base, stream);
        EXPECT_EQ(result.status, inside ? CoreStatus::kOk : CoreStatus::kOutOfRange) << weight << " " << magnitude;
        if (inside) {
          EXPECT_EQ(result.data[0], static_cast<uint8_t>(expected));
        }
        // Passed over, nobody looks at the weight.
        DecodeOptions skip;
        skip.skip = [](const Strip&) { return true; };
        EXPECT_EQ(Decode(base, stream, {}, skip).status, CoreStatus::kOk);
      }
    }
  }
}

TEST(SegmentDecoderTest, AWorkspaceTooSmallForTheColumnsIsReported) {
  Random random(1);
  const TestBase base = RandomBase(
      &random, {RandomPrior(&random, 3, 600, kFlagColumnPrior), RandomPrior(&random, 3, 700, kFlagRowPrior)});
  EXPECT_EQ(base.shared().max_prior_cols(), 600u);
  for (unsigned mode : {1u, 5u}) {
    // Nothing but the mode and the level: what follows shows that the columns were not the problem.
    const std::string stream = StreamWriter().Mode(DType::kI8, mode).Level(0).Take();
    DecodeOptions options;
    options.order_columns = 599;
    EXPECT_EQ(Decode(base, stream, {}, options).status,
              mode == 1 ? CoreStatus::kWorkspaceTooSmall : CoreStatus::kBadStream);
    options.order_columns = 600;
    EXPECT_EQ(Decode(base, stream, {}, options).status, CoreStatus::kBadStream);
  }
  // Whole variants need no more room than the widest column prior.
  const TestVariant variant{Ternary(&random, base.data(), 0.1, 3), {}};
  DecodeOptions enough;
  enough.order_columns = base.shared().max_prior_cols();
  const DecodedVariant decoded = DecodeVariant(base, EncodeVariant(base, variant, 4096), 4096, enough);
  EXPECT_EQ(decoded.status, CoreStatus::kOk);
  EXPECT_TRUE(decoded.data == variant.data);
}

TEST(SegmentDecoderTest, RefusesStreamsThatAreNone) {
  const TestBase base = One(RawRecord(DType::kI8, 1, 4), Bytes(4, 1));
  for (size_t size : {0u, 1u, 3u, 5u}) EXPECT_EQ(Decode(base, std::string(size, '\1')).status, CoreStatus::kBadStream);
  EXPECT_EQ(Decode(base, std::string(4, '\0')).status, CoreStatus::kBadStream);
  EXPECT_NE(Decode(base, std::string("\0\0\1\0", 4)).status, CoreStatus::kOk);  // Ends before the mode does.
}

TEST(SegmentDecoderTest, RefusesWhatFollowsTheLastStrip) {
  const TestBase base = One(RawRecord(DType::kI8, 1, 4), Bytes(4, 1));
  EXPECT_EQ(Decode(base, StreamWriter().Mode(DType::kI8, 0).Take()).status, CoreStatus::kOk);
  EXPECT_EQ(Decode(base, StreamWriter().Mode(DType::kI8, 0).Take() + std::string(2, '\0')).status,
            CoreStatus::kBadStream);
  EXPECT_EQ(Decode(base, StreamWriter().Mode(DType::kI8, 0).Raw(1, 1).Take()).status, CoreStatus::kBadStream);
}

// A base with a tensor for each mode, and a variant that has them all.
struct AllModes {
  TestBase base;
  TestVariant variant;
  CodedVariant coded;
};

AllModes MakeAllModes() {
  Random random(3);
  std::vector<RecordFields> records = {RandomPrior(&random, 10, 40, kBothPriors),
                                       RawRecord(DType::kI8, 1, 900),
                                       RawRecord(DType::kI8, 1, 200),
                                       RawRecord(DType::kF32, 1, 60),
                                       RawRecord(DType::kF16, 1, 100),
                                       RawRecord(DType::kI8, 1, 300),
                                       RawRecord(DType::kOpaque, 1, 50)};
  records[0].level = 8;
  // Half the rows are dense, the others hardly ever differ.
  std::fill_n(records[0].area.begin(), 5, '\xF0');
  std::fill_n(records[0].area.begin() + 5, 20, '\0');
  std::vector<ModelTensor> specs;
  for (const RecordFields& r : records) specs.push_back({static_cast<DType>(r.dtype), r.rows, r.cols});
  Bytes data = RandomData(&random, specs);
  for (size_t i = 0; i < 1500; ++i) data[i] = static_cast<uint8_t>(random.Between(-90, 90));
  TestBase base(WriteModel({}, records), data);

  TestVariant variant{data, {}};
  for (size_t i = 0; i < 400; ++i) {
    if (i / 40 % 2 == 0 && random.Chance(0.6))
      variant.data[i] = static_cast<uint8_t>(data[i] + (random.Chance(0.5) ? 3 : -3));
  }
  const Bytes flat = Ternary(&random, base.tensor(1), 0.05, 2);
  std::copy(flat.begin(), flat.end(), variant.data.begin() + 400);
  variant.data[450] = static_cast<uint8_t>(data[450] + 7);  // An escape.
  variant.data[451] = static_cast<uint8_t>(data[451] - 9);
  const Bytes signs = Ternary(&random, base.tensor(2), 1, 4);
  std::copy(signs.begin(), signs.end(), variant.data.begin() + 1300);
  for (size_t i = 1500; i < 1740; i += 4) variant.data[i] = static_cast<uint8_t>(variant.data[i] + random.Below(4));
  for (size_t i = 1940; i < 2240; ++i) variant.data[i] = random.Byte();
  const CodedVariant coded = EncodeVariant(base, variant, 1 << 20);
  return {std::move(base), std::move(variant), coded};
}

TEST(SegmentDecoderTest, HasEveryModeUnderTest) {
  const AllModes all = MakeAllModes();
  const DecodedVariant decoded = DecodeVariant(all.base, all.coded, 1 << 20);
  ASSERT_EQ(decoded.status, CoreStatus::kOk);
  EXPECT_TRUE(decoded.data == all.variant.data);
  std::vector<TensorMode> modes;
  for (const auto& piece : decoded.modes) modes.push_back(piece.mode);
  EXPECT_THAT(modes, ElementsAre(TensorMode::kGap, TensorMode::kGapFlat, TensorMode::kSign, TensorMode::kResidual,
                                 TensorMode::kSame, TensorMode::kRaw, TensorMode::kSame));
}

TEST(SegmentDecoderTest, EveryTruncationIsAnError) {
  const AllModes all = MakeAllModes();
  const std::string& stream = all.coded.segments[0];
  DecodeOptions skip;
  skip.skip = [](const Strip&) { return true; };
  for (size_t size = 0; size < stream.size(); ++size) {
    ASSERT_NE(Decode(all.base, stream.substr(0, size)).status, CoreStatus::kOk) << size;
    ASSERT_EQ(Decode(all.base, stream.substr(0, size), {}, skip).status, CoreStatus::kBadStream) << size;
  }
}

TEST(SegmentDecoderTest, EveryBitFlipStaysInsideAndAlmostNoneIsHarmless) {
  const AllModes all = MakeAllModes();
  size_t errors = 0, harmless = 0;
  const size_t bits = 8 * all.coded.segments[0].size();
  for (size_t bit = 0; bit < bits; ++bit) {
    std::string stream = all.coded.segments[0];
    stream[bit / 8] = static_cast<char>(stream[bit / 8] ^ (1 << bit % 8));
    const Result result = Decode(all.base, stream);
    if (result.status != CoreStatus::kOk) ++errors;
    // The sign of a level's last gap, which no weight ends, says nothing.
    if (result.status == CoreStatus::kOk && result.data == all.variant.data) ++harmless;
  }
  // Raw bits say something else and leave the rest as it is; behind anything else the final state is off.
  EXPECT_GT(errors, bits / 8);
  EXPECT_LT(harmless, bits / 100);
}

TEST(SegmentDecoderTest, StreamsOfRandomBytesStayInside) {
  const AllModes all = MakeAllModes();
  Random random(4);
  int errors = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string stream = all.coded.segments[0];
    for (size_t at = random.Below(stream.size() / 2); at < stream.size(); ++at) {
      stream[at] = static_cast<char>(random.Byte());
    }
    if (Decode(all.base, stream).status != CoreStatus::kOk) ++errors;
  }
  EXPECT_GT(errors, 2990);
}

TEST(SegmentDecoderTest, ADecoderCanStartAnewAfterAnError) {
  const AllModes all = MakeAllModes();
  const TestLayout layout(all.base.shared(), {});
  std::vector<uint8_t> order(40);
  std::vector<StripColumns> strips(ColumnOrder::StripCount(40));
  SegmentDecoder decoder(&layout.layout(), {order.data(), strips.data(), order.size()});
  const std::string& good = all.coded.segments[0];
  for (size_t cut : {size_t{6}, good.size() / 2, good.size()}) {
    const std::string stream = good.substr(0, cut / 2 * 2);
    Bytes data(all.variant.data.size());
    CoreStatus status = decoder.Start(View(stream));
    for (StripCursor cursor(&layout.layout(), 0); !cursor.at_end() && status == CoreStatus::kOk; cursor.Next()) {
      PredictStrip(cursor, all.base.data(), &data[cursor.strip().offset]);
      status = decoder.Decode(cursor, cursor.strip().size, &data[cursor.strip().offset]);
    }
    if (status == CoreStatus::kOk) status = decoder.Finish();
    EXPECT_EQ(status == CoreStatus::kOk, cut == good.size());
    if (cut == good.size()) {
      EXPECT_TRUE(data == all.variant.data);
    }
  }
}

// --- Accounting.

struct Seen {
  SegmentTrace::Event event;
  size_t tensor;
  TensorMode mode;
  uint32_t value;
  double bits_left;
};

TEST(SegmentTraceTest, TellsTensorsModesAndScalesInOrder) {
  const AllModes all = MakeAllModes();
  std::vector<Seen> seen;
  const SegmentTrace trace{[](void* context, SegmentTrace::Event event, size_t tensor, TensorMode mode, uint32_t value,
                              const RansDecoder& rans) {
                             const double left = 8.0 * static_cast<double>(rans.unread()) + std::log2(rans.state());
                             static_cast<std::vector<Seen>*>(context)->push_back({event, tensor, mode, value, left});
                           },
                           &seen};
  DecodeOptions options;
  options.trace = &trace;
  const DecodedVariant decoded = DecodeVariant(all.base, all.coded, 1 << 20, options);
  ASSERT_EQ(decoded.status, CoreStatus::kOk);

  std::vector<size_t> tensors;
  std::vector<TensorMode> modes;
  size_t scales = 0, escapes = 0, signs = 0;
  for (size_t i = 0; i < seen.size(); ++i) {
    switch (seen[i].event) {
      case SegmentTrace::kTensor:
        tensors.push_back(seen[i].tensor);
        ASSERT_EQ(seen[i + 1].event, SegmentTrace::kMode);
        break;
      case SegmentTrace::kMode:
        ASSERT_EQ(seen[i - 1].event, SegmentTrace::kTensor);
        modes.push_back(seen[i].mode);
        if (seen[i].mode == TensorMode::kGap || seen[i].mode == TensorMode::kGapFlat) {
          EXPECT_LT(seen[i].value, kLevelCount);
        }
        break;
      case SegmentTrace::kScaleBegin:
        ASSERT_EQ(seen[i + 1].event, SegmentTrace::kScaleEnd);
        break;
      case SegmentTrace::kScaleEnd:
        ++scales;
        if (seen[i].value == 0) ++escapes;
        if (seen[i].mode == TensorMode::kSign) {
          ++signs;
          EXPECT_EQ(seen[i].value, 4u);
        } else if (seen[i].mode == TensorMode::kGap) {
          EXPECT_EQ(seen[i].value, 3u);
        }
        break;
      case SegmentTrace::kEnd:
        EXPECT_EQ(i + 1, seen.size());
        EXPECT_EQ(seen[i].bits_left, 16);
        break;
    }
    if (i > 0) {
      EXPECT_LE(seen[i].bits_left, seen[i - 1].bits_left + 0.1);  // rANS wastes a little.
    }
  }
  EXPECT_THAT(tensors, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_EQ(modes.size(), 7u);
  EXPECT_EQ(signs, 1u);    // One for all.
  EXPECT_EQ(escapes, 1u);  // Of weights 50 and 51 of the flat tensor.
  EXPECT_GE(scales, 6u);
  EXPECT_EQ(seen.back().event, SegmentTrace::kEnd);
}

TEST(ColumnOrderTest, SortsEachStripsColumnsByClass) {
  for (uint64_t cols : {1u, 255u, 256u, 257u, 600u, 65535u}) {
    Random random(cols);
    const RecordFields fields = RandomPrior(&random, 1, cols, kFlagColumnPrior);
    const TestBase base = One(fields, Bytes(cols));
    const SharedTables& shared = base.shared();
    std::vector<uint8_t> order(cols);
    std::vector<StripColumns> strips(ColumnOrder::StripCount(cols));
    ASSERT_EQ(strips.size(), (cols + 255) / 256);
    ColumnOrder columns{order.data(), strips.data(), order.size()};
    ASSERT_TRUE(columns.Build(shared, shared.tensor(0)));
    for (size_t begin = 0; begin < cols; begin += 256) {
      const size_t count = std::min<size_t>(256, cols - begin);
      std::vector<uint8_t> expected(count);
      for (size_t j = 0; j < count; ++j) expected[j] = static_cast<uint8_t>(j);
      const auto class_of = [&](uint8_t j) { return shared.ColumnClass(shared.tensor(0), begin + j); };
      std::stable_sort(expected.begin(), expected.end(),
                       [&](uint8_t a, uint8_t b) { return class_of(a) < class_of(b); });
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), order.begin() + static_cast<std::ptrdiff_t>(begin)));
      const StripColumns& strip = strips[begin / 256];
      for (unsigned c = 0; c < kClassCount; ++c) {
        const auto size = std::count_if(expected.begin(), expected.end(), [&](uint8_t j) { return class_of(j) == c; });
        const auto start = std::count_if(expected.begin(), expected.end(), [&](uint8_t j) { return class_of(j) < c; });
        if (size > 0) {
          ASSERT_EQ(strip.starts[c], start);
        }
        if (c < 15) {
          ASSERT_EQ(strip.counts[0][c], size);
          ASSERT_EQ(strip.counts[1][c + 1], size);
        } else {
          ASSERT_EQ(strip.last, start);
        }
      }
      ASSERT_EQ(strip.counts[1][0], 0);
      ASSERT_EQ(strip.counts[0][15], 0);
      ASSERT_EQ(std::all_of(strip.counts[0] + strip.class_count, strip.counts[0] + 16, [](int n) { return n == 0; }),
                true);
    }
    columns.columns = cols - 1;
    EXPECT_FALSE(columns.Build(shared, shared.tensor(0)));
  }
}

}  // namespace
}  // namespace modelvault
