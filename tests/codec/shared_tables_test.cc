#include "codec/core/shared_tables.h"

#include <gtest/gtest.h>

#include <numeric>

#include "codec/prefix_coding.h"
#include "codec/varint.h"
#include "tests/codec/model_fixture.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

std::string Table(uint8_t symbol) {
  CodeLengths lengths;
  lengths.length[symbol] = 1;
  lengths.length[static_cast<uint8_t>(symbol + 1)] = lengths.length[static_cast<uint8_t>(symbol + 2)] = 2;
  return SerializeCodeLengths(lengths);
}

const std::vector<std::string>& Tables() {
  static const std::vector<std::string> tables = {Table(0), Table(10), Table(20), Table(30)};
  return tables;
}

// A record of each kind: dictionary and both priors, raw floats, empty, opaque.
std::vector<RecordFields> Records() {
  std::vector<RecordFields> records(5);
  records[0].rows = 3;
  records[0].cols = 5;
  records[0].flags = kFlagDictionary | kFlagRowPrior | kFlagColumnPrior;
  records[0].level = 63;
  records[0].tables = {1};
  records[0].dictionary_rows = 2;
  records[0].skip_table = 0;
  records[0].near_table = 2;
  records[0].area = std::string("abcdeABCDE\x21\x03\x54\x76\x08", 15);
  records[1].dtype = static_cast<uint8_t>(DType::kF32);
  records[1].rows = 2;
  records[1].cols = 7;
  records[1].tables = {kRawPlane, 0, 1, 2};
  records[2].rows = 0;
  records[2].cols = 4;
  records[3].dtype = static_cast<uint8_t>(DType::kOpaque);
  records[3].cols = 9;
  records[3].tables = {3};
  records[4].dtype = static_cast<uint8_t>(DType::kU8);
  records[4].rows = 4;
  records[4].cols = 3;
  records[4].flags = kFlagRowPrior;
  records[4].area = std::string("\xEF\x12", 2);
  return records;
}

// Parses an exact copy on the heap.
struct Parsed {
  explicit Parsed(const std::string& stored) : section(stored.begin(), stored.end()) {
    size_t count = 0;
    status = SharedTables::CountTensors(View(section), &count);
    if (status != CoreStatus::kOk) return;
    records.resize(count);
    status = shared.Parse(View(section), records.data(), records.size());
  }
  Bytes section;
  std::vector<TensorRecord> records;
  SharedTables shared;
  CoreStatus status;
};

TEST(ModelTest, GivesBackEveryField) {
  const Parsed parsed(WriteModel(Tables(), Records()));
  ASSERT_EQ(parsed.status, CoreStatus::kOk);
  const SharedTables& shared = parsed.shared;
  ASSERT_EQ(shared.tensor_count(), 5u);
  EXPECT_EQ(shared.table_count(), 4u);
  EXPECT_EQ(shared.data_size(), 15u + 56 + 0 + 9 + 12);
  EXPECT_EQ(shared.max_prior_cols(), 5u);

  const TensorRecord& first = shared.tensor(0);
  EXPECT_EQ(first.dtype, DType::kI8);
  EXPECT_EQ(first.element_size, 1);
  EXPECT_EQ(first.rows, 3u);
  EXPECT_EQ(first.cols, 5u);
  EXPECT_EQ(first.size, 15u);
  EXPECT_EQ(first.level, 63);
  EXPECT_EQ(first.tables[0], 1);
  EXPECT_EQ(first.dictionary_rows, 2);
  EXPECT_EQ(first.skip_table, 0);
  EXPECT_EQ(first.near_table, 2);
  EXPECT_EQ(first.line_size(), 5u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(shared.dictionary(first)), 10), "abcdeABCDE");
  for (uint64_t row = 0; row < 3; ++row) EXPECT_EQ(shared.RowClass(first, row), row + 1);
  for (uint64_t column = 0; column < 5; ++column) EXPECT_EQ(shared.ColumnClass(first, column), column + 4);

  const TensorRecord& floats = shared.tensor(1);
  EXPECT_EQ(floats.offset, 15u);
  EXPECT_EQ(floats.size, 56u);
  EXPECT_EQ(floats.line_size(), 56u);
  EXPECT_EQ(floats.skip_table, kRawPlane);
  EXPECT_EQ(floats.near_table, kRawPlane);
  for (unsigned plane = 0; plane < 4; ++plane) EXPECT_EQ(floats.tables[plane], plane == 0 ? kRawPlane : plane - 1);
  EXPECT_EQ(shared.tensor(2).size, 0u);
  EXPECT_EQ(shared.tensor(3).offset, 71u);

  const TensorRecord& last = shared.tensor(4);
  const unsigned classes[] = {15, 14, 2, 1};
  for (uint64_t row = 0; row < 4; ++row) EXPECT_EQ(shared.RowClass(last, row), classes[row]);
  for (uint64_t column = 0; column < 3; ++column) EXPECT_EQ(shared.ColumnClass(last, column), 0u);
}

