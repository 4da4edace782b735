// Segments of a variant in each of their modes: coder (its choice of a mode included) and decoder.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/codec/coded_tensor.h"
#include "bench/random_weights.h"
#include "bench/rates.h"
#include "bench/sample_model.h"
#include "codec/core/prediction.h"

namespace modelvault::bench {
namespace {

constexpr uint64_t kRows = 1024;
constexpr uint64_t kCols = 256;

struct Case {
  std::unique_ptr<CodedTensor> tensor;
  std::vector<uint8_t> variant;
  TensorMode mode;  // That the coder is to choose.
};

std::vector<uint8_t> BellBytes(uint64_t seed, size_t size) {
  std::vector<uint8_t> bytes(size);
  Random random(seed);
  FillBell(Bell::kWide, &random, absl::MakeSpan(bytes));
  return bytes;
}

std::unique_ptr<CodedTensor> Int8Tensor(std::vector<uint8_t> base,
                                        const std::vector<std::vector<uint8_t>>& siblings = {}) {
  const ModelTensor spec{DType::kI8, kRows, kCols};
  return std::make_unique<CodedTensor>(spec, std::move(base), siblings, spec.dtype);
}

Case SameAsBase() {
  std::vector<uint8_t> base = BellBytes(1, kRows * kCols);
  return {Int8Tensor(base), base, TensorMode::kSame};
}

// 6 % trits, which rows and columns with a prior foretell.
Case TernaryWithPriors() {
  const std::vector<uint8_t> base = BellBytes(1, kRows * kCols);
  std::vector<std::vector<uint8_t>> siblings;
  for (uint64_t seed = 100; seed < 120; ++seed) siblings.push_back(UnevenTrits(seed, kCols, base));
  return {Int8Tensor(base, siblings), UnevenTrits(100, kCols, base), TensorMode::kGap};
}

// 2 % trits, spread evenly.
Case TernaryFlat() {
  const std::vector<uint8_t> base = BellBytes(1, kRows * kCols);
  std::vector<uint8_t> variant(base.size());
  Random random(2);
  ApplyRandomTrits(GapSampler(50), 6, &random, base, absl::MakeSpan(variant));
  return {Int8Tensor(base), std::move(variant), TensorMode::kGapFlat};
}

// Every weight moves, one step up or down times the scale of its group.
Case SignOnly() {
  std::vector<uint8_t> base = BellBytes(1, kRows * kCols);
  std::vector<uint8_t> variant(base.size());
  Random random(2);
  for (size_t i = 0; i < base.size(); ++i) {
    const uint16_t scale = static_cast<uint16_t>((1 + i / 128 % 5) << 8);
    variant[i] = static_cast<uint8_t>(ApplyTrit(static_cast<int8_t>(base[i]), scale, random.Next() >> 63 ? 1 : -1));
  }
  return {Int8Tensor(std::move(base)), std::move(variant), TensorMode::kSign};
}

// 6 % of the weights move by 1 to 8 steps each, so no group has one scale.
Case Escapes() {
  std::vector<uint8_t> base = BellBytes(1, kRows * kCols);
  std::vector<uint8_t> variant = base;
  Random random(2);
  const GapSampler gaps(16);
  for (size_t i = gaps.Next(&random); i < variant.size(); i += 1 + gaps.Next(&random)) {
    const int step = static_cast<int>(1 + random.Below(8)) * (random.Next() >> 63 ? 1 : -1);
    variant[i] = static_cast<uint8_t>(variant[i] + step);
  }
  return {Int8Tensor(std::move(base)), std::move(variant), TensorMode::kGapFlat};
}

// Nearly every byte moves, by up to 12 steps; U8, because INT8 weights as dense as that may take the gaps' escapes
// instead.
Case U8Residual() {
  std::vector<uint8_t> base = BellBytes(1, kRows * kCols);
  std::vector<uint8_t> variant = base;
  Random random(2);
  for (uint8_t& w : variant) w = static_cast<uint8_t>(w + random.Below(13) + random.Below(13) - 12);
  const ModelTensor spec{DType::kU8, kRows, kCols};
  return {std::make_unique<CodedTensor>(spec, std::move(base), std::vector<std::vector<uint8_t>>(), spec.dtype),
          std::move(variant), TensorMode::kResidual};
}

// F16 near an F32 base, as a fine-tune saved in half precision.
Case F16OnF32() {
  const size_t count = kRows * kCols;
  std::vector<uint8_t> base(4 * count);
  std::vector<uint8_t> variant(2 * count);
  Random random(1);
  FillFloats(0.5f, &random, absl::MakeSpan(base));
  Predict(Prediction::kF32ToF16, base.data(), count, variant.data());
  for (size_t i = 0; i < count; ++i) {
    const uint64_t step = random.Below(7) + random.Below(7);
    StoreLe16(&variant[2 * i], static_cast<uint16_t>(LoadLe16(&variant[2 * i]) + step - 6));
  }
  return {std::make_unique<CodedTensor>(ModelTensor{DType::kF32, kRows, kCols}, std::move(base),
                                        std::vector<std::vector<uint8_t>>{}, DType::kF16),
          std::move(variant), TensorMode::kResidual};
}

// Bytes that have nothing to do with the base's.
Case Unrelated() {
  std::vector<uint8_t> base = BellBytes(1, kRows * kCols);
  std::vector<uint8_t> variant(base.size());
  Random random(2);
  for (uint8_t& byte : variant) byte = static_cast<uint8_t>(random.Next() >> 56);
  return {Int8Tensor(std::move(base)), std::move(variant), TensorMode::kRaw};
}

constexpr const char* kModeNames[kTensorModeCount] = {"same", "gap", "sign", "residual", "raw", "gap-flat"};

void Report(benchmark::State& state, const Case& c, const std::string& segment) {
  const TensorMode mode = c.tensor->ModeOf(segment);
  if (mode != c.mode) state.SkipWithError("coded in another mode");
  ReportRates(state, c.variant.size(), c.tensor->elements(), segment.size());
  state.SetLabel(absl::StrCat("mode ", kModeNames[static_cast<size_t>(mode)]));
}

void BM_SegmentEncode(benchmark::State& state, Case (*make)()) {
  const Case c = make();
  std::string segment;
  for (auto _ : state) {
    segment = c.tensor->Encode(c.variant);
    benchmark::DoNotOptimize(segment.data());
  }
  Report(state, c, segment);
}

void BM_SegmentDecode(benchmark::State& state, Case (*make)()) {
  const Case c = make();
  const std::string segment = c.tensor->Encode(c.variant);
  std::vector<uint8_t> out(c.variant.size());
  for (auto _ : state) {
    if (!c.tensor->Decode(segment, &out)) state.SkipWithError("the segment does not decode");
    benchmark::DoNotOptimize(out.data());
  }
  if (out != c.variant) state.SkipWithError("decoded something else");
  Report(state, c, segment);
}

#define MODELVAULT_SEGMENT_BENCH(make)              \
  BENCHMARK_CAPTURE(BM_SegmentEncode, make, &make); \
  BENCHMARK_CAPTURE(BM_SegmentDecode, make, &make)

MODELVAULT_SEGMENT_BENCH(SameAsBase);
MODELVAULT_SEGMENT_BENCH(TernaryWithPriors);
MODELVAULT_SEGMENT_BENCH(TernaryFlat);
MODELVAULT_SEGMENT_BENCH(SignOnly);
MODELVAULT_SEGMENT_BENCH(Escapes);
MODELVAULT_SEGMENT_BENCH(U8Residual);
MODELVAULT_SEGMENT_BENCH(F16OnF32);
MODELVAULT_SEGMENT_BENCH(Unrelated);

}  // namespace
}  // namespace modelvault::bench
