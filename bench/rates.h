// The rates every benchmark reports.
#ifndef MODELVAULT_BENCH_RATES_H_
#define MODELVAULT_BENCH_RATES_H_

#include <benchmark/benchmark.h>

#include <cstdint>

namespace modelvault::bench {

// Each iteration handled `raw_size` bytes of uncoded data in `weights` elements, which `stored_size` bytes stand for.
inline void ReportRates(benchmark::State& state, uint64_t raw_size, uint64_t weights, uint64_t stored_size) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(raw_size));
  state.counters["weights/s"] =
      benchmark::Counter(static_cast<double>(weights), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["bits/weight"] =
      weights == 0 ? 0 : 8.0 * static_cast<double>(stored_size) / static_cast<double>(weights);
}

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_RATES_H_
