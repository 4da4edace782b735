#include "tools/packing/pack_inputs.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/opaque_format.h"
#include "tools/formats/readable_text.h"
#include "tools/packing/match_report.h"
#include "tools/packing/rule_use.h"

namespace modelvault {
namespace {

// A tensor's name says something within a format only.
absl::Status CheckFormat(const ModelFile& variant, absl::string_view base_path, const ModelStructure& base) {
  const std::string& format = variant.structure().format;
  if (format == base.format) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(variant.path(), ": is a model in the format ", format, ", the base ",
                                                 base_path, " one in the format ", base.format,
                                                 "; a vault's models are of one format"));
}

}  // namespace

BaseFactory BaseInFile(const ModelFile* file) {
  return [file] { return std::make_unique<FileDataSource>(file); };
}

absl::StatusOr<ModelFile> OpenBaseFile(FileSystem& file_system, absl::string_view path, const PackOptions& options) {
  FrameOptions frame_options;
  frame_options.whole_file = options.whole_file;
  return OpenModelFile(file_system, path, frame_options, options.opaque ? Unknown::kOpaque : Unknown::kRefused);
}

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

}  // namespace modelvault
