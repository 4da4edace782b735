// A whole variant of the board's size from an open vault, digests compared, and one tile of it.

#include <benchmark/benchmark.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "bench/rates.h"
#include "bench/sample_vault.h"
#include "restore/restorer.h"

namespace modelvault::bench {
namespace {

// More than a segment's size is what several threads can share.
constexpr uint32_t kOneSegment = 1 << 20;
constexpr uint32_t kManySegments = 32 << 10;

struct OpenVariant {
  explicit OpenVariant(uint32_t segment_size) : vault(1, segment_size) {
    auto opened = Restorer::Open(FileSystem::Default(), vault.path());
    if (opened.ok()) restorer = *std::move(opened);
    if (restorer == nullptr) return;
    auto found = restorer->OpenVariant(vault.names()[0]);
    if (found.ok()) model = *std::move(found);
  }

  SampleVault vault;
  std::unique_ptr<Restorer> restorer;
  std::unique_ptr<const VaultModel> model;
};

void BM_RestoreVariant(benchmark::State& state, uint32_t segment_size, int threads, size_t tile_size) {
  const OpenVariant variant(segment_size);
  if (variant.model == nullptr) {
    state.SkipWithError("the vault does not open");
    return;
  }
  RestoreOptions options;
  options.threads = threads;
  options.tile_size = tile_size;
  for (auto _ : state) {
    uint64_t sum = 0;
    const absl::Status status = variant.model->Restore(options, [&](uint64_t, absl::Span<const uint8_t> tile) {
      sum += tile[0];
      return absl::OkStatus();
    });
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
    benchmark::DoNotOptimize(sum);
  }
  ReportRates(state, variant.model->data_size(), variant.vault.model().weights(), variant.vault.stored_size(0));
}
// Wall time, since work is shared among threads.
BENCHMARK_CAPTURE(BM_RestoreVariant, one_thread_4KiB_tiles, kOneSegment, 1, 4096)->UseRealTime();
BENCHMARK_CAPTURE(BM_RestoreVariant, one_thread_256_byte_tiles, kOneSegment, 1, 256)->UseRealTime();
BENCHMARK_CAPTURE(BM_RestoreVariant, one_thread_64KiB_tiles, kOneSegment, 1, 65536)->UseRealTime();
BENCHMARK_CAPTURE(BM_RestoreVariant, one_thread_32KiB_segments, kManySegments, 1, 4096)->UseRealTime();
BENCHMARK_CAPTURE(BM_RestoreVariant, two_threads_32KiB_segments, kManySegments, 2, 4096)->UseRealTime();

void BM_ReadTile(benchmark::State& state, uint32_t segment_size) {
  const OpenVariant variant(segment_size);
  if (variant.model == nullptr) {
    state.SkipWithError("the vault does not open");
    return;
  }
  const uint64_t begin = variant.model->data_size() / 2;
  for (auto _ : state) {
    const absl::Status status =
        variant.model->ReadRange(begin, begin + kDefaultTileSize, {}, [](uint64_t, absl::Span<const uint8_t> tile) {
          benchmark::DoNotOptimize(tile.data());
          return absl::OkStatus();
        });
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kDefaultTileSize));
}
BENCHMARK_CAPTURE(BM_ReadTile, middle_of_one_segment, kOneSegment);
BENCHMARK_CAPTURE(BM_ReadTile, middle_of_many_segments, kManySegments);

}  // namespace
}  // namespace modelvault::bench
