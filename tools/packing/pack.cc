#include "tools/packing/pack.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codec/base_encoder.h"
#include "codec/shared_tables_builder.h"
#include "restore/model_file.h"
#include "restore/named_vault.h"
#include "restore/restorer.h"
#include "tools/formats/model_formats.h"
#include "tools/packing/coded_base.h"
#include "tools/packing/executor.h"
#include "tools/packing/host_coder.h"
#include "tools/packing/host_pack.h"
#include "tools/packing/kept_results.h"
#include "tools/packing/pack_inputs.h"
#include "tools/packing/pack_jobs.h"
#include "tools/packing/pack_task.h"
#include "tools/packing/variant_analysis.h"
#include "tools/packing/work_folder.h"
#include "tools/packing/written_check.h"
#include "vault/manifest.h"
#include "vault/ordered_parallel.h"
#include "vault/variant_name.h"
#include "vault/vault_editor.h"
#include "vault/vault_writer.h"

namespace modelvault {
namespace {

constexpr uint64_t kChunkBatchSize = 256 << 10;  // Raw bytes of the base one job codes.

absl::Status CheckNames(absl::Span<const VariantInput> variants) {
  std::set<std::string> names;
  for (const VariantInput& v : variants) {
    if (absl::Status status = ValidateVariantName(v.name); !status.ok()) return status;
    if (!names.insert(v.name).second) {
      return absl::AlreadyExistsError(absl::StrCat("variant '", v.name, "' is given twice"));
    }
  }
  return absl::OkStatus();
}

// How jobs run.
struct Running {
  Executor& executor;
  const PackTasks* tasks;  // Null: no other process can help.
  const PackOptions& options;

