#include "tools/packing/family_plan.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "codec/base_encoder.h"
#include "tools/packing/coded_base.h"
#include "tools/packing/coding_rate.h"
#include "vault/format.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr size_t kMeasuredVariants = 4;
// How often `pack` reads a file: the base for its digests, twice for its tables, to code it, to compare it, and to bill
// the other profile; a variant to count its differences, to code it, and to compare it.
constexpr uint64_t kBaseReads = 6;
constexpr uint64_t kVariantReads = 3;

double Rate(uint64_t size, double seconds) { return seconds > 0 ? static_cast<double>(size) / seconds : 0; }

double SecondsFor(uint64_t size, double rate) { return rate > 0 ? static_cast<double>(size) / rate : 0; }

uint64_t Int8Size(const ModelSample& model) {
  uint64_t size = 0;
  for (const ModelTensor& tensor : model.tensors) size += tensor.dtype == DType::kI8 ? tensor.size() : 0;
  return size;
}

absl::Status MeasureRates(absl::Span<const ModelSample> samples, const std::function<double()>& seconds,
                          FamilyPlan* plan) {
  const size_t variants = samples.size() - 1;
  const size_t measured = std::min(variants, kMeasuredVariants);
  CodingTime time;
  for (size_t i = 0; i < measured; ++i) {
    const ModelSample& variant = samples[1 + i * variants / measured];
    if (absl::Status status = MeasureCoding(samples[0], variant, seconds, &time); !status.ok()) return status;
  }
  plan->base_rate = Rate(time.base_size, time.base_seconds);
  plan->variant_rate = Rate(time.variant_size, time.variant_seconds);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FamilyPlan> PlanFamily(FileSystem& file_system, const std::string& base_path,
                                      absl::Span<const VariantInput> variants, const FamilyOptions& options,
                                      const std::function<double()>& seconds) {
  std::vector<VariantInput> models = {{"base", base_path}};
  models.insert(models.end(), variants.begin(), variants.end());
  const absl::StatusOr<std::vector<ModelSample>> samples = SampleModels(file_system, models, options);
  if (!samples.ok()) return samples.status();
  const ModelSample& base = samples->front();
  const absl::StatusOr<AloneEstimate> alone = EstimateAlone(base);
  if (!alone.ok()) return alone.status();

  FamilyPlan plan;
  plan.threads = ThreadCount(options.threads);
  plan.base_bytes = alone->bytes;
  uint64_t variant_data = 0;
  for (size_t i = 0; i < samples->size(); ++i) {
    const ModelSample& sample = (*samples)[i];
    plan.file_size += sample.file_size;
    plan.sampled_size += sample.sampled_size();
    if (i == 0) continue;
    const std::optional<VariantEstimate> estimate = EstimateVariant(base, sample);
    if (!estimate.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(sample.path, ": is no variant of ", base_path, " ('mvault cluster' tells which models are)"));
    }
    plan.variant_bytes += estimate->bytes;
    variant_data += sample.data_size();
    plan.read_bytes += kVariantReads * sample.file_size;
  }
  const uint64_t chunks = ChunksSize(base.data_size(), DefaultChunkSize(base.data_size(), BaseProfile::kSmall));
  const uint64_t entries = variants.size() * (kWideIndexEntrySize + kAlignment);
  plan.vault_bytes = kHeaderSize + chunks + plan.base_bytes + plan.variant_bytes + entries;
  plan.disk_bytes = plan.vault_bytes;
  plan.write_bytes = plan.vault_bytes;
  // Each variant is coded, and its INT8 tensors are counted, beside the base, and restored from the vault.
  plan.read_bytes += kBaseReads * base.file_size + plan.vault_bytes +
                     variants.size() * (base.data_size() + Int8Size(base) + plan.base_bytes);
  if (absl::Status status = MeasureRates(*samples, seconds, &plan); !status.ok()) return status;
  plan.seconds =
      (SecondsFor(base.data_size(), plan.base_rate) + SecondsFor(variant_data, plan.variant_rate)) / plan.threads;
  return plan;
}

}  // namespace modelvault
