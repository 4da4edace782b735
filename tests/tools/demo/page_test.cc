#include "tools/demo/page.h"

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
using testing::Not;

TrainingRecord TwoDepartments() {
  TrainingRecord record;
  record.task.classes = 32;
  record.heldout_samples = 1000;
  record.base_file_size = 1'000'000;
  record.departments.push_back(
      {.name = "a<b>", .base_top1 = 0.7, .finetune_top1 = 0.9, .other_department_top1 = 0.25, .file_size = 1'000'000});
  record.departments.push_back(record.departments[0]);
  record.departments[1].name = "radiology";
  record.departments[1].base_top1 = 0.8;
  return record;
}

constexpr VaultSections kSections = {.tables = 1'000, .base = 100'000, .variants = 150'000, .index = 5'000};

std::string Page() {
  return FormatPage(TwoDepartments(), {0.85, 0.881}, kSections, {{"a<b>", 90'000}, {"radiology", 60'000}});
}

// The widths of all rectangles of one kind, together.
double WidthOf(const std::string& page, const std::string& kind) {
  double sum = 0;
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    if (!absl::StartsWith(line, absl::StrCat("<rect class=\"", kind, "\""))) continue;
    sum += std::stod(std::string(line.substr(line.find("width=\"") + 7)));
  }
  return sum;
}

TEST(PageTest, SaysWhatTheVaultHoldsAndWhatItKeeps) {
  const std::string page = Page();
  EXPECT_THAT(page, testing::StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(page, HasSubstr("a base and 2 departments"));
  EXPECT_THAT(page, HasSubstr("256,000"));
  EXPECT_THAT(page, HasSubstr("11.7&times;"));
  EXPECT_THAT(page, HasSubstr("float files have 3,000,000 bytes"));
  EXPECT_THAT(page, HasSubstr("<div class=\"big\">75.0 %</div>right: the base"));
  EXPECT_THAT(page, HasSubstr("<div class=\"big\">86.5 %</div>right: those in the vault"));
  EXPECT_THAT(page, HasSubstr("radiology: base 80.0 %, fine-tune 90.0 %, in the vault 88.1 %"));
  EXPECT_THAT(page, HasSubstr("<td class=\"n\">88.1 %</td><td class=\"n\">60,000</td>"));
}

TEST(PageTest, NamesCannotBreakThePage) {
  EXPECT_THAT(Page(), HasSubstr("a&lt;b&gt;"));
  EXPECT_THAT(Page(), Not(HasSubstr("a<b>")));
}

TEST(PageTest, FetchesNothing) {
  EXPECT_THAT(Page(), Not(HasSubstr("http")));
  EXPECT_THAT(Page(), Not(HasSubstr("src=")));
}

// 1 MiB is 20 rows of 1,000 units.
TEST(PageTest, AreasInFlashAreInProportionToBytes) {
  const std::string page = Page();
  const auto units = [](uint64_t bytes) { return 20'000.0 * static_cast<double>(bytes) / (1 << 20); };
  EXPECT_NEAR(WidthOf(page, "base"), units(100'000), 3);
  EXPECT_NEAR(WidthOf(page, "even"), units(90'000), 4);
  EXPECT_NEAR(WidthOf(page, "odd"), units(60'000), 4);
  EXPECT_NEAR(WidthOf(page, "free"), units((1 << 20) - 256'000), 20);
}

TEST(PageTest, AVaultOfMoreThanTheFlashLeavesNothingFree) {
  const VaultSections large = {.tables = 1'000, .base = 2'000'000, .variants = 0, .index = 5'000};
  const std::string page = FormatPage(TwoDepartments(), {0.85, 0.88}, large, {});
  EXPECT_EQ(WidthOf(page, "free"), 0);
  EXPECT_GT(WidthOf(page, "base"), 19'000);
}

TEST(VaultSectionsTest, AddsUpAllSections) {
  ASSERT_OK_AND_ASSIGN(
      const VaultSections sections,
      VaultSectionsFromJson(R"({"x":1,"sections":{"header":1,"model":2,"chunks":4,"base":8,"variants":16,"index":32,)"
                            R"("manifest":64,"padding":128,"more":7}})",
                            "info.json"));
  EXPECT_EQ(sections.tables, 7u);
  EXPECT_EQ(sections.base, 8u);
  EXPECT_EQ(sections.variants, 16u);
  EXPECT_EQ(sections.index, 224u);
  EXPECT_EQ(sections.size(), 255u);
}

TEST(VaultSectionsTest, RefusesEverythingElse) {
  for (
      const std::string text :
      {"", "[]", "{}", R"({"sections":[]})", R"({"sections":{}})",
       R"({"sections":{"header":-1,"model":2,"chunks":4,"base":8,"variants":16,"index":32,"manifest":64,"padding":128}})",
       R"({"sections":{"header":18446744073709551615,"model":2,"chunks":4,"base":8,"variants":16,"index":32,"manifest":64,)"
       R"("padding":128}})"}) {
    EXPECT_THAT(VaultSectionsFromJson(text, "info.json"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("info.json: ")))
        << text;
  }
}

}  // namespace
}  // namespace modelvault::demo
