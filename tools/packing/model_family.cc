#include "tools/packing/model_family.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "codec/core/prediction.h"
#include "tools/packing/base_choice.h"
#include "tools/packing/sample_bits.h"
#include "tools/packing/variant_match.h"
#include "vault/manifest.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

uint64_t ElementsOf(const ModelTensor& tensor) { return tensor.size() / SampledElementSize(tensor); }

double MostBits(const ModelTensor& tensor) { return static_cast<double>(8 * SampledElementSize(tensor)); }

// Bits an element of each tensor; where none of its elements is in the sample, the mean of the others of its type.
class TensorBits {
 public:
  explicit TensorBits(absl::Span<const ModelTensor> tensors) : tensors_(tensors), bits_(tensors.size()) {}

  void Set(size_t tensor, double bits, uint64_t sampled) {
    if (sampled == 0) return;
    bits_[tensor] = bits;
    Pool& pool = pools_[tensors_[tensor].dtype];
    pool.bits += bits * static_cast<double>(sampled);
    pool.sampled += static_cast<double>(sampled);
  }

  double Of(size_t tensor) const {
    if (bits_[tensor].has_value()) return *bits_[tensor];
    const auto pool = pools_.find(tensors_[tensor].dtype);
    return pool == pools_.end() ? MostBits(tensors_[tensor]) : pool->second.bits / pool->second.sampled;
  }

 private:
  struct Pool {
    double bits = 0;
    double sampled = 0;
  };
  absl::Span<const ModelTensor> tensors_;
  std::vector<std::optional<double>> bits_;
  std::map<DType, Pool> pools_;
};

TensorBits TensorBitsAlone(const ModelSample& model) {
  TensorBits bits(model.tensors);
  for (size_t t = 0; t < model.tensors.size(); ++t) {
    const SampleBits alone = BitsAlone(model.tensors[t].dtype, model.bytes[t]);
    bits.Set(t, alone.bits, alone.elements);
  }
  return bits;
}

// What MANIFEST takes for a frame on its own.
absl::StatusOr<uint64_t> FrameSize(const std::string& frame) {
  FileHeaders headers;
  headers.base = frame;
  const absl::StatusOr<std::string> section = EncodeManifest(headers);
  if (!section.ok()) return section.status();
  return section->size();
}

uint64_t BytesOfBits(double bits) { return static_cast<uint64_t>(std::llround(std::ceil(bits / 8))); }

TensorPairs Pair(const ModelSample& base, const ModelSample& variant) {
  TensorPairs pairs = PairTensors(base.tensors, variant.tensors, {});
  if (base.format->names_are_generated()) PairByShape(base.tensors, variant.tensors, &pairs);
  return pairs;
}

// A base's sample as the variant's type has it.
std::vector<uint8_t> Predicted(Prediction prediction, const ModelTensor& from, const std::vector<uint8_t>& sample,
                               const ModelTensor& to) {
  if (prediction == Prediction::kCopy) return sample;
  const size_t elements = sample.size() / static_cast<size_t>(SampledElementSize(from));
  std::vector<uint8_t> predicted(elements * static_cast<size_t>(SampledElementSize(to)));
  Predict(prediction, sample.data(), elements, predicted.data());
  return predicted;
}

std::optional<VariantEstimate> Estimate(const ModelSample& base, const ModelSample& variant,
                                        const TensorBits& variant_alone, uint64_t frame_size) {
  if (base.format != variant.format) return std::nullopt;
  const TensorPairs pairs = Pair(base, variant);
  if (!IsOfBase(base.tensors, variant.tensors, pairs)) return std::nullopt;
  const auto prediction = [&](size_t t) {
    const std::optional<size_t> b = pairs.base_of[t];
    if (!b.has_value()) return Prediction::kZero;
    const ModelTensor& from = base.tensors[*b];
    return PredictionFor(from.dtype, static_cast<size_t>(from.size()), variant.tensors[t].dtype,
                         static_cast<size_t>(variant.tensors[t].size()));
  };
  TensorBits bits(variant.tensors);
  double compared = 0, differing = 0;
  for (size_t t = 0; t < variant.tensors.size(); ++t) {
    if (prediction(t) == Prediction::kZero) continue;
    const size_t b = *pairs.base_of[t];
    const ModelTensor& tensor = variant.tensors[t];
    const std::vector<uint8_t> predicted = Predicted(prediction(t), base.tensors[b], base.bytes[b], tensor);
    const SampleDifference difference = BitsOfDifference(tensor.dtype, predicted, variant.bytes[t]);
    if (difference.elements == 0) continue;
    bits.Set(t, std::min(difference.bits, variant_alone.Of(t)), difference.elements);
    const double weight = static_cast<double>(tensor.size());
    differing += weight * static_cast<double>(difference.differing_bits) /
                 (static_cast<double>(difference.elements) * MostBits(tensor));
    compared += weight;
  }
  double total = 0, elements = 0;
  for (size_t t = 0; t < variant.tensors.size(); ++t) {
    const double count = static_cast<double>(ElementsOf(variant.tensors[t]));
    total += count * (prediction(t) != Prediction::kZero ? bits.Of(t) : variant_alone.Of(t));
    elements += count;
  }
  VariantEstimate estimate;
  estimate.bytes = BytesOfBits(total) + (base.frame == variant.frame ? 0 : frame_size);
  estimate.differing_bits = compared > 0 ? differing / compared : 0;
  estimate.element_bits = elements > 0 ? total / elements : 0;
  return estimate;
}

AloneEstimate Estimate(const ModelSample& model, const TensorBits& bits, uint64_t frame_size) {
  double total = 0, elements = 0;
  for (size_t t = 0; t < model.tensors.size(); ++t) {
    const double count = static_cast<double>(ElementsOf(model.tensors[t]));
    total += count * bits.Of(t);
    elements += count;
  }
  return {BytesOfBits(total) + frame_size, elements > 0 ? total / elements : 0};
}

