// The variants `mvault eval` scores, wherever they lie.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_EVAL_MODELS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_EVAL_MODELS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/named_vault.h"
#include "tools/eval/float_tensors.h"
#include "vault/file_system.h"

namespace modelvault {

// Thread-safe.
class EvalModels {
 public:
  // `path` is a vault or a folder: of the *.safetensors in its folder "variants" or, without one, in itself. Errors are
  // NamedVault's and FindVariants'; also kInvalidArgument for a vault without variants. `file_system` must outlive it.
  static absl::StatusOr<EvalModels> Open(FileSystem& file_system, const std::string& path);

  struct Model {
    std::string name;
    uint64_t bytes = 0;  // Stored in the vault, or of the file.
    std::string path;    // Of the file; empty in a vault.
  };
  // Sorted by name.
  const std::vector<Model>& models() const { return models_; }

  // Restores a variant of a vault: stored checksums are compared, the digest over the whole model is not.
  absl::StatusOr<FloatTensors> Read(const Model& model) const;

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
