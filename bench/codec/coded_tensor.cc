#include "bench/codec/coded_tensor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "codec/base_encoder.h"
#include "codec/core/prediction.h"
#include "codec/core/segment_decoder.h"
#include "codec/data_source.h"
#include "codec/delta_statistics.h"
#include "codec/segment_encoder.h"

namespace modelvault::bench {
namespace {

constexpr uint32_t kSegmentSize = 1 << 24;

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "benchmark: %s\n", result.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(result);
}

std::unique_ptr<const ParsedSharedTables> MakeModel(const ModelTensor& spec, const std::vector<uint8_t>& base,
                                                    const std::vector<std::vector<uint8_t>>& siblings) {
  DeltaStatistics statistics({spec});
  for (const std::vector<uint8_t>& sibling : siblings) {
    statistics.Add(0, 0, base, sibling);
    statistics.AddVariant(0);
  }
  MemoryDataSource source(base);
  return Must(ParsedSharedTables::Parse(Must(BuildSharedTables({spec}, &source, statistics))));
}

}  // namespace

CodedTensor::CodedTensor(ModelTensor spec, std::vector<uint8_t> base, const std::vector<std::vector<uint8_t>>& siblings,
                         DType variant_dtype)
    : spec_(spec), base_(std::move(base)), shared_(MakeModel(spec, base_, siblings)), tensors_(1), layout_(&shared()) {
  if (variant_dtype == spec.dtype) return;
  const LayoutEntry entry{0, variant_dtype, 0};
  const StoredLayout stored = SerializeLayout({&entry, 1}, 1);
  const CoreStatus status = layout_.Parse(stored.view(), tensors_.data(), tensors_.size());
  if (status != CoreStatus::kOk) {
    std::fprintf(stderr, "benchmark: layout: %s\n", CoreStatusName(status));
    std::exit(1);
  }
}

std::vector<std::string> CodedTensor::EncodeBase(uint32_t chunk_size) const {
  const BaseEncoder encoder(&shared(), chunk_size);
  std::vector<std::string> chunks;
  for (uint64_t c = 0; c < encoder.chunk_count(); ++c) {
    chunks.push_back(encoder.Encode(c, absl::MakeConstSpan(base_).subspan(c * chunk_size, chunk_size)));
  }
  return chunks;
}

std::string CodedTensor::Encode(const std::vector<uint8_t>& variant) const {
  const SegmentEncoder encoder(&layout_, kSegmentSize);
  MemoryDataSource base(base_), source(variant);
  return Must(encoder.Encode(0, &base, &source));
}

bool CodedTensor::DecodeStrips(const std::string& segment, std::vector<uint8_t>* variant, TensorMode* mode) const {
  std::vector<uint8_t> order(static_cast<size_t>(shared().max_prior_cols()));
  std::vector<StripColumns> strips(ColumnOrder::StripCount(order.size()));
  const VariantTensor tensor = layout_.tensor(0);
  switch (tensor.prediction) {
    case Prediction::kZero:
      std::fill(variant->begin(), variant->end(), uint8_t{0});
      break;
    case Prediction::kCopy:
      std::memcpy(variant->data(), base_.data(), base_.size());
      break;
    default:
      Predict(tensor.prediction, base_.data(), static_cast<size_t>(elements()), variant->data());
      break;
  }
  SegmentDecoder decoder(&layout_, {order.data(), strips.data(), order.size()});
  if (decoder.Start({reinterpret_cast<const uint8_t*>(segment.data()), segment.size()}) != CoreStatus::kOk)
    return false;
  const StripCursor cursor(&layout_, 0);
  if (decoder.Decode(cursor, variant->size(), variant->data()) != CoreStatus::kOk) return false;
  *mode = decoder.mode();
  return decoder.Finish() == CoreStatus::kOk;
}

bool CodedTensor::Decode(const std::string& segment, std::vector<uint8_t>* variant) const {
  TensorMode mode;
  variant->resize(static_cast<size_t>(layout_.data_size()));
  return DecodeStrips(segment, variant, &mode);
}

TensorMode CodedTensor::ModeOf(const std::string& segment) const {
  std::vector<uint8_t> variant(static_cast<size_t>(layout_.data_size()));
  TensorMode mode = TensorMode::kRaw;
  DecodeStrips(segment, &variant, &mode);
  return mode;
}

}  // namespace modelvault::bench
