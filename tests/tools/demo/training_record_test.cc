#include "tools/demo/training_record.h"

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

TrainingRecord ThreeDepartments() {
  TrainingRecord record;
  record.task.seed = 0xfedcba9876543210u;
  record.task.departments = 3;
  record.task.finding_spread = 0.1f;
  record.widths = {128, 512, 256, 32};
  record.heldout_samples = 1000;
  record.weights = 204800;
  record.base_file_size = 211000;
  for (int d = 0; d < 3; ++d) {
    record.departments.push_back({.name = std::string(1, static_cast<char>('a' + d)),
                                  .base_top1 = 0.5 + 0.03 * d,
                                  .finetune_top1 = 0.875,
                                  .other_department_top1 = 0.25,
                                  .file_size = 212000});
  }
  return record;
}

TEST(TrainingRecordTest, ReadsBackWhatWasWritten) {
  const TrainingRecord record = ThreeDepartments();
  const std::string text = RecordToJson(record);
  ASSERT_OK_AND_ASSIGN(const TrainingRecord back, RecordFromJson(text, "demo.json"));
  EXPECT_EQ(RecordToJson(back), text);
  EXPECT_EQ(back.task.seed, record.task.seed);
  EXPECT_EQ(back.task.departments, 3u);
  EXPECT_EQ(back.task.finding_spread, 0.1f);
  EXPECT_EQ(back.widths, record.widths);
  EXPECT_EQ(back.departments[2].name, "c");
  EXPECT_EQ(back.departments[2].base_top1, 0.56);
}

TEST(TrainingRecordTest, SummaryHoldsMeansRangesAndSums) {
  const json summary = json::parse(RecordToJson(ThreeDepartments()))["summary"];
  EXPECT_DOUBLE_EQ(summary["base_top1"]["mean"], 0.53);
  EXPECT_DOUBLE_EQ(summary["base_top1"]["min"], 0.5);
  EXPECT_DOUBLE_EQ(summary["base_top1"]["max"], 0.56);
  EXPECT_DOUBLE_EQ(summary["finetune_top1"]["mean"], 0.875);
  EXPECT_DOUBLE_EQ(summary["other_department_top1"]["mean"], 0.25);
  EXPECT_DOUBLE_EQ(summary["chance"], 1.0 / 32);
  EXPECT_EQ(summary["raw_size"], 211000 + 3 * 212000);
}

TEST(TrainingRecordTest, FindsDepartmentsByName) {
  const TrainingRecord record = ThreeDepartments();
  EXPECT_THAT(FindDepartment(record, "c"), IsOkAndHolds(2u));
  EXPECT_THAT(FindDepartment(record, "d"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("'d'")));
}

TEST(TrainingRecordTest, EveryMissingOrMistypedFieldIsNamed) {
  const json good = json::parse(RecordToJson(ThreeDepartments()));
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
    EXPECT_THAT(RecordFromJson(missing.dump(), "demo.json"),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("demo.json: "), names_field)));
    for (const json& wrong : {json(nullptr), json(-1), json(true), json(1e300)}) {
      json mistyped = good;
      mistyped[pointer] = wrong;
      EXPECT_THAT(RecordFromJson(mistyped.dump(), "demo.json"),
                  StatusIs(absl::StatusCode::kInvalidArgument, names_field))
          << wrong;
    }
  }
}

TEST(TrainingRecordTest, RefusesWhatWouldTakeAbsurdMemory) {
  const json good = json::parse(RecordToJson(ThreeDepartments()));
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
    EXPECT_THAT(RecordFromJson(bad.dump(), "demo.json"), StatusIs(absl::StatusCode::kInvalidArgument))
        << field << " = " << value;
  }
}

TEST(TrainingRecordTest, RefusesWhatIsNoJsonObject) {
  const std::string nested(100'000, '[');
  for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("\xff"), nested,
                                  R"({"seed":)" + nested + std::string(100'000, ']') + "}"}) {
    EXPECT_THAT(RecordFromJson(text, "demo.json"), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace modelvault::demo
