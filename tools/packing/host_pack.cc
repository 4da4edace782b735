#include "tools/packing/host_pack.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "codec/core/bytes.h"
#include "codec/text_bytes.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

uint64_t UnitSize(uint64_t data_size, uint64_t unit_size, uint64_t unit) {
  return std::min(unit_size, data_size - unit * unit_size);
}

std::string DigestBytes(const ModelDigests& digests) {
  std::string bytes(sizeof(digests.xxh64), '\0');
  StoreLe64(reinterpret_cast<uint8_t*>(bytes.data()), digests.xxh64);
  bytes.append(digests.xxh3.begin(), digests.xxh3.end());
  return bytes;
}

// Takes a result of HostTwinJobs().
absl::Status TakeTwin(absl::string_view result, OpenInput* input) {
  input->is_base = !result.empty();
  if (result.empty()) return absl::OkStatus();
  ModelDigests& digests = input->digests;
  if (result.size() != sizeof(digests.xxh64) + digests.xxh3.size()) {
    return absl::InternalError("the result of a job, digests, is malformed");
  }
  digests.xxh64 = LoadLe64(BytesOf(result).data());
  std::memcpy(digests.xxh3.data(), result.data() + sizeof(digests.xxh64), digests.xxh3.size());
  return absl::OkStatus();
}

absl::Status FindTwins(Executor& executor, HostCoder* coder, uint32_t segment_size, const PackOptions& options,
                       std::vector<OpenInput>* inputs) {
  Jobs jobs;
  jobs.count = inputs->size();
  jobs.threads = ThreadCount(options.threads);
  jobs.produce = HostTwinJobs(coder, inputs, segment_size);
  jobs.consume = [&](uint64_t i, const std::string& result) {
    return TakeTwin(result, &(*inputs)[static_cast<size_t>(i)]);
  };
  return executor.Run(jobs);
}

}  // namespace

ProduceFunction HostChunkJobs(HostCoder* coder, const VariantLayout* layout, uint32_t chunk_size) {
  return [=](uint64_t c) {
    return coder->CodeBase(*layout, c * chunk_size, UnitSize(layout->data_size(), chunk_size, c));
  };
}

ProduceFunction HostTwinJobs(HostCoder* coder, const std::vector<OpenInput>* inputs, uint32_t segment_size) {
  return [=](uint64_t i) -> absl::StatusOr<std::string> {
    const OpenInput& input = (*inputs)[static_cast<size_t>(i)];
    if (input.match.own_layout) return std::string();
    FileDataSource source(input.file.get());
    const absl::StatusOr<std::optional<ModelDigests>> digests = coder->DigestsOfBase(&source, segment_size);
    if (!digests.ok()) return digests.status();
    return digests->has_value() ? DigestBytes(**digests) : std::string();
  };
}

ProduceFunction HostSegmentJobs(HostCoder* coder, const std::vector<SegmentJob>* segments,
                                const std::vector<OpenInput>* inputs, uint32_t segment_size) {
  return [=](uint64_t j) -> absl::StatusOr<std::string> {
    const auto [index, segment] = (*segments)[static_cast<size_t>(j)];
    const OpenInput& input = (*inputs)[index];
    if (input.segments() == 0) return std::string(sizeof(LeafDigest), '\0');
    FileDataSource source(input.file.get());
    return coder->CodeVariant(*input.layout, &source, segment * segment_size,
                              UnitSize(source.size(), segment_size, segment));
  };
}

absl::StatusOr<ModelDigests> WriteHostBase(Executor& executor, HostCoder* coder, const SharedTables& shared,
                                           uint32_t chunk_size, const PackOptions& options, VaultWriter* writer) {
  const VariantLayout layout(&shared);
  ModelDigester digester;
  Jobs jobs;
  jobs.count = SegmentCount(layout.data_size(), chunk_size);
  jobs.threads = ThreadCount(options.threads);
  jobs.produce = HostChunkJobs(coder, &layout, chunk_size);
  jobs.consume = [&](uint64_t c, const std::string& result) {
    const absl::StatusOr<HostUnit> unit = HostUnitIn(result);
    if (!unit.ok()) return unit.status();
    digester.Update(unit->leaf);
    ReportProgress(options.progress, "encode base", c + 1, jobs.count);
    return writer->AppendBaseChunk(unit->stored);
  };
  if (absl::Status status = executor.Run(jobs); !status.ok()) return status;
  return digester.Digests();
}

absl::Status WriteHostVariants(Executor& executor, HostCoder* coder, uint32_t segment_size, const PackOptions& options,
                               std::vector<OpenInput>* inputs, VaultWriter* writer) {
  absl::Status found = FindTwins(executor, coder, segment_size, options, inputs);
  if (!found.ok()) return found;
  const std::vector<SegmentJob> segments = ListSegments(*inputs);
  std::optional<ModelDigester> digester;
  Jobs jobs;
  jobs.count = segments.size();
  jobs.threads = ThreadCount(options.threads);
  jobs.produce = HostSegmentJobs(coder, &segments, inputs, segment_size);
  jobs.consume = [&](uint64_t j, const std::string& result) {
    const absl::StatusOr<HostUnit> unit = HostUnitIn(result);
    if (!unit.ok()) return unit.status();
    const auto [index, segment] = segments[static_cast<size_t>(j)];
    OpenInput& input = (*inputs)[index];
    absl::Status status;
    if (segment == 0) {
      digester.emplace();
      status = writer->BeginVariant(input.input->name, input.stored_layout, input.segments());
    }
    if (status.ok() && input.segments() > 0) {
      digester->Update(unit->leaf);
      status = writer->AppendSegment(unit->stored);
    }
    if (status.ok() && segment + 1 >= input.segments()) {
      if (!input.is_base) input.digests = digester->Digests();
      status = writer->FinishVariant(input.digests, input.file->frame());
    }
    ReportProgress(options.progress, "encode variants", j + 1, jobs.count);
    return status;
  };
  return executor.Run(jobs);
}

}  // namespace modelvault
