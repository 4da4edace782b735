#include "tools/packing/coded_base.h"

#include <string>

#include "codec/base_encoder.h"
#include "tools/packing/pack_inputs.h"
#include "tools/packing/pack_jobs.h"
#include "vault/format.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr uint64_t kJobSize = 1 << 20;  // Raw bytes of the base one job codes.

}  // namespace

absl::StatusOr<uint64_t> CodedBaseSize(Executor& executor, const PackTasks* tasks, const ModelFile& file,
                                       const CodedWith& with, uint32_t chunk_size, int threads,
                                       const ProgressFunction& progress) {
  const SharedTables& shared = with.shared->tables();
  const BaseEncoder encoder(&shared, chunk_size);
  if (shared.all_raw()) return file.data_size() + encoder.chunk_count();  // Each ends in a byte of its own.
  const BaseBatches batches(&encoder, kJobSize);
  uint64_t total = 0;
  Jobs jobs;
  jobs.count = batches.count();
  jobs.threads = ThreadCount(threads);
  jobs.produce = batches.ProduceSizes(BaseInFile(&file));
  if (tasks != nullptr) jobs.task = [&] { return tasks->Base(with, chunk_size, kJobSize, /*sizes=*/true); };
  jobs.key = batches.Keys(with, /*sizes=*/true);
  jobs.consume = [&](uint64_t job, const std::string& result) {
    const absl::StatusOr<uint64_t> size = SizeIn(result);
    if (!size.ok()) return size.status();
    total += *size;
    ReportProgress(progress, "encode base", job + 1, jobs.count);
    return absl::OkStatus();
  };
  if (absl::Status status = executor.Run(jobs); !status.ok()) return status;
  return total;
}

uint64_t ChunksSize(uint64_t data_size, uint32_t chunk_size) {
  const uint64_t chunks = data_size / chunk_size + (data_size % chunk_size != 0 ? 1 : 0);
  return chunks * (data_size >= kWideChunksFrom ? kWideChunkEntrySize : kNarrowChunkEntrySize);
}

}  // namespace modelvault
