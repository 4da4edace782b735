#include "codec/core/variant_layout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "codec/layout_encoder.h"
#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

// Parses an exact copy on the heap.
CoreStatus Parse(const StoredLayout& stored, VariantLayout* layout, std::vector<VariantTensor>* own) {
  const Bytes copy(stored.bytes.begin(), stored.bytes.end());
  own->resize(stored.tensor_count);
  return layout->Parse({stored.form, View(copy), stored.tensor_count}, own->data(), own->size());
}

CoreStatus Parse(const SharedTables& shared, const StoredLayout& stored) {
  VariantLayout layout(&shared);
  std::vector<VariantTensor> own;
  return Parse(stored, &layout, &own);
}

RecordFields Fields(DType dtype, uint64_t rows, uint64_t cols, uint8_t flags = 0) {
  RecordFields r = RawRecord(dtype, rows, cols);
  r.flags = flags;
  if (flags & kFlagRowPrior) r.area += std::string((rows + 1) / 2, '\0');
  if (flags & kFlagColumnPrior) r.area += std::string((cols + 1) / 2, '\0');
  return r;
}

TestBase BaseOf(const std::vector<RecordFields>& records) {
  return TestBase(WriteModel({}, records), Bytes());  // The data is not asked for.
}

std::vector<Strip> Walk(const VariantLayout& layout, uint64_t from, std::vector<size_t>* tensors = nullptr) {
  std::vector<Strip> strips;
  for (StripCursor cursor(&layout, from); !cursor.at_end(); cursor.Next()) {
    strips.push_back(cursor.strip());
    if (tensors != nullptr) tensors->push_back(cursor.tensor_index());
  }
  return strips;
}

// Strips by the letter of docs/format.md: lines cut into pieces of 256 bytes.
std::vector<Strip> ExpectedStrips(const VariantLayout& layout, std::vector<size_t>* tensors) {
  std::vector<Strip> strips;
  for (size_t i = 0; i < layout.tensor_count(); ++i) {
    const VariantTensor t = layout.tensor(i);
    const bool has_base = t.base_index != kNoBaseTensor;
    const TensorRecord record = has_base ? layout.shared().tensor(t.base_index) : TensorRecord{};
    const bool by_rows = record.has_prior() && t.element_size == 1 && t.size == record.size;
    const uint64_t line = by_rows ? record.cols : t.size;
    for (uint64_t at = 0; at < t.size;) {
      const uint64_t in_line = at % line;
      const uint64_t size = std::min<uint64_t>(256, line - in_line);
      strips.push_back({t.offset + at, at, static_cast<uint32_t>(size), at / line, static_cast<uint32_t>(in_line)});
      tensors->push_back(i);
      at += size;
    }
  }
  return strips;
}

void ExpectSameStrip(const Strip& a, const Strip& b) {
  ASSERT_EQ(a.offset, b.offset);
  ASSERT_EQ(a.in_tensor, b.in_tensor);
  ASSERT_EQ(a.size, b.size);
  ASSERT_EQ(a.row, b.row);
  ASSERT_EQ(a.in_line, b.in_line);
}

void ExpectStrips(const VariantLayout& layout) {
  std::vector<size_t> expected_tensors, tensors;
  const std::vector<Strip> expected = ExpectedStrips(layout, &expected_tensors);
  const std::vector<Strip> strips = Walk(layout, 0, &tensors);
  ASSERT_EQ(tensors, expected_tensors);
  for (size_t i = 0; i < strips.size(); ++i) ASSERT_NO_FATAL_FAILURE(ExpectSameStrip(strips[i], expected[i])) << i;
  // Runs of strips of one tensor that begin before a limit, and where they lead.
  for (size_t i = 0; i < strips.size(); i += 1 + i % 7) {
    StripCursor cursor(&layout, strips[i].offset);
    uint64_t run = 0;
    for (size_t j = i; j < strips.size() && tensors[j] == tensors[i] && j < i + 20; ++j) {
      const uint64_t begin = strips[j].offset, end = begin + strips[j].size;
      run += strips[j].size;
      for (const uint64_t limit : {begin + 1, (begin + end) / 2 + 1, end}) {
        ASSERT_EQ(cursor.RunTo(std::min(limit, end)), run) << i << " " << j << " " << limit;
      }
      StripCursor moved = cursor;
      moved.Advance(static_cast<size_t>(run));
      ASSERT_EQ(moved.at_end(), j + 1 == strips.size());
      if (moved.at_end()) continue;
      ASSERT_EQ(moved.tensor_index(), tensors[j + 1]);
      ASSERT_NO_FATAL_FAILURE(ExpectSameStrip(moved.strip(), strips[j + 1])) << i << " " << j;
    }
  }
  // From every byte: the first strip that begins there or later.
  size_t next = 0;
  for (uint64_t offset = 0; offset <= layout.data_size(); ++offset) {
    while (next < expected.size() && expected[next].offset < offset) ++next;
    StripCursor cursor(&layout, offset);
    ASSERT_EQ(cursor.at_end(), next == expected.size()) << offset;
    if (cursor.at_end()) continue;
    ASSERT_EQ(cursor.tensor_index(), expected_tensors[next]) << offset;
    ASSERT_NO_FATAL_FAILURE(ExpectSameStrip(cursor.strip(), expected[next])) << offset;
    cursor.Next();
    ASSERT_EQ(cursor.at_end(), next + 1 == expected.size()) << offset;
    if (cursor.at_end()) continue;
    ASSERT_NO_FATAL_FAILURE(ExpectSameStrip(cursor.strip(), expected[next + 1])) << offset;
  }
}