// All that is asked again and again of a model.
struct KnownModel {
  TensorBits bits;
  uint64_t frame_size;
  AloneEstimate alone;
};
absl::StatusOr<KnownModel> Know(const ModelSample& model) {
  const absl::StatusOr<uint64_t> frame_size = FrameSize(model.frame);
  if (!frame_size.ok()) return frame_size.status();
  TensorBits bits = TensorBitsAlone(model);
  const AloneEstimate alone = Estimate(model, bits, *frame_size);
  return KnownModel{std::move(bits), *frame_size, alone};
}

// Row i: model i as a variant of each other.
using VariantRow = std::vector<std::optional<VariantEstimate>>;

absl::StatusOr<std::vector<VariantRow>> CompareAll(const std::vector<ModelSample>& samples,
                                                   const std::vector<KnownModel>& known, const FamilyOptions& options) {
  std::vector<VariantRow> rows;
  const absl::Status status = OrderedParallel<VariantRow>(
      samples.size(), ThreadCount(options.threads),
      [&](uint64_t i) -> absl::StatusOr<VariantRow> {
        const size_t v = static_cast<size_t>(i);
        VariantRow row(samples.size());
        for (size_t b = 0; b < samples.size(); ++b) {
          if (b != v) row[b] = Estimate(samples[b], samples[v], known[v].bits, known[v].frame_size);
        }
        return row;
      },
      [&](uint64_t i, VariantRow row) {
        rows.push_back(std::move(row));
        ReportProgress(options.progress, "compare", i + 1, samples.size());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return rows;
}

PackingCosts CostsOf(const std::vector<KnownModel>& known, const std::vector<VariantRow>& rows) {
  PackingCosts costs;
  for (size_t m = 0; m < known.size(); ++m) {
    costs.alone.push_back(known[m].alone.bytes);
    std::vector<uint64_t>& row = costs.as_variant.emplace_back(known.size(), kNoVariant);
    const double most = kMostOfAlone * static_cast<double>(known[m].alone.bytes);
    for (size_t b = 0; b < known.size(); ++b) {
      const std::optional<VariantEstimate>& estimate = rows[m][b];
      if (estimate.has_value() && static_cast<double>(estimate->bytes) < most) row[b] = estimate->bytes;
    }
  }
  return costs;
}

uint64_t Saved(const ModelFamily& family) {
  return family.bytes_apart() - std::min(family.bytes_apart(), family.bytes());
}

}  // namespace

uint64_t ModelFamily::bytes() const {
  uint64_t sum = base.alone.bytes;
  for (const FamilyMember& variant : variants) sum += variant.as_variant.bytes;
  return sum;
}

uint64_t ModelFamily::bytes_apart() const {
  uint64_t sum = base.alone.bytes;
  for (const FamilyMember& variant : variants) sum += variant.alone.bytes;
  return sum;
}

absl::StatusOr<AloneEstimate> EstimateAlone(const ModelSample& model) {
  const absl::StatusOr<KnownModel> known = Know(model);
  if (!known.ok()) return known.status();
  return known->alone;
}

std::optional<VariantEstimate> EstimateVariant(const ModelSample& base, const ModelSample& variant) {
  return Estimate(base, variant, TensorBitsAlone(variant), FrameSize(variant.frame).value_or(variant.frame.size()));
}

absl::StatusOr<std::vector<ModelSample>> SampleModels(FileSystem& file_system, absl::Span<const VariantInput> models,
                                                      const FamilyOptions& options) {
  std::vector<ModelSample> samples;
  const absl::Status status = OrderedParallel<ModelSample>(
      models.size(), ThreadCount(options.threads),
      [&](uint64_t i) { return SampleModel(file_system, models[static_cast<size_t>(i)].path, options.sample_size); },
      [&](uint64_t i, ModelSample sample) {
        samples.push_back(std::move(sample));
        ReportProgress(options.progress, "sample", i + 1, models.size());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return samples;
}

absl::StatusOr<ModelFamilies> FindFamilies(FileSystem& file_system, absl::Span<const VariantInput> models,
                                           const FamilyOptions& options) {
  const absl::StatusOr<std::vector<ModelSample>> samples = SampleModels(file_system, models, options);
  if (!samples.ok()) return samples.status();
  ModelFamilies result;
  std::vector<KnownModel> known;
  for (const ModelSample& sample : *samples) {
    absl::StatusOr<KnownModel> one = Know(sample);
    if (!one.ok()) return one.status();
    known.push_back(*std::move(one));
    result.sampled_size += sample.sampled_size();
    result.file_size += sample.file_size;
  }
  const absl::StatusOr<std::vector<VariantRow>> rows = CompareAll(*samples, known, options);
  if (!rows.ok()) return rows.status();
  const std::vector<size_t> base_of = ChooseBases(CostsOf(known, *rows));
  std::map<size_t, ModelFamily> by_base;
  for (size_t m = 0; m < base_of.size(); ++m) {
    FamilyMember member{m, known[m].alone, {}};
    ModelFamily& family = by_base[base_of[m]];
    if (base_of[m] == m) {
      family.base = member;
    } else {
      member.as_variant = *(*rows)[m][base_of[m]];
      family.variants.push_back(member);
    }
  }
  for (auto& [base, family] : by_base) result.families.push_back(std::move(family));
  std::stable_sort(result.families.begin(), result.families.end(), [](const ModelFamily& a, const ModelFamily& b) {
    if (a.variants.empty() != b.variants.empty()) return b.variants.empty();
    return Saved(a) > Saved(b);
  });
  return result;
}

}  // namespace modelvault
