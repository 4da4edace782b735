#include "tools/packing/pack.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codec/base_encoder.h"
#include "codec/layout_encoder.h"
#include "codec/segment_encoder.h"
#include "codec/shared_tables_builder.h"
#include "restore/model_file.h"
#include "restore/named_vault.h"
#include "restore/restorer.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/opaque_format.h"
#include "tools/formats/readable_text.h"
#include "tools/packing/coded_base.h"
#include "tools/packing/match_report.h"
#include "tools/packing/rule_use.h"
#include "tools/packing/variant_analysis.h"
#include "tools/packing/variant_match.h"
#include "vault/manifest.h"
#include "vault/ordered_parallel.h"
#include "vault/variant_name.h"
#include "vault/vault_editor.h"
#include "vault/vault_writer.h"

namespace modelvault {
namespace {

constexpr uint64_t kChunkBatchSize = 256 << 10;  // Raw bytes of the base one job codes.

// A variant on its way into a vault.
struct OpenInput {
  const VariantInput* input = nullptr;
  std::unique_ptr<ModelFile> file;
  VariantMatch match;
  std::vector<size_t> unmatched;  // See PackedVariant.
  ModelDigests digests;
  bool is_base = false;  // Identical to the base, its layout included.
  std::vector<VariantTensor> tensors;
  std::unique_ptr<VariantLayout> layout;
  StoredLayout stored_layout;
  std::unique_ptr<SegmentEncoder> encoder;
  int64_t other_profile_adds = 0;  // To its segments' bytes, if it is known.

  uint64_t segments() const { return is_base ? 0 : encoder->segment_count(); }
};

// Where the base's bytes come from, one source for each user.
using BaseFactory = std::function<std::unique_ptr<DataSource>()>;

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

// A tensor's name says something within a format only.
absl::Status CheckFormat(const ModelFile& variant, absl::string_view base_path, const ModelStructure& base) {
  const std::string& format = variant.structure().format;
  if (format == base.format) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(variant.path(), ": is a model in the format ", format, ", the base ",
                                                 base_path, " one in the format ", base.format,
                                                 "; a vault's models are of one format"));
}

// Opens all variants. `*note` is what is to be said of those that do not match entirely and are packed all the same.
absl::StatusOr<std::vector<OpenInput>> OpenInputs(FileSystem& file_system, absl::Span<const VariantInput> variants,
                                                  absl::string_view base_path, const ModelStructure& base_structure,
                                                  const PackOptions& options, std::string* note) {
  const NameRules& rules = options.names;
  const std::vector<ModelTensor>& base = base_structure.tensors;
  FrameOptions frame_options;
  frame_options.whole_file = base_structure.whole_file;
  const bool all_opaque = base_structure.format == kOpaqueFormatName;
  const Unknown unknown = all_opaque ? Unknown::kAll : options.opaque ? Unknown::kOpaque : Unknown::kRefused;
  const ModelFormat* const format = KnownModelFormats().Named(base_structure.format);
  const bool generated_names = format != nullptr && format->names_are_generated();
  std::vector<OpenInput> inputs;
  std::vector<Mismatch> refused;
  std::vector<Mismatch> kept;
  uint64_t unmatched_size = 0;
  RuleUse use(&rules, base);
  for (const VariantInput& v : variants) {
    absl::StatusOr<ModelFile> file = OpenModelFile(file_system, v.path, frame_options, unknown);
    if (!file.ok()) return file.status();
    const bool opaque = file->structure().format == kOpaqueFormatName;
    if (absl::Status status = CheckFormat(*file, base_path, base_structure); !opaque && !status.ok()) return status;
    OpenInput input;
    input.input = &v;
    input.file = std::make_unique<ModelFile>(*std::move(file));
    const std::vector<ModelTensor>& tensors = input.file->tensors();
    use.AddVariant(tensors);
    TensorPairs pairs = PairTensors(base, tensors, rules);
    if (generated_names) PairByShape(base, tensors, &pairs);
    // A shard is no model, whatever is to be ignored; a file that only has the name of one is.
    const bool shard = (IsShardName(v.path) || IsShardName(base_path)) && pairs.matched() < base.size();
    if (shard || !pairs.complete()) {
      const bool keep = opaque || (!shard && IsOfBase(base, tensors, pairs));
      (keep ? kept : refused).push_back({v.path, tensors, pairs});
      if (!keep) continue;
    }
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (pairs.base_of[i].has_value()) continue;
      unmatched_size += tensors[i].size();
      input.unmatched.push_back(i);
    }
    input.match = LayOut(base, tensors, pairs);
    inputs.push_back(std::move(input));
  }
  if (absl::Status status = use.Check(); !status.ok()) return status;
  if (!refused.empty()) {
    return absl::InvalidArgumentError(DescribeMismatches(
        MismatchHeading(refused.size(), variants.size(), base_path, base.size()), base_path, base, refused, rules));
  }
  if (!kept.empty()) {
    const std::string heading =
        absl::StrCat(kept.size(), " of ", Counted(variants.size(), "variant"), kept.size() == 1 ? " does" : " do",
                     " not match the base entirely; what is lacking is left out, what has no match, ",
                     Counted(unmatched_size, "byte"), " in the files, is stored with it");
    *note = DescribeMismatches(heading, base_path, base, kept, rules);
  }
  return inputs;
}

