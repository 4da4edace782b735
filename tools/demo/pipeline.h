#ifndef MODELVAULT_TOOLS_DEMO_PIPELINE_H_
#define MODELVAULT_TOOLS_DEMO_PIPELINE_H_

// The demo from nothing to files: train a base, fine-tune it for every department, score all of them, and measure the
// curvature that `mvault fit` weighs errors by. Everything is in floats; making it small is mvault's job.

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/progress_function.h"
#include "tools/demo/network.h"
#include "tools/demo/task.h"
#include "tools/demo/trainer.h"
#include "tools/demo/training_record.h"
#include "vault/file_system.h"

namespace modelvault::demo {

// The defaults are the demo: 204,800 weights and 100 departments.
struct DemoOptions {
  TaskOptions task;
  std::vector<size_t> hidden_widths = {512, 256};
  BaseTraining base;
  size_t finetune_samples = 4000;  // a department
  size_t heldout_samples = 1000;   // a department
  FineTuning fine_tuning;
  size_t curvature_samples = 8192;  // of all departments together
  size_t threads = 1;               // changes the time, not one byte of the result
};

// Writes base.safetensors, model.json, curvature.safetensors, variants/NAME.safetensors and, once all is there,
// demo.json into `folder`, which is created if needed. kAlreadyExists if its folder `variants` holds anything, because
// the pack that follows would take it along; kInvalidArgument for a number of departments there are no names for.
// `progress` is called from any thread, one call at a time.
absl::StatusOr<TrainingRecord> TrainDemo(FileSystem& file_system, const DemoOptions& options, const std::string& folder,
                                         const ProgressFunction& progress);

// demo.json of a folder that TrainDemo wrote.
absl::StatusOr<TrainingRecord> ReadRecord(FileSystem& file_system, const std::string& folder);

// Held-out samples of the department, numbered as in the record, that the model classifies correctly. kInvalidArgument
// if the model does not fit the demo's task.
absl::StatusOr<size_t> CountHeldOutCorrect(const TrainingRecord& record, const Network& model, size_t department);

// The share of them, from 0 to 1, for each of the record's departments: the models are `folder`/NAME.safetensors.
absl::StatusOr<std::vector<double>> ScoreModels(FileSystem& file_system, const TrainingRecord& record,
                                                const std::string& folder, size_t threads);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_PIPELINE_H_
