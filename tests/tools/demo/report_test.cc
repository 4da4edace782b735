#include "tools/demo/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/status_matchers.h"

namespace modelvault::demo {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

Report ThreeDepartments() {
  Report report;
  report.task.seed = 0xfedcba9876543210u;
  report.task.departments = 3;
  report.task.finding_spread = 0.1f;
  report.widths = {128, 512, 256, 32};
  report.heldout_samples = 1000;
  report.weights = 204800;
  report.base_file_size = 211000;
  for (int d = 0; d < 3; ++d) {
    report.departments.push_back({.name = std::string(1, static_cast<char>('a' + d)),
                                  .base_top1 = 0.5 + 0.03 * d,
                                  .finetune_top1 = 0.875,
                                  .other_department_top1 = 0.25,
                                  .file_size = 212000});
  }
  return report;
}

TEST(ReportTest, ReadsBackWhatWasWritten) {
  const Report report = ThreeDepartments();
  const std::string text = ReportToJson(report);
  ASSERT_OK_AND_ASSIGN(const Report back, ReportFromJson(text, "demo.json"));
  EXPECT_EQ(ReportToJson(back), text);
  EXPECT_EQ(back.task.seed, report.task.seed);
  EXPECT_EQ(back.task.departments, 3u);
  EXPECT_EQ(back.task.finding_spread, 0.1f);
  EXPECT_EQ(back.widths, report.widths);
  EXPECT_EQ(back.departments[2].name, "c");
  EXPECT_EQ(back.departments[2].base_top1, 0.56);
}

TEST(ReportTest, SummaryHoldsMeansRangesAndSums) {
  const json summary = json::parse(ReportToJson(ThreeDepartments()))["summary"];
  EXPECT_DOUBLE_EQ(summary["base_top1"]["mean"], 0.53);
  EXPECT_DOUBLE_EQ(summary["base_top1"]["min"], 0.5);
  EXPECT_DOUBLE_EQ(summary["base_top1"]["max"], 0.56);
  EXPECT_DOUBLE_EQ(summary["finetune_top1"]["mean"], 0.875);
  EXPECT_DOUBLE_EQ(summary["other_department_top1"]["mean"], 0.25);
  EXPECT_DOUBLE_EQ(summary["chance"], 1.0 / 32);
  EXPECT_EQ(summary["raw_size"], 211000 + 3 * 212000);
}

TEST(ReportTest, FindsDepartmentsByName) {
  const Report report = ThreeDepartments();
  EXPECT_THAT(FindDepartment(report, "c"), IsOkAndHolds(2u));
  EXPECT_THAT(FindDepartment(report, "d"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("'d'")));
}

TEST(ReportTest, EveryMissingOrMistypedFieldIsNamed) {
  const json good = json::parse(ReportToJson(ThreeDepartments()));
  const std::vector<std::string> fields = {"/seed",
                                           "/weights",
                                           "/heldout_samples",
                                           "/base_file_size",
                                           "/task",
                                           "/task/inputs",
                                           "/task/findings",
                                           "/task/classes",
                                           "/task/finding_spread",
                                           "/task/department_shift",
                                           "/task/own_rules",
                                           "/architecture",
                                           "/architecture/widths",
                                           "/departments",
                                           "/departments/1/name",
                                           "/departments/1/base_top1",
                                           "/departments/1/finetune_top1",
                                           "/departments/1/other_department_top1",
                                           "/departments/1/file_size"};
  for (const std::string& field : fields) {
    SCOPED_TRACE(field);
    const json::json_pointer pointer(field);
    json missing = good;
    missing[pointer.parent_pointer()].erase(pointer.back());
    const auto names_field = HasSubstr("'" + pointer.back() + "' is ");
    EXPECT_THAT(ReportFromJson(missing.dump(), "demo.json"),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("demo.json: "), names_field)));
    for (const json& wrong : {json(nullptr), json(-1), json(true), json(1e300)}) {
      json mistyped = good;
      mistyped[pointer] = wrong;
      EXPECT_THAT(ReportFromJson(mistyped.dump(), "demo.json"),
                  StatusIs(absl::StatusCode::kInvalidArgument, names_field))
          << wrong;
    }
  }
}

TEST(ReportTest, RefusesWhatWouldTakeAbsurdMemory) {
  const json good = json::parse(ReportToJson(ThreeDepartments()));
  const std::vector<std::pair<std::string, json>> absurd = {
      {"/task/inputs", 1u << 20},        {"/task/inputs", 0},
      {"/task/findings", 1u << 20},      {"/task/findings", 0},
      {"/task/classes", 1u << 20},       {"/task/classes", 1},
      {"/heldout_samples", 1u << 30},    {"/heldout_samples", 0},
      {"/architecture/widths", {5}},     {"/architecture/widths", json::array()},
      {"/architecture/widths", {5, 0}},  {"/architecture/widths", {5, 1u << 20}},
      {"/architecture/widths", {5, ""}}, {"/architecture/widths", json(17, 5)},
      {"/departments", json::array()},   {"/departments", json(101, good["departments"][0])}};
  for (const auto& [field, value] : absurd) {
    json bad = good;
    bad[json::json_pointer(field)] = value;
    EXPECT_THAT(ReportFromJson(bad.dump(), "demo.json"), StatusIs(absl::StatusCode::kInvalidArgument))
        << field << " = " << value;
  }
}

TEST(ReportTest, RefusesWhatIsNoJsonObject) {
  const std::string nested(100'000, '[');
  for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("\xff"), nested,
                                  R"({"seed":)" + nested + std::string(100'000, ']') + "}"}) {
    EXPECT_THAT(ReportFromJson(text, "demo.json"), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace modelvault::demo
