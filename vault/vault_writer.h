// Writes a vault, or a changed copy of one (vault/vault_editor.h), as a stream: nothing is held in memory but
// directories, file headers and what small variants need to fit into holes. The bytes go to a temporary file that takes
// the vault's name at Commit(); until then, and whenever this object goes away before, the path keeps what it had.
// Equal calls give equal bytes.
//
//   VaultWriter::Create, AppendBaseChunk …, FinishBase, [AddNetwork,]
//   (BeginVariant, AppendSegment …, FinishVariant) …,
//   Finish, [OpenWritten: restore all and compare,] Commit
//
// Errors: calls out of this order kFailedPrecondition; a bad argument kInvalidArgument; a name that is taken
// kAlreadyExists; headers past their limit kResourceExhausted; another writer kAborted; storage that fails
// kUnavailable, after which every call fails. Other errors change nothing. Not thread-safe.
#ifndef MODELVAULT_VAULT_VAULT_WRITER_H_
#define MODELVAULT_VAULT_VAULT_WRITER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/core/xxh64.h"
#include "vault/core/vault_view.h"
#include "vault/file_system.h"
#include "vault/manifest.h"
#include "vault/section_encoder.h"
#include "vault/signature_section.h"
#include "vault/tenant.h"
#include "vault/vault_reader.h"
#include "vault/vault_trust.h"
#include "vault/vault_types.h"

namespace modelvault {

struct VaultWriterOptions {
  LockOptions lock = {};  // For the vault that is replaced or changed, if there is one.
  Durability durability = Durability::kOnDisk;
  // 64-bit places even where 32 bits suffice. An edited vault keeps the chunk directory it has.
  bool wide_chunks = false;
  bool wide_index = false;
  // Of a new vault: its SIGNATURE, as PlannedSection() (vault_signing.h) makes it.
  std::optional<SignatureSection> signature = std::nullopt;
  // Finish() of a vault that has SIGNATURE lets it sign; without it the vault is left unsigned.
  RootSigner sign_root = nullptr;
  // A vault that is edited is taken only from these.
  std::optional<VaultTrust> trust = std::nullopt;
  // Of tenants of a vault: opens what is theirs, and seals new variants of those whose content keys are here.
  TenantKeys keys = {};
  // Finish() lets it sign for tenants whose variants, or what else they signed, changed; without it they are left
  // unsigned, and nobody may sign the root.
  TenantSigner sign_tenant = nullptr;
  // When the log says that it happened, in seconds since 1970; not given: LogTime().
  std::optional<uint64_t> log_time = std::nullopt;
};

struct VaultChanges;

class VaultWriter {
 public:
  // Starts a vault at `path`; what is there is replaced at Commit(). `model_section` is MODEL. `file_system` must
  // outlive the result.
  static absl::StatusOr<std::unique_ptr<VaultWriter>> Create(FileSystem& file_system, absl::string_view path,
                                                             const VaultParams& params, absl::string_view model_section,
                                                             const VaultWriterOptions& options = {});

  VaultWriter(const VaultWriter&) = delete;
  VaultWriter& operator=(const VaultWriter&) = delete;

  // Appends the next base chunk's stored bytes, at least one; all of base_data_size / chunk_size, rounded up, must
  // come.
  absl::Status AppendBaseChunk(absl::string_view stored);
  // `header` is the base's file before its data section, or its frame. One that describes itself makes the vault one of
  // version 1.3, as a variant's does.
  absl::Status FinishBase(const ModelDigests& digests, absl::string_view header);

  // Gives a new vault NETWORK, which is not empty, and makes it one of version 1.2: once, before the first variant.
  absl::Status AddNetwork(absl::string_view network_section);

  // Starts a variant of `segment_count` segments. Neither a layout of its own nor segments: the variant is identical to
  // the base. A free layout makes the vault one of version 1.1. A name that a tenant with sealed variants owns is
  // sealed, and held in memory until it is finished; kPermissionDenied without the tenant's content key.
  absl::Status BeginVariant(absl::string_view name, const StoredLayout& layout, uint64_t segment_count);
  // Appends the next segment's stored bytes: 1 to 2^32 - 1 of them.
  absl::Status AppendSegment(absl::string_view stored);
  // `digests` are of the variant's data section, `header` is its file before that, or its frame.
  absl::Status FinishVariant(const ModelDigests& digests, absl::string_view header);