TEST(VariantLayoutTest, WithoutALayoutOfItsOwnAVariantIsLaidOutLikeTheBase) {
  const TestBase base = BaseOf(
      {Fields(DType::kI8, 3, 7), Fields(DType::kF32, 0, 7), Fields(DType::kF32, 2, 5), Fields(DType::kOpaque, 1, 9)});
  const VariantLayout layout(&base.shared());
  EXPECT_TRUE(layout.is_base_layout());
  EXPECT_EQ(layout.tensor_count(), 4u);
  EXPECT_EQ(layout.data_size(), 21u + 40 + 9);
  for (size_t i = 0; i < 4; ++i) {
    const VariantTensor t = layout.tensor(i);
    EXPECT_EQ(t.base_index, i);
    EXPECT_EQ(t.offset, base.shared().tensor(i).offset);
    EXPECT_EQ(t.size, base.shared().tensor(i).size);
    EXPECT_EQ(t.dtype, base.shared().tensor(i).dtype);
    EXPECT_EQ(t.element_size, base.shared().tensor(i).element_size);
    EXPECT_EQ(t.prediction, Prediction::kCopy);
  }
}

TEST(VariantLayoutTest, ALayoutReordersAndRetypesTensors) {
  const TestBase base = BaseOf({Fields(DType::kI8, 3, 7), Fields(DType::kF32, 2, 5), Fields(DType::kOpaque, 1, 9),
                                Fields(DType::kOpaque, 1, 4), Fields(DType::kF16, 2, 2)});
  const StoredLayout stored = SerializeLayout({{4, DType::kF32, 0},
                                               {2, DType::kOpaque, 9},
                                               {1, DType::kBf16, 0},
                                               {0, DType::kOpaque, 1000},
                                               {3, DType::kOpaque, 5}},
                                              5);
  VariantLayout layout(&base.shared());
  std::vector<VariantTensor> own;
  ASSERT_EQ(Parse(stored, &layout, &own), CoreStatus::kOk);
  EXPECT_FALSE(layout.is_base_layout());
  const uint32_t index[] = {4, 2, 1, 0, 3};
  const uint64_t size[] = {16, 9, 20, 1000, 5};
  const uint8_t element[] = {4, 1, 2, 1, 1};
  const Prediction prediction[] = {Prediction::kF16ToF32, Prediction::kCopy, Prediction::kF32ToBf16, Prediction::kZero,
                                   Prediction::kZero};
  uint64_t offset = 0;
  for (size_t i = 0; i < 5; ++i) {
    const VariantTensor t = layout.tensor(i);
    EXPECT_EQ(t.base_index, index[i]) << i;
    EXPECT_EQ(t.offset, offset) << i;
    EXPECT_EQ(t.size, size[i]) << i;
    EXPECT_EQ(t.element_size, element[i]) << i;
    EXPECT_EQ(t.prediction, prediction[i]) << i;
    for (uint64_t at = offset; at < offset + size[i]; ++at) EXPECT_EQ(layout.FindTensor(at), i) << at;
    offset += size[i];
  }
  EXPECT_EQ(layout.data_size(), offset);
}