uint64_t TotalSize(const std::vector<OpenInput>& inputs) {
  uint64_t total = 0;
  for (const OpenInput& input : inputs) total += input.file->data_size();
  return total;
}

// Digests of all variants, and their differences counted into `*statistics` if that is wanted.
absl::Status Analyze(const std::vector<ModelTensor>& base_tensors, const BaseFactory& base, const PackOptions& options,
                     std::vector<OpenInput>* inputs, DeltaStatistics* statistics) {
  struct Result {
    ModelDigests digests;
    std::unique_ptr<DeltaStatistics> statistics;
  };
  const uint64_t total = TotalSize(*inputs);
  uint64_t done = 0;
  return OrderedParallel<Result>(
      inputs->size(), ThreadCount(options.threads),
      [&](uint64_t i) -> absl::StatusOr<Result> {
        const OpenInput& input = (*inputs)[i];
        Result result;
        if (statistics != nullptr) result.statistics = std::make_unique<DeltaStatistics>(base_tensors);
        const std::unique_ptr<DataSource> source = base();
        absl::StatusOr<ModelDigests> digests =
            AnalyzeVariant(base_tensors, source.get(), input.match, *input.file, result.statistics.get());
        if (!digests.ok()) return digests.status();
        result.digests = *digests;
        return result;
      },
      [&](uint64_t i, Result result) {
        OpenInput& input = (*inputs)[i];
        input.digests = result.digests;
        if (statistics != nullptr) statistics->Merge(*result.statistics);
        ReportProgress(options.progress, "analyse", done += input.file->data_size(), total);
        return absl::OkStatus();
      });
}

absl::Status WriteBase(const SharedTables& shared, const BaseFactory& base, const PackOptions& options,
                       VaultWriter* writer, uint32_t chunk_size) {
  const BaseEncoder encoder(&shared, chunk_size);
  const uint64_t batch = std::max<uint64_t>(1, kChunkBatchSize / chunk_size);
  const uint64_t batches = (encoder.chunk_count() + batch - 1) / batch;
  return OrderedParallel<std::vector<std::string>>(
      batches, ThreadCount(options.threads),
      [&](uint64_t b) -> absl::StatusOr<std::vector<std::string>> {
        const std::unique_ptr<DataSource> source = base();
        std::vector<std::string> chunks;
        std::vector<uint8_t> raw(chunk_size);
        for (uint64_t c = b * batch; c < std::min(encoder.chunk_count(), (b + 1) * batch); ++c) {
          const uint64_t begin = c * chunk_size;
          const auto bytes =
              absl::MakeSpan(raw).first(static_cast<size_t>(std::min<uint64_t>(chunk_size, source->size() - begin)));
          if (absl::Status status = source->Read(begin, bytes); !status.ok()) return status;
          chunks.push_back(encoder.Encode(c, bytes));
        }
        return chunks;
      },
      [&](uint64_t b, std::vector<std::string> chunks) {
        for (const std::string& chunk : chunks) {
          if (absl::Status status = writer->AppendBaseChunk(chunk); !status.ok()) return status;
        }
        ReportProgress(options.progress, "encode base", b + 1, batches);
        return absl::OkStatus();
      });
}

