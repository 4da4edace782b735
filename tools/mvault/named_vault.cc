#include "tools/mvault/named_vault.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/mvault/cli/printable.h"
#include "tools/packing/model_file.h"
#include "vault/format.h"

namespace modelvault {
namespace {

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A stored header's checksum was right, yet it is not a header for this model: the vault was not made from models.
absl::Status AsDataLoss(const absl::Status& status) { return absl::DataLossError(status.message()); }

std::string Shown(const TensorSpec& spec) {
  return absl::StrFormat("dtype %d, %d x %d", static_cast<int>(spec.dtype), spec.rows, spec.cols);
}

// The base's header and MODEL describe the same tensors.
absl::Status CheckBase(const VaultReader& vault, const SharedTables& shared, const std::vector<TensorInfo>& tensors) {
  if (tensors.size() != shared.tensor_count()) {
    return absl::DataLossError(absl::StrFormat("%s: base: %d tensors in its file header, %d in MODEL", vault.path(),
                                               tensors.size(), shared.tensor_count()));
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorRecord& record = shared.tensor(i);
    const TensorSpec described = SpecOf(tensors[i]);
    const TensorSpec stored{record.dtype, record.rows, record.cols};
    if (described.dtype == stored.dtype && described.rows == stored.rows && described.cols == stored.cols) continue;
    return absl::DataLossError(absl::StrFormat("%s: base: tensor '%s' is %s in its file header, %s in MODEL",
                                               vault.path(), Printable(tensors[i].name), Shown(described),
                                               Shown(stored)));
  }
  return absl::OkStatus();
}

// Whether a tensor of a file header is the stored one. Names do not matter: a variant may have names of its own.
bool IsStored(const TensorInfo& described, const VariantTensor& stored, const TensorRecord& base) {
  if (described.size() != stored.size) return false;
  const TensorSpec spec = SpecOf(described);
  // What is opaque on either side, or has no base tensor, has no shape that the vault knows.
  if (stored.dtype == DType::kOpaque) return spec.dtype == DType::kOpaque || base.dtype == DType::kOpaque;
  if (spec.dtype != stored.dtype) return false;
  return stored.base_index == kNoBaseTensor || (spec.rows == base.rows && spec.cols == base.cols);
}

// A variant's header and its blob's layout describe the same tensors.
absl::Status CheckVariant(const std::string& what, const VariantLayout& layout,
                          const std::vector<TensorInfo>& tensors) {
  if (tensors.size() != layout.tensor_count()) {
    return absl::DataLossError(absl::StrFormat("%s: %d tensors in its file header, %d in the vault's layout", what,
                                               tensors.size(), layout.tensor_count()));
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const VariantTensor stored = layout.tensor(i);
    const TensorRecord& base = layout.RecordOf(stored);
    if (IsStored(tensors[i], stored, base)) continue;
    return absl::DataLossError(
        absl::StrFormat("%s: tensor '%s' is %s, %d bytes in its file header; dtype %d, %d bytes in the vault's layout, "
                        "on a base tensor "
                        "of %s",
                        what, Printable(tensors[i].name), Shown(SpecOf(tensors[i])), tensors[i].size(),
                        static_cast<int>(stored.dtype), stored.size, Shown({base.dtype, base.rows, base.cols})));
  }
  return absl::OkStatus();
}

}  // namespace

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

absl::StatusOr<NamedVault> NamedVault::Open(FileSystem& file_system, absl::string_view path) {
  absl::StatusOr<std::unique_ptr<Restorer>> restorer = Restorer::Open(file_system, path);
  if (!restorer.ok()) return restorer.status();
  NamedVault open;
  open.restorer_ = *std::move(restorer);
  const VaultReader& vault = open.vault();
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(
      Bytes(vault.base_header()), vault.header().base_data_size, absl::StrCat(vault.path(), ": base"));
  if (!header.ok()) return AsDataLoss(header.status());
  open.tensors_ = std::move(header->tensors);
  if (absl::Status status = CheckBase(vault, open.restorer_->shared(), open.tensors_); !status.ok()) return status;
  std::vector<std::string> names;
  uint64_t int8 = 0;
  uint64_t all = 0;
  for (const TensorInfo& tensor : open.tensors_) {
    names.push_back(Printable(tensor.name));
    all += Elements(tensor);
    if (tensor.dtype == "I8") int8 += Elements(tensor);
  }
  open.weights_ = int8 > 0 ? int8 : all;
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
    open.header = vault().base_header();
    open.tensors = tensors_;
    return open;
  }
  absl::StatusOr<std::string> header = vault().variant_header(name);
  if (!header.ok()) return header.status();
  open.header = *std::move(header);
  const VariantLayout& layout = open.model->layout();
  const std::string what = absl::StrCat(vault().path(), ": variant '", name, "'");
  absl::StatusOr<SafetensorsHeader> parsed = ParseSafetensorsHeader(Bytes(open.header), layout.data_size(), what);
  if (!parsed.ok()) return AsDataLoss(parsed.status());
  open.tensors = std::move(parsed->tensors);
  if (absl::Status status = CheckVariant(what, layout, open.tensors); !status.ok()) return status;
  return open;
}

}  // namespace modelvault
