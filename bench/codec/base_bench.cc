// Chunks of the base: coder and decoder, for INT8 weights, INT8 rows that repeat, and F32.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/codec/coded_tensor.h"
#include "bench/random_weights.h"
#include "bench/rates.h"
#include "codec/core/base_decoder.h"

namespace modelvault::bench {
namespace {

constexpr uint64_t kRows = 1024;
constexpr uint64_t kCols = 256;

enum Kind : int64_t { kInt8, kRepeatedRows, kF32 };
constexpr const char* kNames[] = {"INT8", "INT8, half the rows repeat", "F32"};

CodedTensor MakeTensor(int64_t kind) {
  Random random(1);
  ModelTensor spec{kind == kF32 ? DType::kF32 : DType::kI8, kRows, kCols};
  std::vector<uint8_t> base(spec.size());
  if (kind == kF32) {
    FillFloats(0.5f, &random, absl::MakeSpan(base));
  } else {
    FillBell(Bell::kWide, &random, absl::MakeSpan(base));
  }
  if (kind == kRepeatedRows) {
    for (size_t row = 2; row < kRows; row += 2) {
      for (size_t j = 0; j < kCols; ++j) {
        base[row * kCols + j] = static_cast<uint8_t>(base[j] + (random.Below(64) == 0 ? 1 : 0));
      }
    }
  }
  return CodedTensor(spec, std::move(base), {}, spec.dtype);
}

uint64_t Size(const std::vector<std::string>& chunks) {
  uint64_t size = 0;
  for (const std::string& c : chunks) size += c.size();
  return size;
}

void Arguments(benchmark::internal::Benchmark* b) {
  for (int64_t kind : {kInt8, kRepeatedRows, kF32}) {
    for (int64_t chunk_size : {4 << 10, 64 << 10}) b->Args({kind, chunk_size});
  }
}

void Label(benchmark::State& state) {
  state.SetLabel(absl::StrCat(kNames[state.range(0)], ", chunks of ", state.range(1) >> 10, " KiB"));
}

void BM_BaseEncode(benchmark::State& state) {
  const CodedTensor tensor = MakeTensor(state.range(0));
  std::vector<std::string> chunks;
  for (auto _ : state) {
    chunks = tensor.EncodeBase(static_cast<uint32_t>(state.range(1)));
    benchmark::DoNotOptimize(chunks.data());
  }
  ReportRates(state, tensor.base().size(), tensor.elements(), Size(chunks));
  Label(state);
}
BENCHMARK(BM_BaseEncode)->Apply(Arguments);

CoreStatus FetchChunk(void* context, uint64_t chunk, ByteView* stored) {
  const std::string& bytes = (*static_cast<std::vector<std::string>*>(context))[chunk];
  *stored = {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  return CoreStatus::kOk;
}

void BM_BaseDecode(benchmark::State& state) {
  const CodedTensor tensor = MakeTensor(state.range(0));
  const uint32_t chunk_size = static_cast<uint32_t>(state.range(1));
  std::vector<std::string> chunks = tensor.EncodeBase(chunk_size);
  std::vector<uint8_t> out(tensor.base().size());
  WideTableCache cache;
  for (auto _ : state) {
    BaseDecoder decoder(&tensor.shared(), chunk_size, {&FetchChunk, &chunks}, &cache);
    if (decoder.Read(0, {out.data(), out.size()}) != CoreStatus::kOk) state.SkipWithError("a chunk does not decode");
    benchmark::DoNotOptimize(out.data());
  }
  if (out != tensor.base()) state.SkipWithError("decoded something else");
  ReportRates(state, tensor.base().size(), tensor.elements(), Size(chunks));
  Label(state);
}
BENCHMARK(BM_BaseDecode)->Apply(Arguments);

}  // namespace
}  // namespace modelvault::bench
