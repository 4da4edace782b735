#include "tools/packing/plan.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "codec/base_encoder.h"
#include "codec/delta_statistics.h"
#include "codec/shared_tables_builder.h"
#include "codec/split_mix_64.h"
#include "restore/model_file.h"
#include "tools/formats/model_formats.h"
#include "tools/packing/coded_base.h"
#include "vault/format.h"
#include "vault/manifest.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr uint64_t kNameSize = 16;             // A guess at a variant's name.
constexpr double kBlobOverhead = 2 + 4 + 1.0;  // Flags, the coder's first state, padding to 4 bytes on average.
constexpr uint32_t kSampleVariants = 256;      // As many headers are really coded; more cost in proportion.

// MANIFEST's bytes with `variants` whose headers are the base's.
absl::StatusOr<uint64_t> ManifestSize(const std::string& header, uint32_t variants) {
  FileHeaders headers;
  headers.base = header;
  for (uint32_t i = 0; i < variants; ++i) {
    HeaderDifference& difference = headers.variants.emplace_back(DiffHeader(header, header));
    // A header of its own has a hash of its own, which does not compress.
    difference.xxh3 ^= uint64_t{i} * SplitMix64::kStep;
  }
  const absl::StatusOr<std::string> section = EncodeManifest(headers);
  if (!section.ok()) return section.status();
  return section->size();
}

}  // namespace

double AffordableDensity(double bits) {
  constexpr double kMost = 2.0 / 3;
  if (!(bits > 0)) return 0;
  if (bits >= std::log2(3.0)) return 1;
  double low = 0;
  double high = kMost;
  for (int i = 0; i < 60; ++i) {
    const double p = (low + high) / 2;
    const double cost = p - p * std::log2(p) - (1 - p) * std::log2(1 - p);
    (cost < bits ? low : high) = p;
  }
  return low;
}

absl::StatusOr<VaultPlan> PlanVault(FileSystem& file_system, const std::string& base_path, uint64_t budget,
                                    uint32_t variants, const std::optional<NetworkPlan>& network, int threads,
                                    const ProgressFunction& progress) {
  const absl::StatusOr<ModelFile> base = OpenModelFile(file_system, base_path);
  if (!base.ok()) return base.status();
  absl::StatusOr<std::string> network_section = std::string();
  if (network.has_value()) network_section = BuildNetwork(network->network, base->tensors(), base_path);
  if (!network_section.ok()) return network_section.status();
  FileDataSource data(&*base);
  absl::StatusOr<std::string> section = BuildSharedTables(base->tensors(), &data, DeltaStatistics(base->tensors()));
  if (!section.ok()) return section.status();
  VaultPlan plan;
  plan.model_bytes = section->size();
  const absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared =
      ParsedSharedTables::Parse(*std::move(section));
  if (!shared.ok()) return shared.status();
  const uint32_t chunk_size = DefaultChunkSize(base->data_size(), BaseProfile::kSmall);
  ThreadExecutor executor;
  const absl::StatusOr<uint64_t> coded =
      CodedBaseSize(executor, nullptr, *base, {shared->get(), {}}, chunk_size, threads, progress);
  if (!coded.ok()) return coded.status();
  plan.base_bytes = *coded;
  plan.chunks_bytes = ChunksSize(base->data_size(), chunk_size);
  plan.base_file_size = base->size();
  plan.network_bytes = network_section->size();

  const uint32_t sampled = std::min(variants, kSampleVariants);
  const absl::StatusOr<uint64_t> alone = ManifestSize(base->frame(), 0);
  if (!alone.ok()) return alone.status();
  const absl::StatusOr<uint64_t> together = ManifestSize(base->frame(), sampled);
  if (!together.ok()) return together.status();
  const double header_each = (static_cast<double>(*together) - static_cast<double>(*alone)) / sampled;
  constexpr uint64_t kSectionPadding = 4 * kAlignment / 2;
  plan.fixed_bytes = kHeaderSize + *alone + kSectionPadding;
  const size_t entry = budget > kMaxNarrowIndexOffset ? kWideIndexEntrySize : kNarrowIndexEntrySize;
  plan.overhead_per_variant = static_cast<double>(entry + 1 + kNameSize) + header_each + kBlobOverhead;
  plan.overhead_bytes = static_cast<uint64_t>(std::llround(plan.overhead_per_variant * variants));

  const WeightCount count = CountWeights(base->tensors());
  plan.weights = count.weights;
  plan.taken = plan.model_bytes + plan.chunks_bytes + plan.base_bytes + plan.network_bytes + plan.fixed_bytes +
               plan.overhead_bytes;
  plan.bytes_left = budget > plan.taken ? budget - plan.taken : 0;
  plan.bytes_left_per_variant = plan.bytes_left / variants;
  plan.fits = plan.bytes_left > 0;
  if (plan.weights > 0) {
    plan.bits_per_weight = 8 * static_cast<double>(plan.bytes_left_per_variant) / static_cast<double>(plan.weights);
  }
  if (count.int8) plan.density = AffordableDensity(plan.bits_per_weight);
  if (network.has_value()) {
    absl::StatusOr<BoardPlan> board =
        PlanBoard(*network_section, base->tensors(), plan.density.value_or(0), network->ram);
    if (!board.ok()) return board.status();
    plan.board = *std::move(board);
  }
  return plan;
}

}  // namespace modelvault
