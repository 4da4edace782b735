// codec/segment_encoder.cc with codec/core/segment_decoder.cc: every variant comes back, and costs what it should.
#include "codec/segment_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <numeric>

#include "codec/core/prediction.h"
#include "tests/codec/model_fixture.h"
#include "tests/codec/reference_decoder.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr uint8_t kBothPriors = kFlagRowPrior | kFlagColumnPrior;

// Decoded it is the variant; by the reference decoder too; and with strips left out the others still are.
void ExpectRoundTrip(const TestBase& base, const TestVariant& variant, uint32_t segment_size, uint64_t seed = 0) {
  SCOPED_TRACE(testing::Message() << "segment size " << segment_size);
  const CodedVariant coded = EncodeVariant(base, variant, segment_size);
  const DecodedVariant decoded = DecodeVariant(base, coded, segment_size);
  ASSERT_EQ(decoded.status, CoreStatus::kOk) << CoreStatusName(decoded.status);
  ASSERT_TRUE(decoded.data == variant.data);

  Bytes by_reference;
  ASSERT_TRUE(ReferenceDecode(base, variant.layout, coded, segment_size, &by_reference));
  ASSERT_TRUE(by_reference == variant.data);

  Random random(seed);
  const double skipped = random.Unit();
  Bytes expected = variant.data;
  DecodeOptions options;
  options.skip = [&](const Strip& strip) {
    if (!random.Chance(skipped)) return false;
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(strip.offset), strip.size, 0xEE);
    return true;
  };
  const DecodedVariant rest = DecodeVariant(base, coded, segment_size, options);
  ASSERT_EQ(rest.status, CoreStatus::kOk);
  ASSERT_TRUE(rest.data == expected);
}

// The modes of a variant's tensors in its first segment.
std::vector<TensorMode> Modes(const TestBase& base, const TestVariant& variant, uint32_t segment_size = 1 << 20) {
  const DecodedVariant decoded = DecodeVariant(base, EncodeVariant(base, variant, segment_size), segment_size);
  EXPECT_EQ(decoded.status, CoreStatus::kOk);
  EXPECT_TRUE(decoded.data == variant.data);
  std::vector<TensorMode> modes;
  for (const DecodedVariant::PieceMode& piece : decoded.modes) {
    if (piece.segment == 0) modes.push_back(piece.mode);
  }
  return modes;
}

size_t CodedSize(const TestBase& base, const TestVariant& variant, uint32_t segment_size = 1 << 20) {
  return EncodeVariant(base, variant, segment_size).size();
}

// --- Ways in which a variant's tensor differs from its base's.

enum class Change {
  kNone,
  kTernary,
  kDense,       // Every weight by the scale, up or down.
  kSaturating,  // Scales so large that many weights end at the rim.
  kMixed,       // Ternary, but for some groups.
  kSmallSteps,  // No scale at all: each weight a few steps.
  kNoise,       // Floats and integers: near the base.
  kCoarse,      // Near the base, the low bits zero.
  kUnrelated,
  kZeros,
};
constexpr int kChangeCount = 10;

Bytes ChangeWeights(Random* random, absl::Span<const uint8_t> base, Change change) {
  const auto scale_of = [](size_t group, int most) { return 1 + static_cast<int>(group * 7 % most); };
  switch (change) {
    case Change::kNone:
      return Bytes(base.begin(), base.end());
    case Change::kTernary: {
      const double density = std::exp2(-random->Between(0, 10));
      const int most = random->Chance(0.5) ? 1 : 20;
      return Ternary(
          random, base, [=](size_t) { return density; }, [=](size_t g) { return scale_of(g, most); });
    }
    case Change::kDense:
      return Ternary(random, base, 1.0, random->Between(1, 3));
    case Change::kSaturating:
      return Ternary(random, base, 0.4, random->Between(60, 255));
    case Change::kMixed: {
      Bytes variant = Ternary(random, base, 0.2, 3);
      for (size_t i = 0; i < variant.size(); ++i) {
        if (i / kGroupSize % 3 == 1 && random->Chance(0.1)) variant[i] = random->Byte();
      }
      return variant;
    }
    case Change::kZeros:
      return Bytes(base.size(), 0);
    case Change::kUnrelated:
      return random->Uniform(base.size());
    default: {
      Bytes variant(base.begin(), base.end());
      for (uint8_t& w : variant) {
        const int changed = static_cast<int8_t>(w) + static_cast<int>(std::lround(2 * random->Normal()));
        w = static_cast<uint8_t>(std::clamp(changed, -128, 127) & (change == Change::kCoarse ? ~7 : ~0));
      }
      return variant;
    }
  }
}

// A tensor as `dtype`, of `size` bytes, on the elements of a base tensor.
Bytes ChangeTensor(Random* random, const TensorRecord& record, absl::Span<const uint8_t> base, DType dtype,
                   uint64_t size, Change change) {
  const Prediction prediction = PredictionFor(record.dtype, record.size, dtype, size);
  Bytes predicted(size);
  if (prediction == Prediction::kZero) return change == Change::kZeros ? predicted : random->Uniform(size);
  const unsigned element = ElementSize(static_cast<uint8_t>(dtype));
  if (prediction == Prediction::kCopy) {
    predicted.assign(base.begin(), base.end());
  } else {
    Predict(prediction, base.data(), size / element, predicted.data());
  }
  if (element == 1) return ChangeWeights(random, predicted, change);
  Bytes variant = predicted;
  switch (change) {
    case Change::kNone:
      break;
    case Change::kZeros:
      variant.assign(size, 0);
      break;
    case Change::kUnrelated:
      variant = random->Uniform(size);
      break;
    default: {
      const uint64_t mask = change == Change::kCoarse ? ~uint64_t{0} << random->Below(8 * element - 1) : ~uint64_t{0};
      for (size_t at = 0; at < size; at += element) {
        if (change != Change::kCoarse && random->Chance(0.5)) continue;
        const uint64_t bits =
            LoadElement(&variant[at], element) + static_cast<uint64_t>(std::lround(50 * random->Normal()));
        StoreElement(&variant[at], element, bits & mask);
      }
      break;
    }
  }
  return variant;
}

