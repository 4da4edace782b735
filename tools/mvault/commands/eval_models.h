// The variants `mvault eval` scores, wherever they lie.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_EVAL_MODELS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_EVAL_MODELS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/data_source.h"
#include "codec/model_tensor.h"
#include "restore/named_vault.h"
#include "tools/eval/float_tensors.h"
#include "vault/file_system.h"

namespace modelvault {

// Thread-safe.
class EvalModels {
 public:
  // `path` is a vault or a folder: of the models in its folder "variants" or, without one, in itself. Errors are
  // NamedVault's and FindVariants'; also kInvalidArgument for a vault without variants. `file_system` must outlive it.
  static absl::StatusOr<EvalModels> Open(FileSystem& file_system, const std::string& path);

  struct Model {
    std::string name;
    uint64_t bytes = 0;  // Stored in the vault, or of the file.
    std::string path;    // Of the file; empty in a vault.
  };
  // Sorted by name.
  const std::vector<Model>& models() const { return models_; }

  // Gives `use` a model's tensors and data; the result is use's, or why there is no such model. Restores a variant of a
  // vault: stored checksums are compared, the digest over the whole model is not.
  using ModelUser = absl::FunctionRef<absl::Status(absl::Span<const ModelTensor> tensors, DataSource* data)>;
  absl::Status Use(const Model& model, ModelUser use) const;
  absl::StatusOr<FloatTensors> Read(const Model& model) const;

  // What messages call a model.
  static std::string NameOf(const Model& model);

 private:
  explicit EvalModels(FileSystem& file_system) : file_system_(&file_system) {}

  FileSystem* file_system_;
  std::optional<NamedVault> vault_;
  std::vector<Model> models_;
};

// The tensors of a model file.
absl::StatusOr<FloatTensors> ReadFloatModel(FileSystem& file_system, absl::string_view path);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_EVAL_MODELS_H_
