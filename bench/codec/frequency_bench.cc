// Frequency tables: from a histogram to the stored form, and from that to a table that decodes.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/random_weights.h"
#include "codec/core/frequency_table.h"
#include "codec/frequency_coding.h"

namespace modelvault::bench {
namespace {

Histogram BellHistogram() {
  std::vector<uint8_t> weights(1 << 16);
  Random random(1);
  FillBell(Bell::kWide, &random, absl::MakeSpan(weights));
  Histogram histogram{};
  for (uint8_t w : weights) ++histogram[w];
  return histogram;
}

void BM_NormalizeAndSerialize(benchmark::State& state) {
  const Histogram histogram = BellHistogram();
  for (auto _ : state) {
    const std::string stored = SerializeFrequencies(NormalizeFrequencies(histogram));
    benchmark::DoNotOptimize(stored.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_NormalizeAndSerialize);

void BM_ReadAndBuildTable(benchmark::State& state) {
  const std::string stored = SerializeFrequencies(NormalizeFrequencies(BellHistogram()));
  DecodeTable table;
  for (auto _ : state) {
    ByteReader reader({reinterpret_cast<const uint8_t*>(stored.data()), stored.size()});
    uint16_t frequencies[256];
    if (ReadFrequencies(&reader, frequencies) != CoreStatus::kOk) state.SkipWithError("the table does not read");
    table.Build(frequencies);
    benchmark::DoNotOptimize(table);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stored.size()));
}
BENCHMARK(BM_ReadAndBuildTable);

}  // namespace
}  // namespace modelvault::bench