  int threads() const { return ThreadCount(options.threads); }
};

// Digests of all variants, and their differences counted into `*statistics` if that is wanted.
absl::Status Analyze(const Running& running, const std::vector<ModelTensor>& base_tensors, const BaseFactory& base,
                     std::vector<OpenInput>* inputs, DeltaStatistics* statistics) {
  const uint64_t total = TotalSize(*inputs);
  uint64_t done = 0;
  Jobs jobs;
  jobs.count = inputs->size();
  jobs.threads = running.threads();
  jobs.produce = AnalyzeJobs(&base_tensors, base, inputs, statistics != nullptr);
  if (running.tasks != nullptr) jobs.task = [&] { return running.tasks->Analyze(statistics != nullptr); };
  jobs.consume = [&](uint64_t i, const std::string& result) {
    OpenInput& input = (*inputs)[static_cast<size_t>(i)];
    if (absl::Status status = TakeAnalysis(result, &input, statistics); !status.ok()) return status;
    ReportProgress(running.options.progress, "analyse", done += input.file->data_size(), total);
    return absl::OkStatus();
  };
  return running.executor.Run(jobs);
}

absl::Status WriteBase(const Running& running, const CodedWith& with, const BaseFactory& base, VaultWriter* writer,
                       uint32_t chunk_size) {
  const BaseEncoder encoder(&with.shared->tables(), chunk_size);
  const BaseBatches batches(&encoder, kChunkBatchSize);
  const uint64_t batch_size = std::max<uint64_t>(kChunkBatchSize, chunk_size);  // About: for the rate that is shown.
  Jobs jobs;
  jobs.count = batches.count();
  jobs.threads = running.threads();
  jobs.produce = batches.Produce(base);
  if (running.tasks != nullptr) {
    jobs.task = [&] { return running.tasks->Base(with, chunk_size, kChunkBatchSize, /*sizes=*/false); };
  }
  jobs.key = batches.Keys(with, /*sizes=*/false);
  jobs.consume = [&](uint64_t b, const std::string& result) {
    const absl::StatusOr<std::vector<absl::string_view>> chunks = ChunksIn(result);
    if (!chunks.ok()) return chunks.status();
    for (const absl::string_view chunk : *chunks) {
      if (absl::Status status = writer->AppendBaseChunk(chunk); !status.ok()) return status;
    }
    ReportProgress(running.options.progress, "encode base", (b + 1) * batch_size, jobs.count * batch_size);
    return absl::OkStatus();
  };
  return running.executor.Run(jobs);
}

// Codes all segments of all variants, which are laid out, into the writer, in order. `with`: of a new vault; its
// segments are coded for both profiles.
absl::Status WriteVariants(const Running& running, const CodedWith* with, const BaseFactory& base,
                           std::vector<OpenInput>* inputs, VaultWriter* writer) {
  const bool bill = with != nullptr;
  const std::vector<SegmentJob> segments = ListSegments(*inputs);
  Jobs jobs;
  jobs.count = segments.size();
  jobs.threads = running.threads();
  jobs.produce = SegmentJobs(&segments, base, inputs, bill);
  if (with != nullptr) jobs.key = SegmentKeys(&segments, *with, inputs, bill);
  if (with != nullptr && running.tasks != nullptr) {
    jobs.task = [&] { return running.tasks->Segments(*with, *inputs, bill); };
  }
  jobs.consume = [&](uint64_t j, const std::string& result) {
    const absl::StatusOr<CodedSegment> coded = SegmentIn(result);
    if (!coded.ok()) return coded.status();
    const auto [index, segment] = segments[static_cast<size_t>(j)];
    OpenInput& input = (*inputs)[index];
    absl::Status status;
    if (segment == 0) {
      input.other_profile_adds = 0;
      status = writer->BeginVariant(input.input->name, input.stored_layout, input.segments());
    }
    input.other_profile_adds += coded->other_profile_adds;
    if (status.ok() && input.segments() > 0) status = writer->AppendSegment(coded->stored);
    if (status.ok() && segment + 1 >= input.segments()) {
      status = writer->FinishVariant(input.digests, input.file->frame());
    }
    ReportProgress(running.options.progress, "encode variants", (j + 1) * running.options.segment_size,
                   jobs.count * running.options.segment_size);
    return status;
  };
  return running.executor.Run(jobs);
}

// Reads the finished vault back and compares every model in `inputs`, and the base if there is a file of it.
absl::Status VerifyWritten(const Running& running, const VaultWriter& writer, const ModelFile* base,
                           const std::vector<OpenInput>& inputs) {
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = writer.OpenWritten();
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::FromReader(*std::move(reader));
  if (!restorer.ok()) return restorer.status();
  const CheckedModels models{restorer->get(), base, &inputs};
  // Many small models side by side, or the segments of each large one.
  const int threads = running.threads();
  const size_t at_once = static_cast<size_t>(threads) * static_cast<size_t>(running.executor.processes());
  const bool side_by_side = models.count() >= at_once;
  const int threads_each = side_by_side ? 1 : threads;
  const uint64_t total = TotalSize(inputs);
  uint64_t done = 0;
  Jobs jobs;
  jobs.count = models.count();
  jobs.threads = side_by_side ? threads : 1;
  jobs.produce = CheckJobs(models, threads_each);
  if (running.tasks != nullptr) jobs.task = [&] { return running.tasks->Check(writer.written_path(), threads_each); };
  jobs.consume = [&](uint64_t i, const std::string&) {
    if (const OpenInput* const input = models.input(i); input != nullptr) {
      ReportProgress(running.options.progress, "verify", done += input->file->data_size(), total);
    }
    return absl::OkStatus();
  };
  return running.executor.Run(jobs);
}

absl::StatusOr<PackReport> MakeReport(const VaultWriter& writer, const std::vector<OpenInput>& inputs) {
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = writer.OpenWritten();
  if (!reader.ok()) return reader.status();
  PackReport report;
  report.bytes = (*reader)->BytesBySection();
  for (const OpenInput& input : inputs) {
    absl::StatusOr<const VaultVariant*> variant = (*reader)->Find(input.input->name);
    if (!variant.ok()) return variant.status();
    const uint64_t file_size = input.file->size();
    report.variants.push_back({input.input->name, file_size, (*variant)->stored_size, input.unmatched});
    report.input_size += file_size;
  }
  return report;
}

// Over budget: says by how much, who costs most, and how many would fit.
absl::Status CheckBudget(const PackOptions& options, absl::string_view path, const VaultReader& vault) {
  if (!options.budget.has_value() || vault.header().file_size <= *options.budget) return absl::OkStatus();
  std::vector<const VaultVariant*> by_size;
  uint64_t blobs = 0;
  for (const VaultVariant& v : vault.variants()) {
    by_size.push_back(&v);
    blobs += v.stored_size;
  }
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const VaultVariant* a, const VaultVariant* b) { return a->stored_size > b->stored_size; });
  const uint64_t file_size = vault.header().file_size;
  std::string message = absl::StrFormat("%s: over budget: %d bytes, budget %d, %d too many", path, file_size,
                                        *options.budget, file_size - *options.budget);
  for (size_t i = 0; i < std::min<size_t>(5, by_size.size()); ++i) {
    absl::StrAppendFormat(&message, "%s '%s' (%d)", i == 0 ? "; the costliest variants are" : ",", by_size[i]->name,
                          by_size[i]->stored_size);
  }
  // Dropping from the costliest on: an estimate, since headers and index shrink too.
  uint64_t left = file_size;
  size_t dropped = 0;
  while (dropped < by_size.size() && left > *options.budget) left -= std::min(left, by_size[dropped++]->stored_size);
  if (left <= *options.budget) {
    absl::StrAppendFormat(&message, "; without the %d costliest, %d of %d variants would fit", dropped,
                          by_size.size() - dropped, by_size.size());
  } else {
    absl::StrAppendFormat(&message, "; even without variants about %d bytes remain", file_size - blobs);
  }
  return absl::ResourceExhaustedError(message);
}

