// time_restore: how long a model takes to restore inside a process that has the vault open, without files written and
// without process start. Prints JSON: {"open_s": seconds to open the vault and parse MODEL, "variants": {NAME: seconds,
// the least of the repetitions}, "cpu": {NAME: the same of the process's processor time}}. Digests are computed and
// compared, as by every restore.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "restore/restorer.h"
#include "tools/mvault/cli/command_line.h"

namespace modelvault::bench {
namespace {

int Fail(const absl::Status& status) {
  absl::FPrintF(stderr, "time_restore: %s\n", status.message());
  return 1;
}

double Seconds(std::chrono::steady_clock::duration d) { return std::chrono::duration<double>(d).count(); }

int Run(int argc, char** argv) {
  std::string path;
  std::vector<std::string> names;
  int repeat = 20;
  RestoreOptions options;
  const std::optional<int> exit_code = ParseCommandLine(
      "Times the restore of each variant of a vault inside one process.",
      [&](Command& program) {
        program.AddOption("VAULT", &path, "The vault's file").Required();
        program.AddOption("NAME", &names, "Variants, or 'base'; default: all variants");
        program.AddOption("--repeat", &repeat, "Restores of each, the fastest counts").Range(1, 1000000);
        program.AddOption("--threads", &options.threads, "Threads").Range(1, 1024);
      },
      argc, argv);
  if (exit_code.has_value()) return *exit_code;

  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::Open(FileSystem::Default(), path);
  if (!restorer.ok()) return Fail(restorer.status());
  nlohmann::ordered_json report = {{"open_s", Seconds(Clock::now() - start)},
                                   {"variants", nlohmann::ordered_json::object()},
                                   {"cpu", nlohmann::ordered_json::object()}};
  if (names.empty()) {
    for (const VaultVariant& v : (*restorer)->vault().variants()) names.push_back(v.name);
  }
  for (const std::string& name : names) {
    double best = 0;
    double best_cpu = 0;
    for (int i = 0; i < repeat; ++i) {
      const Clock::time_point begin = Clock::now();
      const std::clock_t cpu_begin = std::clock();
      const absl::StatusOr<std::unique_ptr<const VaultModel>> model =
          name == kReservedVariantName ? (*restorer)->OpenBase() : (*restorer)->OpenVariant(name);
      if (!model.ok()) return Fail(model.status());
      if (absl::Status status = (*model)->Verify(options); !status.ok()) return Fail(status);
      const double took = Seconds(Clock::now() - begin);
      const double cpu = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
      if (i == 0 || took < best) best = took;
      if (i == 0 || cpu < best_cpu) best_cpu = cpu;
    }
    report["variants"][name] = best;
    report["cpu"][name] = best_cpu;
  }
  absl::PrintF("%s\n", report.dump());
  return 0;
}

}  // namespace
}  // namespace modelvault::bench

int main(int argc, char** argv) { return modelvault::bench::Run(argc, argv); }
