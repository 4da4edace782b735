#include "tools/packing/pack_jobs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/core/bytes.h"
#include "codec/text_bytes.h"
#include "codec/varint.h"
#include "tools/packing/variant_analysis.h"
#include "tools/packing/work_folder.h"
#include "vault/format.h"

namespace modelvault {
namespace {

constexpr size_t kWord = sizeof(uint64_t);

void AppendU64(std::string* out, uint64_t value) {
  for (size_t i = 0; i < kWord; ++i) out->push_back(static_cast<char>(value >> 8 * i));
}

// Of the 8 bytes that `text` begins with.
uint64_t U64At(absl::string_view text) { return LoadLe64(BytesOf(text).data()); }

absl::Status Malformed(absl::string_view what) {
  return absl::InternalError(absl::StrCat("the result of a job, ", what, ", is malformed"));
}

void AppendDigests(std::string* out, const ModelDigests& digests) {
  AppendU64(out, digests.xxh64);
  out->append(digests.xxh3.begin(), digests.xxh3.end());
}

void AppendText(std::string* out, absl::string_view text) {
  AppendVarint(out, text.size());
  absl::StrAppend(out, text);
}

// How a key begins: the program, `kind` of job, and what the vault's jobs have in common.
std::string KeyFor(absl::string_view kind, const CodedWith& with) {
  std::string key;
  AppendText(&key, absl::StrCat(MODELVAULT_VERSION, "/", kVersionMajor, ".", kVersionMinor));
  AppendText(&key, kind);
  AppendDigests(&key, with.base);
  const WorkFolder::Key model = KeyOf(with.shared->section());
  key.append(model.begin(), model.end());
  return key;
}

}  // namespace

ProduceFunction AnalyzeJobs(const std::vector<ModelTensor>* base_tensors, BaseFactory base,
                            const std::vector<OpenInput>* inputs, bool statistics) {
  return [=, base = std::move(base)](uint64_t i) -> absl::StatusOr<std::string> {
    const OpenInput& input = (*inputs)[static_cast<size_t>(i)];
    std::unique_ptr<DeltaStatistics> counted;
    if (statistics) counted = std::make_unique<DeltaStatistics>(*base_tensors);
    const std::unique_ptr<DataSource> source = base();
    const absl::StatusOr<ModelDigests> digests =
        AnalyzeVariant(*base_tensors, source.get(), input.match, *input.file, counted.get());
    if (!digests.ok()) return digests.status();
    std::string result;
    AppendDigests(&result, *digests);
    if (statistics) counted->AppendTo(&result);
    return result;
  };
}

absl::Status TakeAnalysis(absl::string_view result, OpenInput* input, DeltaStatistics* statistics) {
  ModelDigests& digests = input->digests;
  const size_t size = kWord + digests.xxh3.size();
  if (result.size() < size) return Malformed("digests");
  digests.xxh64 = U64At(result);
  std::memcpy(digests.xxh3.data(), result.data() + kWord, digests.xxh3.size());
  if (statistics != nullptr && !statistics->Merge(BytesOf(result.substr(size)))) return Malformed("statistics");
  return absl::OkStatus();
}

BaseBatches::BaseBatches(const BaseEncoder* encoder, uint64_t raw_size)
    : encoder_(encoder), batch_(std::max<uint64_t>(1, raw_size / encoder->chunk_size())) {}

absl::Status BaseBatches::Encode(const BaseFactory& base, uint64_t job,
                                 const std::function<void(const std::string& chunk)>& take) const {
  const std::unique_ptr<DataSource> source = base();
  const uint64_t chunk_size = encoder_->chunk_size();
  std::vector<uint8_t> raw(static_cast<size_t>(chunk_size));
  for (uint64_t c = job * batch_; c < std::min(encoder_->chunk_count(), (job + 1) * batch_); ++c) {
    const uint64_t begin = c * chunk_size;
    const auto bytes =
        absl::MakeSpan(raw).first(static_cast<size_t>(std::min<uint64_t>(chunk_size, source->size() - begin)));
    if (absl::Status status = source->Read(begin, bytes); !status.ok()) return status;
    take(encoder_->Encode(c, bytes));
  }
  return absl::OkStatus();
}

ProduceFunction BaseBatches::Produce(BaseFactory base) const {
  return [*this, base = std::move(base)](uint64_t job) -> absl::StatusOr<std::string> {
    std::string result;
    const absl::Status status = Encode(base, job, [&](const std::string& chunk) {
      AppendVarint(&result, chunk.size());
      result += chunk;
    });
    if (!status.ok()) return status;
    return result;
  };
}

ProduceFunction BaseBatches::ProduceSizes(BaseFactory base) const {
  return [*this, base = std::move(base)](uint64_t job) -> absl::StatusOr<std::string> {
    uint64_t size = 0;
    const absl::Status status = Encode(base, job, [&](const std::string& chunk) { size += chunk.size(); });
    if (!status.ok()) return status;
    std::string result;
    AppendU64(&result, size);
    return result;
  };
}

KeyFunction BaseBatches::Keys(const CodedWith& with, bool sizes) const {
  std::string common = KeyFor(sizes ? "sizes" : "chunks", with);
  AppendVarint(&common, encoder_->chunk_size());
  AppendVarint(&common, batch_);
  return [common = std::move(common)](uint64_t job) {
    std::string key = common;
    AppendVarint(&key, job);
    return key;
  };
}

absl::StatusOr<std::vector<absl::string_view>> ChunksIn(absl::string_view result) {
  std::vector<absl::string_view> chunks;
  ByteReader reader({BytesOf(result).data(), result.size()});
  while (reader.remaining() > 0) {
    size_t size = 0;
    ByteView chunk;
    if (!reader.ReadSize(&size) || !reader.ReadBytes(size, &chunk)) return Malformed("chunks of the base");
    chunks.emplace_back(result.data() + reader.position() - size, size);
  }
  return chunks;
}

absl::StatusOr<uint64_t> SizeIn(absl::string_view result) {
  if (result.size() != kWord) return Malformed("a size");
  return U64At(result);
}

std::vector<SegmentJob> ListSegments(const std::vector<OpenInput>& inputs) {
  std::vector<SegmentJob> jobs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (uint64_t s = 0; s < std::max<uint64_t>(1, inputs[i].segments()); ++s) jobs.push_back({i, s});
  }
  return jobs;
}