// Budget, verification and report of a vault that is finished and has not got its name yet.
absl::StatusOr<PackReport> Conclude(const Running& running, VaultWriter* writer, const ModelFile* base,
                                    const std::vector<OpenInput>& inputs, const std::string& note) {
  const PackOptions& options = running.options;
  {
    absl::StatusOr<std::unique_ptr<VaultReader>> written = writer->OpenWritten();
    if (!written.ok()) return written.status();
    if (absl::Status status = CheckBudget(options, writer->path(), **written); !status.ok()) return status;
  }
  if (absl::Status status = VerifyWritten(running, *writer, base, inputs); !status.ok()) return status;
  absl::StatusOr<PackReport> report = MakeReport(*writer, inputs);
  if (!report.ok()) return report.status();
  if (base != nullptr) {
    report->base_file_size = base->size();
    report->input_size += report->base_file_size;
  }
  report->note = note;
  if (options.on_written != nullptr) {
    const absl::StatusOr<std::unique_ptr<VaultReader>> written = writer->OpenWritten();
    if (!written.ok()) return written.status();
    options.on_written(**written);
  }
  return report;
}

// A base with what is known of it and its variants, on the way into a new vault.
struct NewVault {
  FileSystem& file_system;
  const Running& running;
  absl::string_view output;
  const ModelFile& base;
  DeltaStatistics statistics;
  ModelDigests base_digests;
  std::vector<OpenInput> inputs;
  std::string network;          // Empty: the vault does not say what its models compute.
  bool base_is_copied = false;  // As it was written.

  uint32_t chunk_size(BaseProfile profile) const {
    const uint32_t chosen = running.options.chunk_size;
    return chosen != 0 ? chosen : DefaultChunkSize(base.data_size(), profile);
  }
  uint32_t segment_size(BaseProfile profile) const {
    const uint32_t chosen = running.options.segment_size;
    return chosen != 0 ? chosen : DefaultSegmentSize(profile);
  }
};

absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> BuildModel(const NewVault& vault, BaseProfile profile) {
  FileDataSource data(&vault.base);
  absl::StatusOr<std::string> section = BuildSharedTables(vault.base.tensors(), &data, vault.statistics, profile);
  if (!section.ok()) return section.status();
  return ParsedSharedTables::Parse(*std::move(section));
}

