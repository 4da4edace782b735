// Gives models back from a vault: whole and verified, or any range of one, on one thread or on many.
#ifndef MODELVAULT_RESTORE_RESTORER_H_
#define MODELVAULT_RESTORE_RESTORER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/core/segment_decoder.h"
#include "codec/core/variant_layout.h"
#include "codec/data_source.h"
#include "codec/shared_tables_builder.h"
#include "restore/core/variant_stream.h"
#include "restore/infer/network.h"
#include "vault/file_system.h"
#include "vault/vault_reader.h"

namespace modelvault {

struct RestoreOptions {
  size_t tile_size = kDefaultTileSize;  // Bytes handed over at a time: kMinTileSize … 16 MiB. One thread only.
  // 0: one a core. More than one, and any number with host codings, hands over a segment at a time instead of tiles.
  int threads = 1;
  const SegmentTrace* trace = nullptr;  // For accounting; with one thread only, and not with host codings.
  // The consumer takes what comes when it comes, from several threads at once, and is done with it when it returns:
  // bytes are taken where they were decoded. Only with host codings; else they come in order all the same.
  bool any_order = false;
};

class ModelDigester;
class Restorer;

// One model of a vault, the base or a variant, open for reading. Thread-safe. The Restorer must outlive it.
class VaultModel {
 public:
  // Receives bytes of the model's data section in order, unless RestoreOptions say otherwise; `offset` is their place
  // in it. An error ends the restore.
  using Consumer = std::function<absl::Status(uint64_t offset, absl::Span<const uint8_t> bytes)>;

  // "base" for the base.
  const std::string& name() const { return name_; }
  bool is_base() const { return is_base_; }
  const VariantLayout& layout() const { return layout_; }
  uint64_t data_size() const { return layout_.data_size(); }
  const ModelDigests& digests() const { return digests_; }
  // Stored bytes: a variant's blob, or BASE.
  uint64_t stored_size() const { return stored_size_; }

  // Hands the whole data section to `consumer` and compares both digests at the end: DataLoss if one differs, and what
  // the consumer has had is then not to be used.
  absl::Status Restore(const RestoreOptions& options, const Consumer& consumer) const;

  // Restores and compares, keeping nothing.
  absl::Status Verify(const RestoreOptions& options = {}) const;

  // Hands over bytes [begin, end) of the data section. Stored checksums of what is read are compared; the digests,
  // which cover everything, are not. Decodes base chunks from the one that `begin` lies in, and deltas from the segment
  // on; with host codings only what holds some of these bytes. An error that concerns a place of the data has it as its
  // PlaceOf() (vault/error_place.h).
  absl::Status ReadRange(uint64_t begin, uint64_t end, const RestoreOptions& options, const Consumer& consumer) const;

 private:
  friend class Restorer;
  VaultModel(const Restorer* restorer, std::string name);

  absl::Status Parse();
  void AnnounceRange(uint64_t begin, uint64_t end) const;
  absl::Status CheckRange(uint64_t begin, uint64_t end, const RestoreOptions& options) const;
  // With host codings, in host_model.cc. Leaves of units that are read whole go into `digester`, unless it is null.
  absl::Status ReadHostUnits(uint64_t begin, uint64_t end, const RestoreOptions& options, const Consumer& consumer,
                             ModelDigester* digester) const;
  absl::Status ReadTiles(uint64_t begin, uint64_t end, const RestoreOptions& options, const Consumer& consumer) const;
  absl::Status Describe(CoreStatus status, uint64_t position) const;

  const Restorer* restorer_;
  std::string name_;
  bool is_base_ = false;
  ModelDigests digests_;
  uint64_t stored_size_ = 0;
  std::unique_ptr<VaultBlob> blob_;  // Null for the base.
  std::vector<VariantTensor> tensors_;
  VariantLayout layout_;
};

// An open vault and its parsed MODEL. Thread-safe.
class Restorer {
 public:
  // `file_system` must outlive the result. Errors as VaultReader::Open's, and DataLoss for a MODEL that does not parse.
  static absl::StatusOr<std::unique_ptr<Restorer>> Open(FileSystem& file_system, absl::string_view path);
  static absl::StatusOr<std::unique_ptr<Restorer>> FromReader(std::unique_ptr<VaultReader> reader);

  const VaultReader& vault() const { return *reader_; }
  const SharedTables& shared() const { return shared_->tables(); }

  // What the vault's models compute; lives as long as this. NotFound if the vault does not say; DataLoss if what it
  // says is malformed, or does not fit its tensors; FailedPrecondition if the reader has not read it.
  absl::StatusOr<Network> network() const;

  // Names for error messages, in the base's data order; without them tensors are called by number.
  void set_tensor_names(std::vector<std::string> names) { tensor_names_ = std::move(names); }
  std::string TensorName(size_t base_index) const;

  // Tells the vault's file that the model `name` is about to be opened and restored whole, so that what is stored of it
  // is fetched in one go. Of a model that there is not, nothing.
  void WillRestore(absl::string_view name) const;

  absl::StatusOr<std::unique_ptr<const VaultModel>> OpenBase() const;
  // NotFound if there is no such variant.
  absl::StatusOr<std::unique_ptr<const VaultModel>> OpenVariant(absl::string_view name) const;

  // The base's data section for coders. Each result serves one thread.
  std::unique_ptr<DataSource> BaseSource() const;

 private:
  Restorer() = default;

  std::unique_ptr<VaultReader> reader_;
  std::unique_ptr<const ParsedSharedTables> shared_;
  std::vector<std::string> tensor_names_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_RESTORER_H_
