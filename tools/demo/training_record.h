#ifndef MODELVAULT_TOOLS_DEMO_TRAINING_RECORD_H_
#define MODELVAULT_TOOLS_DEMO_TRAINING_RECORD_H_

// What a training run leaves in demo.json beside its models: enough to generate the same held-out samples again, and
// what the models scored on them.

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/demo/task.h"

namespace modelvault::demo {

// All models are in floats, all accuracies top-1 on held-out samples, from 0 to 1.
struct DepartmentResult {
  std::string name;
  double base_top1 = 0;
  double finetune_top1 = 0;
  double other_department_top1 = 0;  // the fine-tune on the next department's samples
  uint64_t file_size = 0;            // of the fine-tune, bytes
};

struct TrainingRecord {
  TaskOptions task;
  std::vector<size_t> widths;   // the input's, then each layer's
  size_t heldout_samples = 0;   // a department
  uint64_t weights = 0;         // of a model's linear layers
  uint64_t base_file_size = 0;  // bytes
  std::vector<DepartmentResult> departments;
};

struct Range {
  double mean = 0;
  double least = 0;
  double most = 0;
};

// Of at least one figure.
Range Summarize(absl::Span<const double> figures);

// Of one figure over all departments, of which there must be at least one.
Range Summarize(const TrainingRecord& record, double DepartmentResult::*figure);

// Bytes of the base's and all variants' files together.
uint64_t RawSize(const TrainingRecord& record);

// demo.json's text.
std::string RecordToJson(const TrainingRecord& record);

// Reads it back. kInvalidArgument, naming the field, for text that is not JSON, missing or mistyped fields, and values
// outside the ranges this program writes, so that nothing absurd is allocated from them. `file_name` is for messages.
absl::StatusOr<TrainingRecord> RecordFromJson(const std::string& text, absl::string_view file_name);

// The department's place in the record, else kNotFound.
absl::StatusOr<size_t> FindDepartment(const TrainingRecord& record, absl::string_view name);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_TRAINING_RECORD_H_
