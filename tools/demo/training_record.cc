#include "tools/demo/training_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/demo/departments.h"

namespace modelvault::demo {
namespace {

using Json = nlohmann::ordered_json;

// The first field that is missing or wrong is remembered, so that a reader can take all its fields and ask once.
class FieldReader {
 public:
  explicit FieldReader(absl::string_view file_name) : file_name_(file_name) {}

  template <typename T>
  void Integer(const Json& object, const char* name, uint64_t least, uint64_t most, T* value) {
    const Json* field = Find(object, name);
    if (field == nullptr) return;
    if (!field->is_number_unsigned() || field->get<uint64_t>() < least || field->get<uint64_t>() > most) {
      return Fail(name, absl::StrCat("an integer from ", least, " to ", most), *field);
    }
    *value = static_cast<T>(field->get<uint64_t>());
  }

  template <typename T>
  void Number(const Json& object, const char* name, double least, double most, T* value) {
    const Json* field = Find(object, name);
    if (field == nullptr) return;
    if (!field->is_number() || !(field->get<double>() >= least && field->get<double>() <= most)) {
      return Fail(name, absl::StrCat("a number from ", least, " to ", most), *field);
    }
    *value = static_cast<T>(field->get<double>());
  }

  void String(const Json& object, const char* name, std::string* value) {
    const Json* field = Find(object, name);
    if (field == nullptr) return;
    if (!field->is_string()) return Fail(name, "a string", *field);
    *value = field->get<std::string>();
  }

  // An object or array; an empty one when it is missing.
  const Json& Nested(const Json& object, const char* name, Json::value_t type) {
    const Json* field = Find(object, name);
    if (field == nullptr) return empty_;
    if (field->type() != type) {
      Fail(name, type == Json::value_t::array ? "an array" : "an object", *field);
      return empty_;
    }
    return *field;
  }

  void Fail(absl::string_view name, absl::string_view expected, const Json& found) {
    // Only plain values are shown: a hostile file may nest the others deeper than printing them can recurse.
    constexpr size_t kShown = 60;
    std::string text = found.type_name();
    if (!found.is_structured()) text = found.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, kShown);
    Fail(absl::StrCat("'", name, "' is ", text, ", expected ", expected));
  }

  void Fail(const std::string& what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(file_name_, ": ", what));
  }

  const absl::Status& status() const { return status_; }

 private:
  const Json* Find(const Json& object, const char* name) {
    const auto field = object.is_object() ? object.find(name) : object.end();
    if (field != object.end()) return &*field;
    Fail(absl::StrCat("'", name, "' is missing"));
    return nullptr;
  }

  const std::string file_name_;
  const Json empty_;
  absl::Status status_;
};

// Far above what is generated, low enough that a task of this size fits in memory.
constexpr uint64_t kMostInputs = 1024;
constexpr uint64_t kMostFindings = 512;
constexpr uint64_t kMostHeldOut = 20'000;
constexpr uint64_t kMostWidth = 4096;
constexpr size_t kMostLayers = 16;
constexpr uint64_t kMostBytes = uint64_t{1} << 40;

struct Figure {
  const char* name;
  double DepartmentResult::*value;
};
constexpr Figure kFigures[] = {
    {"base_top1", &DepartmentResult::base_top1},
    {"finetune_top1", &DepartmentResult::finetune_top1},
    {"other_department_top1", &DepartmentResult::other_department_top1},
};

}  // namespace

Range Summarize(absl::Span<const double> figures) {
  Range range{.mean = 0, .least = figures[0], .most = figures[0]};
  for (const double figure : figures) {
    range.mean += figure;
    range.least = std::min(range.least, figure);
    range.most = std::max(range.most, figure);
  }
  range.mean /= static_cast<double>(figures.size());
  return range;
}

Range Summarize(const TrainingRecord& record, double DepartmentResult::*figure) {
  std::vector<double> figures;
  for (const DepartmentResult& department : record.departments) figures.push_back(department.*figure);
  return Summarize(figures);
}

uint64_t RawSize(const TrainingRecord& record) {
  uint64_t size = record.base_file_size;
  for (const DepartmentResult& department : record.departments) size += department.file_size;
  return size;
}

