#include "tools/packing/coding_rate.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codec/base_encoder.h"
#include "codec/core/variant_layout.h"
#include "codec/data_source.h"
#include "codec/delta_statistics.h"
#include "codec/layout_encoder.h"
#include "codec/segment_encoder.h"
#include "codec/shared_tables_builder.h"
#include "tools/packing/variant_match.h"

namespace modelvault {
namespace {

constexpr uint32_t kChunkSize = 64 << 10;  // Of large bases.
constexpr uint32_t kSegmentSize = 1 << 20;

// A small model made of a sample.
struct CutModel {
  std::vector<ModelTensor> tensors;
  std::vector<uint8_t> data;

  void Add(const ModelTensor& like, uint64_t elements, const std::vector<uint8_t>& sample) {
    tensors.emplace_back(like.name, like.dtype, std::vector<uint64_t>{elements}, data.size());
    data.insert(data.end(), sample.begin(), sample.begin() + static_cast<ptrdiff_t>(tensors.back().size()));
  }
};

// Those tensors of both whose samples have elements in common, with as many elements in both.
std::pair<CutModel, CutModel> CutOut(const ModelSample& base, const ModelSample& variant) {
  CutModel base_cut, variant_cut;
  const TensorPairs pairs = PairTensors(base.tensors, variant.tensors, {});
  for (size_t v = 0; v < variant.tensors.size(); ++v) {
    if (!pairs.base_of[v].has_value()) continue;
    const size_t b = *pairs.base_of[v];
    const uint64_t elements = std::min(base.bytes[b].size() / SampledElementSize(base.tensors[b]),
                                       variant.bytes[v].size() / SampledElementSize(variant.tensors[v]));
    if (elements == 0) continue;
    base_cut.Add(base.tensors[b], elements, base.bytes[b]);
    variant_cut.Add(variant.tensors[v], elements, variant.bytes[v]);
  }
  return {std::move(base_cut), std::move(variant_cut)};
}

void CodeBase(const CutModel& base, const SharedTables& shared) {
  const BaseEncoder encoder(&shared, kChunkSize);
  for (uint64_t c = 0; c < encoder.chunk_count(); ++c) {
    encoder.Encode(c, absl::MakeConstSpan(base.data).subspan(static_cast<size_t>(c * kChunkSize), kChunkSize));
  }
}

absl::Status CodeVariant(const CutModel& base, const CutModel& variant, const SharedTables& shared) {
  const TensorPairs pairs = PairTensors(base.tensors, variant.tensors, {});
  const VariantMatch match = LayOut(base.tensors, variant.tensors, pairs);
  VariantLayout layout(&shared);
  const StoredLayout stored = SerializeLayout(match.tensors, shared.tensor_count());
  std::vector<VariantTensor> tensors(match.tensors.size());
  if (match.own_layout && layout.Parse(stored.view(), tensors.data(), tensors.size()) != CoreStatus::kOk) {
    return absl::InternalError("the layout of a sample does not parse");
  }
  const SegmentEncoder encoder(&layout, kSegmentSize);
  MemoryDataSource base_source(base.data);
  MemoryDataSource variant_source(variant.data);
  for (uint64_t s = 0; s < encoder.segment_count(); ++s) {
    size_t other_size = 0;  // `pack` asks for it, too.
    const absl::StatusOr<std::string> coded = encoder.Encode(s, &base_source, &variant_source, &other_size);
    if (!coded.ok()) return coded.status();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureCoding(const ModelSample& base, const ModelSample& variant, const std::function<double()>& seconds,
                           CodingTime* time) {
  const auto [base_cut, variant_cut] = CutOut(base, variant);
  if (base_cut.tensors.empty()) return absl::OkStatus();
  MemoryDataSource base_source(base_cut.data);
  const double begin = seconds();
  absl::StatusOr<std::string> section =
      BuildSharedTables(base_cut.tensors, &base_source, DeltaStatistics(base_cut.tensors));
  if (!section.ok()) return section.status();
  const absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared =
      ParsedSharedTables::Parse(*std::move(section));
  if (!shared.ok()) return shared.status();
  CodeBase(base_cut, (*shared)->tables());
  const double middle = seconds();
  absl::Status status = CodeVariant(base_cut, variant_cut, (*shared)->tables());
  if (!status.ok()) return status;
  const double end = seconds();
  time->base_size += base_cut.data.size();
  time->base_seconds += middle - begin;
  time->variant_size += variant_cut.data.size();
  time->variant_seconds += end - middle;
  return absl::OkStatus();
}

}  // namespace modelvault