// Ternary, each weight with the chance that the tensor's prior gives it when t is 6.
Bytes FollowPrior(Random* random, const TestBase& base, size_t tensor, int scale) {
  const SharedTables& shared = base.shared();
  const TensorRecord& t = shared.tensor(tensor);
  return Ternary(
      random, base.tensor(tensor),
      [&](size_t i) {
        const unsigned steps = ClassStep(shared.RowClass(t, i / t.cols)) + ClassStep(shared.ColumnClass(t, i % t.cols));
        return -std::expm1(-4 * std::exp2(std::min(6 + steps, 63u) / -4.0));
      },
      [=](size_t) { return scale; });
}

TestVariant ChangeModel(Random* random, const TestBase& base, bool own_layout) {
  TestVariant variant;
  const SharedTables& shared = base.shared();
  std::vector<size_t> order(shared.tensor_count());
  std::iota(order.begin(), order.end(), 0);
  if (own_layout) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random->Below(i)]);
  }
  for (size_t i : order) {
    const TensorRecord& record = shared.tensor(i);
    LayoutEntry entry{i, record.dtype, record.size};
    if (own_layout && random->Chance(0.5)) {
      if (record.dtype == DType::kOpaque || random->Chance(0.2)) {
        entry.dtype = DType::kOpaque;
        if (random->Chance(0.6)) entry.elements = random->Below(700);
      } else {
        const DType near[] = {DType::kF16, DType::kBf16, DType::kF32};
        entry.dtype = IsFloat(record.dtype) && random->Chance(0.8) ? near[random->Below(3)]
                                                                   : static_cast<DType>(1 + random->Below(13));
      }
    }
    const uint64_t size = entry.dtype == DType::kOpaque
                              ? entry.elements
                              : record.rows * record.cols * ElementSize(static_cast<uint8_t>(entry.dtype));
    const Bytes tensor = ChangeTensor(random, record, base.tensor(i), entry.dtype, size,
                                      static_cast<Change>(random->Below(kChangeCount)));
    variant.data.insert(variant.data.end(), tensor.begin(), tensor.end());
    if (own_layout) variant.layout.push_back(entry);
  }
  return variant;
}

// The same with tensors left out, repeated and added. Some repeated ones have no training.
TestVariant ChangeFreely(Random* random, const TestBase& base) {
  TestVariant variant;
  const size_t base_count = base.shared().tensor_count();
  for (uint64_t n = 1 + random->Below(2 * base_count + 1); n > 0; --n) {
    if (random->Chance(0.4)) {
      const ModelTensor spec = {static_cast<DType>(random->Below(kDTypeCount)), 1, random->Below(700)};
      const Bytes tensor = RandomTensor(random, spec);
      variant.data.insert(variant.data.end(), tensor.begin(), tensor.end());
      variant.layout.push_back({kNoBaseTensor, spec.dtype, spec.elements()});
      continue;
    }
    const size_t i = random->Below(base_count);
    const TensorRecord& record = base.shared().tensor(i);
    const Bytes tensor = random->Chance(0.4) ? Bytes(base.tensor(i).begin(), base.tensor(i).end())
                                             : ChangeTensor(random, record, base.tensor(i), record.dtype, record.size,
                                                            static_cast<Change>(random->Below(kChangeCount)));
    variant.data.insert(variant.data.end(), tensor.begin(), tensor.end());
    variant.layout.push_back({i, record.dtype, record.size});
  }
  return variant;
}

// --- Everything comes back.

TEST(SegmentCodingTest, RandomVariantsOfRandomBasesComeBack) {
  for (uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<ModelTensor> specs(1 + random.Below(8));
    for (ModelTensor& t : specs) {
      const DType dtype = random.Chance(0.5) ? DType::kI8 : static_cast<DType>(random.Below(kDTypeCount));
      const uint64_t rows = dtype == DType::kOpaque ? 1 : random.Below(40);
      t = ModelTensor(dtype, rows, random.Below(random.Chance(0.3) ? 700 : 60));
    }
    const Bytes data = RandomData(&random, specs);
    std::vector<Bytes> siblings;  // Structured enough for priors.
    const std::vector<double> density = RankOneDensity(&random, 1, data.size() + 1, 6, 0.15);
    for (int v = 0; v < 12; ++v) {
      siblings.push_back(Ternary(
          &random, data, [&](size_t i) { return density[i % 97]; }, [](size_t) { return 1; }));
    }
    const TestBase base(specs, data, siblings);
    for (const char* const layout : {"base", "own", "free"}) {
      const TestVariant variant = layout == std::string("free")
                                      ? ChangeFreely(&random, base)
                                      : ChangeModel(&random, base, layout != std::string("base"));
      const uint32_t segment_size = random.Chance(0.7) ? 4096 : 1 << 20;
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, segment_size, seed)) << layout;
      // Never much larger than the raw bytes: a few bytes a segment and a tensor.
      const size_t overhead =
          16 * (variant.data.size() / segment_size + 1) + 24 * (specs.size() + variant.layout.size());
      EXPECT_LE(CodedSize(base, variant, segment_size),
                variant.data.size() + variant.data.size() / 200 + overhead + 4 * variant.layout.size());
    }
  }
}