std::string RecordToJson(const TrainingRecord& record) {
  Json json;
  json["seed"] = record.task.seed;
  json["architecture"] = {{"kind", "linear layers with biases, rectifiers between them"}, {"widths", record.widths}};
  json["weights"] = record.weights;
  json["heldout_samples"] = record.heldout_samples;
  json["base_file_size"] = record.base_file_size;
  json["task"] = {{"inputs", record.task.inputs},
                  {"findings", record.task.findings},
                  {"classes", record.task.classes},
                  {"finding_spread", record.task.finding_spread},
                  {"department_shift", record.task.department_shift},
                  {"own_rules", record.task.own_rules}};
  Json& departments = json["departments"] = Json::array();
  for (const DepartmentResult& department : record.departments) {
    Json entry;
    entry["name"] = department.name;
    for (const Figure& figure : kFigures) entry[figure.name] = department.*figure.value;
    entry["file_size"] = department.file_size;
    departments.push_back(std::move(entry));
  }
  Json& summary = json["summary"];
  summary["chance"] = 1.0 / static_cast<double>(record.task.classes);
  for (const Figure& figure : kFigures) {
    const Range range = Summarize(record, figure.value);
    summary[figure.name] = {{"mean", range.mean}, {"min", range.least}, {"max", range.most}};
  }
  summary["raw_size"] = RawSize(record);
  return json.dump(2) + "\n";
}

absl::StatusOr<TrainingRecord> RecordFromJson(const std::string& text, absl::string_view file_name) {
  const Json json = Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(file_name, ": not a JSON object"));
  FieldReader reader(file_name);
  TrainingRecord record;
  reader.Integer(json, "seed", 0, UINT64_MAX, &record.task.seed);
  reader.Integer(json, "weights", 1, kMostBytes, &record.weights);
  reader.Integer(json, "heldout_samples", 1, kMostHeldOut, &record.heldout_samples);
  reader.Integer(json, "base_file_size", 1, kMostBytes, &record.base_file_size);
  const Json& task = reader.Nested(json, "task", Json::value_t::object);
  reader.Integer(task, "inputs", 1, kMostInputs, &record.task.inputs);
  reader.Integer(task, "findings", 1, kMostFindings, &record.task.findings);
  reader.Integer(task, "classes", 2, kMostWidth, &record.task.classes);
  reader.Number(task, "finding_spread", 0, 1000, &record.task.finding_spread);
  reader.Number(task, "department_shift", 0, 1000, &record.task.department_shift);
  reader.Number(task, "own_rules", 0, 1, &record.task.own_rules);
  const Json& architecture = reader.Nested(json, "architecture", Json::value_t::object);
  const Json& widths = reader.Nested(architecture, "widths", Json::value_t::array);
  if (reader.status().ok() && (widths.size() < 2 || widths.size() > kMostLayers)) {
    reader.Fail("widths", absl::StrCat("2 to ", kMostLayers, " integers"), widths);
  }
  for (const Json& width : widths) {
    if (!reader.status().ok()) break;
    if (!width.is_number_unsigned() || width.get<uint64_t>() == 0 || width.get<uint64_t>() > kMostWidth) {
      reader.Fail("widths", absl::StrCat("integers from 1 to ", kMostWidth), widths);
      break;
    }
    record.widths.push_back(width.get<size_t>());
  }
  const Json& departments = reader.Nested(json, "departments", Json::value_t::array);
  if (reader.status().ok() && (departments.empty() || departments.size() > DepartmentNames().size())) {
    reader.Fail("departments", absl::StrCat("1 to ", DepartmentNames().size(), " of them"), departments);
  }
  for (const Json& entry : departments) {
    DepartmentResult& department = record.departments.emplace_back();
    reader.String(entry, "name", &department.name);
    for (const Figure& figure : kFigures) reader.Number(entry, figure.name, 0, 1, &(department.*figure.value));
    reader.Integer(entry, "file_size", 1, kMostBytes, &department.file_size);
    if (!reader.status().ok()) break;
  }
  record.task.departments = record.departments.size();
  if (!reader.status().ok()) return reader.status();
  return record;
}

absl::StatusOr<size_t> FindDepartment(const TrainingRecord& record, absl::string_view name) {
  for (size_t d = 0; d < record.departments.size(); ++d) {
    if (record.departments[d].name == name) return d;
  }
  return absl::NotFoundError(
      absl::StrCat("no department '", name, "' among the ", record.departments.size(), " of this demo"));
}

}  // namespace modelvault::demo
