#include "tools/fitting/fit_input.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "tools/eval/float_tensors.h"
#include "tools/formats/model_formats.h"
#include "tools/packing/variant_analysis.h"
#include "vault/model_digester.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

absl::Status Bad(absl::string_view path, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", problem));
}

struct FloatFile {
  std::vector<ModelTensor> infos;
  FloatTensors tensors;
  FitInput::Digest digest{};
  uint64_t size = 0;
};

// A file of float tensors, all finite.
absl::StatusOr<FloatFile> ReadFloatFile(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<ModelFile> file = OpenModelFile(file_system, path);
  if (!file.ok()) return file.status();
  FloatFile result;
  result.infos = file->tensors();
  result.size = file->size();
  for (const ModelTensor& info : result.infos) {
    if (info.dtype == DType::kF32 || info.dtype == DType::kF16 || info.dtype == DType::kBf16) continue;
    return Bad(path, absl::StrCat("tensor ", info.name, " is ", info.type_name(), "; expected F32, F16 or BF16"));
  }
  FileDataSource source(&*file);
  absl::StatusOr<FloatTensors> tensors = ReadFloatTensors(path, file->tensors(), &source);
  if (!tensors.ok()) return tensors.status();
  result.tensors = *std::move(tensors);
  for (const auto& [name, tensor] : result.tensors) {
    const auto bad =
        std::find_if(tensor.values.begin(), tensor.values.end(), [](float value) { return !std::isfinite(value); });
    if (bad == tensor.values.end()) continue;
    return Bad(path, absl::StrCat("tensor ", name, ": value ", bad - tensor.values.begin(), " is not a finite number"));
  }
  ModelDigester digester;
  const std::string& header = file->frame();
  digester.Update({reinterpret_cast<const uint8_t*>(header.data()), header.size()});
  std::vector<uint8_t> bytes(static_cast<size_t>(file->data_size()));
  if (absl::Status status = file->ReadData(0, absl::MakeSpan(bytes)); !status.ok()) return status;
  digester.Update(bytes);
  result.digest = digester.Digests().xxh3;
  return result;
}