// One base of three tensors, and the variants whose tensors are not exactly those.
TEST(SegmentCodingTest, TensorsMayBeLeftOutRepeatedAndAdded) {
  Random random(77);
  const TestBase base = RandomBase(&random, {RandomPrior(&random, 30, 100, kBothPriors), RawRecord(DType::kF32, 1, 300),
                                             RawRecord(DType::kI8, 7, 600)});
  const LayoutEntry a{0, DType::kI8, 0}, b{1, DType::kF32, 0}, c{2, DType::kI8, 0};
  const LayoutEntry own{kNoBaseTensor, DType::kF16, 500}, opaque{kNoBaseTensor, DType::kOpaque, 333};
  const LayoutEntry int8{kNoBaseTensor, DType::kI8, 900}, empty{kNoBaseTensor, DType::kI64, 0};
  const std::vector<std::vector<LayoutEntry>> layouts = {
      {b, c},       {a, c},    {a, b},         {b},        {own, a, b, c}, {a, b, c, own},    {opaque, c, a, b},
      {a, a, b, c}, {a, b, a}, {a, b, c, c},   {own, own}, {empty},        {empty, a, empty}, {int8, a, a, int8},
      {c, a, own},  {opaque},  {a, a, a, a, a}};
  for (size_t i = 0; i < layouts.size(); ++i) {
    for (const bool trained : {false, true}) {
      SCOPED_TRACE(testing::Message() << "layout " << i << (trained ? ", trained" : ""));
      TestVariant variant;
      variant.layout = layouts[i];
      for (const LayoutEntry& entry : layouts[i]) {
        Bytes tensor;
        if (entry.base_index == kNoBaseTensor) {
          tensor = RandomTensor(&random, {entry.dtype, 1, entry.elements});
        } else {
          tensor.assign(base.tensor(entry.base_index).begin(), base.tensor(entry.base_index).end());
          if (trained && entry.dtype == DType::kI8) tensor = Ternary(&random, tensor, 0.1, 2);
        }
        variant.data.insert(variant.data.end(), tensor.begin(), tensor.end());
      }
      for (const uint32_t segment_size : {4096u, 1u << 20}) {
        ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, segment_size, i));
      }
    }
  }
}

TEST(SegmentCodingTest, ATiedTensorCostsNextToNothing) {
  Random random(78);
  const TestBase base = RandomBase(&random, {RawRecord(DType::kI8, 300, 200), RawRecord(DType::kF32, 1, 200)});
  TestVariant variant = {base.data(), {{0, DType::kI8, 0}, {1, DType::kF32, 0}, {0, DType::kI8, 0}}};
  variant.data.insert(variant.data.end(), base.tensor(0).begin(), base.tensor(0).end());
  EXPECT_THAT(Modes(base, variant), Each(TensorMode::kSame));
  EXPECT_LE(CodedSize(base, variant, 1 << 20), 6u + 6u);  // The layout, and a stream of three modes.
}

TEST(SegmentCodingTest, AnyPriorOfAnyWidthComesBack) {
  for (uint64_t cols : {1u, 2u, 16u, 172u, 255u, 256u, 257u, 600u, 5000u}) {
    for (uint8_t flags : {uint8_t{0}, kFlagRowPrior, kFlagColumnPrior, kBothPriors}) {
      SCOPED_TRACE(testing::Message() << cols << " columns, flags " << int{flags});
      Random random(cols + flags);
      const uint64_t rows = 9000 / cols + 1;
      // Two tensors alike, so that gaps go on from one to the next, and one between them that is none of theirs.
      const TestBase base =
          RandomBase(&random, {RandomPrior(&random, rows, cols, flags), RawRecord(DType::kF16, 1, 101),
                               RandomPrior(&random, rows, cols, flags)});
      for (Change change : {Change::kTernary, Change::kSaturating, Change::kMixed, Change::kSmallSteps}) {
        TestVariant variant;
        for (size_t i = 0; i < 3; ++i) {
          const TensorRecord& t = base.shared().tensor(i);
          // One way or another the variant follows its prior, or the prior would not be used.
          Bytes tensor = change == Change::kSmallSteps || i == 1
                             ? ChangeTensor(&random, t, base.tensor(i), t.dtype, t.size, change)
                             : FollowPrior(&random, base, i, change == Change::kSaturating ? 200 : 2);
          if (change == Change::kMixed && i != 1) ++tensor[random.Below(tensor.size())];
          variant.data.insert(variant.data.end(), tensor.begin(), tensor.end());
        }
        if (change != Change::kSmallSteps && flags != 0 && cols > 2 && cols < 5000) {
          EXPECT_EQ(Modes(base, variant)[0], TensorMode::kGap);
        }
        for (uint32_t segment_size : {4096u, 1u << 20}) {
          ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, segment_size, cols));
        }
      }
    }
  }
}

