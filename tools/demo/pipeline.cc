#include "tools/demo/pipeline.h"

#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/demo/departments.h"
#include "tools/demo/model_file.h"
#include "tools/demo/parallel.h"
#include "tools/demo/random.h"
#include "tools/demo/text_file.h"

namespace modelvault::demo {
namespace {

constexpr char kQuantization[] = "symmetric int8, one F32 scale per row";

// Streams of random numbers, apart from the task's and the base's.
constexpr uint64_t kFineTuneStream = 9;
constexpr uint64_t kTernaryStream = 10;

std::string ReportPath(const std::string& folder) { return folder + "/demo.json"; }

absl::Status PrepareFolder(const std::string& folder) {
  const std::string variants = folder + "/variants";
  std::error_code error;
  std::filesystem::create_directories(variants, error);
  if (error) return absl::UnavailableError(absl::StrCat(variants, ": cannot create: ", error.message()));
  const bool empty = std::filesystem::is_empty(variants, error);
  if (error) return absl::UnavailableError(absl::StrCat(variants, ": cannot list: ", error.message()));
  if (!empty) return absl::AlreadyExistsError(absl::StrCat(variants, ": not empty; name a new folder"));
  return absl::OkStatus();
}

double Top1(const Network& network, const Dataset& samples, Workspace* workspace) {
  return static_cast<double>(CountCorrect(network, samples.features, samples.labels, workspace)) /
         static_cast<double>(samples.size());
}

uint64_t CountDifferences(const Int8Model& a, const Int8Model& b) {
  uint64_t count = 0;
  for (size_t l = 0; l < a.layers.size(); ++l) {
    const std::vector<int8_t>& weights = a.layers[l].weights;
    for (size_t i = 0; i < weights.size(); ++i) count += weights[i] != b.layers[l].weights[i];
  }
  return count;
}

// What all departments start from.
struct Base {
  Network trained;
  Int8Model int8;
  Network dequantized;
};

struct DepartmentOutcome {
  DepartmentResult result;
  double base_float_top1 = 0;
};

absl::StatusOr<DepartmentOutcome> TrainDepartment(FileSystem& file_system, const DemoOptions& options, const Task& task,
                                                  const Base& base, size_t department, const std::string& folder) {
  const Dataset samples = task.DepartmentSamples(department, Split::kFineTune, options.finetune_samples);
  const uint64_t seed = options.task.seed;
  const Network tuned =
      FineTune(base.dequantized, samples, options.fine_tuning, Random(seed, kFineTuneStream, department).Next());
  const TernaryDelta delta =
      FitTernary(base.int8, tuned, samples, options.ternary, Random(seed, kTernaryStream, department).Next());
  const Int8Model variant = Apply(base.int8, delta);
  const Network dequantized = Dequantize(variant);

  Workspace workspace;
  const size_t other = (department + 1) % options.task.departments;
  const Dataset own = task.DepartmentSamples(department, Split::kHeldOut, options.heldout_samples);
  const Dataset others = task.DepartmentSamples(other, Split::kHeldOut, options.heldout_samples);
  DepartmentOutcome outcome;
  DepartmentResult& result = outcome.result;
  result.name = std::string(DepartmentNames()[department]);
  result.base_top1 = Top1(base.dequantized, own, &workspace);
  result.finetune_float_top1 = Top1(tuned, own, &workspace);
  result.int8_top1 = Top1(dequantized, own, &workspace);
  result.other_department_top1 = Top1(dequantized, others, &workspace);
  result.nonzeros = CountDifferences(variant, base.int8);
  outcome.base_float_top1 = Top1(base.trained, own, &workspace);

  const absl::StatusOr<uint64_t> size =
      WriteModel(file_system, absl::StrCat(folder, "/variants/", result.name, ".safetensors"), variant,
                 {{"role", "variant"}, {"department", result.name}, {"quantization", kQuantization}});
  if (!size.ok()) return size.status();
  result.file_size = *size;
  return outcome;
}

}  // namespace

absl::StatusOr<Report> TrainDemo(FileSystem& file_system, const DemoOptions& options, const std::string& folder,
                                 const Progress& progress) {
  const size_t count = options.task.departments;
  if (count == 0 || count > DepartmentNames().size()) {
    return absl::InvalidArgumentError(absl::StrCat(count, " departments, expected 1 to ", DepartmentNames().size()));
  }
  if (auto s = PrepareFolder(folder); !s.ok()) return s;

  Report report;
  report.task = options.task;
  report.heldout_samples = options.heldout_samples;
  report.widths.push_back(options.task.inputs);
  report.widths.insert(report.widths.end(), options.hidden_widths.begin(), options.hidden_widths.end());
  report.widths.push_back(options.task.classes);

  const Task task(options.task);
  Base base;
  base.trained = TrainBase(task, report.widths, options.base, options.threads, [&](size_t step) {
    if (progress) progress("base: training step", step, options.base.steps);
  });
  base.int8 = Quantize(base.trained, options.base_steps_to_largest);
  base.dequantized = Dequantize(base.int8);
  for (const Int8Layer& layer : base.int8.layers) report.weights += layer.weights.size();
  const absl::StatusOr<uint64_t> base_size = WriteModel(file_system, folder + "/base.safetensors", base.int8,
                                                        {{"role", "base"}, {"quantization", kQuantization}});
  if (!base_size.ok()) return base_size.status();
  report.base_file_size = *base_size;

  std::vector<absl::StatusOr<DepartmentOutcome>> outcomes(count);
  std::mutex mutex;
  size_t done = 0;
  if (progress) progress("departments: fine-tuned", done, count);
  ParallelFor(count, options.threads, [&](size_t department) {
    outcomes[department] = TrainDepartment(file_system, options, task, base, department, folder);
    const std::lock_guard<std::mutex> lock(mutex);
    ++done;
    if (progress) progress("departments: fine-tuned", done, count);
  });
  for (absl::StatusOr<DepartmentOutcome>& outcome : outcomes) {
    if (!outcome.ok()) return outcome.status();
    report.base_float_top1 += outcome->base_float_top1 / static_cast<double>(count);
    report.departments.push_back(std::move(outcome->result));
  }

  if (auto s = WriteTextFile(file_system, ReportPath(folder), ReportToJson(report)); !s.ok()) return s;
  return report;
}

absl::StatusOr<Report> ReadReport(FileSystem& file_system, const std::string& folder) {
  const std::string path = ReportPath(folder);
  const absl::StatusOr<std::string> text = ReadTextFile(file_system, path);
  if (!text.ok()) return text.status();
  return ReportFromJson(*text, path);
}

absl::StatusOr<size_t> CountHeldOutCorrect(const Report& report, const Int8Model& model, size_t department) {
  const size_t inputs = model.layers.front().inputs;
  const size_t classes = model.layers.back().outputs;
  if (inputs != report.task.inputs || classes != report.task.classes) {
    return absl::InvalidArgumentError(absl::StrCat("the model takes ", inputs, " inputs and gives ", classes,
                                                   " classes, the demo's task has ", report.task.inputs, " and ",
                                                   report.task.classes));
  }
  const Dataset samples = Task(report.task).DepartmentSamples(department, Split::kHeldOut, report.heldout_samples);
  Workspace workspace;
  return CountCorrect(Dequantize(model), samples.features, samples.labels, &workspace);
}

}  // namespace modelvault::demo