TEST(ModelTest, ColumnsFollowRowsWhateverTheirNumber) {
  for (uint64_t rows = 1; rows <= 17; ++rows) {
    std::vector<RecordFields> records(1);
    records[0].rows = rows;
    records[0].cols = 3;
    records[0].flags = kFlagRowPrior | kFlagColumnPrior;
    for (uint64_t row = 0; row < rows; row += 2) {
      records[0].area.push_back(static_cast<char>(row % 16 | (row + 1 < rows ? (row + 1) % 16 << 4 : 0)));
    }
    records[0].area += "\xBA\x0C";
    const Parsed parsed(WriteModel({}, records));
    ASSERT_EQ(parsed.status, CoreStatus::kOk) << rows;
    const TensorRecord& t = parsed.shared.tensor(0);
    for (uint64_t row = 0; row < rows; ++row) EXPECT_EQ(parsed.shared.RowClass(t, row), row % 16) << rows;
    for (size_t column = 0; column < 3; ++column) EXPECT_EQ(parsed.shared.ColumnClass(t, column), 10 + column) << rows;
  }
}

TEST(ModelTest, GivesBackEveryTable) {
  const Parsed parsed(WriteModel(Tables(), Records()));
  ASSERT_EQ(parsed.status, CoreStatus::kOk);
  for (uint8_t t = 0; t < 4; ++t) {
    CodeLengths lengths;
    parsed.shared.ReadTable(t, lengths.length.data(), &lengths.only);
    EXPECT_EQ(lengths.only, -1) << t;
    EXPECT_EQ(lengths.length[10u * t], 1) << t;
    EXPECT_EQ(lengths.length[10u * t + 1], 2) << t;
    EXPECT_EQ(std::accumulate(lengths.length.begin(), lengths.length.end(), 0u), 5u) << t;
  }
}

TEST(ModelTest, FindsTheTensorOfEveryByteAndNeverAnEmptyOne) {
  std::vector<RecordFields> records;
  for (uint64_t cols : {0, 0, 3, 0, 1, 1, 0, 0, 5, 0}) {
    RecordFields r;
    r.cols = cols;
    records.push_back(r);
  }
  const Parsed parsed(WriteModel({}, records));
  ASSERT_EQ(parsed.status, CoreStatus::kOk);
  const size_t expected[] = {2, 2, 2, 4, 5, 8, 8, 8, 8, 8};
  ASSERT_EQ(parsed.shared.data_size(), 10u);
  for (uint64_t offset = 0; offset < 10; ++offset) EXPECT_EQ(parsed.shared.FindTensor(offset), expected[offset]);
}

TEST(ModelTest, AModelWithoutTensorsIsOne) {
  const Parsed parsed(WriteModel({}, {}));
  EXPECT_EQ(parsed.status, CoreStatus::kOk);
  EXPECT_EQ(parsed.shared.tensor_count(), 0u);
  EXPECT_EQ(parsed.shared.data_size(), 0u);
}

TEST(ModelTest, EveryTruncationAndEveryByteTooManyIsAnError) {
  const std::string section = WriteModel(Tables(), Records());
  for (size_t size = 0; size < section.size(); ++size) {
    const Parsed parsed(section.substr(0, size));
    EXPECT_NE(parsed.status, CoreStatus::kOk) << "cut to " << size;
    EXPECT_EQ(parsed.shared.tensor_count(), 0u);
  }
  EXPECT_EQ(Parsed(section + '\0').status, CoreStatus::kBadModel);
}

