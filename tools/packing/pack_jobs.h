// What the packer's jobs do, and how their results are written down. What is handed over must outlive the jobs.
#ifndef MODELVAULT_TOOLS_PACKING_PACK_JOBS_H_
#define MODELVAULT_TOOLS_PACKING_PACK_JOBS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/base_encoder.h"
#include "codec/delta_statistics.h"
#include "codec/model_tensor.h"
#include "codec/shared_tables_builder.h"
#include "tools/packing/executor.h"
#include "tools/packing/pack_inputs.h"
#include "vault/vault_types.h"

namespace modelvault {

// Job i: the digests of input i and, if they are wanted, the statistics of its differences.
ProduceFunction AnalyzeJobs(const std::vector<ModelTensor>* base_tensors, BaseFactory base,
                            const std::vector<OpenInput>* inputs, bool statistics);
// Takes such a result: digests into the input, what was counted into `*statistics` unless that is null.
absl::Status TakeAnalysis(absl::string_view result, OpenInput* input, DeltaStatistics* statistics);

// MODEL and what it was made for: what all other jobs depend on.
struct CodedWith {
  const ParsedSharedTables* shared = nullptr;
  ModelDigests base;  // Of the base's data.
};

// The base's chunks, a batch a job. A result is the stored bytes of its chunks.
class BaseBatches {
 public:
  // `raw_size`: bytes of the base a job codes, rounded down to whole chunks, at least one.
  BaseBatches(const BaseEncoder* encoder, uint64_t raw_size);

  uint64_t count() const { return (encoder_->chunk_count() + batch_ - 1) / batch_; }
  ProduceFunction Produce(BaseFactory base) const;
  // As many bytes as the stored chunks have, in place of them.
  ProduceFunction ProduceSizes(BaseFactory base) const;
  // Keys of either.
  KeyFunction Keys(const CodedWith& with, bool sizes) const;

 private:
  // Hands over the stored bytes of each chunk of a job.
  absl::Status Encode(const BaseFactory& base, uint64_t job,
                      const std::function<void(const std::string& chunk)>& take) const;

  const BaseEncoder* encoder_;
  uint64_t batch_;  // Chunks.
};
// The chunks of a result of Produce(), which they view.
absl::StatusOr<std::vector<absl::string_view>> ChunksIn(absl::string_view result);
// What a result of ProduceSizes() says.
absl::StatusOr<uint64_t> SizeIn(absl::string_view result);

// All segments of all inputs, in order. An input without segments has one job, for nothing.
struct SegmentJob {
  size_t input = 0;
  uint64_t segment = 0;
};
std::vector<SegmentJob> ListSegments(const std::vector<OpenInput>& inputs);
// Job j: the stored bytes of segment j of `jobs`, whose inputs are laid out. `bill`: coded for both profiles.
ProduceFunction SegmentJobs(const std::vector<SegmentJob>* jobs, BaseFactory base, const std::vector<OpenInput>* inputs,
                            bool bill);
// Their keys.
KeyFunction SegmentKeys(const std::vector<SegmentJob>* jobs, const CodedWith& with,
                        const std::vector<OpenInput>* inputs, bool bill);
struct CodedSegment {
  absl::string_view stored;
  int64_t other_profile_adds = 0;  // To the bytes; 0 without `bill`.
};
// What such a result says; the bytes view it.
absl::StatusOr<CodedSegment> SegmentIn(absl::string_view result);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_PACK_JOBS_H_