TEST(SegmentCodingTest, EveryDensityComesBack) {
  Random random(1);
  const std::vector<ModelTensor> specs = {{DType::kI8, 61, 131}};
  const TestBase base(specs, RandomData(&random, specs));
  for (double density : {0.0, 0.0001, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99, 1.0}) {
    SCOPED_TRACE(density);
    for (int scale : {1, 2, 100, 255}) {
      ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, {Ternary(&random, base.data(), density, scale), {}}, 4096));
    }
  }
}

TEST(SegmentCodingTest, OneChangedWeightComesBackWhereverItIs) {
  Random random(2);
  const TestBase base = RandomBase(&random, {RandomPrior(&random, 3, 300, kBothPriors), RawRecord(DType::kI8, 1, 5)});
  for (size_t i = 0; i < base.data().size(); ++i) {
    TestVariant variant{base.data(), {}};
    variant.data[i] = static_cast<uint8_t>(variant.data[i] + 1 + random.Below(255));
    const CodedVariant coded = EncodeVariant(base, variant, 4096);
    EXPECT_LE(coded.size(), 16u);
    ASSERT_TRUE(DecodeVariant(base, coded, 4096).data == variant.data) << i;
  }
}

TEST(SegmentCodingTest, VariantsWithoutBytesHaveNoSegments) {
  const std::vector<ModelTensor> specs = {{DType::kI8, 0, 5}, {DType::kF32, 3, 0}};
  const TestBase base(specs, {});
  EXPECT_TRUE(EncodeVariant(base, {{}, {}}, 4096).segments.empty());
  EXPECT_TRUE(EncodeVariant(base, {{}, {{1, DType::kF32, 0}, {0, DType::kI8, 0}}}, 4096).segments.empty());
}

TEST(SegmentCodingTest, ASegmentInWhichNoStripBeginsIsAnEmptyStream) {
  // Strips of the second tensor begin at 10 + 256 i; the last one, from 3,850 on, reaches into the second segment.
  Random random(3);
  const std::vector<ModelTensor> specs = {{DType::kI8, 1, 10}, {DType::kI8, 1, 4092}};
  const TestBase base(specs, RandomData(&random, specs));
  const TestVariant variant{Ternary(&random, base.data(), 0.1, 1), {}};
  const CodedVariant coded = EncodeVariant(base, variant, 4096);
  ASSERT_EQ(coded.segments.size(), 2u);
  EXPECT_EQ(coded.segments[1], std::string("\0\0\1\0", 4));
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, 4096));
}

TEST(SegmentCodingTest, EverySegmentDecodesOnItsOwn) {
  Random random(4);
  const TestBase base = RandomBase(&random, {RandomPrior(&random, 50, 172, kBothPriors), RawRecord(DType::kF32, 1, 500),
                                             RandomPrior(&random, 50, 172, kFlagRowPrior)});
  const TestVariant variant = ChangeModel(&random, base, false);
  const CodedVariant coded = EncodeVariant(base, variant, 4096);
  ASSERT_GT(coded.segments.size(), 4u);
  const TestLayout layout(base.shared(), {});
  for (uint64_t s = coded.segments.size(); s-- > 0;) {
    Bytes data(variant.data.size(), 0xEE);
    ASSERT_EQ(DecodeSegment(layout.layout(), base.data(), View(coded.segments[s]), s, 4096, {}, &data),
              CoreStatus::kOk);
    for (StripCursor cursor(&layout.layout(), s * 4096); !cursor.at_end() && cursor.strip().offset < (s + 1) * 4096;
         cursor.Next()) {
      const auto begin = static_cast<std::ptrdiff_t>(cursor.strip().offset);
      ASSERT_TRUE(std::equal(variant.data.begin() + begin, variant.data.begin() + begin + cursor.strip().size,
                             data.begin() + begin));
    }
  }
}

TEST(SegmentCodingTest, TheSameInputGivesTheSameBytes) {
  Random random(5);
  const std::vector<ModelTensor> specs = {{DType::kI8, 50, 172}, {DType::kF32, 1, 500}};
  const TestBase base(specs, RandomData(&random, specs));
  const TestVariant variant = ChangeModel(&random, base, false);
  EXPECT_EQ(EncodeVariant(base, variant, 4096).segments, EncodeVariant(base, variant, 4096).segments);
}

TEST(SegmentCodingTest, ExtremeElementsComeBack) {
  // Residuals that overflow, the most negative number, infinities, NaNs and both zeros, on each other.
  for (DType dtype : {DType::kI8, DType::kI16, DType::kI32, DType::kI64, DType::kU64, DType::kF16, DType::kBf16,
                      DType::kF32, DType::kF64}) {
    SCOPED_TRACE(static_cast<int>(dtype));
    const unsigned size = ElementSize(static_cast<uint8_t>(dtype));
    const uint64_t top = uint64_t{1} << (8 * size - 1);
    std::vector<uint64_t> values = {
        0, 1, top - 1, top, top + 1, ~uint64_t{0}, top >> 1, (top >> 1) - 1, 3 * (top >> 2)};
    if (dtype == DType::kF32) values.insert(values.end(), {0x7F800000u, 0xFF800000u, 0x7FC00000u, 0xFFFFFFFFu});
    Bytes base_data, data;
    for (uint64_t b : values) {
      for (uint64_t v : values) {
        for (Bytes* bytes : {&base_data, &data}) {
          bytes->resize(bytes->size() + size);
          StoreElement(&bytes->back() - size + 1, size, bytes == &data ? v : b);
        }
      }
    }
    const std::vector<ModelTensor> specs = {{dtype, 1, values.size() * values.size()}};
    const TestBase base(specs, base_data);
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, {data, {}}, 4096));
    // The same with zero low bits, so that there is a shift.
    for (size_t at = 0; at < data.size(); at += size) {
      StoreElement(&data[at], size, LoadElement(&data[at], size) & ~uint64_t{7});
    }
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, {data, {}}, 4096));
  }
}