  // Completes the temporary file.
  absl::Status Finish();

  // After Finish(): what will be committed, read back from the temporary file. Must not outlive this writer.
  absl::StatusOr<std::unique_ptr<VaultReader>> OpenWritten() const;

  // After OpenWritten(): the file it reads, for another process to read.
  const std::string& written_path() const { return file_->temp_path(); }

  // After Finish(): the vault's size in bytes.
  uint64_t file_size() const { return header_.file_size; }

  // After Finish(): gives the vault its name. See AtomicFile::Commit.
  absl::Status Commit();

  // The vault being changed, as it was; null for a new one.
  const VaultReader* original() const { return original_.get(); }

  const std::string& path() const { return file_->path(); }

 private:
  friend absl::StatusOr<std::unique_ptr<VaultWriter>> EditVault(FileSystem& file_system, absl::string_view path,
                                                                const VaultChanges& changes,
                                                                const VaultWriterOptions& options);

  enum class State { kBase, kVariants, kInVariant, kFinished, kCommitted };

  struct StoredVariant {
    VaultVariant variant;
    HeaderDifference header;
    std::optional<ObjectDigests> digests;  // Of the blob: where SIGNATURE had them, and with Finish() of all.
    bool is_new = false;                   // With Finish(): they were not there before.
  };

  // Space between kept blobs that new ones may fill; the offset is aligned.
  struct Hole {
    uint64_t offset;
    uint64_t size;
  };

  // The variant in progress.
  struct OpenVariant {
    std::string name;
    StoredLayout layout;
    uint64_t segment_count = 0;
    uint64_t head_size = 0;
    bool has_directory = false;
    std::vector<SegmentEntry> segments;
    Xxh64 hash;                            // Without a directory: of the whole blob so far.
    uint64_t body_size = 0;                // Of the segments so far.
    std::string buffer;                    // They themselves, as long as they may still fit into a hole.
    bool spilled = false;                  // They no longer may: the blob is growing at tail_.
    std::optional<SecretKey> content_key;  // It is to be sealed, in whole.
    std::string index_name;
  };

  explicit VaultWriter(const VaultWriterOptions& options) : options_(options) {}

  absl::Status Expect(State state, absl::string_view call) const;
  absl::Status PadTo(uint64_t offset);
  absl::Status WriteAt(uint64_t offset, absl::string_view bytes);
  absl::Status Spill();
  uint64_t TakePlace(uint64_t size);
  absl::Status Keep(const VaultReader& original, const VaultChanges& changes);
  absl::Status KeepFreeLayouts(const VaultReader& original);
  absl::Status KeepSignature(const VaultReader& original, const VaultChanges& changes);
  absl::Status CheckOwners(const VaultReader& original) const;
  void BeginLog(const VaultReader& original, const VaultChanges& changes);
  void LogVariants();
  absl::Status DigestSections();
  absl::Status DigestNewBlobs();
  absl::Status ChooseSealing(OpenVariant* variant) const;
  absl::StatusOr<std::string> SealOpen(absl::string_view head, absl::string_view header, StoredVariant* stored) const;
  absl::Status WriteSignature(absl::string_view index, absl::string_view manifest);
  void NoteFreeLayout(size_t tensor_count);
  void NoteFrame(absl::string_view frame);

  const VaultWriterOptions options_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<VaultReader> original_;
  std::unique_ptr<AtomicFile> file_;
  State state_ = State::kBase;
  VaultHeader header_;
  std::vector<ChunkPlace> chunks_;
  Xxh64 base_hash_;
  std::string base_header_;
  std::vector<StoredVariant> variants_;
  std::set<std::string> names_;
  std::vector<Hole> holes_;  // By offset.
  uint64_t tail_ = 0;        // Where the next blob begins if no hole takes it: aligned, after the last blob.
  std::optional<OpenVariant> open_;
  std::optional<SignatureSection> signature_;  // If it has one; the objects of an edited vault are the original's.
  // With SIGNATURE: the original's log, and the entry that this change adds.
  StoredLog log_;
  LogEntry log_entry_;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_VAULT_WRITER_H_