TEST(VariantLayoutTest, EveryTruncationAndEveryByteTooManyIsAnError) {
  const TestBase base = BaseOf({Fields(DType::kI8, 3, 7), Fields(DType::kOpaque, 1, 9), Fields(DType::kF32, 2, 5)});
  const LayoutEntry own{kNoBaseTensor, DType::kF64, 70000};
  for (const StoredLayout& stored :
       {SerializeLayout({{2, DType::kF16, 0}, {1, DType::kOpaque, 70000}, {0, DType::kI8, 0}}, 3),
        SerializeLayout({{2, DType::kF16, 0}, own, {1, DType::kOpaque, 70000}, {2, DType::kF16, 0}, own}, 3)}) {
    ASSERT_EQ(Parse(base.shared(), stored), CoreStatus::kOk);
    const auto with = [&](const std::string& bytes) { return StoredLayout{stored.form, stored.tensor_count, bytes}; };
    for (size_t size = 0; size < stored.bytes.size(); ++size) {
      EXPECT_EQ(Parse(base.shared(), with(stored.bytes.substr(0, size))), CoreStatus::kTruncated) << size;
    }
    EXPECT_EQ(Parse(base.shared(), with(stored.bytes + '\0')), CoreStatus::kBadBlob);
  }
}

TEST(VariantLayoutTest, RefusesLyingFields) {
  const TestBase base = BaseOf({Fields(DType::kI8, 3, 7), Fields(DType::kF32, 2, 5), Fields(DType::kOpaque, 1, 9),
                                Fields(DType::kI8, 1, kMaxDataSize / 2)});
  const SharedTables& shared = base.shared();
  const LayoutEntry huge{3, DType::kI8, 0};
  const auto status = [&](const std::vector<LayoutEntry>& entries) {
    return Parse(shared, SerializeLayoutAs(LayoutForm::kEachOnce, entries));
  };
  EXPECT_EQ(status({{0, DType::kI8, 0}, {1, DType::kF32, 0}, {2, DType::kOpaque, 9}, huge}), CoreStatus::kOk);
  EXPECT_EQ(status({{0, DType::kI8, 0}, {0, DType::kI8, 0}, {2, DType::kOpaque, 9}, huge}), CoreStatus::kBadBlob);
  EXPECT_EQ(status({{0, DType::kI8, 0}, {4, DType::kF32, 0}, {2, DType::kOpaque, 9}, huge}), CoreStatus::kBadBlob);
  EXPECT_EQ(status({{0, DType::kI8, 0}, {~uint64_t{0}, DType::kF32, 0}, {2, DType::kOpaque, 9}, huge}),
            CoreStatus::kBadBlob);
  EXPECT_EQ(status({{0, static_cast<DType>(14), 0}, {1, DType::kF32, 0}, {2, DType::kOpaque, 9}, huge}),
            CoreStatus::kBadBlob);
  // What is opaque in the base has no shape that another type could have.
  EXPECT_EQ(status({{0, DType::kI8, 0}, {1, DType::kF32, 0}, {2, DType::kU8, 0}, huge}), CoreStatus::kBadBlob);
  // Sizes that overflow.
  EXPECT_EQ(status({{0, DType::kI8, 0}, {1, DType::kF32, 0}, {2, DType::kOpaque, ~uint64_t{0}}, huge}),
            CoreStatus::kBadBlob);
  EXPECT_EQ(status({{0, DType::kI8, 0}, {1, DType::kF32, 0}, {2, DType::kOpaque, kMaxDataSize / 2}, huge}),
            CoreStatus::kBadBlob);
  EXPECT_EQ(status({{0, DType::kI8, 0}, {1, DType::kF32, 0}, {2, DType::kOpaque, 9}, {3, DType::kF64, 0}}),
            CoreStatus::kBadBlob);
  // Less room than tensors.
  VariantLayout layout(&shared);
  std::vector<VariantTensor> own(3);
  EXPECT_EQ(layout.Parse({LayoutForm::kEachOnce, {}, 4}, own.data(), own.size()), CoreStatus::kWorkspaceTooSmall);
  EXPECT_EQ(layout.Parse({LayoutForm::kFree, {}, 4}, own.data(), own.size()), CoreStatus::kWorkspaceTooSmall);
  EXPECT_EQ(layout.Parse({LayoutForm::kEachOnce, {}, 3}, own.data(), own.size()), CoreStatus::kBadBlob);
  EXPECT_TRUE(layout.is_base_layout());
}

