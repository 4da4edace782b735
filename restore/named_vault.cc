#include "restore/named_vault.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "vault/format.h"

namespace modelvault {
namespace {

// A stored frame's checksum was right, yet it is not one of this model: the vault was not made from models.
absl::Status AsDataLoss(const absl::Status& status) { return absl::DataLossError(status.message()); }

// A vault tells of a model's tensors twice: in its frame for those who read files, in MODEL or the variant's layout for
// the coders. `layout` is the latter.
absl::Status CheckTensors(const std::string& what, absl::Span<const ModelTensor> tensors, const VariantLayout& layout) {
  if (tensors.size() != layout.tensor_count()) {
    return absl::DataLossError(absl::StrCat(what, ": ", tensors.size(), " tensors in its file header, ",
                                            layout.tensor_count(), " in the vault's layout"));
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const ModelTensor& tensor = tensors[i];
    const VariantTensor stored = layout.tensor(i);
    const TensorRecord& record = layout.RecordOf(stored);
    // Opaque bytes say nothing of elements: they may stand for any type and shape. A tensor without a base tensor has
    // no shape that the vault knows.
    const bool same_type =
        stored.dtype == DType::kOpaque
            ? tensor.dtype == DType::kOpaque || record.dtype == DType::kOpaque
            : stored.dtype == tensor.dtype && (stored.base_index == kNoBaseTensor ||
                                               (record.rows == tensor.rows() && record.cols == tensor.cols()));
    if (same_type && tensor.begin == stored.offset && tensor.size() == stored.size) continue;
    return absl::DataLossError(absl::StrFormat(
        "%s: tensor '%s' is %s, %d x %d, %d bytes in its file header; %s, %d x %d, %d bytes in the vault's layout",
        what, tensor.name, DTypeName(tensor.dtype), tensor.rows(), tensor.cols(), tensor.size(),
        DTypeName(stored.dtype), record.rows, record.cols, stored.size));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status NamedModel::RestoreFile(const RestoreOptions& options, FileAssembler::Sink sink) const {
  FileAssembler assembler(frame, *this, std::move(sink));
  absl::Status status =
      model->Restore(options, [&](uint64_t, absl::Span<const uint8_t> bytes) { return assembler.Append(bytes); });
  if (status.ok()) status = assembler.Finish();
  return status;
}

absl::StatusOr<NamedVault> NamedVault::Open(FileSystem& file_system, absl::string_view path,
                                            const ModelFormats& formats) {
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = VaultReader::Open(file_system, path);
  if (!reader.ok()) return reader.status();
  return FromReader(*std::move(reader), formats);
}

absl::StatusOr<NamedVault> NamedVault::FromReader(std::unique_ptr<VaultReader> reader, const ModelFormats& formats) {
  absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::FromReader(std::move(reader));
  if (!restorer.ok()) return restorer.status();
  NamedVault open;
  open.formats_ = &formats;
  open.restorer_ = *std::move(restorer);
  const VaultReader& vault = open.vault();
  const std::string what = absl::StrCat(vault.path(), ": base");
  absl::StatusOr<ModelStructure> base = formats.ParseFrame(vault.base_header(), vault.header().base_data_size, what);
  if (!base.ok()) return AsDataLoss(base.status());
  open.base_ = *std::move(base);
  const absl::StatusOr<std::unique_ptr<const VaultModel>> model = open.restorer_->OpenBase();
  if (!model.ok()) return model.status();
  const absl::Status status = CheckTensors(what, open.base_.tensors, (*model)->layout());
  if (!status.ok()) return status;
  std::vector<std::string> names;
  for (const ModelTensor& tensor : open.base_.tensors) names.push_back(tensor.name);
  open.weights_ = CountWeights(open.base_.tensors).weights;
  open.restorer_->set_tensor_names(std::move(names));
  return open;
}

absl::StatusOr<NamedModel> NamedVault::OpenModel(absl::string_view name) const {
  const bool is_base = name == kReservedVariantName;
  absl::StatusOr<std::unique_ptr<const VaultModel>> model =
      is_base ? restorer_->OpenBase() : restorer_->OpenVariant(name);
  if (!model.ok()) return model.status();
  NamedModel open;
  open.model = *std::move(model);
  if (is_base) {
    open.frame = vault().base_header();
    static_cast<ModelStructure&>(open) = base_;
    return open;
  }
  absl::StatusOr<std::string> frame = vault().variant_header(name);
  if (!frame.ok()) return frame.status();
  open.frame = *std::move(frame);
  const VariantLayout& layout = open.model->layout();
  const std::string what = absl::StrCat(vault().path(), ": variant '", name, "'");
  absl::StatusOr<ModelStructure> parsed = formats_->ParseFrame(open.frame, layout.data_size(), what);
  if (!parsed.ok()) return AsDataLoss(parsed.status());
  static_cast<ModelStructure&>(open) = *std::move(parsed);
  if (absl::Status status = CheckTensors(what, open.tensors, layout); !status.ok()) return status;
  return open;
}

}  // namespace modelvault
