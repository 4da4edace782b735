#include "codec/shared_tables_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "codec/prefix_coding.h"
#include "tests/codec/model_fixture.h"
#include "tests/status_matchers.h"

namespace modelvault {
namespace {

using ::testing::HasSubstr;

// The model of `data` without any variants.
std::unique_ptr<const ParsedSharedTables> Build(const std::vector<ModelTensor>& specs, const Bytes& data) {
  MemoryDataSource source(data);
  absl::StatusOr<std::string> section = BuildSharedTables(specs, &source, DeltaStatistics(specs));
  EXPECT_THAT(section, IsOk());
  if (!section.ok()) return nullptr;
  absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> parsed = ParsedSharedTables::Parse(*section);
  EXPECT_THAT(parsed, IsOk());
  return parsed.ok() ? *std::move(parsed) : nullptr;
}

TEST(ModelBuilderTest, DescribesTheTensors) {
  Random random(1);
  const std::vector<ModelTensor> specs = {{DType::kI8, 3, 40},     {DType::kF32, 1, 7}, {DType::kI8, 0, 5},
                                          {DType::kOpaque, 1, 33}, {DType::kF64, 1, 1}, {DType::kBool, 2, 9}};
  const auto parsed = Build(specs, RandomData(&random, specs));
  ASSERT_NE(parsed, nullptr);
  ASSERT_EQ(parsed->tables().tensor_count(), specs.size());
  for (size_t i = 0; i < specs.size(); ++i) {
    const TensorRecord& t = parsed->tables().tensor(i);
    EXPECT_EQ(t.dtype, specs[i].dtype) << i;
    EXPECT_EQ(t.rows, specs[i].rows()) << i;
    EXPECT_EQ(t.cols, specs[i].cols()) << i;
    EXPECT_EQ(t.flags, 0) << i;
  }
  EXPECT_EQ(parsed->tables().data_size(), DataSize(specs));
}

TEST(ModelBuilderTest, AModelWithoutTensorsCanBeBuilt) {
  const auto parsed = Build({}, {});
  ASSERT_NE(parsed, nullptr);
  EXPECT_EQ(parsed->tables().tensor_count(), 0u);
  EXPECT_EQ(parsed->tables().table_count(), 0u);
}

TEST(ModelBuilderTest, TheSameInputGivesTheSameBytes) {
  Random random(2);
  const std::vector<ModelTensor> specs = {{DType::kI8, 100, 40}, {DType::kF32, 10, 7}, {DType::kF16, 100, 30}};
  const Bytes data = RandomData(&random, specs);
  MemoryDataSource source(data);
  DeltaStatistics statistics(specs);
  const Bytes variant = Ternary(
      &random, absl::MakeConstSpan(data).first(4000), [](size_t i) { return i % 40 < 20 ? 0.4 : 0.01; },
      [](size_t) { return 3; });
  statistics.Add(0, 0, absl::MakeConstSpan(data).first(4000), variant);
  statistics.AddVariant(0);
  ASSERT_OK_AND_ASSIGN(const std::string first, BuildSharedTables(specs, &source, statistics));
  ASSERT_OK_AND_ASSIGN(const std::string second, BuildSharedTables(specs, &source, statistics));
  EXPECT_EQ(first, second);
}

TEST(ModelBuilderTest, TheFastProfileHasPriorsAndNothingThatIsCoded) {
  Random random(5);
  // Rows that repeat, floats with few exponents: what the other profile codes.
  const std::vector<ModelTensor> specs = {{DType::kI8, 64, 32}, {DType::kF32, 10, 70}, {DType::kI8, 0, 9}};
  Bytes data = RandomData(&random, specs);
  for (size_t row = 1; row < 60; ++row) std::copy_n(data.begin(), 32, data.begin() + static_cast<ptrdiff_t>(32 * row));
  DeltaStatistics statistics(specs);
  const absl::Span<const uint8_t> base = absl::MakeConstSpan(data).first(64 * 32);
  for (int v = 0; v < 30; ++v) {
    const Bytes variant = Ternary(
        &random, base, [](size_t i) { return i % 32 < 4 ? 0.5 : 0.01; }, [](size_t) { return 2; });
    statistics.Add(0, 0, base, variant);
    statistics.AddVariant(0);
  }
  MemoryDataSource source(data);
  ASSERT_OK_AND_ASSIGN(std::string fast, BuildSharedTables(specs, &source, statistics, BaseProfile::kFast));
  ASSERT_OK_AND_ASSIGN(const auto parsed, ParsedSharedTables::Parse(std::move(fast)));
  const SharedTables& shared = parsed->tables();
  EXPECT_TRUE(shared.all_raw());
  EXPECT_EQ(ProfileOf(shared), BaseProfile::kFast);
  for (size_t i = 0; i < specs.size(); ++i) {
    const TensorRecord& t = shared.tensor(i);
    EXPECT_EQ(t.flags & kFlagDictionary, 0) << i;
    for (size_t plane = 0; plane < t.element_size; ++plane) EXPECT_EQ(t.tables[plane], kRawPlane) << i;
  }
  EXPECT_EQ(shared.tensor(0).flags & kFlagColumnPrior, kFlagColumnPrior);

  ASSERT_OK_AND_ASSIGN(std::string small, BuildSharedTables(specs, &source, statistics));
  ASSERT_OK_AND_ASSIGN(const auto coded, ParsedSharedTables::Parse(std::move(small)));
  EXPECT_EQ(ProfileOf(coded->tables()), BaseProfile::kSmall);
  EXPECT_EQ(coded->tables().tensor(0).flags & kFlagDictionary, kFlagDictionary);
}

TEST(ModelBuilderTest, StoresTheStatisticsPriors) {
  Random random(3);
  const std::vector<ModelTensor> specs = {{DType::kF32, 4, 4}, {DType::kI8, 61, 103}};
  const Bytes data = RandomData(&random, specs);
  const absl::Span<const uint8_t> base = absl::MakeConstSpan(data).subspan(64);
  DeltaStatistics statistics(specs);
  const std::vector<double> density = RankOneDensity(&random, 61, 103, 5, 0.2);
  for (int v = 0; v < 50; ++v) {
    const Bytes variant = Ternary(
        &random, base, [&](size_t i) { return density[i]; }, [](size_t) { return 2; });
    statistics.Add(1, 0, base, variant);
    statistics.AddVariant(1);
  }
  MemoryDataSource source(data);
  ASSERT_OK_AND_ASSIGN(std::string section, BuildSharedTables(specs, &source, statistics));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<const ParsedSharedTables> parsed, ParsedSharedTables::Parse(section));
  const DeltaStatistics::Prior prior = statistics.MakePrior(1);
  ASSERT_EQ(prior.flags, kFlagRowPrior | kFlagColumnPrior);
  const SharedTables& shared = parsed->tables();
  const TensorRecord& t = shared.tensor(1);
  EXPECT_EQ(t.flags & (kFlagRowPrior | kFlagColumnPrior), prior.flags);
  EXPECT_EQ(t.level, prior.level);
  for (size_t row = 0; row < 61; ++row) EXPECT_EQ(shared.RowClass(t, row), prior.row_classes[row]);
  for (size_t column = 0; column < 103; ++column)
    EXPECT_EQ(shared.ColumnClass(t, column), prior.column_classes[column]);
}

TEST(ModelBuilderTest, BytePlanesOfFloatsHaveTablesOfTheirOwnKind) {
  Random random(4);
  const std::vector<ModelTensor> specs = {{DType::kF32, 100, 100}};
  const auto parsed = Build(specs, RandomData(&random, specs));
  ASSERT_NE(parsed, nullptr);
  const TensorRecord& t = parsed->tables().tensor(0);
  EXPECT_EQ(t.tables[0], kRawPlane);  // Noise of the significand.
  EXPECT_EQ(t.tables[1], kRawPlane);
  EXPECT_NE(t.tables[3], kRawPlane);  // Sign and exponent.
}

TEST(ModelBuilderTest, AtMostThreeTablesATensorAndTheBestOnesStay) {
  Random random(5);
  const std::vector<ModelTensor> specs = {{DType::kU64, 1, 20000}};
  Bytes data(DataSize(specs));
  // Eight planes that no two can share; plane p has about 6.5 − p/2 bits of entropy.
  for (size_t at = 0; at < data.size(); at += 8) {
    for (size_t p = 0; p < 8; ++p) {
      data[at + p] = static_cast<uint8_t>(32 * p + random.Below(uint64_t{90} >> (p / 2)) / (1 + p % 2));
    }
  }
  const auto parsed = Build(specs, data);
  ASSERT_NE(parsed, nullptr);
  const TensorRecord& t = parsed->tables().tensor(0);
  std::set<uint8_t> used(t.tables, t.tables + 8);
  used.erase(kRawPlane);
  EXPECT_EQ(used.size(), kMaxTablesPerTensor);
  EXPECT_NE(t.tables[7], kRawPlane);
  EXPECT_EQ(t.tables[0], kRawPlane);
}

TEST(ModelBuilderTest, RepeatedRowsBecomeADictionary) {
  Random random(6);
  const std::vector<ModelTensor> specs = {{DType::kI8, 400, 64}};
  Bytes data = RandomData(&random, specs);
  const Bytes padding(data.begin(), data.begin() + 64);
  for (size_t row = 50; row < 350; ++row) {
    std::copy(padding.begin(), padding.end(), data.begin() + static_cast<std::ptrdiff_t>(64 * row));
  }
  const auto parsed = Build(specs, data);
  ASSERT_NE(parsed, nullptr);
  const TensorRecord& t = parsed->tables().tensor(0);
  ASSERT_TRUE(t.flags & kFlagDictionary);
  ASSERT_EQ(t.dictionary_rows, 1);
  EXPECT_TRUE(std::equal(padding.begin(), padding.end(), parsed->tables().dictionary(t)));
}

TEST(ModelBuilderTest, ADictionaryThatDoesNotPayIsDropped) {
  Random random(7);
  const std::vector<ModelTensor> specs = {{DType::kI8, 400, 64}};
  Bytes data = RandomData(&random, specs);
  std::copy(data.begin(), data.begin() + 64, data.begin() + 64 * 200);  // One row twice.
  const auto parsed = Build(specs, data);
  ASSERT_NE(parsed, nullptr);
  EXPECT_EQ(parsed->tables().tensor(0).flags, 0);
}

TEST(ModelBuilderTest, EverySymbolOfTheBaseHasACodeWordInItsTable) {
  Random random(8);
  // Beyond one block of a mebibyte, whose end a row of 900 and an element of 8 bytes do not meet.
  const std::vector<ModelTensor> specs = {{DType::kI8, 2000, 900}, {DType::kF64, 150001, 1}, {DType::kI8, 1, 1100001}};
  Bytes data = RandomData(&random, specs);
  data[1999 * 900 + 5] = 0x80;  // Seen once, at the end.
  const auto parsed = Build(specs, data);
  ASSERT_NE(parsed, nullptr);
  const SharedTables& shared = parsed->tables();
  for (size_t i = 0; i < specs.size(); ++i) {
    const TensorRecord& t = shared.tensor(i);
    std::vector<CodeLengths> tables(t.element_size);
    for (unsigned p = 0; p < t.element_size; ++p) {
      if (t.tables[p] != kRawPlane) shared.ReadTable(t.tables[p], tables[p].length.data(), &tables[p].only);
    }
    for (uint64_t at = 0; at < t.size; ++at) {
      const unsigned plane = static_cast<unsigned>(at % t.element_size);
      ASSERT_TRUE(t.tables[plane] == kRawPlane || tables[plane].Has(data[t.offset + at])) << i << " " << at;
    }
  }
}

TEST(ModelBuilderTest, ReportsASourceThatFails) {
  const std::vector<ModelTensor> specs = {{DType::kI8, 10, 10}, {DType::kI8, 10, 10}};
  for (size_t missing : {1u, 150u}) {
    const Bytes data(200 - missing);
    MemoryDataSource source(data);
    EXPECT_THAT(BuildSharedTables(specs, &source, DeltaStatistics(specs)),
                StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("only")));
  }
}

TEST(MemoryDataSourceTest, ReadsWhatIsThereAndNothingElse) {
  const Bytes bytes = {1, 2, 3, 4};
  MemoryDataSource source(bytes);
  EXPECT_EQ(source.size(), 4u);
  Bytes out(2);
  ASSERT_THAT(source.Read(2, absl::MakeSpan(out)), IsOk());
  EXPECT_EQ(out, (Bytes{3, 4}));
  EXPECT_THAT(source.Read(3, absl::MakeSpan(out)), StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("offset 3")));
  EXPECT_THAT(source.Read(~uint64_t{0}, absl::MakeSpan(out)), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(source.Read(4, absl::Span<uint8_t>()), IsOk());
  EXPECT_THAT(source.Read(5, absl::Span<uint8_t>()), StatusIs(absl::StatusCode::kOutOfRange));
}

}  // namespace
}  // namespace modelvault
