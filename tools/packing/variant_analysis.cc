#include "tools/packing/variant_analysis.h"

#include <algorithm>

#include "vault/model_digester.h"

namespace modelvault {
namespace {

constexpr uint64_t kBlockSize = 1 << 20;

}  // namespace

absl::StatusOr<ModelDigests> DigestSource(DataSource* source) {
  ModelDigester digester;
  std::vector<uint8_t> block(static_cast<size_t>(std::min(kBlockSize, source->size())));
  for (uint64_t at = 0; at < source->size(); at += block.size()) {
    const auto bytes =
        absl::MakeSpan(block).first(static_cast<size_t>(std::min<uint64_t>(block.size(), source->size() - at)));
    if (absl::Status status = source->Read(at, bytes); !status.ok()) return status;
    digester.Update(bytes);
  }
  return digester.Digests();
}

absl::StatusOr<ModelDigests> AnalyzeVariant(const std::vector<ModelTensor>& base_tensors, DataSource* base,
                                            const VariantMatch& match, const ModelFile& variant,
                                            DeltaStatistics* statistics) {
  std::vector<uint64_t> base_offsets;
  uint64_t sum = 0;
  for (const ModelTensor& tensor : base_tensors) {
    base_offsets.push_back(sum);
    sum += tensor.size();
  }
  ModelDigester digester;
  std::vector<uint8_t> block, base_block;
  for (size_t i = 0; i < match.tensors.size(); ++i) {
    const ModelTensor& tensor = variant.tensors()[i];
    const size_t base_index = static_cast<size_t>(match.tensors[i].base_index);
    const bool counted = statistics != nullptr && match.tensors[i].base_index != kNoBaseTensor &&
                         match.tensors[i].dtype == DType::kI8 && statistics->Counts(base_index);
    if (counted) statistics->AddVariant(base_index);
    for (uint64_t at = 0; at < tensor.size(); at += kBlockSize) {
      const size_t size = static_cast<size_t>(std::min(kBlockSize, tensor.size() - at));
      block.resize(size);
      if (absl::Status status = variant.ReadData(tensor.begin + at, absl::MakeSpan(block)); !status.ok()) return status;
      digester.Update(block);
      if (!counted) continue;
      base_block.resize(size);
      absl::Status status = base->Read(base_offsets[base_index] + at, absl::MakeSpan(base_block));
      if (!status.ok()) return status;
      statistics->Add(base_index, at, base_block, block);
    }
  }
  return digester.Digests();
}

}  // namespace modelvault