TEST(ModelTest, RefusesFewerRecordsThanTensors) {
  const std::string section = WriteModel(Tables(), Records());
  std::vector<TensorRecord> records(4);
  SharedTables shared;
  EXPECT_EQ(shared.Parse(View(section), records.data(), records.size()), CoreStatus::kWorkspaceTooSmall);
}

// One field of one record is a lie.
struct Lie {
  const char* what;
  size_t record;
  void (*tell)(RecordFields*);
  CoreStatus status;
};

TEST(ModelTest, RefusesEveryLyingField) {
  constexpr CoreStatus kOk = CoreStatus::kOk, kBad = CoreStatus::kBadModel, kShort = CoreStatus::kTruncated;
  const Lie lies[] = {
      {"no such dtype", 1, [](RecordFields* r) { r->dtype = 14; }, kBad},
      {"dtype 255", 1, [](RecordFields* r) { r->dtype = 255; }, kBad},
      {"opaque of two rows", 3, [](RecordFields* r) { r->rows = 2; }, kBad},
      {"opaque without rows", 3, [](RecordFields* r) { r->rows = 0; }, kBad},
      {"too many rows", 2, [](RecordFields* r) { r->rows = kMaxDataSize + 1, r->cols = 0; }, kBad},
      {"as many rows as may be", 2, [](RecordFields* r) { r->rows = kMaxDataSize, r->cols = 0; }, kOk},
      {"too many columns", 2, [](RecordFields* r) { r->rows = 0, r->cols = kMaxDataSize + 1; }, kBad},
      {"too many columns of floats", 1, [](RecordFields* r) { r->rows = 0, r->cols = kMaxDataSize / 4 + 1; }, kBad},
      {"columns times element size overflows", 1, [](RecordFields* r) { r->cols = uint64_t{1} << 62; }, kBad},
      {"rows times columns overflows", 2, [](RecordFields* r) { r->rows = r->cols = uint64_t{1} << 32; }, kBad},
      {"rows times columns is beyond the limit", 2, [](RecordFields* r) { r->rows = 3, r->cols = 1ull << 59; }, kBad},
      {"the sum is beyond the limit", 2, [](RecordFields* r) { r->rows = 1, r->cols = kMaxDataSize - 50; }, kBad},
      {"the sum is as large as may be", 2, [](RecordFields* r) { r->rows = 1, r->cols = kMaxDataSize - 92; }, kOk},
      {"an unknown flag", 4, [](RecordFields* r) { r->flags |= 8; }, kBad},
      {"flag bit 7", 2, [](RecordFields* r) { r->flags = 128; }, kBad},
      {"a row prior of floats", 1, [](RecordFields* r) { r->flags = kFlagRowPrior, r->area.assign(1, 1); }, kBad},
      {"a column prior of floats", 1, [](RecordFields* r) { r->flags = kFlagColumnPrior, r->area.assign(4, 1); }, kBad},
      {"a prior of an empty tensor", 2, [](RecordFields* r) { r->flags = kFlagRowPrior; }, kBad},
      {"a level of 64", 2, [](RecordFields* r) { r->level = 64; }, kBad},
      {"a table that is not there", 1, [](RecordFields* r) { r->tables[2] = 4; }, kBad},
      {"table 254", 1, [](RecordFields* r) { r->tables[2] = 254; }, kBad},
      {"four tables", 1,
       [](RecordFields* r) {
         r->tables = {0, 1, 2, 3};
       },
       kBad},
      {"three tables in four planes", 1,
       [](RecordFields* r) {
         r->tables = {0, 1, 2, 1};
       },
       kOk},
      {"no dictionary rows", 0, [](RecordFields* r) { r->dictionary_rows = 0; }, kBad},
      {"256 dictionary rows", 0, [](RecordFields* r) { r->dictionary_rows = 256; }, kBad},
      {"255 dictionary rows that are not there", 0, [](RecordFields* r) { r->dictionary_rows = 255; }, kShort},
      {"skips without a table", 0, [](RecordFields* r) { r->skip_table = kRawPlane; }, kBad},
      {"near rows without a table", 0, [](RecordFields* r) { r->near_table = kRawPlane; }, kBad},
      {"a skip table that is not there", 0, [](RecordFields* r) { r->skip_table = 4; }, kBad},
      {"dictionary rows as wide as the disk", 0,
       [](RecordFields* r) { r->flags = kFlagDictionary, r->cols = kMaxDataSize / 4; }, kShort},
      {"a column prior 65,536 wide", 4,
       [](RecordFields* r) {
         r->flags = kFlagColumnPrior, r->rows = 1, r->cols = 65536, r->area = std::string(32768, 1);
       },
       kBad},
      {"a row prior 65,536 wide", 4, [](RecordFields* r) { r->cols = 65536; }, kBad},
      {"a column prior 65,535 wide", 4,
       [](RecordFields* r) {
         r->flags = kFlagColumnPrior, r->rows = 1, r->cols = 65535, r->area = std::string(32768, 1);
       },
       kOk},
      {"row classes that are not there", 4, [](RecordFields* r) { r->rows = 5; }, kShort},
      {"row classes as many as the disk holds", 4, [](RecordFields* r) { r->rows = kMaxDataSize / 4; }, kShort},
      {"column classes that are not there", 4, [](RecordFields* r) { r->flags |= kFlagColumnPrior; }, kShort},
  };
  for (const Lie& lie : lies) {
    std::vector<RecordFields> records = Records();
    lie.tell(&records[lie.record]);
    EXPECT_EQ(Parsed(WriteModel(Tables(), records)).status, lie.status) << lie.what;
  }
}

