#include "tools/demo/pipeline.h"

#include <mutex>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/demo/departments.h"
#include "tools/demo/float_file.h"
#include "tools/demo/layer_moments.h"
#include "tools/demo/network_file.h"
#include "tools/demo/parallel.h"
#include "tools/demo/random.h"
#include "tools/formats/text_file.h"

namespace modelvault::demo {
namespace {

// Streams of random numbers, apart from the task's and the base's.
constexpr uint64_t kFineTuneStream = 9;
constexpr uint64_t kCurvatureStream = 10;

// A draw of mixed samples that training does not come to.
constexpr uint64_t kCurvatureBatch = uint64_t{1} << 40;

std::string RecordPath(const std::string& folder) { return folder + "/demo.json"; }

std::string ModelPath(const std::string& folder, const std::string& name) {
  return absl::StrCat(folder, "/", name, ".safetensors");
}

absl::Status PrepareFolder(FileSystem& file_system, const std::string& folder) {
  const std::string variants = folder + "/variants";
  if (absl::Status status = file_system.MakeFolders(variants); !status.ok()) return status;
  const absl::StatusOr<std::vector<std::string>> names = file_system.List(variants);
  if (!names.ok()) return names.status();
  if (!names->empty()) return absl::AlreadyExistsError(absl::StrCat(variants, ": not empty; name a new folder"));
  return absl::OkStatus();
}

double Top1(const Network& network, const Dataset& samples, Workspace* workspace) {
  return static_cast<double>(CountCorrect(network, samples.features, samples.labels, workspace)) /
         static_cast<double>(samples.size());
}

absl::Status WriteCurvature(FileSystem& file_system, const std::string& path, const Network& base, const Task& task,
                            const DemoOptions& options) {
  const Dataset samples = task.MixedSamples(kCurvatureBatch, options.curvature_samples);
  const std::vector<LayerMoments> moments =
      MeasureMoments(base, samples, Random(options.task.seed, kCurvatureStream).Next());
  std::vector<TensorValues> tensors;
  for (size_t l = 0; l < base.layers.size(); ++l) {
    const Layer& layer = base.layers[l];
    const std::string name = LayerName(l, base.layers.size());
    tensors.push_back(
        {{absl::StrCat(name, ".H"), DType::kF32, {layer.inputs, layer.inputs}}, &moments[l].input_moment});
    tensors.push_back(
        {{absl::StrCat(name, ".G"), DType::kF32, {layer.outputs, layer.outputs}}, &moments[l].gradient_moment});
  }
  return WriteFloatFile(file_system, path, tensors, {{"samples", absl::StrCat(samples.size())}}).status();
}

absl::StatusOr<DepartmentResult> TrainDepartment(FileSystem& file_system, const DemoOptions& options, const Task& task,
                                                 const Network& base, size_t department, const std::string& folder) {
  const Dataset samples = task.DepartmentSamples(department, Split::kFineTune, options.finetune_samples);
  const Network tuned =
      FineTune(base, samples, options.fine_tuning, Random(options.task.seed, kFineTuneStream, department).Next());

  Workspace workspace;
  const size_t other = (department + 1) % options.task.departments;
  const Dataset own = task.DepartmentSamples(department, Split::kHeldOut, options.heldout_samples);
  const Dataset others = task.DepartmentSamples(other, Split::kHeldOut, options.heldout_samples);
  DepartmentResult result;
  result.name = std::string(DepartmentNames()[department]);
  result.base_top1 = Top1(base, own, &workspace);
  result.finetune_top1 = Top1(tuned, own, &workspace);
  result.other_department_top1 = Top1(tuned, others, &workspace);

  const absl::StatusOr<uint64_t> size = WriteNetwork(file_system, ModelPath(folder + "/variants", result.name), tuned,
                                                     {{"role", "variant"}, {"department", result.name}});
  if (!size.ok()) return size.status();
  result.file_size = *size;
  return result;
}

}  // namespace

absl::StatusOr<TrainingRecord> TrainDemo(FileSystem& file_system, const DemoOptions& options, const std::string& folder,
                                         const ProgressFunction& progress) {
  const size_t count = options.task.departments;
  if (count == 0 || count > DepartmentNames().size()) {
    return absl::InvalidArgumentError(absl::StrCat(count, " departments, expected 1 to ", DepartmentNames().size()));
  }
  if (auto s = PrepareFolder(file_system, folder); !s.ok()) return s;

  TrainingRecord record;
  record.task = options.task;
  record.heldout_samples = options.heldout_samples;
  record.widths.push_back(options.task.inputs);
  record.widths.insert(record.widths.end(), options.hidden_widths.begin(), options.hidden_widths.end());
  record.widths.push_back(options.task.classes);

  const Task task(options.task);
  const Network base = TrainBase(task, record.widths, options.base, options.threads, [&](size_t step) {
    ReportProgress(progress, "base: training step", step, options.base.steps);
  });
  for (const Layer& layer : base.layers) record.weights += layer.weights.size();
  const absl::StatusOr<uint64_t> base_size =
      WriteNetwork(file_system, folder + "/base.safetensors", base, {{"role", "base"}});
  if (!base_size.ok()) return base_size.status();
  record.base_file_size = *base_size;
  if (auto s = WriteTextFile(file_system, folder + "/model.json", DescribeNetwork(base.layers.size())); !s.ok())
    return s;
  if (auto s = WriteCurvature(file_system, folder + "/curvature.safetensors", base, task, options); !s.ok()) return s;

  std::vector<absl::StatusOr<DepartmentResult>> results(count);
  std::mutex mutex;
  size_t done = 0;
  ReportProgress(progress, "departments: fine-tuned", done, count);
  ParallelFor(count, options.threads, [&](size_t department) {
    results[department] = TrainDepartment(file_system, options, task, base, department, folder);
    const std::lock_guard<std::mutex> lock(mutex);
    ++done;
    ReportProgress(progress, "departments: fine-tuned", done, count);
  });
  for (absl::StatusOr<DepartmentResult>& result : results) {
    if (!result.ok()) return result.status();
    record.departments.push_back(*std::move(result));
  }

  if (auto s = WriteTextFile(file_system, RecordPath(folder), RecordToJson(record)); !s.ok()) return s;
  return record;
}

absl::StatusOr<TrainingRecord> ReadRecord(FileSystem& file_system, const std::string& folder) {
  const std::string path = RecordPath(folder);
  const absl::StatusOr<std::string> text = ReadTextFile(file_system, path);
  if (!text.ok()) return text.status();
  return RecordFromJson(*text, path);
}

absl::StatusOr<size_t> CountHeldOutCorrect(const TrainingRecord& record, const Network& model, size_t department) {
  const size_t inputs = model.layers.front().inputs;
  const size_t classes = model.layers.back().outputs;
  if (inputs != record.task.inputs || classes != record.task.classes) {
    return absl::InvalidArgumentError(absl::StrCat("the model takes ", inputs, " inputs and gives ", classes,
                                                   " classes, the demo's task has ", record.task.inputs, " and ",
                                                   record.task.classes));
  }
  const Dataset samples = Task(record.task).DepartmentSamples(department, Split::kHeldOut, record.heldout_samples);
  Workspace workspace;
  return CountCorrect(model, samples.features, samples.labels, &workspace);
}

absl::StatusOr<std::vector<double>> ScoreModels(FileSystem& file_system, const TrainingRecord& record,
                                                const std::string& folder, size_t threads) {
  std::vector<absl::StatusOr<double>> scores(record.departments.size());
  ParallelFor(scores.size(), threads, [&](size_t department) {
    const std::string path = ModelPath(folder, record.departments[department].name);
    const absl::StatusOr<Network> model = ReadNetwork(file_system, path);
    if (!model.ok()) {
      scores[department] = model.status();
      return;
    }
    const absl::StatusOr<size_t> correct = CountHeldOutCorrect(record, *model, department);
    if (!correct.ok()) {
      scores[department] = absl::InvalidArgumentError(absl::StrCat(path, ": ", correct.status().message()));
      return;
    }
    scores[department] = static_cast<double>(*correct) / static_cast<double>(record.heldout_samples);
  });
  std::vector<double> values;
  for (const absl::StatusOr<double>& score : scores) {
    if (!score.ok()) return score.status();
    values.push_back(*score);
  }
  return values;
}

}  // namespace modelvault::demo