// Writes all of it, short of giving it its name.
absl::StatusOr<std::unique_ptr<VaultWriter>> WriteVault(NewVault* vault, BaseProfile profile) {
  const PackOptions& options = vault->running.options;
  const absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared = BuildModel(*vault, profile);
  if (!shared.ok()) return shared.status();
  VaultParams params;
  params.chunk_size = vault->chunk_size(profile);
  params.segment_size = vault->segment_size(profile);
  params.base_data_size = vault->base.data_size();
  params.tensor_count = static_cast<uint32_t>(vault->base.tensors().size());
  params.host_codings = profile == BaseProfile::kHost;
  VaultWriterOptions write;
  write.durability = options.durability;
  write.signature = options.signature;
  write.sign_root = options.sign_root;
  absl::StatusOr<std::unique_ptr<VaultWriter>> writer =
      VaultWriter::Create(vault->file_system, vault->output, params, (*shared)->section(), write);
  if (!writer.ok()) return writer.status();
  const BaseFactory base_source = BaseInFile(&vault->base);
  const SharedTables& parsed = (*shared)->tables();
  const CodedWith with{shared->get(), vault->base_digests};
  vault->base_is_copied = parsed.all_raw();
  HostCoder host_coder(base_source);
  absl::Status status;
  if (params.host_codings) {
    const absl::StatusOr<ModelDigests> digests =
        WriteHostBase(vault->running.executor, &host_coder, parsed, params.chunk_size, options, writer->get());
    if (!digests.ok()) return digests.status();
    vault->base_digests = *digests;
  } else {
    status = WriteBase(vault->running, with, base_source, writer->get(), params.chunk_size);
  }
  if (status.ok()) status = (*writer)->FinishBase(vault->base_digests, vault->base.frame());
  if (status.ok() && !vault->network.empty()) status = (*writer)->AddNetwork(vault->network);
  if (status.ok()) {
    status = PrepareLayouts(parsed, vault->base_digests, params.segment_size, DescribesItself(vault->base.frame()),
                            &vault->inputs);
  }
  if (status.ok()) {
    status = params.host_codings ? WriteHostVariants(vault->running.executor, &host_coder, params.segment_size, options,
                                                     &vault->inputs, writer->get())
                                 : WriteVariants(vault->running, &with, base_source, &vault->inputs, writer->get());
  }
  if (status.ok()) status = (*writer)->Finish();
  if (!status.ok()) return status;
  return writer;
}

// Bytes of the digests of an object's tiles, in a vault that is signed.
uint64_t TileDigests(const PackOptions& options, uint64_t size) {
  if (!options.signature.has_value()) return 0;
  const uint64_t tile_size = uint64_t{1} << options.signature->tile_log2;
  return size > tile_size ? (size + tile_size - 1) / tile_size * kDigestSize : 0;
}

// Bytes of a vault up to its first blob, with its sections' tiles in SIGNATURE.
uint64_t EndOfBase(const PackOptions& options, uint64_t model_size, uint64_t chunks_size, uint64_t base_size) {
  return AlignUp(AlignUp(kHeaderSize + model_size) + chunks_size + base_size) + TileDigests(options, model_size) +
         TileDigests(options, chunks_size) + TileDigests(options, base_size);
}

absl::StatusOr<uint64_t> EndOfBase(const NewVault& vault, BaseProfile profile, const ParsedSharedTables& shared) {
  const uint32_t chunk_size = vault.chunk_size(profile);
  const Running& running = vault.running;
  const absl::StatusOr<uint64_t> base =
      CodedBaseSize(running.executor, running.tasks, vault.base, {&shared, vault.base_digests}, chunk_size,
                    running.options.threads, running.options.progress);
  if (!base.ok()) return base.status();
  return EndOfBase(vault.running.options, shared.section().size(), ChunksSize(vault.base.data_size(), chunk_size),
                   *base);
}