TEST(ModelTest, RefusesLyingCounts) {
  const std::string section = WriteModel(Tables(), Records());
  const std::string body = section.substr(2);
  const auto with = [&](uint64_t tensors, uint64_t tables) {
    std::string s;
    AppendVarint(&s, tensors);
    AppendVarint(&s, tables);
    return s + body;
  };
  ASSERT_EQ(with(5, 4), section);
  EXPECT_NE(Parsed(with(6, 4)).status, CoreStatus::kOk);
  EXPECT_NE(Parsed(with(4, 4)).status, CoreStatus::kOk);
  EXPECT_NE(Parsed(with(5, 5)).status, CoreStatus::kOk);
  EXPECT_NE(Parsed(with(5, 3)).status, CoreStatus::kOk);
  EXPECT_EQ(Parsed(with(section.size() / 6 + 1, 4)).status, CoreStatus::kBadModel);  // Before anything is allocated.
  EXPECT_EQ(Parsed(with(~uint64_t{0}, 4)).status, CoreStatus::kBadModel);
  EXPECT_EQ(Parsed(with(5, 65)).status, CoreStatus::kBadModel);
  EXPECT_EQ(Parsed(with(5, ~uint64_t{0})).status, CoreStatus::kBadModel);
  std::string longer = section;  // 5 in two bytes.
  longer[0] = '\x85';
  longer.insert(1, 1, '\0');
  EXPECT_EQ(Parsed(longer).status, CoreStatus::kTruncated);
}

TEST(ModelTest, HoldsAsManyTablesAsTheFormatAllows) {
  std::vector<std::string> tables;
  for (unsigned t = 0; t < kMaxTables; ++t) tables.push_back(Table(static_cast<uint8_t>(t)));
  const Parsed parsed(WriteModel(tables, {}));
  ASSERT_EQ(parsed.status, CoreStatus::kOk);
  CodeLengths lengths;
  parsed.shared.ReadTable(63, lengths.length.data(), &lengths.only);
  EXPECT_EQ(lengths.length[63], 1);
  tables.push_back(Table(99));
  EXPECT_EQ(Parsed(WriteModel(tables, {})).status, CoreStatus::kBadModel);
}

