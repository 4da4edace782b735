#include "tools/packing/pack_task.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "codec/base_encoder.h"
#include "codec/shared_tables_builder.h"
#include "proto/pack_task.pb.h"
#include "restore/model_file.h"
#include "restore/restorer.h"
#include "tools/packing/kept_results.h"
#include "tools/packing/work_folder.h"
#include "tools/packing/written_check.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

// Another process may have another working folder.
std::string Absolute(absl::string_view path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(std::string(path), error);
  return error ? std::string(path) : absolute.string();
}

void Write(const ModelDigests& digests, PackDigests* out) {
  out->set_xxh64(digests.xxh64);
  out->set_xxh3(digests.xxh3.data(), digests.xxh3.size());
}

absl::Status Read(const PackDigests& digests, ModelDigests* out) {
  if (digests.xxh3().size() != out->xxh3.size()) return absl::InternalError("a task's digest has another size");
  out->xxh64 = digests.xxh64();
  std::copy(digests.xxh3().begin(), digests.xxh3().end(), out->xxh3.begin());
  return absl::OkStatus();
}

// Fields that are set in `jobs` join those of `files`.
std::string Join(const std::string& files, const PackTask& jobs) { return files + jobs.SerializeAsString(); }

}  // namespace

PackTasks::PackTasks(absl::string_view base_path, absl::Span<const VariantInput> variants, const PackOptions& options) {
  PackTask task;
  PackFiles& files = *task.mutable_files();
  files.set_base(Absolute(base_path));
  for (const VariantInput& v : variants) {
    PackVariant& variant = *files.add_variants();
    variant.set_name(v.name);
    variant.set_path(Absolute(v.path));
  }
  files.set_whole_file(options.whole_file);
  files.set_opaque(options.opaque);
  for (const NameRule& rule : options.names.renames) {
    PackRename& rename = *files.add_renames();
    rename.set_from(rule.from);
    rename.set_to(rule.to);
  }
  for (const std::string& pattern : options.names.ignore) files.add_ignore(pattern);
  if (!options.work_folder.empty()) files.set_work(Absolute(options.work_folder));
  files_ = task.SerializeAsString();
}

std::string PackTasks::Analyze(bool statistics) const {
  PackTask task;
  task.mutable_analyze()->set_statistics(statistics);
  return Join(files_, task);
}

std::string PackTasks::Base(const CodedWith& with, uint32_t chunk_size, uint64_t raw_size, bool sizes) const {
  PackTask task;
  BaseTask& base = *task.mutable_base();
  base.set_model(with.shared->section());
  Write(with.base, base.mutable_digests());
  base.set_chunk_size(chunk_size);
  base.set_raw_size(raw_size);
  base.set_sizes(sizes);
  return Join(files_, task);
}

std::string PackTasks::Segments(const CodedWith& with, const std::vector<OpenInput>& inputs, bool bill) const {
  PackTask task;
  SegmentsTask& segments = *task.mutable_segments();
  segments.set_model(with.shared->section());
  if (!inputs.empty()) {  // The same of all.
    segments.set_segment_size(inputs.front().encoder->segment_size());
    segments.set_plain(inputs.front().encoder->plain());
  }
  segments.set_bill(bill);
  Write(with.base, segments.mutable_base());
  for (const OpenInput& input : inputs) Write(input.digests, segments.add_variants());
  return Join(files_, task);
}

std::string PackTasks::Check(absl::string_view written, int threads) const {
  PackTask task;
  task.mutable_check()->set_written(Absolute(written));
  task.mutable_check()->set_threads(static_cast<uint32_t>(threads));
  return Join(files_, task);
}

// The files of a task. Jobs of several tasks may share them, one task at a time.
struct HelperFiles {
  explicit HelperFiles(ModelFile opened) : base(std::move(opened)) {}

  ModelFile base;
  std::vector<VariantInput> variants;
  std::vector<OpenInput> inputs;
  std::shared_ptr<const WorkFolder> work;  // Null: nothing is kept.
};