ProduceFunction SegmentJobs(const std::vector<SegmentJob>* jobs, BaseFactory base, const std::vector<OpenInput>* inputs,
                            bool bill) {
  return [=, base = std::move(base)](uint64_t j) -> absl::StatusOr<std::string> {
    const SegmentJob& job = (*jobs)[static_cast<size_t>(j)];
    const OpenInput& input = (*inputs)[job.input];
    std::string result;
    size_t other_size = 0;
    if (input.segments() > 0) {
      const std::unique_ptr<DataSource> base_source = base();
      FileDataSource variant(input.file.get());
      absl::StatusOr<std::string> stored =
          input.encoder->Encode(job.segment, base_source.get(), &variant, bill ? &other_size : nullptr);
      if (!stored.ok()) return stored;
      result = *std::move(stored);
    }
    // At the end, where it moves nothing.
    AppendU64(&result, bill ? other_size - result.size() : 0);
    return result;
  };
}

KeyFunction SegmentKeys(const std::vector<SegmentJob>* jobs, const CodedWith& with,
                        const std::vector<OpenInput>* inputs, bool bill) {
  std::string common = KeyFor("segment", with);
  AppendVarint(&common, bill ? 1 : 0);
  return [=, common = std::move(common)](uint64_t j) {
    const SegmentJob& job = (*jobs)[static_cast<size_t>(j)];
    const OpenInput& input = (*inputs)[job.input];
    std::string key = common;
    AppendDigests(&key, input.digests);
    AppendVarint(&key, input.is_base ? 1 : 0);
    AppendVarint(&key, static_cast<uint64_t>(input.stored_layout.form));
    AppendVarint(&key, input.stored_layout.tensor_count);
    AppendText(&key, input.stored_layout.bytes);
    AppendVarint(&key, input.encoder->segment_size());
    AppendVarint(&key, input.encoder->plain() ? 1 : 0);
    AppendVarint(&key, job.segment);
    return key;
  };
}

absl::StatusOr<CodedSegment> SegmentIn(absl::string_view result) {
  if (result.size() < kWord) return Malformed("a segment");
  const size_t size = result.size() - kWord;
  return CodedSegment{result.substr(0, size), static_cast<int64_t>(U64At(result.substr(size)))};
}

}  // namespace modelvault
