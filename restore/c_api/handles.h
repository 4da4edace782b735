// What the C interface's handles lead to.
#ifndef MODELVAULT_RESTORE_C_API_HANDLES_H_
#define MODELVAULT_RESTORE_C_API_HANDLES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/c_api/include/modelvault/modelvault.h"
#include "restore/named_vault.h"
#include "vault/revocation_list.h"
#include "vault/vault_types.h"

namespace modelvault {

// Digests as text.
struct DigestTexts {
  explicit DigestTexts(const ModelDigests& digests);

  std::string xxh3_128;
  std::string xxh64;
};

// An open vault, shared by its handle and those of its models. Immutable.
struct OpenedVault {
  OpenedVault(NamedVault vault, std::optional<ProvenRevocations> revoked);

  const std::string& path() const { return named.vault().path(); }
  // Of the variant at this place of the reader's list, or, one past it, of the base.
  mv_model_info InfoOf(size_t position) const;
  size_t base_position() const { return named.vault().variants().size(); }
  // kNotFound without SIGNATURE.
  absl::StatusOr<mv_signature_info> SignatureInfo() const;
  // kPermissionDenied if the list revokes the variant.
  absl::Status CheckNotRevoked(absl::string_view variant) const;

  const NamedVault named;
  const std::optional<ProvenRevocations> revocations;
  std::vector<DigestTexts> digests;  // By position.
  std::string vault_id;              // In hexadecimal; with SIGNATURE.
  std::string key_set;               // The same; with a trust.
};

// A model whose stored parts have been read. Immutable. It stays where it is: texts and shapes are lent to callers.
class OpenedModel {
 public:
  // `path` is the vault's, for messages; it must outlive this.
  OpenedModel(NamedModel named, absl::string_view path);
  OpenedModel(const OpenedModel&) = delete;
  OpenedModel& operator=(const OpenedModel&) = delete;

  const NamedModel& named() const { return named_; }
  const std::vector<ModelTensor>& tensors() const { return named_.tensors; }
  mv_tensor_info InfoOf(size_t tensor) const;
  // kNotFound, with the nearest name, if there is none.
  absl::StatusOr<size_t> Find(absl::string_view tensor) const;
  // The name of the tensor that has this byte of the data section; empty if none has.
  absl::string_view TensorAt(uint64_t data_offset) const;

 private:
  const NamedModel named_;
  const absl::string_view path_;
  std::vector<std::string> type_names_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace modelvault

struct mv_vault {
  const std::shared_ptr<const modelvault::OpenedVault> opened;
};

struct mv_model {
  mv_model(std::shared_ptr<const modelvault::OpenedVault> of, size_t at) : vault(std::move(of)), position(at) {}

  const char* name() const { return vault->InfoOf(position).name; }
  // Reads the model's stored parts if no call before has. They live as long as this.
  absl::StatusOr<const modelvault::OpenedModel*> Open() const;

  const std::shared_ptr<const modelvault::OpenedVault> vault;
  const size_t position;  // As OpenedVault::InfoOf takes it.

 private:
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const modelvault::OpenedModel> opened_;  // Guarded by mutex_ until it is there.
};

#endif  // MODELVAULT_RESTORE_C_API_HANDLES_H_
