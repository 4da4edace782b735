#include "tools/fitting/packed_size.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

#include "codec/base_encoder.h"
#include "codec/core/variant_layout.h"
#include "codec/segment_encoder.h"
#include "codec/shared_tables_builder.h"
#include "tools/packing/pack.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr uint64_t kChunkEntry = 8;

}  // namespace

uint64_t PackedSize::total() const { return std::accumulate(variants.begin(), variants.end(), model + base); }

DeltaStatistics CountDifferences(const std::vector<ModelTensor>& specs, const FittedModels& models) {
  const std::vector<uint8_t> base = ExportedBase(models);
  DeltaStatistics statistics(specs);
  for (const FittedVariant& variant : models.variants) {
    const std::vector<uint8_t> data = ExportedVariant(models, variant);
    uint64_t at = 0;
    for (size_t i = 0; i < specs.size(); ++i) {
      const size_t size = static_cast<size_t>(specs[i].size());
      if (statistics.Counts(i)) {
        statistics.AddVariant(i);
        statistics.Add(i, 0, absl::MakeSpan(base).subspan(at, size), absl::MakeSpan(data).subspan(at, size));
      }
      at += size;
    }
  }
  return statistics;
}

absl::StatusOr<PackedSize> MeasurePackedSize(const std::vector<FitTensor>& tensors, const FittedModels& models,
                                             BaseProfile profile, int threads) {
  const std::vector<ModelTensor> specs = ExportedTensors(tensors);
  const std::vector<uint8_t> base = ExportedBase(models);
  MemoryDataSource source(base);
  absl::StatusOr<std::string> section = BuildSharedTables(specs, &source, CountDifferences(specs, models), profile);
  if (!section.ok()) return section.status();
  PackedSize size;
  size.model = section->size();
  const absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared =
      ParsedSharedTables::Parse(*std::move(section));
  if (!shared.ok()) return shared.status();
  const BaseEncoder encoder(&(*shared)->tables(), DefaultChunkSize(base.size(), BaseProfile::kSmall));
  for (uint64_t c = 0; c < encoder.chunk_count(); ++c) {
    const size_t begin = static_cast<size_t>(c * encoder.chunk_size());
    const size_t bytes = std::min<size_t>(encoder.chunk_size(), base.size() - begin);
    size.base += encoder.Encode(c, absl::MakeSpan(base).subspan(begin, bytes)).size() + kChunkEntry;
  }
  const VariantLayout layout(&(*shared)->tables());
  const SegmentEncoder segments(&layout, DefaultSegmentSize(BaseProfile::kSmall));
  const absl::Status status = OrderedParallel<std::vector<uint64_t>>(
      models.variants.size(), ThreadCount(threads),
      [&](uint64_t v) -> absl::StatusOr<std::vector<uint64_t>> {
        const std::vector<uint8_t> data = ExportedVariant(models, models.variants[v]);
        MemoryDataSource from(base), to(data);
        uint64_t bytes = 0;
        for (uint64_t s = 0; s < segments.segment_count(); ++s) {
          const absl::StatusOr<std::string> stored = segments.Encode(s, &from, &to);
          if (!stored.ok()) return stored.status();
          bytes += stored->size();
        }
        return std::vector<uint64_t>{bytes};
      },
      [&](uint64_t, std::vector<uint64_t> bytes) {
        size.variants.push_back(bytes.front());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return size;
}

}  // namespace modelvault