namespace {

absl::StatusOr<std::shared_ptr<HelperFiles>> Open(FileSystem& file_system, const PackFiles& files) {
  PackOptions options;
  options.whole_file = files.whole_file();
  options.opaque = files.opaque();
  for (const PackRename& rename : files.renames()) options.names.renames.push_back({rename.from(), rename.to()});
  options.names.ignore.assign(files.ignore().begin(), files.ignore().end());
  absl::StatusOr<ModelFile> base = OpenBaseFile(file_system, files.base(), options);
  if (!base.ok()) return base.status();
  auto opened = std::make_shared<HelperFiles>(*std::move(base));
  for (const PackVariant& v : files.variants()) opened->variants.push_back({v.name(), v.path()});
  std::string note;
  absl::StatusOr<std::vector<OpenInput>> inputs =
      OpenInputs(file_system, opened->variants, files.base(), opened->base.structure(), options, &note);
  if (!inputs.ok()) return inputs.status();
  opened->inputs = *std::move(inputs);
  if (!files.work().empty()) {
    absl::StatusOr<WorkFolder> work = WorkFolder::Join(file_system, files.work(), WorkOf::kPack);
    if (!work.ok()) return work.status();
    opened->work = std::make_shared<const WorkFolder>(*std::move(work));
  }
  return opened;
}

// A produce function and what it needs, which lives as long as any copy of the result.
template <typename State>
ProduceFunction With(std::shared_ptr<State> state, ProduceFunction produce) {
  return [state = std::move(state), produce = std::move(produce)](uint64_t job) { return produce(job); };
}

ProduceFunction Once(const HelperFiles& files, ProduceFunction produce, KeyFunction key) {
  if (files.work == nullptr) return produce;
  return ProduceOnce(files.work, std::move(produce), std::move(key));
}

absl::StatusOr<ProduceFunction> PrepareBase(const BaseTask& task, std::shared_ptr<HelperFiles> files) {
  struct State {
    std::shared_ptr<HelperFiles> files;
    std::unique_ptr<const ParsedSharedTables> shared;
    std::optional<BaseEncoder> encoder;
  };
  auto state = std::make_shared<State>();
  absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared = ParsedSharedTables::Parse(task.model());
  if (!shared.ok()) return shared.status();
  if (task.chunk_size() == 0) return absl::InternalError("a task's chunks have no bytes");
  state->shared = *std::move(shared);
  state->encoder.emplace(&state->shared->tables(), task.chunk_size());
  state->files = std::move(files);
  const BaseBatches batches(&*state->encoder, task.raw_size());
  const BaseFactory base = BaseInFile(&state->files->base);
  CodedWith with{state->shared.get(), {}};
  if (absl::Status status = Read(task.digests(), &with.base); !status.ok()) return status;
  ProduceFunction produce = task.sizes() ? batches.ProduceSizes(base) : batches.Produce(base);
  return With(state, Once(*state->files, std::move(produce), batches.Keys(with, task.sizes())));
}

absl::StatusOr<ProduceFunction> PrepareSegments(const SegmentsTask& task, std::shared_ptr<HelperFiles> files) {
  struct State {
    std::shared_ptr<HelperFiles> files;
    std::unique_ptr<const ParsedSharedTables> shared;
    std::vector<SegmentJob> jobs;
  };
  auto state = std::make_shared<State>();
  absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared = ParsedSharedTables::Parse(task.model());
  if (!shared.ok()) return shared.status();
  state->shared = *std::move(shared);
  state->files = std::move(files);
  std::vector<OpenInput>& inputs = state->files->inputs;
  if (inputs.size() != static_cast<size_t>(task.variants_size())) {
    return absl::InternalError("a task has digests of another number of variants");
  }
  CodedWith with{state->shared.get(), {}};
  absl::Status status = Read(task.base(), &with.base);
  for (size_t i = 0; status.ok() && i < inputs.size(); ++i) {
    status = Read(task.variants(static_cast<int>(i)), &inputs[i].digests);
  }
  if (status.ok())
    status = PrepareLayouts(state->shared->tables(), with.base, task.segment_size(), task.plain(), &inputs);
  if (!status.ok()) return status;
  state->jobs = ListSegments(inputs);
  return With(state,
              Once(*state->files, SegmentJobs(&state->jobs, BaseInFile(&state->files->base), &inputs, task.bill()),
                   SegmentKeys(&state->jobs, with, &inputs, task.bill())));
}

absl::StatusOr<ProduceFunction> PrepareCheck(FileSystem& file_system, const CheckTask& task,
                                             std::shared_ptr<HelperFiles> files) {
  struct State {
    std::shared_ptr<HelperFiles> files;
    std::unique_ptr<Restorer> restorer;
  };
  auto state = std::make_shared<State>();
  absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::Open(file_system, task.written());
  if (!restorer.ok()) return restorer.status();
  state->restorer = *std::move(restorer);
  state->files = std::move(files);
  return With(state, CheckJobs({state->restorer.get(), &state->files->base, &state->files->inputs},
                               static_cast<int>(task.threads())));
}

}  // namespace

absl::StatusOr<ProduceFunction> PackHelper::Prepare(absl::string_view bytes) {
  PackTask task;
  if (!task.ParseFromString(std::string(bytes))) return absl::InternalError("not a task of this build");
  if (std::string files = task.files().SerializeAsString(); files_ == nullptr || files != opened_) {
    files_ = nullptr;
    absl::StatusOr<std::shared_ptr<HelperFiles>> opened = Open(file_system_, task.files());
    if (!opened.ok()) return opened.status();
    files_ = *std::move(opened);
    opened_ = std::move(files);
  }
  switch (task.jobs_case()) {
    case PackTask::kAnalyze:
      return With(files_, AnalyzeJobs(&files_->base.tensors(), BaseInFile(&files_->base), &files_->inputs,
                                      task.analyze().statistics()));
    case PackTask::kBase:
      return PrepareBase(task.base(), files_);
    case PackTask::kSegments:
      return PrepareSegments(task.segments(), files_);
    case PackTask::kCheck:
      return PrepareCheck(file_system_, task.check(), files_);
    case PackTask::JOBS_NOT_SET:
      break;
  }
  return absl::InternalError("a task without jobs");
}

}  // namespace modelvault
