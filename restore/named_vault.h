// A vault with the names of its tensors: what the container and the codec keep apart, brought together and held against
// each other.
#ifndef MODELVAULT_RESTORE_NAMED_VAULT_H_
#define MODELVAULT_RESTORE_NAMED_VAULT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/model_tensor.h"
#include "restore/file_assembler.h"
#include "restore/model_file.h"
#include "restore/restorer.h"
#include "vault/file_system.h"

namespace modelvault {

// A model of a vault: its data section, the frame of its file, and what the frame says; its tensors are those of the
// model's layout, in its order.
struct NamedModel : ModelStructure {
  std::unique_ptr<const VaultModel> model;
  std::string frame;

  // Of all its files.
  uint64_t file_size() const { return frame.size() - description_size + model->data_size(); }

  // Restores the file: `sink` takes its bytes in order. They are proven once this has returned OK, and not before.
  // Errors are VaultModel::Restore's and the sink's.
  absl::Status RestoreFile(const RestoreOptions& options, FileAssembler::Sink sink) const;
};

// Thread-safe.
class NamedVault {
 public:
  // `formats` and `file_system` must outlive the result. Errors are VaultReader's; also kDataLoss for a base's frame
  // that does not describe the base.
  static absl::StatusOr<NamedVault> Open(FileSystem& file_system, absl::string_view path, const ModelFormats& formats);

  // The same for a vault that is open already.
  static absl::StatusOr<NamedVault> FromReader(std::unique_ptr<VaultReader> reader, const ModelFormats& formats);

  const Restorer& restorer() const { return *restorer_; }
  const VaultReader& vault() const { return restorer_->vault(); }
  // The base's, in data order.
  const std::vector<ModelTensor>& tensors() const { return base_.tensors; }
  // What the base's frame says.
  const ModelStructure& base_structure() const { return base_; }

  // What "bits a weight" counts: CountWeights of the base.
  uint64_t weights() const { return weights_; }

  // The variant `name`, or the base under its reserved name. kNotFound if there is no such variant; kDataLoss for a
  // damaged one, also if its frame does not describe it. The vault must outlive the result.
  absl::StatusOr<NamedModel> OpenModel(absl::string_view name) const;

 private:
  NamedVault() = default;

  const ModelFormats* formats_ = nullptr;
  std::unique_ptr<Restorer> restorer_;
  ModelStructure base_;
  uint64_t weights_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_NAMED_VAULT_H_
