#ifndef MODELVAULT_TOOLS_DEMO_PIPELINE_H_
#define MODELVAULT_TOOLS_DEMO_PIPELINE_H_

// The demo from nothing to files: train a base, put it on the INT8 grid, fine-tune it for every department, make each
// fine-tune a ternary delta on that grid, score all of them.

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/demo/int8_model.h"
#include "tools/demo/report.h"
#include "tools/demo/task.h"
#include "tools/demo/ternary_fit.h"
#include "tools/demo/trainer.h"
#include "vault/file_system.h"

namespace modelvault::demo {

// The defaults are the demo: 204,800 weights; base and 100 departments take about 0.9 MB at order-0 entropy.
struct DemoOptions {
  TaskOptions task;
  std::vector<size_t> hidden_widths = {512, 256};
  BaseTraining base;
  int base_steps_to_largest = 31;  // of the INT8 grid, see Quantize
  size_t finetune_samples = 4000;  // a department
  size_t heldout_samples = 1000;   // a department
  FineTuning fine_tuning;
  TernaryFitting ternary;
  size_t threads = 1;  // changes the time, not one byte of the result
};

// Says how far training is; called from any thread, one call at a time.
using Progress = std::function<void(absl::string_view stage, size_t done, size_t total)>;

// Writes base.safetensors, variants/NAME.safetensors and, once all is there, demo.json into `folder`, which is created
// if needed. kAlreadyExists if its folder `variants` holds anything, because the pack that follows would take it along;
// kInvalidArgument for a number of departments there are no names for.
absl::StatusOr<Report> TrainDemo(FileSystem& file_system, const DemoOptions& options, const std::string& folder,
                                 const Progress& progress);

// demo.json of a folder that TrainDemo wrote.
absl::StatusOr<Report> ReadReport(FileSystem& file_system, const std::string& folder);

// Held-out samples of the department, numbered as in the report, that the model classifies correctly. kInvalidArgument
// if the model does not fit the demo's task.
absl::StatusOr<size_t> CountHeldOutCorrect(const Report& report, const Int8Model& model, size_t department);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_PIPELINE_H_