// `plain` as SegmentEncoder's.
absl::Status PrepareLayouts(const SharedTables& shared, const ModelDigests& base_digests, uint32_t segment_size,
                            bool plain, std::vector<OpenInput>* inputs) {
  for (OpenInput& input : *inputs) {
    input.layout = std::make_unique<VariantLayout>(&shared);
    if (input.match.own_layout) {
      input.stored_layout = SerializeLayout(input.match.tensors, shared.tensor_count());
      input.tensors.resize(input.match.tensors.size());
      const CoreStatus status =
          input.layout->Parse(input.stored_layout.view(), input.tensors.data(), input.tensors.size());
      if (status != CoreStatus::kOk) {
        return absl::InternalError(absl::StrCat(input.input->path, ": layout: ", CoreStatusName(status)));
      }
    }
    input.is_base = !input.match.own_layout && input.digests == base_digests;
    input.encoder = std::make_unique<SegmentEncoder>(input.layout.get(), segment_size, plain);
  }
  return absl::OkStatus();
}

// Codes all segments of all variants, in parallel, into the writer, in order. `bill`: for both profiles.
absl::Status WriteVariants(const BaseFactory& base, const PackOptions& options, bool bill,
                           std::vector<OpenInput>* inputs_in_order, VaultWriter* writer) {
  std::vector<OpenInput>& inputs = *inputs_in_order;
  struct Coded {
    std::string stored;
    size_t other_size = 0;
  };
  struct Job {
    size_t input;
    uint64_t segment;
  };
  std::vector<Job> jobs;  // A variant without segments has one job, for nothing.
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (uint64_t s = 0; s < std::max<uint64_t>(1, inputs[i].segments()); ++s) jobs.push_back({i, s});
  }
  return OrderedParallel<Coded>(
      jobs.size(), ThreadCount(options.threads),
      [&](uint64_t j) -> absl::StatusOr<Coded> {
        const OpenInput& input = inputs[jobs[j].input];
        if (input.segments() == 0) return Coded();
        const std::unique_ptr<DataSource> base_source = base();
        FileDataSource variant(input.file.get());
        size_t other_size = 0;
        absl::StatusOr<std::string> stored =
            input.encoder->Encode(jobs[j].segment, base_source.get(), &variant, bill ? &other_size : nullptr);
        if (!stored.ok()) return stored.status();
        return Coded{*std::move(stored), other_size};
      },
      [&](uint64_t j, Coded coded) {
        OpenInput& input = inputs[jobs[j].input];
        const std::string& stored = coded.stored;
        if (jobs[j].segment == 0) input.other_profile_adds = 0;
        input.other_profile_adds += static_cast<int64_t>(coded.other_size) - static_cast<int64_t>(stored.size());
        absl::Status status;
        if (jobs[j].segment == 0) {
          status = writer->BeginVariant(input.input->name, input.stored_layout, input.segments());
        }
        if (status.ok() && input.segments() > 0) status = writer->AppendSegment(stored);
        if (status.ok() && jobs[j].segment + 1 >= input.segments()) {
          status = writer->FinishVariant(input.digests, input.file->frame());
        }
        ReportProgress(options.progress, "encode variants", j + 1, jobs.size());
        return status;
      });
}

// The result of a job that has none.
struct Verified {
  Verified() {}
};