TEST(VariantLayoutTest, AFreeLayoutLeavesOutRepeatsAndAddsTensors) {
  const TestBase base = BaseOf({Fields(DType::kI8, 3, 300, kFlagColumnPrior), Fields(DType::kF32, 2, 5),
                                Fields(DType::kOpaque, 1, 9), Fields(DType::kI8, 1, 0)});
  const StoredLayout stored = SerializeLayout({{kNoBaseTensor, DType::kI8, 700},
                                               {0, DType::kI8, 0},
                                               {kNoBaseTensor, DType::kF64, 0},
                                               {1, DType::kF16, 0},
                                               {0, DType::kI8, 0},
                                               {kNoBaseTensor, DType::kOpaque, 9},
                                               {2, DType::kOpaque, 9},
                                               {0, DType::kF32, 0},
                                               {kNoBaseTensor, DType::kF32, 65}},
                                              4);
  VariantLayout layout(&base.shared());
  std::vector<VariantTensor> own;
  ASSERT_EQ(Parse(stored, &layout, &own), CoreStatus::kOk);
  EXPECT_FALSE(layout.is_base_layout());
  ASSERT_EQ(layout.tensor_count(), 9u);
  const uint32_t none = kNoBaseTensor;
  const uint32_t index[] = {none, 0, none, 1, 0, none, 2, 0, none};
  const uint64_t size[] = {700, 900, 0, 20, 900, 9, 9, 3600, 260};
  const uint8_t element[] = {1, 1, 8, 2, 1, 1, 1, 4, 4};
  const Prediction zero = Prediction::kZero, copy = Prediction::kCopy;
  const Prediction prediction[] = {zero, copy, zero, Prediction::kF32ToF16, copy, zero, copy, zero, zero};
  uint64_t offset = 0;
  for (size_t i = 0; i < 9; ++i) {
    const VariantTensor t = layout.tensor(i);
    EXPECT_EQ(t.base_index, index[i]) << i;
    EXPECT_EQ(t.offset, offset) << i;
    EXPECT_EQ(t.size, size[i]) << i;
    EXPECT_EQ(t.element_size, element[i]) << i;
    EXPECT_EQ(t.prediction, prediction[i]) << i;
    EXPECT_EQ(layout.RecordOf(t).size, index[i] == none ? 0 : base.shared().tensor(index[i]).size) << i;
    for (uint64_t at = offset; at < offset + size[i]; ++at) ASSERT_EQ(layout.FindTensor(at), i) << at;
    offset += size[i];
  }
  EXPECT_EQ(layout.data_size(), offset);
  ASSERT_NO_FATAL_FAILURE(ExpectStrips(layout));
}

TEST(VariantLayoutTest, AFreeLayoutMayHaveNoTensors) {
  const TestBase base = BaseOf({Fields(DType::kI8, 3, 7)});
  VariantLayout layout(&base.shared());
  ASSERT_EQ(layout.Parse({LayoutForm::kFree, {}, 0}, nullptr, 0), CoreStatus::kOk);
  EXPECT_FALSE(layout.is_base_layout());
  EXPECT_EQ(layout.tensor_count(), 0u);
  EXPECT_EQ(layout.data_size(), 0u);
  EXPECT_TRUE(StripCursor(&layout, 0).at_end());
}

