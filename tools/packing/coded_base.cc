#include "tools/packing/coded_base.h"

#include <algorithm>
#include <vector>

#include "codec/base_encoder.h"
#include "vault/format.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr uint64_t kJobSize = 1 << 20;  // Raw bytes of the base one job codes.

// Stored bytes of some chunks.
struct ChunkBytes {
  ChunkBytes() {}
  uint64_t bytes = 0;
};

}  // namespace

absl::StatusOr<uint64_t> CodedBaseSize(const ModelFile& file, const SharedTables& shared, uint32_t chunk_size,
                                       int threads, const ProgressFunction& progress) {
  const BaseEncoder encoder(&shared, chunk_size);
  if (shared.all_raw()) return file.data_size() + encoder.chunk_count();  // Each ends in a byte of its own.
  const uint64_t batch = std::max<uint64_t>(1, kJobSize / chunk_size);
  const uint64_t jobs = (encoder.chunk_count() + batch - 1) / batch;
  uint64_t total = 0;
  const absl::Status status = OrderedParallel<ChunkBytes>(
      jobs, ThreadCount(threads),
      [&](uint64_t job) -> absl::StatusOr<ChunkBytes> {
        ChunkBytes size;
        std::vector<uint8_t> raw;
        for (uint64_t chunk = job * batch; chunk < std::min(encoder.chunk_count(), (job + 1) * batch); ++chunk) {
          const uint64_t begin = chunk * chunk_size;
          raw.resize(static_cast<size_t>(std::min<uint64_t>(chunk_size, file.data_size() - begin)));
          if (absl::Status read = file.ReadData(begin, absl::MakeSpan(raw)); !read.ok()) return read;
          size.bytes += encoder.Encode(chunk, raw).size();
        }
        return size;
      },
      [&](uint64_t job, ChunkBytes size) {
        total += size.bytes;
        ReportProgress(progress, "encode base", job + 1, jobs);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return total;
}

uint64_t ChunksSize(uint64_t data_size, uint32_t chunk_size) {
  const uint64_t chunks = data_size / chunk_size + (data_size % chunk_size != 0 ? 1 : 0);
  return chunks * (data_size >= kWideChunksFrom ? kWideChunkEntrySize : kNarrowChunkEntrySize);
}

}  // namespace modelvault
