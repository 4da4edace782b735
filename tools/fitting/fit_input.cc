#include "tools/fitting/fit_input.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "tools/fitting/fitted_model.h"
#include "tools/packing/match_report.h"
#include "tools/packing/rule_use.h"
#include "tools/packing/variant_analysis.h"
#include "vault/model_digester.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr absl::string_view kImportance = ".importance";
constexpr absl::string_view kTensorWeight = ".tensor_weight";

absl::Status Bad(absl::string_view path, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", problem));
}

std::vector<FitTensor> TensorsOf(const ModelWeights& model) {
  std::vector<FitTensor> tensors;
  for (const ModelTensor& info : model.layout) {
    if (!IsFloat(info)) continue;
    FitTensor tensor;
    static_cast<ModelTensor&>(tensor) = info;
    tensor.base = model.tensors.at(info.name).values;
    tensor.linear = info.shape.size() >= 2 && !tensor.base.empty();
    if (tensor.linear) tensor.row_changes.resize(static_cast<size_t>(tensor.rows()));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::string Shown(const std::vector<uint64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

// Exported files have the steps of a linear tensor beside all that the base has, under a name of their own.
absl::Status CheckScaleNames(const std::string& path, const std::vector<FitTensor>& tensors,
                             const std::vector<ModelTensor>& layout) {
  std::set<absl::string_view> names;
  for (const ModelTensor& tensor : layout) names.insert(tensor.name);
  for (const FitTensor& tensor : tensors) {
    const std::string scale = ScaleName(tensor.name);
    if (!tensor.linear || names.count(scale) == 0) continue;
    return Bad(path, absl::StrCat("tensor ", scale, " has the name that the INT8 steps of tensor ", tensor.name,
                                  " get; rename one of the two in the files of all models"));
  }
  return absl::OkStatus();
}

void Scale(double by, std::vector<float>* values) {
  for (float& v : *values) v = static_cast<float>(by * static_cast<double>(v));
}

double MeanSquare(absl::Span<const float> values) {
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

// A variant as the base lies.
struct FitInput::AlignedModel {
  Weights weights;                  // Of tensors().
  std::vector<bool> own;            // Which of these are the variant's, and not the base's in their stead.
  std::vector<uint8_t> carried;     // Of carried(), one after the other.
  std::vector<ModelTensor> layout;  // The file's own, and how it is matched. Without a complete match, that is all.
  TensorPairs pairs;
  Digest digest{};
  uint64_t size = 0;
};

// What the curvature and importance files hold.
struct FitInput::KnownCurvature {
  FloatTensors factors;                   // NAME.G and NAME.H.
  FloatTensors importance;                // By the tensors' names.
  std::string importance_path;            // Of the file with these.
  std::map<std::string, double> weights;  // By the tensors' names.
  std::vector<std::string> others;        // Names that end in nothing of these.
  std::string digests;                    // Of the files that were read, and as what.
};

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
  const std::string& path = has_base() ? files_.base : files_.variants.front().path;
  absl::StatusOr<ModelWeights> model = ReadModelWeights(*file_system_, path);
  if (!model.ok()) return model.status();
  tensors_ = TensorsOf(*model);
  carried_ = std::move(model->carried);
  layout_ = std::move(model->layout);
  const auto is_linear = [](const FitTensor& tensor) { return tensor.linear; };
  if (!carried_.empty() && std::none_of(tensors_.begin(), tensors_.end(), is_linear)) {
    return Bad(path, absl::StrCat("no tensor of F32, F16 or BF16 and two dimensions, which is what is fitted (",
                                  carried_.front().info.name, " is ", carried_.front().info.type_name(),
                                  "); mvault pack stores such models as they are"));
  }
  if (absl::Status status = CheckScaleNames(path, tensors_, layout_); !status.ok()) return status;
  if (has_base()) {
    digest_ = model->digest;
    float_bytes_ = model->size;
  }
  return absl::OkStatus();
}

absl::StatusOr<FitInput::AlignedModel> FitInput::Align(ModelWeights variant, const std::string& path) const {
  AlignedModel aligned;
  aligned.pairs = PairTensors(layout_, variant.layout, files_.names);
  aligned.layout = std::move(variant.layout);
  aligned.digest = variant.digest;
  aligned.size = variant.size;
  if (!aligned.pairs.complete()) return aligned;
  std::vector<const ModelTensor*> own(layout_.size());  // By the base's tensors; null: ignored.
  for (size_t i = 0; i < aligned.layout.size(); ++i) {
    if (aligned.pairs.base_of[i].has_value()) own[*aligned.pairs.base_of[i]] = &aligned.layout[i];
  }
  std::map<std::string, std::vector<uint8_t>> bytes;
  for (CarriedTensor& tensor : variant.carried) bytes.emplace(tensor.info.name, std::move(tensor.bytes));
  size_t fitted = 0, carried = 0;
  for (size_t i = 0; i < layout_.size(); ++i) {
    const bool is_float = IsFloat(layout_[i]);
    if (own[i] != nullptr &&
        (IsFloat(*own[i]) != is_float || (!is_float && own[i]->type_name() != layout_[i].type_name()))) {
      return Bad(path, absl::StrCat("tensor ", own[i]->name, " is ", own[i]->type_name(), "; the base's is ",
                                    layout_[i].type_name()));
    }
    if (is_float) {
      aligned.weights.push_back(own[i] != nullptr ? std::move(variant.tensors.at(own[i]->name).values)
                                                  : tensors_[fitted].base);
      aligned.own.push_back(own[i] != nullptr);
      ++fitted;
    } else {
      const std::vector<uint8_t>& from = own[i] != nullptr ? bytes.at(own[i]->name) : carried_[carried].bytes;
      aligned.carried.insert(aligned.carried.end(), from.begin(), from.end());
      ++carried;
    }
  }
  return aligned;
}

void FitInput::AddChanges(const Weights& variant) {
  std::vector<float> changes;
  for (size_t t = 0; t < tensors_.size(); ++t) {
    FitTensor& tensor = tensors_[t];
    const std::vector<float>& values = variant[t];
    const size_t cols = static_cast<size_t>(tensor.cols());
    for (size_t row = 0; row < tensor.row_changes.size(); ++row) {
      changes.clear();
      for (size_t i = row * cols; i < (row + 1) * cols; ++i) changes.push_back(values[i] - tensor.base[i]);
      tensor.row_changes[row] = std::max(tensor.row_changes[row], static_cast<float>(std::sqrt(MeanSquare(changes))));
    }
  }
}

void FitInput::AddVariant(const AlignedModel& variant, std::vector<Sum>* sums) {
  for (size_t t = 0; t < tensors_.size(); ++t) {
    // Without a base, what stands in for a tensor is the mean of those that there are.
    if (!has_base() && !variant.own[t]) continue;
    Sum& sum = (*sums)[t];
    const std::vector<float>& values = variant.weights[t];
    for (size_t i = 0; i < values.size(); ++i) sum.values[i] += static_cast<double>(values[i]);
    ++sum.count;
  }
  if (has_base()) AddChanges(variant.weights);
  for (const size_t i : variant.pairs.ignored) ignored_.insert(variant.layout[i].name);
  std::set<size_t> matched;
  for (const std::optional<size_t>& base : variant.pairs.base_of) {
    if (base.has_value()) matched.insert(*base);
  }
  for (size_t i = 0; i < layout_.size(); ++i) {
    if (matched.count(i) == 0) ignored_.insert(layout_[i].name);
  }
  variant_digests_.push_back(variant.digest);
  float_bytes_ += variant.size;
}

absl::Status FitInput::ReadVariants(int threads) {
  std::vector<Sum> sums;
  for (const FitTensor& tensor : tensors_) sums.push_back({std::vector<double>(tensor.base.size()), 0});
  std::vector<Mismatch> refused;
  RuleUse use(&files_.names, layout_);
  const absl::Status status = OrderedParallel<AlignedModel>(
      variant_count(), ThreadCount(threads),
      [&](uint64_t v) -> absl::StatusOr<AlignedModel> {
        absl::StatusOr<ModelWeights> variant = ReadModelWeights(*file_system_, files_.variants[v].path);
        if (!variant.ok()) return variant.status();
        return Align(*std::move(variant), files_.variants[v].path);
      },
      [&](uint64_t v, AlignedModel variant) {
        use.AddVariant(variant.layout);
        const bool shard = IsShardName(files_.variants[v].path) && variant.pairs.matched() < layout_.size();
        if (variant.pairs.complete() && !shard) {
          AddVariant(variant, &sums);
        } else {
          refused.push_back({files_.variants[v].path, std::move(variant.layout), std::move(variant.pairs)});
        }
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  if (absl::Status unused = use.Check(); !unused.ok()) return unused;
  if (!refused.empty()) {
    const std::string& base = has_base() ? files_.base : files_.variants.front().path;
    const std::string heading = MismatchHeading(refused.size(), variant_count(), base, layout_.size());
    std::string text = DescribeMismatches(heading, base, layout_, refused, files_.names);
    const std::string ignore = IgnoreOptions(base, layout_, refused, files_.names);
    if (!ignore.empty()) {
      absl::StrAppend(&text, "\nA fit keeps what the base has; without the tensors that have no match it goes on with",
                      ignore);
    }
    return absl::InvalidArgumentError(text);
  }
  for (size_t t = 0; t < tensors_.size(); ++t) {
    std::vector<float> mean = tensors_[t].base;  // Of a tensor that all ignore: the first variant's.
    for (size_t i = 0; i < mean.size() && sums[t].count > 0; ++i)
      mean[i] = static_cast<float>(sums[t].values[i] / static_cast<double>(sums[t].count));
    if (!has_base()) tensors_[t].base = mean;
    mean_.push_back(std::move(mean));
  }
  if (has_base()) return absl::OkStatus();
  // What they differ from is known only now.
  return OrderedParallel<Weights>(
      variant_count(), ThreadCount(threads), [&](uint64_t v) { return ReadVariant(static_cast<size_t>(v)); },
      [&](uint64_t, const Weights& variant) {
        AddChanges(variant);
        return absl::OkStatus();
      });
}

absl::StatusOr<FitInput::KnownCurvature> FitInput::ReadCurvatureFiles(const CurvatureOptions& options) const {
  KnownCurvature known;
  const auto read = [&](absl::string_view what, const std::string& path) -> absl::StatusOr<FloatTensors> {
    absl::StatusOr<ModelWeights> file = ReadModelWeights(*file_system_, path);
    if (!file.ok()) return file.status();
    if (!file->carried.empty()) {
      const ModelTensor& info = file->carried.front().info;
      return Bad(path, absl::StrCat("tensor ", info.name, " is ", info.type_name(), "; expected F32, F16 or BF16"));
    }
    absl::StrAppend(&known.digests, what, absl::string_view(reinterpret_cast<const char*>(file->digest.data()), 16));
    return std::move(file->tensors);
  };
  if (!files_.curvature.empty() && (options.use_kronecker || options.use_importance)) {
    absl::StatusOr<FloatTensors> tensors = read("curvature", files_.curvature);
    if (!tensors.ok()) return tensors.status();
    known.importance_path = files_.curvature;
    for (auto& [name, tensor] : *tensors) {
      absl::string_view of = name;
      if (absl::ConsumeSuffix(&of, kImportance)) {
        if (options.use_importance) known.importance.emplace(of, std::move(tensor));
      } else if (absl::ConsumeSuffix(&of, kTensorWeight)) {
        const float weight = tensor.values.size() == 1 ? tensor.values.front() : 0;
        if (!(weight > 0))
          return Bad(files_.curvature, absl::StrCat("tensor ", name, ": expected one positive number"));
        known.weights.emplace(of, static_cast<double>(weight));
      } else if (!absl::EndsWith(name, ".G") && !absl::EndsWith(name, ".H")) {
        known.others.push_back(name);
      } else if (options.use_kronecker) {
        known.factors.emplace(name, std::move(tensor));
      }
    }
  }
  if (!files_.importance.empty() && options.use_importance) {
    absl::StatusOr<FloatTensors> tensors = read("importance", files_.importance);
    if (!tensors.ok()) return tensors.status();
    known.importance = *std::move(tensors);
    known.importance_path = files_.importance;
  }
  return known;
}

void FitInput::NoteUnused(const KnownCurvature& known) {
  const auto is_tensor = [&](absl::string_view name, bool linear) {
    return std::any_of(tensors_.begin(), tensors_.end(),
                       [&](const FitTensor& t) { return t.name == name && (t.linear || !linear); });
  };
  unused_ = known.others;
  for (const auto& [name, tensor] : known.factors) {
    if (!is_tensor(absl::string_view(name).substr(0, name.size() - 2), true)) unused_.push_back(name);
  }
  const bool apart = known.importance_path == files_.importance;
  for (const auto& [name, tensor] : known.importance) {
    if (!is_tensor(name, false)) unused_.push_back(apart ? name : absl::StrCat(name, kImportance));
  }
  for (const auto& [name, weight] : known.weights) {
    if (!is_tensor(name, false)) unused_.push_back(absl::StrCat(name, kTensorWeight));
  }
}

absl::Status FitInput::SetWeights(const CurvatureOptions& options, const KnownCurvature& known) {
  for (const auto& [part, weight] : options.tensor_weights) {
    const auto has_part = [&](const FitTensor& t) { return t.name.find(part) != std::string::npos; };
    if (std::none_of(tensors_.begin(), tensors_.end(), has_part)) {
      std::vector<std::string> names;
      for (const FitTensor& tensor : tensors_) names.push_back(tensor.name);
      return absl::NotFoundError(
          absl::StrCat("no tensor that is fitted has '", part, "' in its name", NearestPartHint(part, names)));
    }
    if (!(weight > 0) || !std::isfinite(weight)) {
      return absl::InvalidArgumentError(absl::StrCat("tensors '", part, "': a weight must be positive"));
    }
    for (FitTensor& tensor : tensors_) {
      if (has_part(tensor)) tensor.weight *= weight;
    }
  }
  knows_tensor_weights_ = !options.tensor_weights.empty();
  if (knows_tensor_weights_ || options.magnitude) return absl::OkStatus();
  for (FitTensor& tensor : tensors_) {
    const auto found = known.weights.find(tensor.name);
    if (found == known.weights.end()) continue;
    tensor.weight = found->second;
    knows_tensor_weights_ = true;
  }
  return absl::OkStatus();
}

absl::Status FitInput::SetCurvature(const CurvatureOptions& options, KnownCurvature* known, FitTensor* tensor) const {
  if (tensor->base.empty()) return absl::OkStatus();
  const auto g = known->factors.find(absl::StrCat(tensor->name, ".G"));
  const auto h = known->factors.find(absl::StrCat(tensor->name, ".H"));
  const auto diagonal = known->importance.find(tensor->name);
  absl::StatusOr<Curvature> curvature = Curvature::Identity(tensor->rows(), tensor->cols());
  std::string path;
  if (options.magnitude) {
    const double square = MeanSquare(tensor->base);
    if (!(square > 0)) return absl::OkStatus();
    tensor->use = CurvatureUse::kMagnitude;
    const float weight = static_cast<float>(tensor->weight / square);
    curvature = Curvature::Diagonal(tensor->name, tensor->rows(), tensor->cols(),
                                    std::vector<float>(tensor->base.size(), weight), 0);
  } else if (tensor->linear && (g != known->factors.end() || h != known->factors.end())) {
    path = files_.curvature;
    if (g == known->factors.end() || h == known->factors.end()) {
      return Bad(path, absl::StrCat("has only one of ", tensor->name, ".G and ", tensor->name, ".H"));
    }
    tensor->use = CurvatureUse::kKronecker;
    Scale(tensor->weight, &g->second.values);
    curvature = Curvature::Kronecker(tensor->name, tensor->rows(), tensor->cols(), std::move(g->second.values),
                                     std::move(h->second.values), options.damping);
  } else if (diagonal != known->importance.end()) {
    path = known->importance_path;
    if (diagonal->second.shape != tensor->shape) {
      return Bad(path, absl::StrCat("importance of tensor ", tensor->name, " is ", Shown(diagonal->second.shape),
                                    "; the base's tensor is ", Shown(tensor->shape)));
    }
    tensor->use = CurvatureUse::kDiagonal;
    Scale(tensor->weight, &diagonal->second.values);
    curvature = Curvature::Diagonal(tensor->name, tensor->rows(), tensor->cols(), std::move(diagonal->second.values),
                                    options.damping);
  } else {
    return absl::OkStatus();
  }
  if (!curvature.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", curvature.status().message()));
  tensor->curvature = *std::move(curvature);
  return absl::OkStatus();
}

// Tensors without a curvature: all weights alike, at the mean of the linear tensors that have one.
absl::Status FitInput::SetAverages() {
  double known = 0;
  double count = 0;
  for (const FitTensor& tensor : tensors_) {
    if (!tensor.linear || tensor.use == CurvatureUse::kIdentity) continue;
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

absl::Status FitInput::ReadCurvature(const CurvatureOptions& options) {
  absl::StatusOr<KnownCurvature> known = ReadCurvatureFiles(options);
  if (!known.ok()) return known.status();
  std::string text = absl::StrCat(known->digests, options.damping, ";", options.use_kronecker, options.use_importance,
                                  options.magnitude);
  for (const auto& [part, weight] : options.tensor_weights) absl::StrAppend(&text, ";", part, "=", weight);
  for (const NameRule& rule : files_.names.renames) absl::StrAppend(&text, ";", FormatNameRule(rule));
  for (const std::string& pattern : files_.names.ignore) absl::StrAppend(&text, ";ignore ", pattern);
  ModelDigester digester;
  digester.Update(digest_);
  digester.Update({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  digest_ = digester.Digests().xxh3;
  NoteUnused(*known);
  knows_importance_ = !known->importance.empty();
  if (absl::Status status = SetWeights(options, *known); !status.ok()) return status;
  for (FitTensor& tensor : tensors_) {
    if (absl::Status status = SetCurvature(options, &*known, &tensor); !status.ok()) return status;
  }
  return SetAverages();
}

absl::StatusOr<FitInput::AlignedModel> FitInput::ReadUnchanged(size_t v) const {
  const std::string& path = files_.variants[v].path;
  absl::StatusOr<ModelWeights> model = ReadModelWeights(*file_system_, path);
  if (!model.ok()) return model.status();
  if (model->digest != variant_digests_[v]) return Bad(path, "changed while it was being fitted");
  return Align(*std::move(model), path);
}

absl::StatusOr<Weights> FitInput::ReadVariant(size_t v) const {
  absl::StatusOr<AlignedModel> model = ReadUnchanged(v);
  if (!model.ok()) return model.status();
  return std::move(model->weights);
}

absl::StatusOr<std::vector<uint8_t>> FitInput::ReadCarried(size_t v) const {
  if (carried_.empty()) return std::vector<uint8_t>();
  absl::StatusOr<AlignedModel> model = ReadUnchanged(v);
  if (!model.ok()) return model.status();
  return std::move(model->carried);
}

}  // namespace modelvault