TEST(VariantLayoutTest, RefusesLyingFieldsOfAFreeLayout) {
  const TestBase base = BaseOf({Fields(DType::kI8, 1, kMaxDataSize / 2), Fields(DType::kOpaque, 1, 9)});
  const auto status = [&](const std::vector<LayoutEntry>& entries) {
    return Parse(base.shared(), SerializeLayoutAs(LayoutForm::kFree, entries));
  };
  const auto own = [](DType dtype, uint64_t elements) { return LayoutEntry{kNoBaseTensor, dtype, elements}; };
  const LayoutEntry half{0, DType::kI8, 0};
  EXPECT_EQ(status({half, half}), CoreStatus::kOk);
  EXPECT_EQ(status({half, half, own(DType::kF32, 0)}), CoreStatus::kOk);
  EXPECT_EQ(status({half, half, half}), CoreStatus::kBadBlob) << "sum";
  EXPECT_EQ(status({half, half, own(DType::kBool, 1)}), CoreStatus::kBadBlob) << "sum";
  EXPECT_EQ(status({half, own(DType::kF64, kMaxDataSize / 16)}), CoreStatus::kOk);
  EXPECT_EQ(status({half, own(DType::kF64, kMaxDataSize / 16 + 1)}), CoreStatus::kBadBlob) << "sum";
  EXPECT_EQ(status({own(DType::kF64, kMaxDataSize / 8)}), CoreStatus::kOk);
  EXPECT_EQ(status({own(DType::kF64, kMaxDataSize / 8 + 1)}), CoreStatus::kBadBlob) << "size";
  // Sizes that wrap to nothing.
  EXPECT_EQ(status({own(DType::kF64, uint64_t{1} << 61)}), CoreStatus::kBadBlob);
  EXPECT_EQ(status({own(DType::kOpaque, ~uint64_t{0})}), CoreStatus::kBadBlob);
  EXPECT_EQ(status({{2, DType::kI8, 0}}), CoreStatus::kBadBlob) << "no such base tensor";
  EXPECT_EQ(status({{~uint64_t{0} - 1, DType::kI8, 0}}), CoreStatus::kBadBlob) << "no such base tensor";
  EXPECT_EQ(status({{1, DType::kI8, 0}}), CoreStatus::kBadBlob) << "opaque in the base";
  EXPECT_EQ(status({own(static_cast<DType>(14), 1)}), CoreStatus::kBadBlob) << "dtype";
  EXPECT_EQ(status({{0, static_cast<DType>(255), 0}}), CoreStatus::kBadBlob) << "dtype";
}

TEST(VariantLayoutTest, RefusesTheTensorAfterTheLastWhateverLiesThere) {
  const std::string section = WriteModel({}, {Fields(DType::kI8, 2, 2), Fields(DType::kI8, 2, 2)});
  std::vector<TensorRecord> records(3);
  SharedTables shared;
  ASSERT_EQ(shared.Parse(View(section), records.data(), records.size()), CoreStatus::kOk);
  records[2] = records[1];
  EXPECT_EQ(Parse(shared, SerializeLayoutAs(LayoutForm::kFree, {{1, DType::kI8, 0}})), CoreStatus::kOk);
  EXPECT_EQ(Parse(shared, SerializeLayoutAs(LayoutForm::kFree, {{2, DType::kI8, 0}})), CoreStatus::kBadBlob);
}

TEST(VariantLayoutTest, EveryRepetitionOfATensorIsFound) {
  std::vector<RecordFields> records(5, Fields(DType::kI8, 2, 2));
  const TestBase base = BaseOf(records);
  for (uint64_t code = 0; code < 5 * 5 * 5 * 5 * 5; ++code) {
    std::vector<LayoutEntry> entries;
    unsigned seen = 0;
    uint64_t rest = code;
    for (int i = 0; i < 5; ++i, rest /= 5) {
      entries.push_back({rest % 5, DType::kI8, 0});
      seen |= 1u << rest % 5;
    }
    ASSERT_EQ(Parse(base.shared(), SerializeLayoutAs(LayoutForm::kEachOnce, entries)),
              seen == 31 ? CoreStatus::kOk : CoreStatus::kBadBlob)
        << code;
  }
}

TEST(StripCursorTest, StripsAreTheDocumentedOnes) {
  const uint8_t both = kFlagRowPrior | kFlagColumnPrior;
  const TestBase base =
      BaseOf({Fields(DType::kF32, 0, 3), Fields(DType::kI8, 5, 16, both), Fields(DType::kF64, 9, 11),
              Fields(DType::kI8, 3, 256, kFlagColumnPrior), Fields(DType::kI8, 3, 257, kFlagRowPrior),
              Fields(DType::kI8, 7, 0), Fields(DType::kI8, 4, 600, both), Fields(DType::kI8, 5, 600),
              Fields(DType::kOpaque, 1, 0), Fields(DType::kOpaque, 1, 513), Fields(DType::kU8, 2, 700, both),
              Fields(DType::kI8, 1, 1), Fields(DType::kBool, 1, 0)});
  ASSERT_NO_FATAL_FAILURE(ExpectStrips(VariantLayout(&base.shared())));

  // Another order, and types of other sizes, for which rows are no lines.
  std::vector<LayoutEntry> entries;
  for (size_t i = base.shared().tensor_count(); i-- > 0;) {
    entries.push_back({i, base.shared().tensor(i).dtype, base.shared().tensor(i).size});
  }
  entries[12 - 1].dtype = DType::kF16;                 // On a prior of 16 columns.
  entries[12 - 3].dtype = DType::kU8;                  // On a prior, still one byte.
  entries[12 - 4] = {4, DType::kOpaque, 3 * 257};      // On a prior, opaque, as many bytes.
  entries[12 - 6] = {6, DType::kOpaque, 4 * 600 + 1};  // On a prior, opaque, another size.
  entries[12 - 9].elements = 300;
  const TestLayout own(base.shared(), SerializeLayout(entries, base.shared().tensor_count()));
  ASSERT_NO_FATAL_FAILURE(ExpectStrips(own.layout()));
}

