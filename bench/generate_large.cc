// generate_large: writes a base of a given size and ternary variants of it, for bench/large.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include "absl/strings/str_format.h"
#include "bench/large_model.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/mvault/cli/command_options.h"

int main(int argc, char** argv) {
  std::string folder;
  std::optional<uint64_t> size;
  unsigned variants = 2;
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const std::optional<int> exit_code = modelvault::ParseCommandLine(
      "Writes FOLDER/base.safetensors and FOLDER/variants/v1.safetensors, v2 … : the same bytes every time.",
      [&](modelvault::Command& program) {
        program.AddOption("--out", &folder, "Folder to write to").Required();
        modelvault::AddSizeOption(&program, "--size", &size, "Bytes of the base's data section; default: 5GiB");
        program.AddOption("--variants", &variants, "How many variants").ShowDefault();
        program.AddOption("--threads", &threads, "Threads; do not change the bytes").Range(1, 1024);
      },
      argc, argv);
  if (exit_code.has_value()) return *exit_code;

  std::error_code error;
  std::filesystem::create_directories(folder + "/variants", error);
  if (error) {
    absl::FPrintF(stderr, "generate_large: cannot create %s/variants: %s\n", folder, error.message());
    return 1;
  }
  for (unsigned v = 0; v <= variants; ++v) {
    const std::string path =
        v == 0 ? folder + "/base.safetensors" : absl::StrFormat("%s/variants/v%d.safetensors", folder, v);
    const absl::Status status =
        modelvault::bench::WriteLargeModel(modelvault::FileSystem::Default(), path, size.value_or(uint64_t{5} << 30), v, threads);
    if (!status.ok()) {
      absl::FPrintF(stderr, "generate_large: %s\n", status.message());
      return 1;
    }
  }
  return 0;
}