// Restores `model` and compares it with the file it came from, byte by byte.
absl::Status CompareWithFile(const VaultModel& model, const ModelFile& file, int threads) {
  if (model.data_size() != file.data_size()) {
    return absl::InternalError(
        absl::StrCat(file.path(), ": packed ", file.data_size(), " bytes of data, restored ", model.data_size()));
  }
  RestoreOptions options;
  options.threads = threads;
  std::vector<uint8_t> expected;
  bool reported = false;
  absl::Status status = model.Restore(options, [&](uint64_t offset, absl::Span<const uint8_t> bytes) -> absl::Status {
    expected.resize(bytes.size());
    reported = true;
    if (absl::Status read = file.ReadData(offset, absl::MakeSpan(expected)); !read.ok()) return read;
    if (absl::MakeConstSpan(expected) != bytes) {
      return absl::DataLossError(absl::StrCat(file.path(), ": restored data differ from the file within ", bytes.size(),
                                              " bytes from offset ", offset,
                                              ": did a file change while it was packed?"));
    }
    reported = false;
    return absl::OkStatus();
  });
  // What was written a moment ago does not contradict itself unless its parts come from different states of a file.
  if (!absl::IsDataLoss(status) || reported) return status;
  return absl::DataLossError(absl::StrCat(file.path(), ": did a file change while it was packed? ", status.message()));
}

// Compares with the header that the file has now: it was read long before the data.
absl::Status CompareHeader(const ModelFile& file, const std::string& restored) {
  const absl::StatusOr<std::string> header = file.ReadFrameAgain();
  if (!header.ok()) return header.status();
  if (*header == restored) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(file.path(), ": the header of ", header->size(),
                   " bytes does not come back as it is: did a file change while it was packed?"));
}

