#include "tests/tools/fitting/fitting_files.h"

#include <filesystem>

#include "tests/tools/eval/tiny_models.h"

namespace modelvault {
namespace {

// One row and column in four matters nine times as much; neighbours are coupled. Positive definite.
FloatTensor Factor(uint64_t n, float first) {
  FloatTensor t{{n, n}, std::vector<float>(n * n)};
  for (uint64_t i = 0; i < n; ++i) {
    t.values[i * n + i] = i % 4 == 0 ? 9 * first : first;
    if (i > 0) t.values[i * n + i - 1] = t.values[(i - 1) * n + i] = first / 4;
  }
  return t;
}

}  // namespace

FittingFiles::FittingFiles() {
  std::filesystem::create_directory(File("variants"));
  base_ = RandomModel(TinyConfig(), 1);
  Write("base.safetensors", base_);
  uint64_t seed = 10;
  for (const char* name : {"alpha", "beta", "gamma"}) {
    Write(std::string("variants/") + name + ".safetensors", Neighbour(base_, ++seed));
  }
  Write("variants/same.safetensors", base_);
  FloatTensors importance = base_;
  for (auto& [name, t] : importance) {
    for (size_t i = 0; i < t.values.size(); ++i) t.values[i] = 1 + static_cast<float>(i % 5);
    if (t.shape.size() < 2 || name == "embed") continue;
    curvature_[name + ".G"] = Factor(t.shape[0], 2);
    curvature_[name + ".H"] = Factor(t.shape[1], 1);
  }
  Write("importance.safetensors", importance);
  Write("curvature.safetensors", curvature_);
}

FitFiles FittingFiles::files() const {
  FitFiles files{File("base.safetensors"), File("curvature.safetensors"), File("importance.safetensors"), {}, {}};
  for (const char* name : {"alpha", "beta", "gamma", "same"}) {
    files.variants.push_back({name, File(std::string("variants/") + name + ".safetensors")});
  }
  return files;
}

absl::StatusOr<FitInput> FittingFiles::Open(const FitFiles& files) const {
  return FitInput::Open(FileSystem::Default(), files, {}, 1);
}

std::string FittingFiles::Write(const std::string& name, const FloatTensors& tensors) const {
  return folder_.Write(name, FloatFile(tensors));
}

}  // namespace modelvault