TEST(ModelTest, TablesAreAsWideAsTheLongestCodeWordNeeds) {
  for (const unsigned longest : {1u, 7u, 8u, 9u, 10u}) {
    std::vector<std::string> tables = Tables();
    CodeLengths lengths;  // A code word of each length, and two of the longest.
    for (unsigned s = 0; s < longest; ++s) lengths.length[s] = static_cast<uint8_t>(s + 1);
    lengths.length[longest] = static_cast<uint8_t>(longest);
    tables[1] = SerializeCodeLengths(lengths);
    const Parsed parsed(WriteModel(tables, Records()));
    ASSERT_EQ(parsed.status, CoreStatus::kOk);
    EXPECT_EQ(parsed.shared.code_bits(), longest <= 8 ? 8u : 10u) << longest;
    size_t columns = 77;
    unsigned code_bits = 0;
    ASSERT_EQ(SharedTables::Measure(View(parsed.section), &columns, &code_bits), CoreStatus::kOk);
    EXPECT_EQ(code_bits, parsed.shared.code_bits());
    EXPECT_EQ(columns, parsed.shared.max_prior_cols());
  }
}

TEST(ModelTest, RefusesAMalformedTable) {
  std::vector<std::string> tables = Tables();
  tables[2] = "\xFF\x01\x12\x12";  // Padding that is not zero.
  EXPECT_EQ(Parsed(WriteModel(tables, Records())).status, CoreStatus::kBadTable);
}

TEST(ModelTest, WhateverParsesKeepsItsPromises) {
  const std::string section = WriteModel(Tables(), Records());
  int good = 0;
  for (size_t bit = 0; bit < 8 * section.size(); ++bit) {
    std::string flipped = section;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const Parsed parsed(flipped);
    if (parsed.status != CoreStatus::kOk) continue;
    ++good;
    uint64_t size = 0;
    for (size_t i = 0; i < parsed.shared.tensor_count(); ++i) {
      const TensorRecord& t = parsed.shared.tensor(i);
      ASSERT_EQ(t.offset, size);
      size += t.size;
      unsigned sum = 0;
      for (uint64_t row = 0; (t.flags & kFlagRowPrior) && row < t.rows; ++row) sum += parsed.shared.RowClass(t, row);
      for (uint64_t c = 0; (t.flags & kFlagColumnPrior) && c < t.cols; ++c) sum += parsed.shared.ColumnClass(t, c);
      for (uint64_t j = 0; j < t.dictionary_rows * t.cols; ++j) sum += parsed.shared.dictionary(t)[j];
      ASSERT_LT(sum, 1u << 30);  // Reading them is the point.
    }
    ASSERT_EQ(parsed.shared.data_size(), size);
  }
  EXPECT_GT(good, 50);
}

TEST(ParsedModelTest, OwnsItsSectionAndReportsDataLoss) {
  const std::string section = WriteModel(Tables(), Records());
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<const ParsedSharedTables> parsed, ParsedSharedTables::Parse(section));
  EXPECT_EQ(parsed->section(), section);
  EXPECT_EQ(parsed->tables().tensor_count(), 5u);
  EXPECT_EQ(parsed->tables().ColumnClass(parsed->tables().tensor(0), 4), 8u);
  // Short enough to live inside the string object, whose bytes move with it.
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<const ParsedSharedTables> tiny,
                       ParsedSharedTables::Parse(WriteModel({Table(7)}, {})));
  CodeLengths lengths;
  tiny->tables().ReadTable(0, lengths.length.data(), &lengths.only);
  EXPECT_EQ(lengths.length[7], 1);
  EXPECT_THAT(ParsedSharedTables::Parse(section.substr(0, 9)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("MODEL")));
  EXPECT_THAT(ParsedSharedTables::Parse(""), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(ParsedSharedTables::Parse(section + "x"),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr("model section malformed, at or after the record of tensor 4 of 5: type ")));
  EXPECT_THAT(ParsedSharedTables::Parse(std::string("\x01\x7f\0\0\0\0\0\0", 8)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("in its counts, its tables of codes or its first")));
  EXPECT_THAT(ParsedSharedTables::Parse(std::string("\x7f\0", 2)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("a count of 127 tensors in 2 bytes")));
}

}  // namespace
}  // namespace modelvault