// Reads the finished vault back and compares every model in `inputs`, and the base if there is a file of it.
absl::Status VerifyWritten(const VaultWriter& writer, const ModelFile* base, const PackOptions& options,
                           const std::vector<OpenInput>& inputs) {
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = writer.OpenWritten();
  if (!reader.ok()) return reader.status();
  absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::FromReader(*std::move(reader));
  if (!restorer.ok()) return restorer.status();
  const int threads = ThreadCount(options.threads);
  if (base != nullptr) {
    absl::StatusOr<std::unique_ptr<const VaultModel>> model = (*restorer)->OpenBase();
    if (!model.ok()) return model.status();
    if (absl::Status status = CompareWithFile(**model, *base, threads); !status.ok()) return status;
    if (absl::Status status = CompareHeader(*base, (*restorer)->vault().base_header()); !status.ok()) return status;
  }
  // Many small variants side by side, or the segments of each large one.
  const bool side_by_side = inputs.size() >= static_cast<size_t>(threads);
  const uint64_t total = TotalSize(inputs);
  uint64_t done = 0;
  return OrderedParallel<Verified>(
      inputs.size(), side_by_side ? threads : 1,
      [&](uint64_t i) -> absl::StatusOr<Verified> {
        const OpenInput& input = inputs[i];
        absl::StatusOr<std::unique_ptr<const VaultModel>> model = (*restorer)->OpenVariant(input.input->name);
        if (!model.ok()) return model.status();
        absl::Status status = CompareWithFile(**model, *input.file, side_by_side ? 1 : threads);
        if (!status.ok()) return status;
        absl::StatusOr<std::string> header = (*restorer)->vault().variant_header(input.input->name);
        if (!header.ok()) return header.status();
        status = CompareHeader(*input.file, *header);
        if (!status.ok()) return status;
        return Verified();
      },
      [&](uint64_t i, Verified) {
        ReportProgress(options.progress, "verify", done += inputs[i].file->data_size(), total);
        return absl::OkStatus();
      });
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
absl::StatusOr<PackReport> Conclude(VaultWriter* writer, const ModelFile* base, const PackOptions& options,
                                    const std::vector<OpenInput>& inputs, const std::string& note) {
  {
    absl::StatusOr<std::unique_ptr<VaultReader>> written = writer->OpenWritten();
    if (!written.ok()) return written.status();
    if (absl::Status status = CheckBudget(options, writer->path(), **written); !status.ok()) return status;
  }
  if (absl::Status status = VerifyWritten(*writer, base, options, inputs); !status.ok()) return status;
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
  absl::string_view output;
  const PackOptions& options;
  const ModelFile& base;
  DeltaStatistics statistics;
  ModelDigests base_digests;
  std::vector<OpenInput> inputs;
  std::string network;          // Empty: the vault does not say what its models compute.
  bool base_is_copied = false;  // As it was written.

  uint32_t chunk_size(BaseProfile profile) const {
    return options.chunk_size != 0 ? options.chunk_size : DefaultChunkSize(base.data_size(), profile);
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
  const PackOptions& options = vault->options;
  const absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared = BuildModel(*vault, profile);
  if (!shared.ok()) return shared.status();
  VaultParams params;
  params.chunk_size = vault->chunk_size(profile);
  params.segment_size = options.segment_size;
  params.base_data_size = vault->base.data_size();
  params.tensor_count = static_cast<uint32_t>(vault->base.tensors().size());
  VaultWriterOptions write;
  write.durability = options.durability;
  absl::StatusOr<std::unique_ptr<VaultWriter>> writer =
      VaultWriter::Create(vault->file_system, vault->output, params, (*shared)->section(), write);
  if (!writer.ok()) return writer.status();
  const BaseFactory base_source = [&] { return std::make_unique<FileDataSource>(&vault->base); };
  const SharedTables& parsed = (*shared)->tables();
  vault->base_is_copied = parsed.all_raw();
  absl::Status status = WriteBase(parsed, base_source, options, writer->get(), params.chunk_size);
  if (status.ok()) status = (*writer)->FinishBase(vault->base_digests, vault->base.frame());
  if (status.ok() && !vault->network.empty()) status = (*writer)->AddNetwork(vault->network);
  if (status.ok()) {
    status = PrepareLayouts(parsed, vault->base_digests, params.segment_size, DescribesItself(vault->base.frame()),
                            &vault->inputs);
  }
  if (status.ok()) status = WriteVariants(base_source, options, true, &vault->inputs, writer->get());
  if (status.ok()) status = (*writer)->Finish();
  if (!status.ok()) return status;
  return writer;
}

// Bytes of a vault up to its first blob.
uint64_t EndOfBase(uint64_t model_size, uint64_t chunks_size, uint64_t base_size) {
  return AlignUp(AlignUp(kHeaderSize + model_size) + chunks_size + base_size);
}

absl::StatusOr<uint64_t> EndOfBase(const NewVault& vault, BaseProfile profile, const ParsedSharedTables& shared) {
  const uint32_t chunk_size = vault.chunk_size(profile);
  const absl::StatusOr<uint64_t> base =
      CodedBaseSize(vault.base, shared.tables(), chunk_size, vault.options.threads, vault.options.progress);
  if (!base.ok()) return base.status();
  return EndOfBase(shared.section().size(), ChunksSize(vault.base.data_size(), chunk_size), *base);
}

// The size that the vault, which has been written in `profile`, would have in the other one.
absl::StatusOr<uint64_t> SizeInOtherProfile(const NewVault& vault, BaseProfile profile, const PackReport& report) {
  const BaseProfile other = OtherProfile(profile);
  const absl::StatusOr<std::unique_ptr<const ParsedSharedTables>> shared = BuildModel(vault, other);
  if (!shared.ok()) return shared.status();
  const absl::StatusOr<uint64_t> end = EndOfBase(vault, other, **shared);
  if (!end.ok()) return end.status();
  const VaultBytes& bytes = report.bytes;
  uint64_t size = bytes.file - EndOfBase(bytes.model, bytes.chunks, bytes.base) + *end;
  // A base that no code shortens is stored as it is in both.
  if ((*shared)->tables().all_raw() == vault.base_is_copied) return size;
  for (size_t i = 0; i < vault.inputs.size(); ++i) {
    const uint64_t stored = report.variants[i].stored_size;
    size += AlignUp(stored + static_cast<uint64_t>(vault.inputs[i].other_profile_adds)) - AlignUp(stored);
  }
  return size;
}

// Writes the vault in the profile that the options ask for, or in the one that suits the budget.
absl::StatusOr<std::unique_ptr<VaultWriter>> WriteInProfile(NewVault* vault, BaseProfile* profile) {
  const PackOptions& options = vault->options;
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

}  // namespace

absl::string_view ProfileName(BaseProfile profile) { return profile == BaseProfile::kFast ? "fast" : "small"; }

absl::StatusOr<PackReport> PackVault(FileSystem& file_system, absl::string_view base_path,
                                     absl::Span<const VariantInput> variants, absl::string_view output,
                                     const PackOptions& options) {
  if (absl::Status status = CheckNames(variants); !status.ok()) return status;
  if (absl::Status status = file_system.TryOutput(output); !status.ok()) return status;
  FrameOptions frame_options;
  frame_options.whole_file = options.whole_file;
  absl::StatusOr<ModelFile> base =
      OpenModelFile(file_system, base_path, frame_options, options.opaque ? Unknown::kOpaque : Unknown::kRefused);
  if (!base.ok()) return base.status();
  const std::vector<ModelTensor>& tensors = base->tensors();
  std::string note;
  absl::StatusOr<std::vector<OpenInput>> inputs =
      OpenInputs(file_system, variants, base_path, base->structure(), options, &note);
  if (!inputs.ok()) return inputs.status();

  NewVault vault{file_system, output, options, *base, DeltaStatistics(tensors), {}, *std::move(inputs), {}};
  if (options.network.has_value()) {
    absl::StatusOr<std::string> built = BuildNetwork(*options.network, tensors, base_path);
    if (!built.ok()) return built.status();
    vault.network = *std::move(built);
  }
  const BaseFactory base_source = [&] { return std::make_unique<FileDataSource>(&*base); };
  if (absl::Status status = Analyze(tensors, base_source, options, &vault.inputs, &vault.statistics); !status.ok()) {
    return status;
  }
  FileDataSource data(&*base);
  const absl::StatusOr<ModelDigests> base_digests = DigestSource(&data);
  if (!base_digests.ok()) return base_digests.status();
  vault.base_digests = *base_digests;
  ProfileBill bill;
  const absl::StatusOr<std::unique_ptr<VaultWriter>> writer = WriteInProfile(&vault, &bill.profile);
  if (!writer.ok()) return writer.status();
  absl::StatusOr<PackReport> report = Conclude(writer->get(), &*base, options, vault.inputs, note);
  if (!report.ok()) return report.status();
  const absl::StatusOr<uint64_t> other_size = SizeInOtherProfile(vault, bill.profile, *report);
  if (!other_size.ok()) return other_size.status();
  bill.other_size = *other_size;
  report->profile = bill;
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
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
  const Restorer& restorer = named->restorer();
  const BaseFactory base_source = [&] { return restorer.BaseSource(); };
  std::string note;
  absl::StatusOr<std::vector<OpenInput>> inputs =
      OpenInputs(file_system, variants, absl::StrCat("of ", vault_path), named->base_structure(), options, &note);
  if (!inputs.ok()) return inputs.status();
  absl::Status status = Analyze(named->tensors(), base_source, options, &*inputs, nullptr);
  if (status.ok()) {
    const VaultReader& vault = named->vault();
    status = PrepareLayouts(restorer.shared(), vault.base_digests(), vault.header().segment_size,
                            DescribesItself(vault.base_header()), &*inputs);
  }
  if (status.ok()) status = WriteVariants(base_source, options, false, &*inputs, writer->get());
  if (status.ok()) status = (*writer)->Finish();
  if (!status.ok()) return status;
  absl::StatusOr<PackReport> report = Conclude(writer->get(), nullptr, options, *inputs, note);
  if (report.ok()) status = (*writer)->Commit();
  if (!status.ok()) return status;
  return report;
}

}  // namespace modelvault