// The size that the vault, which has been written in `profile`, would have in the other one.
absl::StatusOr<uint64_t> SizeInOtherProfile(const NewVault& vault, BaseProfile profile, const PackReport& report) {
  const BaseProfile other = OtherProfile(profile);
  const absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared = BuildModel(vault, other);
  if (!shared.ok()) return shared.status();
  const absl::StatusOr<uint64_t> end = EndOfBase(vault, other, **shared);
  if (!end.ok()) return end.status();
  const VaultBytes& bytes = report.bytes;
  uint64_t size = bytes.file - EndOfBase(vault.running.options, bytes.model, bytes.chunks, bytes.base) + *end;
  // A base that no code shortens is stored as it is in both.
  if ((*shared)->tables().all_raw() == vault.base_is_copied) return size;
  for (size_t i = 0; i < vault.inputs.size(); ++i) {
    const uint64_t stored = report.variants[i].stored_size;
    const uint64_t other_stored = stored + static_cast<uint64_t>(vault.inputs[i].other_profile_adds);
    size += AlignUp(other_stored) - AlignUp(stored);
    size += TileDigests(vault.running.options, other_stored) - TileDigests(vault.running.options, stored);
  }
  return size;
}

// Writes the vault in the profile that the options ask for, or in the one that suits the budget.
absl::StatusOr<std::unique_ptr<VaultWriter>> WriteInProfile(NewVault* vault, BaseProfile* profile) {
  const PackOptions& options = vault->running.options;
  *profile = options.profile.value_or(BaseProfile::kSmall);
  if (options.profile.has_value() || !options.budget.has_value()) return WriteVault(vault, *profile);
  const absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared = BuildModel(*vault, BaseProfile::kFast);
  if (!shared.ok()) return shared.status();
  const absl::StatusOr<uint64_t> fast_base = EndOfBase(*vault, BaseProfile::kFast, **shared);
  if (!fast_base.ok()) return fast_base.status();
  if (*fast_base <= *options.budget) {
    absl::StatusOr<std::unique_ptr<VaultWriter>> fast = WriteVault(vault, BaseProfile::kFast);
    if (!fast.ok() || (*fast)->file_size() <= *options.budget) {
      *profile = BaseProfile::kFast;
      return fast;
    }
  }
  return WriteVault(vault, BaseProfile::kSmall);
}

absl::StatusOr<PackReport> PackNew(FileSystem& file_system, const Running& running, absl::string_view base_path,
                                   absl::Span<const VariantInput> variants, absl::string_view output) {
  const PackOptions& options = running.options;
  const bool for_hosts = options.profile == BaseProfile::kHost;
  if (for_hosts && options.network.has_value()) {
    return absl::InvalidArgumentError(
        "a vault of the profile host is for hosts alone: it does not say what its models compute, which is for boards");
  }
  const absl::StatusOr<ModelFile> base = OpenBaseFile(file_system, base_path, options);
  if (!base.ok()) return base.status();
  const std::vector<ModelTensor>& tensors = base->tensors();
  std::string note;
  absl::StatusOr<std::vector<OpenInput>> inputs =
      OpenInputs(file_system, variants, base_path, base->structure(), options, &note);
  if (!inputs.ok()) return inputs.status();

  NewVault vault{file_system, running, output, *base, DeltaStatistics(tensors), {}, *std::move(inputs), {}};
  if (options.network.has_value()) {
    absl::StatusOr<std::string> built = BuildNetwork(*options.network, tensors, base_path);
    if (!built.ok()) return built.status();
    vault.network = *std::move(built);
  }
  if (!for_hosts) {
    absl::Status analyzed = Analyze(running, tensors, BaseInFile(&*base), &vault.inputs, &vault.statistics);
    if (!analyzed.ok()) return analyzed;
    FileDataSource data(&*base);
    const absl::StatusOr<ModelDigests> base_digests = DigestSource(&data);
    if (!base_digests.ok()) return base_digests.status();
    vault.base_digests = *base_digests;
  }
  ProfileBill bill;
  const absl::StatusOr<std::unique_ptr<VaultWriter>> writer = WriteInProfile(&vault, &bill.profile);
  if (!writer.ok()) return writer.status();
  absl::StatusOr<PackReport> report = Conclude(running, writer->get(), &*base, vault.inputs, note);
  if (!report.ok()) return report.status();
  if (!for_hosts) {
    const absl::StatusOr<uint64_t> other_size = SizeInOtherProfile(vault, bill.profile, *report);
    if (!other_size.ok()) return other_size.status();
    bill.other_size = *other_size;
  }
  report->profile = bill;
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
  return report;
}

}  // namespace