// --- The coder's choices.

class SegmentChoiceTest : public testing::Test {
 protected:
  static constexpr uint64_t kRows = 120, kCols = 200;

  // A base whose prior is a planted density.
  SegmentChoiceTest() : random_(7), density_(RankOneDensity(&random_, kRows, kCols, 6, 0.05)) {
    const std::vector<ModelTensor> specs = {{DType::kI8, kRows, kCols}};
    const Bytes data = RandomData(&random_, specs);
    std::vector<Bytes> siblings;
    for (int v = 0; v < 30; ++v) siblings.push_back(Planted(data));
    base_ = std::make_unique<TestBase>(specs, data, siblings);
  }

  Bytes Planted(absl::Span<const uint8_t> data) {
    return Ternary(
        &random_, data, [&](size_t i) { return density_[i]; }, [](size_t) { return 2; });
  }
  TensorMode ModeOf(const Bytes& data) {
    const std::vector<TensorMode> modes = Modes(*base_, {data, {}});
    EXPECT_EQ(modes.size(), 1u);
    return modes[0];
  }

  Random random_;
  std::vector<double> density_;
  std::unique_ptr<TestBase> base_;
};

TEST_F(SegmentChoiceTest, HasPriors) { EXPECT_EQ(base_->shared().tensor(0).flags & kBothPriors, kBothPriors); }

TEST_F(SegmentChoiceTest, TheBaseItselfIsSame) {
  EXPECT_EQ(ModeOf(base_->data()), TensorMode::kSame);
  EXPECT_LE(CodedSize(*base_, {base_->data(), {}}), 6u);
}

TEST_F(SegmentChoiceTest, ATernaryVariantLikeItsSiblingsIsGap) {
  EXPECT_EQ(ModeOf(Planted(base_->data())), TensorMode::kGap);
}

TEST_F(SegmentChoiceTest, ATernaryVariantUnlikeItsSiblingsIsGapFlat) {
  EXPECT_EQ(ModeOf(Ternary(&random_, base_->data(), 0.05, 2)), TensorMode::kGapFlat);
}

TEST_F(SegmentChoiceTest, ADenseSignOnlyVariantIsSign) {
  Bytes data = base_->data();
  for (uint8_t& w : data) {
    const int weight = static_cast<int8_t>(w);
    // Away from the rims, where a step would be none.
    w = static_cast<uint8_t>(weight + (weight > 100 ? -3 : weight < -100 || random_.Below(2) == 0 ? 3 : -3));
  }
  EXPECT_EQ(ModeOf(data), TensorMode::kSign);
  EXPECT_NEAR(static_cast<double>(CodedSize(*base_, {data, {}})), kRows * kCols / 8.0, 0.01 * kRows * kCols / 8);
}

TEST_F(SegmentChoiceTest, WeightsOnACoarserGridAreResiduals) {
  EXPECT_EQ(ModeOf(ChangeWeights(&random_, base_->data(), Change::kCoarse)), TensorMode::kResidual);
}

TEST_F(SegmentChoiceTest, AnUnrelatedVariantIsRaw) {
  EXPECT_EQ(ModeOf(random_.Uniform(kRows * kCols)), TensorMode::kRaw);
}

// A variant follows its siblings in part: the more, the more classes save. Each also tells its size in the other
// profile.
TEST(SegmentChoicesTest, WhereTheBaseIsStoredAsItIsClassesOfADenseVariantMustBeWorthTheirTime) {
  constexpr uint64_t kRows = 120, kCols = 200;
  Random random(41);
  const std::vector<double> density = RankOneDensity(&random, kRows, kCols, 6, 0.08);
  const auto planted = [&](absl::Span<const uint8_t> data, double mean, double share) {
    return Ternary(
        &random, data, [&](size_t i) { return mean * (share * density[i] / 0.08 + 1 - share); },
        [](size_t) { return 2; });
  };
  const std::vector<ModelTensor> specs = {{DType::kI8, kRows, kCols}};
  const Bytes data = RandomData(&random, specs);
  std::vector<Bytes> siblings;
  for (int v = 0; v < 30; ++v) siblings.push_back(planted(data, 0.08, 1));
  const TestBase coded(specs, data, siblings, BaseProfile::kSmall);
  const TestBase copied(specs, data, siblings, BaseProfile::kFast);
  ASSERT_EQ(ProfileOf(coded.shared()), BaseProfile::kSmall);
  ASSERT_EQ(ProfileOf(copied.shared()), BaseProfile::kFast);
  const TestLayout coded_layout(coded.shared(), {}), copied_layout(copied.shared(), {});
  const SegmentEncoder small_encoder(&coded_layout.layout(), 1 << 20), fast_encoder(&copied_layout.layout(), 1 << 20);
  for (const double mean : {0.03, 0.09}) {
    SCOPED_TRACE(mean);
    std::vector<TensorMode> small, fast;
    for (int percent = 0; percent <= 100; percent += percent >= 50 && percent < 70 ? 1 : 10) {
      const TestVariant variant{planted(data, mean, percent / 100.0), {}};
      small.push_back(Modes(coded, variant)[0]);
      fast.push_back(Modes(copied, variant)[0]);
      MemoryDataSource base(data), source(variant.data);
      size_t in_fast, in_small;
      ASSERT_OK_AND_ASSIGN(const std::string in_coded, small_encoder.Encode(0, &base, &source, &in_fast));
      ASSERT_OK_AND_ASSIGN(const std::string in_copied, fast_encoder.Encode(0, &base, &source, &in_small));
      EXPECT_EQ(in_coded.size(), in_small);
      EXPECT_EQ(in_copied.size(), in_fast);
      EXPECT_EQ(in_coded == in_copied, small.back() == fast.back());
    }
    EXPECT_EQ(small.front(), TensorMode::kGapFlat);
    EXPECT_EQ(fast.front(), TensorMode::kGapFlat);
    EXPECT_EQ(small.back(), TensorMode::kGap);
    EXPECT_EQ(fast.back(), TensorMode::kGap);
    if (mean < 0.05) {
      EXPECT_EQ(small, fast);
    } else {
      EXPECT_LT(std::count(fast.begin(), fast.end(), TensorMode::kGap),
                std::count(small.begin(), small.end(), TensorMode::kGap));
    }
  }
}