std::vector<FitTensor> TensorsOf(const FloatFile& file) {
  std::vector<FitTensor> tensors;
  for (const ModelTensor& info : file.infos) {
    FitTensor tensor;
    static_cast<ModelTensor&>(tensor) = info;
    tensor.base = file.tensors.at(info.name).values;
    tensor.linear = info.shape.size() >= 2 && !tensor.base.empty();
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

absl::Status CheckLikeBase(const std::vector<FitTensor>& base, const FloatFile& file, const std::string& path) {
  const auto shown = [](const std::vector<uint64_t>& shape) {
    return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
  };
  for (const FitTensor& tensor : base) {
    const auto found = file.tensors.find(tensor.name);
    if (found == file.tensors.end()) return Bad(path, absl::StrCat("lacks the base's tensor ", tensor.name));
    if (found->second.shape != tensor.shape) {
      return Bad(path, absl::StrCat("tensor ", tensor.name, " is ", shown(found->second.shape), "; the base's is ",
                                    shown(tensor.shape)));
    }
  }
  for (const ModelTensor& info : file.infos) {
    const auto is_it = [&](const FitTensor& tensor) { return tensor.name == info.name; };
    if (std::none_of(base.begin(), base.end(), is_it)) {
      return Bad(path, absl::StrCat("tensor ", info.name, " is not in the base"));
    }
  }
  return absl::OkStatus();
}

std::vector<std::vector<float>> InOrder(const std::vector<FitTensor>& tensors, FloatTensors values) {
  std::vector<std::vector<float>> result;
  for (const FitTensor& tensor : tensors) result.push_back(std::move(values.at(tensor.name).values));
  return result;
}

void Scale(double by, std::vector<float>* values) {
  for (float& v : *values) v = static_cast<float>(by * static_cast<double>(v));
}

double MeanSquare(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * static_cast<double>(v);
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double MeanOwn(const FitTensor& tensor) {
  double sum = 0;
  for (size_t i = 0; i < tensor.base.size(); ++i) sum += static_cast<double>(tensor.curvature.own(i));
  return sum / static_cast<double>(tensor.base.size());
}

}  // namespace

absl::StatusOr<FitInput> FitInput::Open(FileSystem& file_system, FitFiles files, const CurvatureOptions& options,
                                        int threads) {
  if (files.variants.empty()) return absl::InvalidArgumentError("no variants to fit");
  FitInput input(file_system, std::move(files));
  if (absl::Status status = input.ReadBase(); !status.ok()) return status;
  if (absl::Status status = input.ReadVariants(threads); !status.ok()) return status;
  if (absl::Status status = input.ReadCurvature(options); !status.ok()) return status;
  return input;
}

absl::Status FitInput::ReadBase() {
  const bool given = has_base();
  const absl::StatusOr<FloatFile> file =
      ReadFloatFile(*file_system_, given ? files_.base : files_.variants.front().path);
  if (!file.ok()) return file.status();
  tensors_ = TensorsOf(*file);
  if (given) {
    digest_ = file->digest;
    float_bytes_ = file->size;
  }
  return absl::OkStatus();
}

absl::Status FitInput::ReadVariants(int threads) {
  std::vector<std::vector<double>> sums;
  for (const FitTensor& tensor : tensors_) sums.emplace_back(tensor.base.size());
  const absl::Status status = OrderedParallel<FloatFile>(
      variant_count(), ThreadCount(threads),
      [&](uint64_t v) -> absl::StatusOr<FloatFile> {
        const std::string& path = files_.variants[v].path;
        absl::StatusOr<FloatFile> file = ReadFloatFile(*file_system_, path);
        if (!file.ok()) return file.status();
        if (absl::Status checked = CheckLikeBase(tensors_, *file, path); !checked.ok()) return checked;
        return file;
      },
      [&](uint64_t, FloatFile file) {
        for (size_t t = 0; t < tensors_.size(); ++t) {
          const std::vector<float>& values = file.tensors.at(tensors_[t].name).values;
          for (size_t i = 0; i < values.size(); ++i) sums[t][i] += static_cast<double>(values[i]);
        }
        variant_digests_.push_back(file.digest);
        float_bytes_ += file.size;
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  for (size_t t = 0; t < tensors_.size(); ++t) {
    std::vector<float> mean(sums[t].size());
    for (size_t i = 0; i < mean.size(); ++i)
      mean[i] = static_cast<float>(sums[t][i] / static_cast<double>(variant_count()));
    if (!has_base()) tensors_[t].base = mean;
    mean_.push_back(std::move(mean));
  }
  return absl::OkStatus();
}

absl::Status FitInput::ReadCurvature(const CurvatureOptions& options) {
  FloatFile kronecker, importance;
  const auto read = [&](const std::string& path, bool wanted, FloatFile* file) {
    if (path.empty() || !wanted) return absl::OkStatus();
    absl::StatusOr<FloatFile> result = ReadFloatFile(*file_system_, path);
    if (!result.ok()) return result.status();
    *file = *std::move(result);
    return absl::OkStatus();
  };
  if (absl::Status status = read(files_.curvature, options.use_kronecker, &kronecker); !status.ok()) return status;
  if (absl::Status status = read(files_.importance, options.use_importance, &importance); !status.ok()) return status;
  std::string text =
      absl::StrCat(options.damping, ";", options.use_kronecker, options.use_importance, options.magnitude);
  for (const auto& [part, weight] : options.tensor_weights) {
    absl::StrAppend(&text, ";", part, "=", weight);
    const auto has_part = [&](const FitTensor& t) { return t.name.find(part) != std::string::npos; };
    if (std::none_of(tensors_.begin(), tensors_.end(), has_part)) {
      return absl::NotFoundError(absl::StrCat("no tensor has '", part, "' in its name"));
    }
    if (!(weight > 0) || !std::isfinite(weight)) {
      return absl::InvalidArgumentError(absl::StrCat("tensors '", part, "': a weight must be positive"));
    }
  }
  ModelDigester digester;
  digester.Update(digest_);
  digester.Update(kronecker.digest);
  digester.Update(importance.digest);
  digester.Update({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  digest_ = digester.Digests().xxh3;

  const auto is_tensor = [&](absl::string_view name, bool linear) {
    return std::any_of(tensors_.begin(), tensors_.end(),
                       [&](const FitTensor& t) { return t.name == name && (t.linear || !linear); });
  };
  for (const auto& [name, tensor] : kronecker.tensors) {
    absl::string_view of = name;
    if (!(absl::ConsumeSuffix(&of, ".G") || absl::ConsumeSuffix(&of, ".H")) || !is_tensor(of, true)) {
      unused_.push_back(name);
    }
  }
  for (const auto& [name, tensor] : importance.tensors) {
    if (!is_tensor(name, false)) unused_.push_back(name);
  }

  double known = 0;  // Mean curvature of the linear tensors that have one.
  double count = 0;
  for (FitTensor& tensor : tensors_) {
    if (tensor.base.empty()) continue;
    const auto g = kronecker.tensors.find(absl::StrCat(tensor.name, ".G"));
    const auto h = kronecker.tensors.find(absl::StrCat(tensor.name, ".H"));
    const auto diagonal = importance.tensors.find(tensor.name);
    absl::StatusOr<Curvature> curvature = Curvature::Identity(tensor.rows(), tensor.cols());
    std::string path;
    for (const auto& [part, factor] : options.tensor_weights) {
      if (tensor.name.find(part) != std::string::npos) tensor.weight *= factor;
    }
    if (options.magnitude) {
      const double square = MeanSquare(tensor.base);
      if (!(square > 0)) continue;
      tensor.use = CurvatureUse::kMagnitude;
      const float weight = static_cast<float>(tensor.weight / square);
      curvature = Curvature::Diagonal(tensor.name, tensor.rows(), tensor.cols(),
                                      std::vector<float>(tensor.base.size(), weight), 0);
    } else if (tensor.linear && (g != kronecker.tensors.end() || h != kronecker.tensors.end())) {
      path = files_.curvature;
      if (g == kronecker.tensors.end() || h == kronecker.tensors.end()) {
        return Bad(path, absl::StrCat("has only one of ", tensor.name, ".G and ", tensor.name, ".H"));
      }
      tensor.use = CurvatureUse::kKronecker;
      Scale(tensor.weight, &g->second.values);
      curvature = Curvature::Kronecker(tensor.name, tensor.rows(), tensor.cols(), g->second.values, h->second.values,
                                       options.damping);
    } else if (diagonal != importance.tensors.end()) {
      path = files_.importance;
      if (diagonal->second.shape != tensor.shape) {
        return Bad(path, absl::StrCat("tensor ", tensor.name, " has another shape than the base's"));
      }
      tensor.use = CurvatureUse::kDiagonal;
      Scale(tensor.weight, &diagonal->second.values);
      curvature =
          Curvature::Diagonal(tensor.name, tensor.rows(), tensor.cols(), diagonal->second.values, options.damping);
    } else {
      continue;
    }
    if (!curvature.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", curvature.status().message()));
    tensor.curvature = *std::move(curvature);
    if (!tensor.linear) continue;
    known += MeanOwn(tensor) / tensor.weight * static_cast<double>(tensor.base.size());
    count += static_cast<double>(tensor.base.size());
  }
  const double average = count > 0 ? known / count : 1;
  for (FitTensor& tensor : tensors_) {
    if (tensor.use != CurvatureUse::kIdentity || tensor.base.empty()) continue;
    absl::StatusOr<Curvature> curvature =
        Curvature::Diagonal(tensor.name, tensor.rows(), tensor.cols(),
                            std::vector<float>(tensor.base.size(), static_cast<float>(tensor.weight * average)), 0);
    if (!curvature.ok()) return curvature.status();
    tensor.curvature = *std::move(curvature);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::vector<float>>> FitInput::ReadVariant(size_t v) const {
  const std::string& path = files_.variants[v].path;
  absl::StatusOr<FloatFile> file = ReadFloatFile(*file_system_, path);
  if (!file.ok()) return file.status();
  if (file->digest != variant_digests_[v]) return Bad(path, "changed while it was being fitted");
  return InOrder(tensors_, std::move(file->tensors));
}

}  // namespace modelvault