absl::string_view ProfileName(BaseProfile profile) {
  return profile == BaseProfile::kHost ? "host" : profile == BaseProfile::kFast ? "fast" : "small";
}

absl::StatusOr<PackReport> PackVault(FileSystem& file_system, absl::string_view base_path,
                                     absl::Span<const VariantInput> variants, absl::string_view output,
                                     const PackOptions& options) {
  if (absl::Status status = CheckNames(variants); !status.ok()) return status;
  if (absl::Status status = file_system.TryOutput(output); !status.ok()) return status;
  ThreadExecutor threads;
  Executor& executor = options.executor != nullptr ? *options.executor : threads;
  const PackTasks tasks(base_path, variants, options);
  if (options.work_folder.empty()) {
    return PackNew(file_system, {executor, &tasks, options}, base_path, variants, output);
  }
  absl::StatusOr<WorkFolder> opened = WorkFolder::Open(file_system, options.work_folder, WorkOf::kPack);
  if (!opened.ok()) return opened.status();
  const auto work = std::make_shared<const WorkFolder>(*std::move(opened));
  KeepingExecutor keeping(&executor, work);
  absl::StatusOr<PackReport> report = PackNew(file_system, {keeping, &tasks, options}, base_path, variants, output);
  if (!report.ok()) {
    work->RemoveIfEmpty();
    return report;
  }
  report->work = WorkDone{keeping.jobs(), keeping.found()};
  if (!options.keep_work_folder) work->Remove();
  return report;
}

absl::StatusOr<PackReport> AddVariants(FileSystem& file_system, absl::string_view vault_path,
                                       absl::Span<const VariantInput> variants, bool replace,
                                       const PackOptions& options) {
  if (absl::Status status = CheckNames(variants); !status.ok()) return status;
  VaultChanges changes;
  if (replace) {
    for (const VariantInput& v : variants) changes.remove.push_back(v.name);
  }
  VaultWriterOptions write;
  write.durability = options.durability;
  write.trust = options.trust;
  write.sign_root = options.sign_root;
  write.keys = options.keys;
  write.sign_tenant = options.sign_tenant;
  absl::StatusOr<std::unique_ptr<VaultWriter>> writer = EditVault(file_system, vault_path, changes, write);
  if (!writer.ok()) return writer.status();
  // The lock is held: this is the vault being changed.
  const absl::StatusOr<NamedVault> named = NamedVault::Open(file_system, vault_path, KnownModelFormats());
  if (!named.ok()) return named.status();
  ThreadExecutor executor;
  const Running running{executor, nullptr, options};
  const Restorer& restorer = named->restorer();
  const BaseFactory base_source = [&] { return restorer.BaseSource(); };
  std::string note;
  absl::StatusOr<std::vector<OpenInput>> inputs =
      OpenInputs(file_system, variants, absl::StrCat("of ", vault_path), named->base_structure(), options, &note);
  if (!inputs.ok()) return inputs.status();
  const VaultReader& vault = named->vault();
  const bool for_hosts = vault.header().has_host_codings();
  absl::Status status;
  if (!for_hosts) status = Analyze(running, named->tensors(), base_source, &*inputs, nullptr);
  if (status.ok()) {
    status = PrepareLayouts(restorer.shared(), vault.base_digests(), vault.header().segment_size,
                            DescribesItself(vault.base_header()), &*inputs);
  }
  HostCoder host_coder(base_source);
  if (status.ok()) {
    status = for_hosts ? WriteHostVariants(running.executor, &host_coder, vault.header().segment_size, options,
                                           &*inputs, writer->get())
                       : WriteVariants(running, nullptr, base_source, &*inputs, writer->get());
  }
  if (status.ok()) status = (*writer)->Finish();
  if (!status.ok()) return status;
  absl::StatusOr<PackReport> report = Conclude(running, writer->get(), nullptr, *inputs, note);
  if (report.ok()) status = (*writer)->Commit();
  if (!status.ok()) return status;
  return report;
}

}  // namespace modelvault