TEST(SegmentChoicesTest, FloatsNearTheBaseAreResidualsAndUnrelatedOnesRaw) {
  for (DType dtype : {DType::kI16, DType::kI32, DType::kI64, DType::kF16, DType::kBf16, DType::kF32, DType::kF64}) {
    SCOPED_TRACE(static_cast<int>(dtype));
    Random random(8);
    const std::vector<ModelTensor> specs = {{dtype, 20, 100}};
    const TestBase base(specs, RandomData(&random, specs));
    const TensorRecord& t = base.shared().tensor(0);
    const Bytes near = ChangeTensor(&random, t, base.data(), dtype, t.size, Change::kNoise);
    EXPECT_THAT(Modes(base, {near, {}}), ElementsAre(TensorMode::kResidual));
    EXPECT_LE(CodedSize(base, {near, {}}), 2000u * 6 / 8 + 20) << "half the elements a step of about 50";
    EXPECT_THAT(Modes(base, {base.data(), {}}), ElementsAre(TensorMode::kSame));
    EXPECT_THAT(Modes(base, {random.Uniform(base.data().size()), {}}), ElementsAre(TensorMode::kRaw));
  }
}

TEST(SegmentChoicesTest, NarrowedAndWidenedFloatsAreSame) {
  struct Case {
    DType base, variant;
    Prediction prediction;
  };
  for (const Case& c :
       {Case{DType::kF32, DType::kF16, Prediction::kF32ToF16}, Case{DType::kF32, DType::kBf16, Prediction::kF32ToBf16},
        Case{DType::kF16, DType::kF32, Prediction::kF16ToF32},
        Case{DType::kBf16, DType::kF32, Prediction::kBf16ToF32}}) {
    Random random(9);
    const std::vector<ModelTensor> specs = {{c.base, 30, 77}};
    const TestBase base(specs, RandomData(&random, specs));
    Bytes data(30 * 77 * ElementSize(static_cast<uint8_t>(c.variant)));
    Predict(c.prediction, base.data().data(), 30 * 77, data.data());
    TestVariant variant{data, {{0, c.variant, 0}}};
    EXPECT_THAT(Modes(base, variant), ElementsAre(TensorMode::kSame));
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, 4096));
    // And a few units off the residual.
    const unsigned element = ElementSize(static_cast<uint8_t>(c.variant));
    for (size_t at = 0; at < data.size(); at += element) {
      StoreElement(&variant.data[at], element, LoadElement(&data[at], element) + random.Below(3));
    }
    EXPECT_THAT(Modes(base, variant), ElementsAre(TensorMode::kResidual));
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, 4096));
  }
}

TEST(SegmentChoicesTest, AWidenedTensorWithItsNormChangedSkipsTheZeroBits) {
  // Halves times 1.5, stored as floats: the 12 low bits of each are zero, which the shift leaves out.
  Random random(10);
  const std::vector<ModelTensor> specs = {{DType::kF16, 1, 3000}};
  const TestBase base(specs, RandomData(&random, specs));
  TestVariant variant{Bytes(12000), {{0, DType::kF32, 0}}};
  Bytes integers(12000);
  for (size_t i = 0; i < 3000; ++i) {
    const float f = std::bit_cast<float>(F16ToF32(LoadLe16(&base.data()[2 * i])));
    StoreLe32(&variant.data[4 * i], std::bit_cast<uint32_t>(1.5f * f));
  }
  EXPECT_THAT(Modes(base, variant), ElementsAre(TensorMode::kResidual));
  EXPECT_LE(CodedSize(base, variant), 3000u * 15 / 8);
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, 4096));
}

TEST(SegmentChoicesTest, WhatHasNoPredictionIsNeverSame) {
  Random random(11);
  const std::vector<ModelTensor> specs = {{DType::kF32, 10, 10}, {DType::kOpaque, 1, 50}};
  const TestBase base(specs, RandomData(&random, specs));
  const TestVariant zeros{Bytes(100 + 51, 0), {{0, DType::kI8, 0}, {1, DType::kOpaque, 51}}};
  EXPECT_THAT(Modes(base, zeros), Each(TensorMode::kResidual));
  EXPECT_LE(CodedSize(base, zeros), 14u);
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, zeros, 4096));
}

