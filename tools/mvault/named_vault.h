// A vault with the names of its tensors: what the container and the codec keep apart, brought together and held against
// each other.
#ifndef MODELVAULT_TOOLS_MVAULT_NAMED_VAULT_H_
#define MODELVAULT_TOOLS_MVAULT_NAMED_VAULT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/restorer.h"
#include "tools/formats/safetensors.h"
#include "vault/file_system.h"

namespace modelvault {

// A model of a vault: its data section and the file header that goes before it.
struct NamedModel {
  std::unique_ptr<const VaultModel> model;
  std::string header;
  std::vector<TensorInfo> tensors;  // In the order of the model's layout.
};

// Thread-safe.
class NamedVault {
 public:
  // Errors are VaultReader's; also kDataLoss for a base header that does not describe the base.
  static absl::StatusOr<NamedVault> Open(FileSystem& file_system, absl::string_view path);

  const Restorer& restorer() const { return *restorer_; }
  const VaultReader& vault() const { return restorer_->vault(); }
  // The base's, in data order.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // What "bits a weight" counts: the base's INT8 elements, or all its elements if there are none of those.
  uint64_t weights() const { return weights_; }

  // The variant `name`, or the base under its reserved name. kNotFound if there is no such variant; kDataLoss for a
  // damaged one, also if its header does not describe it. The vault must outlive the result.
  absl::StatusOr<NamedModel> OpenModel(absl::string_view name) const;

 private:
  NamedVault() = default;

  std::unique_ptr<Restorer> restorer_;
  std::vector<TensorInfo> tensors_;
  uint64_t weights_ = 0;
};

// Whether `a` and `b` name one existing file.
bool SameFile(const std::string& a, const std::string& b);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_NAMED_VAULT_H_
