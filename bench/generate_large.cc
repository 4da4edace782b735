// generate_large: writes a base of a given size and ternary variants of it, for bench/large.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

#include "absl/strings/str_format.h"
#include "bench/large_model.h"

int main(int argc, char** argv) {
  CLI::App app("Writes FOLDER/base.safetensors and FOLDER/variants/v1.safetensors, v2 … : the same bytes every time.");
  std::string folder;
  uint64_t size = uint64_t{5} << 30;
  unsigned variants = 2;
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  app.add_option("--out", folder, "Folder to write to")->required();
  app.add_option("--size", size, "Bytes of the base's data section")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--variants", variants, "How many variants")->capture_default_str();
  app.add_option("--threads", threads, "Threads; do not change the bytes")->check(CLI::Range(1, 1024));
  CLI11_PARSE(app, argc, argv);

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
        modelvault::bench::WriteLargeModel(modelvault::FileSystem::Default(), path, size, v, threads);
    if (!status.ok()) {
      absl::FPrintF(stderr, "generate_large: %s\n", status.message());
      return 1;
    }
  }
  return 0;
}