TEST(SegmentChoicesTest, EscapesAreOnlyForTheGroupsThatNeedThem) {
  Random random(12);
  const std::vector<ModelTensor> specs = {{DType::kI8, 1, 12800}};
  const TestBase base(specs, RandomData(&random, specs));
  const Bytes ternary = Ternary(&random, base.data(), 0.05, 3);
  Bytes mixed = ternary;
  mixed[640] = static_cast<uint8_t>(mixed[640] ^ 0x15);  // One group of a hundred.
  mixed[641] = static_cast<uint8_t>(mixed[641] ^ 0x27);
  EXPECT_THAT(Modes(base, {mixed, {}}), ElementsAre(TensorMode::kGapFlat));
  EXPECT_LE(CodedSize(base, {mixed, {}}), CodedSize(base, {ternary, {}}) + 24);
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, {mixed, {}}, 4096));
}

// --- What it costs.

TEST(SegmentCostTest, AnUnrelatedVariantCostsHardlyMoreThanItsBytes) {
  for (unsigned d = 0; d < kDTypeCount; ++d) {
    for (uint8_t flags : {uint8_t{0}, kBothPriors}) {
      const DType dtype = static_cast<DType>(d);
      if (flags != 0 && dtype != DType::kI8) continue;
      SCOPED_TRACE(testing::Message() << "dtype " << d << " flags " << int{flags});
      Random random(d);
      const uint64_t rows = dtype == DType::kOpaque ? 1 : 40;
      const TestBase base =
          RandomBase(&random, {flags == 0 ? RawRecord(dtype, rows, 500) : RandomPrior(&random, rows, 500, flags)});
      const TestVariant variant{random.Uniform(base.data().size()), {}};
      for (uint32_t segment_size : {4096u, 1u << 20}) {
        const size_t segments = SegmentCount(variant.data.size(), segment_size);
        const size_t coded = CodedSize(base, variant, segment_size);
        EXPECT_LE(coded, variant.data.size() + variant.data.size() / 200 + 6 * segments);
      }
    }
  }
}

TEST(SegmentCostTest, TinyTensorsCostHardlyMoreThanTheirBytes) {
  // With a prior a small tensor opens many levels, and each pends a gap to the segment's end.
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const uint64_t rows = 2 + random.Below(3), cols = 1 + random.Below(40);
    const TestBase base = RandomBase(&random, {RandomPrior(&random, rows, cols, kBothPriors)});
    for (int c = 0; c < kChangeCount; ++c) {
      const TestVariant variant{ChangeWeights(&random, base.data(), static_cast<Change>(c)), {}};
      EXPECT_LE(CodedSize(base, variant), variant.data.size() + 8) << "change " << c;
    }
  }
}

double Entropy(const std::vector<double>& counts) {
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  double bits = 0;
  for (double c : counts) bits -= c == 0 ? 0 : c * std::log2(c / total);
  return bits;
}

// Order-0 entropy of the trits, in bytes.
double TritEntropy(const Bytes& base, const Bytes& variant) {
  std::vector<double> counts(3);
  for (size_t i = 0; i < base.size(); ++i) {
    const int delta = static_cast<int8_t>(variant[i]) - static_cast<int8_t>(base[i]);
    ++counts[delta < 0 ? 0 : delta == 0 ? 1 : 2];
  }
  return Entropy(counts) / 8;
}

// Weights that no trit saturates.
Bytes InnerWeights(Random* random, uint64_t count) {
  Bytes data(count);
  for (uint8_t& w : data) w = static_cast<uint8_t>(random->Between(-90, 90));
  return data;
}

TEST(SegmentCostTest, AFlatTernaryVariantCostsItsEntropy) {
  for (double density : {0.002, 0.01, 0.05, 0.1, 0.25, 0.5, 0.8}) {
    SCOPED_TRACE(density);
    Random random(20);
    const std::vector<ModelTensor> specs = {{DType::kI8, 512, 512}};
    const TestBase base(specs, InnerWeights(&random, 512 * 512));
    const TestVariant variant{Ternary(&random, base.data(), density, 5), {}};
    const double entropy = TritEntropy(base.data(), variant.data);
    const double coded = static_cast<double>(CodedSize(base, variant));
    // One scale for all groups: next to nothing. Above one half the 12 bits of a gap symbol's frequency tell.
    EXPECT_LE(coded, (density > 0.5 ? 1.02 : 1.01) * entropy + 32);
    EXPECT_GE(coded, 0.995 * entropy);
  }
}

TEST(SegmentCostTest, ScalesCostTheirEntropyMore) {
  Random random(21);
  const std::vector<ModelTensor> specs = {{DType::kI8, 512, 512}};
  const TestBase base(specs, InnerWeights(&random, 512 * 512));
  std::vector<int> scales(512 * 512 / kGroupSize);
  for (int& k : scales) k = random.Between(4, 11);
  const TestVariant variant{
      Ternary(
          &random, base.data(), [](size_t) { return 0.05; }, [&](size_t group) { return scales[group]; }),
      {}};
  const double entropy = TritEntropy(base.data(), variant.data);
  const double coded = static_cast<double>(CodedSize(base, variant));
  // Eight scales are three bits; the adaptive code may waste one.
  EXPECT_LE(coded, 1.01 * entropy + static_cast<double>(scales.size()) * 4 / 8 + 32);
}

