#include "tools/mvault/commands/eval_models.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "restore/model_source.h"
#include "tools/formats/model_formats.h"
#include "tools/mvault/commands/variant_inputs.h"

namespace modelvault {
namespace {

namespace fs = std::filesystem;

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

}  // namespace

absl::StatusOr<EvalModels> EvalModels::Open(FileSystem& file_system, const std::string& path) {
  EvalModels result(file_system);
  if (IsFolder(path)) {
    const std::string inner = (fs::path(path) / "variants").string();
    const absl::StatusOr<std::vector<VariantInput>> inputs =
        FindVariants(file_system, {IsFolder(inner) ? inner : path, {}, {}});
    if (!inputs.ok()) return inputs.status();
    for (const VariantInput& input : *inputs) {
      const absl::StatusOr<ModelFile> file = OpenModelFile(file_system, input.path);
      if (!file.ok()) return file.status();
      result.models_.push_back({input.name, file->size(), input.path});
    }
    return result;
  }
  absl::StatusOr<NamedVault> vault = NamedVault::Open(file_system, path, KnownModelFormats());
  if (!vault.ok()) return vault.status();
  result.vault_ = *std::move(vault);
  for (const VaultVariant& v : result.vault_->vault().variants()) result.models_.push_back({v.name, v.stored_size, ""});
  std::sort(result.models_.begin(), result.models_.end(),
            [](const Model& a, const Model& b) { return a.name < b.name; });
  if (result.models_.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": no variants in it"));
  return result;
}

std::string EvalModels::NameOf(const Model& model) {
  return model.path.empty() ? absl::StrCat("variant '", model.name, "'") : model.path;
}

absl::Status EvalModels::Use(const Model& model, ModelUser use) const {
  if (!vault_.has_value()) {
    const absl::StatusOr<ModelFile> file = OpenModelFile(*file_system_, model.path);
    if (!file.ok()) return file.status();
    FileDataSource source(&*file);
    return use(file->tensors(), &source);
  }
  vault_->restorer().WillRestore(model.name);
  const absl::StatusOr<NamedModel> open = vault_->OpenModel(model.name);
  if (!open.ok()) return open.status();
  ModelSource source(open->model.get(), vault_->vault().header().segment_size);
  return use(open->tensors, &source);
}

absl::StatusOr<FloatTensors> EvalModels::Read(const Model& model) const {
  FloatTensors floats;
  const absl::Status status = Use(model, [&](absl::Span<const ModelTensor> tensors, DataSource* data) -> absl::Status {
    absl::StatusOr<FloatTensors> read = ReadFloatTensors(NameOf(model), tensors, data);
    if (read.ok()) floats = *std::move(read);
    return read.status();
  });
  if (!status.ok()) return status;
  return floats;
}

absl::StatusOr<FloatTensors> ReadFloatModel(FileSystem& file_system, absl::string_view path) {
  const absl::StatusOr<ModelFile> file = OpenModelFile(file_system, path);
  if (!file.ok()) return file.status();
  FileDataSource source(&*file);
  return ReadFloatTensors(path, file->tensors(), &source);
}

}  // namespace modelvault
