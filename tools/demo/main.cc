// mvault_demo: trains the demo's models, scores one, prints the demo's table. Flags in, library call, exit code out.

#include <stdio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/demo/departments.h"
#include "tools/demo/model_file.h"
#include "tools/demo/pipeline.h"
#include "tools/demo/report.h"
#include "tools/demo/table.h"
#include "tools/demo/text_file.h"
#include "vault/file_system.h"

namespace modelvault::demo {
namespace {

constexpr int kSuccess = 0;
constexpr int kFailure = 1;
constexpr int kUsage = 2;

constexpr char kExitCodes[] =
    "Exit codes: 0 done; 1 failed, the reason is on standard error; 2 the command line is wrong.";

int Fail(const absl::Status& status) {
  absl::FPrintF(stderr, "mvault_demo: %s\n", status.message());
  return kFailure;
}

// Standard output may be a pipe that closed or a full disk.
int Print(const std::string& text) {
  const bool written = fwrite(text.data(), 1, text.size(), stdout) == text.size() && fflush(stdout) == 0;
  return written ? kSuccess : Fail(absl::UnavailableError("cannot write to standard output"));
}

void ShowProgress(absl::string_view stage, size_t done, size_t total) {
  constexpr size_t kUpdates = 200;
  if (done != total && done % std::max<size_t>(1, total / kUpdates) != 0) return;
  absl::FPrintF(stderr, "\r%s %d of %d\x1b[K", stage, done, total);
  if (done == total) absl::FPrintF(stderr, "\r\x1b[K");
}

int Train(const DemoOptions& options, const std::string& folder) {
  const Progress progress = isatty(STDERR_FILENO) != 0 ? ShowProgress : Progress();
  const absl::StatusOr<Report> report = TrainDemo(FileSystem::Default(), options, folder, progress);
  if (!report.ok()) return Fail(report.status());
  const auto mean = [&](double DepartmentResult::*figure) { return 100 * Summarize(*report, figure).mean; };
  return Print(absl::StrFormat(
      "%s: a base and %d departments, %d weights each; right on held-out samples, mean of all departments: "
      "base %.1f %%, fine-tune in float %.1f %%, INT1 variant %.1f %% (chance %.1f %%)\n",
      folder, report->departments.size(), report->weights, mean(&DepartmentResult::base_top1),
      mean(&DepartmentResult::finetune_float_top1), mean(&DepartmentResult::int8_top1),
      100.0 / static_cast<double>(report->task.classes)));
}

int Evaluate(const std::string& folder, const std::string& model_path, const std::string& name, bool json) {
  FileSystem& file_system = FileSystem::Default();
  const absl::StatusOr<Report> report = ReadReport(file_system, folder);
  if (!report.ok()) return Fail(report.status());
  const absl::StatusOr<size_t> department = FindDepartment(*report, name);
  if (!department.ok()) return Fail(department.status());
  const absl::StatusOr<Int8Model> model = ReadModel(file_system, model_path);
  if (!model.ok()) return Fail(model.status());
  const absl::StatusOr<size_t> correct = CountHeldOutCorrect(*report, *model, *department);
  if (!correct.ok())
    return Fail(absl::InvalidArgumentError(absl::StrCat(model_path, ": ", correct.status().message())));

  const double top1 = static_cast<double>(*correct) / static_cast<double>(report->heldout_samples);
  const double trained_top1 = report->departments[*department].int8_top1;
  if (json) {
    const nlohmann::ordered_json result = {{"department", name},  {"model", model_path},
                                           {"correct", *correct}, {"samples", report->heldout_samples},
                                           {"top1", top1},        {"trained_top1", trained_top1}};
    return Print(result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }
  return Print(absl::StrFormat("%s: right on %d of %d held-out samples, %.1f %%; after training it was %.1f %%\n", name,
                               *correct, report->heldout_samples, 100 * top1, 100 * trained_top1));
}

int Table(const std::string& folder, uint64_t vault_size, const std::string& sizes_path) {
  FileSystem& file_system = FileSystem::Default();
  const absl::StatusOr<Report> report = ReadReport(file_system, folder);
  if (!report.ok()) return Fail(report.status());
  absl::StatusOr<StoredSizes> sizes = StoredSizes();
  if (!sizes_path.empty()) {
    const absl::StatusOr<std::string> text = ReadTextFile(file_system, sizes_path);
    if (!text.ok()) return Fail(text.status());
    sizes = StoredSizesFromJson(*text, sizes_path);
    if (!sizes.ok()) return Fail(sizes.status());
  }
  return Print(FormatTable(*report, vault_size, *sizes));
}

int Run(int argc, char** argv) {
  CLI::App app(
      "Trains a small classifier and a hundred department fine-tunes of it on data it generates, for the demo.");
  app.footer(kExitCodes);
  app.require_subcommand(1);
  std::string folder;

  DemoOptions options;
  size_t threads = 0;
  CLI::App* train = app.add_subcommand("train", "Train base and departments and write them as INT8 safetensors");
  train->footer(kExitCodes);
  train->add_option("--out", folder, "Folder to write base.safetensors, variants/ and demo.json to")->required();
  train->add_option("--seed", options.task.seed, "The same seed gives the same files, byte for byte")
      ->capture_default_str();
  train->add_option("--departments", options.task.departments, "Departments to train")
      ->check(CLI::Range(size_t{1}, DepartmentNames().size()))
      ->capture_default_str();
  train->add_option("--threads", threads, "Threads; 0: as many as there are processors")
      ->check(CLI::Range(size_t{0}, size_t{1024}))
      ->capture_default_str();

  std::string model_path;
  std::string department;
  bool json = false;
  CLI::App* eval = app.add_subcommand("eval", "Score an INT8 model on a department's held-out samples");
  eval->footer(kExitCodes);
  eval->add_option("--data", folder, "Folder that train wrote")->required();
  eval->add_option("--model", model_path, "INT8 safetensors file, e.g. one restored from a vault")->required();
  eval->add_option("--department,--variant", department, "Whose held-out samples")->required();
  eval->add_flag("--json", json, "Print the result as JSON");

  uint64_t vault_size = 0;
  std::string sizes_path;
  CLI::App* table = app.add_subcommand("table", "Print bytes, ratio and accuracy before and after");
  table->footer(kExitCodes);
  table->add_option("--data", folder, "Folder that train wrote")->required();
  table->add_option("--vault-bytes", vault_size, "Size of the vault that holds all models")
      ->required()
      ->check(CLI::PositiveNumber);
  table->add_option("--sizes", sizes_path,
                    R"(JSON file {"variants": [{"name": ..., "stored_bytes": ...}]} with each department's bytes)");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kSuccess : kUsage;
  }
  if (train->parsed()) {
    options.threads = threads != 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
    return Train(options, folder);
  }
  if (eval->parsed()) return Evaluate(folder, model_path, department, json);
  return Table(folder, vault_size, sizes_path);
}

}  // namespace
}  // namespace modelvault::demo

int main(int argc, char** argv) { return modelvault::demo::Run(argc, argv); }