TEST(SegmentCostTest, APlantedDensityCostsLessThanTheOrderZeroEntropy) {
  for (double mean : {0.01, 0.05, 0.2}) {
    SCOPED_TRACE(mean);
    constexpr uint64_t kRows = 400, kCols = 600;
    Random random(22);
    const std::vector<double> density = RankOneDensity(&random, kRows, kCols, 5, mean);
    const auto planted = [&](absl::Span<const uint8_t> data) {
      return Ternary(
          &random, data, [&](size_t i) { return density[i]; }, [](size_t) { return 3; });
    };
    const Bytes data = InnerWeights(&random, kRows * kCols);
    std::vector<Bytes> siblings;
    for (int v = 0; v < 20; ++v) siblings.push_back(planted(data));
    const TestBase base({{DType::kI8, kRows, kCols}}, data, siblings);
    const TestVariant variant{planted(data), {}};
    ASSERT_THAT(Modes(base, variant), ElementsAre(TensorMode::kGap));
    // What one who knew the density of every weight would need.
    double ideal = 0, hits = 0;
    for (size_t i = 0; i < data.size(); ++i) {
      const bool hit = data[i] != variant.data[i];
      ideal -= std::log2(hit ? density[i] / 2 : 1 - density[i]);
      hits += hit ? 1 : 0;
    }
    const double order0 = TritEntropy(data, variant.data);
    const double coded = static_cast<double>(CodedSize(base, variant));
    EXPECT_LE(coded, order0);
    EXPECT_LE(coded, 1.04 * ideal / 8 + 64);
  }
}

TEST(SegmentCostTest, SmallStepsWithoutAScaleCostTheirEntropy) {
  Random random(25);
  const std::vector<ModelTensor> specs = {{DType::kI8, 512, 512}};
  const TestBase base(specs, InnerWeights(&random, 512 * 512));
  for (double deviation : {0.3, 1.0, 3.0, 9.0}) {
    SCOPED_TRACE(deviation);
    TestVariant variant{base.data(), {}};
    std::vector<double> counts(256);
    for (uint8_t& w : variant.data) {
      const uint8_t step = static_cast<uint8_t>(std::lround(deviation * random.Normal()));
      w = static_cast<uint8_t>(w + step);
      ++counts[step];
    }
    EXPECT_LE(static_cast<double>(CodedSize(base, variant)), 1.03 * Entropy(counts) / 8 + 32);
  }
}

TEST(SegmentCostTest, AFewFlippedWeightsCostAFewBytes) {
  Random random(23);
  const std::vector<ModelTensor> specs = {{DType::kI8, 1000, 1000}};
  const TestBase base(specs, InnerWeights(&random, 1000000));
  TestVariant variant{base.data(), {}};
  for (int i = 0; i < 10; ++i) ++variant.data[random.Below(variant.data.size())];
  EXPECT_LE(CodedSize(base, variant), 10u * 4 + 16);
}

// --- Its contract.

// Weights with nothing in common with the base's, as of a model that was trained from its own start: an adaptive
// order-0 code of their bytes costs their entropy and a little for learning it, a residual against the base far more.
TEST(SegmentCostTest, UnrelatedWeightsCostTheirOrderZeroEntropyInPlainMode) {
  Random random(31);
  const auto peaked = [&](size_t size) {
    Bytes data(size);
    for (uint8_t& byte : data) {
      int sum = 0;
      for (int i = 0; i < 4; ++i) sum += static_cast<int>(random.Below(33)) - 16;
      byte = static_cast<uint8_t>(static_cast<int8_t>(sum));
    }
    return data;
  };
  const TestBase base({{DType::kI8, 256, 200}}, peaked(51200));
  TestVariant variant{peaked(51200), {}, true};
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, 1 << 20));
  ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(base, variant, 4096));
  EXPECT_THAT(Modes(base, variant), ElementsAre(TensorMode::kPlain));
  std::array<double, 256> counts{};
  for (const uint8_t byte : variant.data) ++counts[byte];
  double entropy = 0;
  for (const double count : counts) {
    if (count > 0) entropy -= count * std::log2(count / 51200.0) / 8;
  }
  const size_t plain = EncodeVariant(base, variant, 1 << 20).size();
  EXPECT_LT(static_cast<double>(plain), entropy * 1.02);
  variant.plain = false;
  EXPECT_GT(static_cast<double>(EncodeVariant(base, variant, 1 << 20).size()), entropy * 1.04);
  EXPECT_THAT(Modes(base, variant), testing::Not(ElementsAre(TensorMode::kPlain)));
}

TEST(SegmentEncoderTest, ReportsSourcesThatFail) {
  Random random(24);
  const std::vector<ModelTensor> specs = {{DType::kF32, 1, 3000}};
  const TestBase base(specs, RandomData(&random, specs));
  for (bool narrowed : {false, true}) {
    const TestLayout layout(base.shared(), narrowed ? SerializeLayout({{0, DType::kF16, 0}}, 1) : StoredLayout());
    const SegmentEncoder encoder(&layout.layout(), 4096);
    const Bytes short_bytes(2000);
    MemoryDataSource whole(base.data()), part(short_bytes);
    EXPECT_THAT(encoder.Encode(0, &whole, &whole), IsOk());
    EXPECT_THAT(encoder.Encode(0, &part, &whole), StatusIs(absl::StatusCode::kOutOfRange));
    EXPECT_THAT(encoder.Encode(0, &whole, &part), StatusIs(absl::StatusCode::kOutOfRange));
  }
}

}  // namespace
}  // namespace modelvault
