// The core's XXH64 beside the library's, and the library's XXH3-128, which hosts use besides.

#include <benchmark/benchmark.h>
#include <xxhash.h>

#include <vector>

#include "bench/random_weights.h"
#include "codec/core/xxh64.h"

namespace modelvault::bench {
namespace {

std::vector<uint8_t> Bytes(benchmark::State& state) {
  std::vector<uint8_t> bytes(static_cast<size_t>(state.range(0)));
  Random random(1);
  FillBell(Bell::kWide, &random, absl::MakeSpan(bytes));
  state.SetLabel(std::to_string(bytes.size()) + " bytes");
  return bytes;
}

void BM_CoreXxh64(benchmark::State& state) {
  const std::vector<uint8_t> bytes = Bytes(state);
  for (auto _ : state) benchmark::DoNotOptimize(Xxh64::Of({bytes.data(), bytes.size()}));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_CoreXxh64)->Arg(4 << 10)->Arg(1 << 20);

void BM_LibraryXxh64(benchmark::State& state) {
  const std::vector<uint8_t> bytes = Bytes(state);
  for (auto _ : state) benchmark::DoNotOptimize(XXH64(bytes.data(), bytes.size(), 0));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_LibraryXxh64)->Arg(4 << 10)->Arg(1 << 20);

void BM_LibraryXxh3128(benchmark::State& state) {
  const std::vector<uint8_t> bytes = Bytes(state);
  for (auto _ : state) benchmark::DoNotOptimize(XXH3_128bits(bytes.data(), bytes.size()).low64);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_LibraryXxh3128)->Arg(4 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace modelvault::bench