TEST(StripCursorTest, RandomModelsHaveTheDocumentedStrips) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<RecordFields> records;
    for (uint64_t n = random.Below(7); n > 0; --n) {
      const uint64_t rows = random.Below(6), cols = random.Below(random.Chance(0.3) ? 800 : 40);
      const bool prior = rows * cols > 0 && random.Chance(0.6);
      records.push_back(Fields(prior ? DType::kI8 : static_cast<DType>(1 + random.Below(13)), rows, cols,
                               prior ? static_cast<uint8_t>(2 * (1 + random.Below(3))) : uint8_t{0}));
    }
    const TestBase base = BaseOf(records);
    ASSERT_NO_FATAL_FAILURE(ExpectStrips(VariantLayout(&base.shared())));
  }
}

TEST(StripCursorTest, SegmentsPartitionTheStrips) {
  const TestBase base = BaseOf({Fields(DType::kI8, 1, 10), Fields(DType::kI8, 40, 300, kFlagRowPrior),
                                Fields(DType::kF32, 1, 999), Fields(DType::kI8, 1, 3)});
  const VariantLayout layout(&base.shared());
  for (uint32_t segment_size : {4096u, 8192u, 1u << 24}) {
    const uint64_t count = SegmentCount(layout.data_size(), segment_size);
    EXPECT_EQ(count, (layout.data_size() + segment_size - 1) / segment_size);
    const std::vector<Strip> all = Walk(layout, 0);
    size_t next = 0;
    for (uint64_t s = 0; s < count; ++s) {
      for (StripCursor cursor(&layout, s * segment_size);
           !cursor.at_end() && cursor.strip().offset < (s + 1) * segment_size; cursor.Next(), ++next) {
        ASSERT_LT(next, all.size());
        ASSERT_NO_FATAL_FAILURE(ExpectSameStrip(cursor.strip(), all[next]));
      }
    }
    EXPECT_EQ(next, all.size());
  }
  EXPECT_EQ(SegmentCount(0, 4096), 0u);
  EXPECT_EQ(SegmentCount(4096, 4096), 1u);
  EXPECT_EQ(SegmentCount(4097, 4096), 2u);
  EXPECT_EQ(SegmentCount(~uint64_t{0}, 4096), uint64_t{1} << 52);
}

TEST(StripCursorTest, AModelWithoutBytesHasNoStrips) {
  const TestBase none = BaseOf({});
  EXPECT_TRUE(Walk(VariantLayout(&none.shared()), 0).empty());
  const TestBase empty = BaseOf({Fields(DType::kI8, 0, 5), Fields(DType::kF32, 5, 0)});
  EXPECT_TRUE(Walk(VariantLayout(&empty.shared()), 0).empty());
}

TEST(StripCursorTest, WalksOffsetsBeyondFourGigabytes) {
  const TestBase base =
      BaseOf({Fields(DType::kI8, 1, (uint64_t{1} << 40) + 5), Fields(DType::kI8, uint64_t{1} << 33, 0),
              Fields(DType::kF64, uint64_t{1} << 30, 1 << 10)});
  const VariantLayout layout(&base.shared());
  StripCursor cursor(&layout, (uint64_t{1} << 40) - 256);
  EXPECT_EQ(cursor.strip().in_tensor, (uint64_t{1} << 40) - 256);
  cursor.Next();
  EXPECT_EQ(cursor.strip().size, 5u);
  cursor.Next();
  EXPECT_EQ(cursor.tensor_index(), 2u);
  EXPECT_EQ(cursor.strip().offset, (uint64_t{1} << 40) + 5);
  StripCursor last(&layout, layout.data_size() - 256);
  EXPECT_EQ(last.strip().in_tensor, (uint64_t{1} << 43) - 256);
  last.Next();
  EXPECT_TRUE(last.at_end());
  EXPECT_TRUE(StripCursor(&layout, layout.data_size()).at_end());
  EXPECT_TRUE(StripCursor(&layout, layout.data_size() - 255).at_end());
}

}  // namespace
}  // namespace modelvault
