#include "bench/sample_vault.h"

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tools/packing/pack.h"
#include "vault/file_system.h"

namespace modelvault::bench {

SampleVault::SampleVault(unsigned variants, uint32_t segment_size)
    : folder_(std::filesystem::temp_directory_path() / "modelvault-bench-XXXXXX") {
  if (mkdtemp(folder_.data()) == nullptr) {
    std::perror(folder_.c_str());
    std::exit(1);
  }
  path_ = absl::StrCat(folder_, "/sample.mvlt");
  names_ = model_.WriteFiles(folder_, variants);
  std::vector<VariantInput> inputs;
  for (const std::string& name : names_) inputs.push_back({name, absl::StrCat(folder_, "/", name, ".safetensors")});
  PackOptions options;
  options.segment_size = segment_size;
  const absl::StatusOr<PackReport> report =
      PackVault(FileSystem::Default(), absl::StrCat(folder_, "/base.safetensors"), inputs, path_, options);
  if (!report.ok()) {
    std::fprintf(stderr, "benchmark: %s\n", report.status().ToString().c_str());
    std::exit(1);
  }
  for (const PackedVariant& v : report->variants) stored_sizes_.push_back(v.stored_size);
}

SampleVault::~SampleVault() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace modelvault::bench
