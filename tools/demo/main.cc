// mvault_demo: trains the demo's models, scores one, prints the demo's table. Flags in, library call, exit code out.

#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/demo/departments.h"
#include "tools/demo/network_file.h"
#include "tools/demo/page.h"
#include "tools/demo/pipeline.h"
#include "tools/demo/table.h"
#include "tools/demo/training_record.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/cli/command_line.h"
#include "vault/file_system.h"

namespace modelvault::demo {
namespace {

constexpr int kSuccess = 0;
constexpr int kFailure = 1;
constexpr int kWrongCommandLine = 2;

constexpr char kExitCodes[] =
    "Exit codes: 0 done; 1 failed, the reason is on standard error; 2 the command line is wrong.";

size_t Processors() { return std::max(1u, std::thread::hardware_concurrency()); }

int Fail(const absl::Status& status) {
  absl::FPrintF(stderr, "mvault_demo: %s\n", status.message());
  return kFailure;
}

// Standard output may be a pipe that closed or a full disk.
int Print(const std::string& text) {
  const bool written = fwrite(text.data(), 1, text.size(), stdout) == text.size() && fflush(stdout) == 0;
  return written ? kSuccess : Fail(absl::UnavailableError("cannot write to standard output"));
}

void ShowProgress(absl::string_view stage, uint64_t done, uint64_t total) {
  constexpr size_t kUpdates = 200;
  if (done != total && done % std::max<size_t>(1, total / kUpdates) != 0) return;
  absl::FPrintF(stderr, "\r%s %d of %d\x1b[K", stage, done, total);
  if (done == total) absl::FPrintF(stderr, "\r\x1b[K");
}

int Train(const DemoOptions& options, const std::string& folder) {
  const ProgressFunction progress = isatty(STDERR_FILENO) != 0 ? ShowProgress : ProgressFunction();
  const absl::StatusOr<TrainingRecord> record = TrainDemo(FileSystem::Default(), options, folder, progress);
  if (!record.ok()) return Fail(record.status());
  const auto mean = [&](double DepartmentResult::*figure) { return 100 * Summarize(*record, figure).mean; };
  return Print(absl::StrFormat(
      "%s: a base and %d departments, %d weights each; right on held-out samples, mean of all departments: "
      "base %.1f %%, fine-tune %.1f %% (chance %.1f %%)\n",
      folder, record->departments.size(), record->weights, mean(&DepartmentResult::base_top1),
      mean(&DepartmentResult::finetune_top1), 100.0 / static_cast<double>(record->task.classes)));
}

int Evaluate(const std::string& folder, const std::string& model_path, const std::string& name, bool json) {
  FileSystem& file_system = FileSystem::Default();
  const absl::StatusOr<TrainingRecord> record = ReadRecord(file_system, folder);
  if (!record.ok()) return Fail(record.status());
  const absl::StatusOr<size_t> department = FindDepartment(*record, name);
  if (!department.ok()) return Fail(department.status());
  const absl::StatusOr<Network> model = ReadNetwork(file_system, model_path);
  if (!model.ok()) return Fail(model.status());
  const absl::StatusOr<size_t> correct = CountHeldOutCorrect(*record, *model, *department);
  if (!correct.ok())
    return Fail(absl::InvalidArgumentError(absl::StrCat(model_path, ": ", correct.status().message())));

  const double top1 = static_cast<double>(*correct) / static_cast<double>(record->heldout_samples);
  const double finetune_top1 = record->departments[*department].finetune_top1;
  if (json) {
    const nlohmann::ordered_json result = {{"department", name},  {"model", model_path},
                                           {"correct", *correct}, {"samples", record->heldout_samples},
                                           {"top1", top1},        {"finetune_top1", finetune_top1}};
    return Print(result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }
  return Print(absl::StrFormat("%s: right on %d of %d held-out samples, %.1f %%; the fine-tune in floats: %.1f %%\n",
                               name, *correct, record->heldout_samples, 100 * top1, 100 * finetune_top1));
}

// Writes a patient's measurements to `path`, and prints what each of two departments does by its own rules.
int Patient(const std::string& folder, const std::string& name, const std::string& other, const std::string& path) {
  FileSystem& file_system = FileSystem::Default();
  const absl::StatusOr<TrainingRecord> record = ReadRecord(file_system, folder);
  if (!record.ok()) return Fail(record.status());
  const absl::StatusOr<size_t> first = FindDepartment(*record, name), second = FindDepartment(*record, other);
  if (!first.ok()) return Fail(first.status());
  if (!second.ok()) return Fail(second.status());
  const std::optional<Disagreement> patient = Task(record->task).FindDisagreement(*first, *second);
  if (!patient.has_value()) {
    return Fail(absl::NotFoundError(absl::StrCat(name, " and ", other, " treat every finding alike")));
  }
  std::string text;
  for (const float measurement : patient->measurements) absl::StrAppendFormat(&text, "%.1f ", measurement);
  text.back() = '\n';
  if (absl::Status written = WriteTextFile(file_system, path, text); !written.ok()) return Fail(written);
  return Print(absl::StrCat(name, " ", patient->first_class, "\n", other, " ", patient->second_class, "\n"));
}

struct TableFiles {
  std::string folder;  // that train wrote
  std::string models;  // folder of the departments' models
  std::string sizes;   // from `mvault ls --json`; empty: none
  std::string info;    // from `mvault info --json`; empty: none
  std::string page;    // to be written; empty: none
};

int Table(const TableFiles& files, uint64_t vault_size) {
  if (files.page.empty() != files.info.empty()) {
    absl::FPrintF(stderr, "mvault_demo: --page and --info need each other\n");
    return kWrongCommandLine;
  }
  FileSystem& file_system = FileSystem::Default();
  const absl::StatusOr<TrainingRecord> record = ReadRecord(file_system, files.folder);
  if (!record.ok()) return Fail(record.status());
  absl::StatusOr<StoredSizes> sizes = StoredSizes();
  if (!files.sizes.empty()) {
    const absl::StatusOr<std::string> text = ReadTextFile(file_system, files.sizes);
    if (!text.ok()) return Fail(text.status());
    sizes = StoredSizesFromJson(*text, files.sizes);
    if (!sizes.ok()) return Fail(sizes.status());
  }
  const absl::StatusOr<std::vector<double>> top1 = ScoreModels(file_system, *record, files.models, Processors());
  if (!top1.ok()) return Fail(top1.status());
  if (!files.page.empty()) {
    const absl::StatusOr<std::string> text = ReadTextFile(file_system, files.info);
    if (!text.ok()) return Fail(text.status());
    const absl::StatusOr<VaultSections> sections = VaultSectionsFromJson(*text, files.info);
    if (!sections.ok()) return Fail(sections.status());
    const absl::Status written = WriteTextFile(file_system, files.page, FormatPage(*record, *top1, *sections, *sizes));
    if (!written.ok()) return Fail(written);
  }
  return Print(FormatTable(*record, *top1, vault_size, *sizes));
}

int Run(int argc, char** argv) {
  std::string folder;
  DemoOptions options;
  int departments = static_cast<int>(options.task.departments);
  int threads = 0;
  std::string model_path;
  std::string department;
  std::string other;
  std::string patient_path;
  bool json = false;
  uint64_t vault_size = 0;
  TableFiles files;
  std::function<int()> action;
  const auto declare = [&](Command& program) {
    program.SetFooter(kExitCodes);
    Command train = program.AddCommand("train", "Train base and departments and write them as F32 safetensors");
    train.SetFooter(kExitCodes);
    train.AddOption("--out", &folder, "Folder to write base, model.json, curvature, variants/ and demo.json to")
        .Required();
    train.AddOption("--seed", &options.task.seed, "The same seed gives the same files, byte for byte").ShowDefault();
    train.AddOption("--departments", &departments, "Departments to train")
        .Range(1, static_cast<int>(DepartmentNames().size()))
        .ShowDefault();
    train.AddOption("--threads", &threads, "Threads; 0: as many as there are processors").Range(0, 1024).ShowDefault();
    train.OnParsed([&] {
      action = [&] {
        options.task.departments = static_cast<size_t>(departments);
        options.threads = threads != 0 ? static_cast<size_t>(threads) : Processors();
        return Train(options, folder);
      };
    });

    Command eval = program.AddCommand("eval", "Score a model on a department's held-out samples");
    eval.SetFooter(kExitCodes);
    eval.AddOption("--data", &folder, "Folder that train wrote").Required();
    eval.AddOption("--model", &model_path, "Safetensors file, e.g. one restored from a vault").Required();
    eval.AddOption("--department,--variant", &department, "Whose held-out samples").Required();
    eval.AddFlag("--json", &json, "Print the result as JSON");
    eval.OnParsed([&] { action = [&] { return Evaluate(folder, model_path, department, json); }; });

    Command patient = program.AddCommand("patient", "Write measurements that two departments treat differently");
    patient.SetFooter(
        absl::StrCat("Prints a line a department: its name, and the class that its own rules say.\n", kExitCodes));
    patient.AddOption("--data", &folder, "Folder that train wrote").Required();
    patient.AddOption("--department", &department, "Whose patient it is").Required();
    patient.AddOption("--other", &other, "Who treats it differently").Required();
    patient.AddOption("--out", &patient_path, "File to write the numbers to").Required();
    patient.OnParsed([&] { action = [&] { return Patient(folder, department, other, patient_path); }; });

    Command table = program.AddCommand("table", "Print bytes, ratio and accuracy before and after");
    table.SetFooter(kExitCodes);
    table.AddOption("--data", &files.folder, "Folder that train wrote").Required();
    table.AddOption("--models", &files.models, "Folder of the departments' models as they come out of the vault")
        .Required();
    table.AddOption("--vault-bytes", &vault_size, "Size of the vault that holds all models")
        .Required()
        .Check([](const std::string& text) { return text == "0" ? "0 bytes" : ""; });
    table.AddOption("--sizes", &files.sizes, "What `mvault ls --json` prints: shows each department's bytes");
    table.AddOption("--info", &files.info, "What `mvault info --json` prints; for --page");
    table.AddOption("--page", &files.page, "Also draw the vault as an HTML page; needs --info");
    table.OnParsed([&] { action = [&] { return Table(files, vault_size); }; });
  };
  const std::optional<int> exit_code = ParseCommandLine(
      "Trains a small classifier and a hundred department fine-tunes of it on data it generates, for the demo.",
      declare, argc, argv);
  return exit_code.has_value() ? *exit_code : action();
}

}  // namespace
}  // namespace modelvault::demo

int main(int argc, char** argv) {
  try {
    return modelvault::demo::Run(argc, argv);
  } catch (const std::bad_alloc&) {
    fputs("mvault_demo: out of memory\n", stderr);
    return modelvault::demo::kFailure;
  }
}
