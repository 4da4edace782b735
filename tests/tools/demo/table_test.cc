#include "tools/demo/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/status_matchers.h"

namespace modelvault::demo {
namespace {

using testing::HasSubstr;

TrainingRecord Departments(size_t count) {
  TrainingRecord record;
  record.task.classes = 32;
  record.weights = 204800;
  record.heldout_samples = 1000;
  record.base_file_size = 211'111;
  for (size_t d = 0; d < count; ++d) {
    const double offset = 0.001 * static_cast<double>(d);
    record.departments.push_back({.name = absl::StrCat("department-", d),
                                  .base_top1 = 0.5003 + offset,
                                  .finetune_top1 = 0.8997 - offset,
                                  .other_department_top1 = 0.25,
                                  .file_size = 212'000});
  }
  return record;
}

std::vector<double> VaultTop1(size_t count) {
  std::vector<double> top1;
  for (size_t d = 0; d < count; ++d) top1.push_back(0.8003 + 0.001 * static_cast<double>(d));
  return top1;
}

std::string LineWith(const std::string& text, const std::string& part) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StrContains(line, part)) return std::string(line);
  }
  return "no line with " + part;
}

TEST(TableTest, ShowsBytesAndRatio) {
  const std::string table = FormatTable(Departments(100), VaultTop1(100), 1'000'000, {});
  EXPECT_THAT(LineWith(table, "101 float models"), HasSubstr(" 21,411,111 bytes"));
  EXPECT_THAT(LineWith(table, "101 float models"), HasSubstr(" 204,800 weights"));
  EXPECT_THAT(LineWith(table, "one vault"), HasSubstr(" 1,000,000 bytes   21.4 times smaller"));
}

TEST(TableTest, ShowsTenDepartmentsAndAllInMeanLowestAndHighest) {
  const std::string table = FormatTable(Departments(100), VaultTop1(100), 1'000'000, {});
  for (const std::string name : {"department-0 ", "department-10 ", "department-90 "})
    EXPECT_THAT(table, HasSubstr(name));
  EXPECT_THAT(table, testing::Not(HasSubstr("department-1 ")));
  EXPECT_THAT(LineWith(table, "department-90"), testing::ContainsRegex("59\\.0 % +81\\.0 % +89\\.0 %$"));
  EXPECT_THAT(LineWith(table, "mean of all 100"), testing::ContainsRegex("55\\.0 % +85\\.0 % +85\\.0 %$"));
  EXPECT_THAT(LineWith(table, "lowest"), testing::ContainsRegex("50\\.0 % +80\\.1 % +80\\.0 %$"));
  EXPECT_THAT(LineWith(table, "highest"), testing::ContainsRegex("59\\.9 % +90\\.0 % +89\\.9 %$"));
  EXPECT_THAT(table, HasSubstr("next department's patients is right in 25.0 %"));
  EXPECT_THAT(table, HasSubstr("chance 3.1 %"));
}

TEST(TableTest, ShowsBytesOfADepartmentWhereTheyAreKnown) {
  const TrainingRecord record = Departments(3);
  const std::string table =
      FormatTable(record, VaultTop1(3), 1'000'000, {{"department-0", 7'000}, {"department-2", 8'001}});
  EXPECT_THAT(LineWith(table, "department-0"), testing::EndsWith(" 7,000"));
  EXPECT_THAT(LineWith(table, "department-1"), testing::EndsWith(" %"));
  EXPECT_THAT(LineWith(table, "mean of all 3"), testing::EndsWith(" 7,501"));
  EXPECT_THAT(LineWith(table, "lowest"), testing::EndsWith(" 7,000"));
  EXPECT_THAT(LineWith(table, "highest"), testing::EndsWith(" 8,001"));
}

TEST(TableTest, ColumnsAreAligned) {
  StoredSizes sizes;
  const TrainingRecord record = Departments(30);
  for (const DepartmentResult& department : record.departments) sizes[department.name] = 7'777;
  const std::string table = FormatTable(record, VaultTop1(30), 900'000, sizes);
  const size_t width = LineWith(table, "fine-tune, float").size();
  int rows = 0;
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    if (!absl::StartsWith(line, "  ")) continue;
    EXPECT_EQ(line.size(), width) << line;
    ++rows;
  }
  EXPECT_EQ(rows, 1 + 10 + 3);
}

TEST(TableTest, OneDepartmentHasNoNext) {
  EXPECT_THAT(FormatTable(Departments(1), VaultTop1(1), 1, {}), testing::Not(HasSubstr("next department")));
}

TEST(StoredSizesTest, ReadsNamesAndBytesAndIgnoresTheRest) {
  EXPECT_THAT(StoredSizesFromJson(
                  R"({"x":1,"variants":[{"name":"a","stored_bytes":7,"y":2},{"name":"b","stored_bytes":0}]})", "s"),
              IsOkAndHolds(testing::ElementsAre(testing::Pair("a", 7), testing::Pair("b", 0))));
}

TEST(StoredSizesTest, RefusesEverythingElse) {
  for (const std::string text :
       {"", "[]", "{}", R"({"variants":{}})", R"({"variants":[1]})", R"({"variants":[{"stored_bytes":7}]})",
        R"({"variants":[{"name":5,"stored_bytes":7}]})", R"({"variants":[{"name":"a"}]})",
        R"({"variants":[{"name":"a","stored_bytes":-7}]})", R"({"variants":[{"name":"a","stored_bytes":"7"}]})"}) {
    EXPECT_THAT(StoredSizesFromJson(text, "sizes.json"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sizes.json: ")))
        << text;
  }
}

}  // namespace
}  // namespace modelvault::demo
