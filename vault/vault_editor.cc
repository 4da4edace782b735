#include "vault/vault_editor.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "vault/variant_name.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

// What becomes of a variant: its new name, or nothing if it goes. Variants without an entry stay as they are.
using Fates = std::map<std::string, std::string>;

absl::StatusOr<Fates> DecideFates(const VaultReader& vault, const VaultChanges& changes) {
  Fates fates;
  const auto decide = [&](const std::string& name, const std::string& new_name) -> absl::Status {
    if (absl::Status status = vault.Find(name).status(); !status.ok()) return status;
    if (!fates.emplace(name, new_name).second) {
      return absl::InvalidArgumentError(absl::StrCat(vault.path(), ": variant '", name, "' is named twice"));
    }
    return absl::OkStatus();
  };
  for (const std::string& name : changes.remove) {
    if (absl::Status status = decide(name, ""); !status.ok()) return status;
  }
  for (const auto& [name, new_name] : changes.rename) {
    if (absl::Status status = ValidateVariantName(new_name); !status.ok()) return status;
    if (absl::Status status = decide(name, new_name); !status.ok()) return status;
  }
  return fates;
}

}  // namespace

// What the header says of free layouts is what those that are left need.
absl::Status VaultWriter::KeepFreeLayouts(const VaultReader& original) {
  if ((original.header().features & kFeatureFreeLayouts) == 0) return absl::OkStatus();
  header_.features &= ~kFeatureFreeLayouts;
  header_.max_variant_tensors = 0;
  for (const StoredVariant& kept : variants_) {
    if (kept.variant.sealed.has_value()) {  // Nobody need know what it needs.
      NoteFreeLayout(original.header().max_variant_tensors);
      continue;
    }
    const absl::StatusOr<VaultBlob> blob = original.OpenBlob(kept.variant);
    if (absl::IsDataLoss(blob.status())) {  // It stays as it is, and nobody knows what it needs.
      NoteFreeLayout(original.header().max_variant_tensors);
    } else if (!blob.ok()) {
      return blob.status();
    } else if (blob->layout().form == LayoutForm::kFree) {
      NoteFreeLayout(blob->layout().tensor_count);
    }
  }
  return absl::OkStatus();
}

// Who may sign stays; that they have signed goes.
absl::Status VaultWriter::KeepSignature(const VaultReader& original, const VaultChanges& changes) {
  if (original.root() == nullptr) {
    if (!changes.tenants.has_value()) return absl::OkStatus();
    return absl::PermissionDeniedError(
        absl::StrCat(path(), ": has no SIGNATURE, which says who its tenants are: sign it first"));
  }
  absl::StatusOr<SignatureSection> section = original.DecodeSigned();
  if (!section.ok()) return section.status();
  if (section->has_signature()) {
    if (section->version == std::numeric_limits<uint64_t>::max()) {
      return absl::ResourceExhaustedError(absl::StrCat(path(), ": no version comes after ", section->version));
    }
    ++section->version;
  }
  section->signatures.assign(section->signatures.size(), kNoSignature);
  if (changes.tenants.has_value()) section->tenants = *changes.tenants;
  signature_ = *std::move(section);
  return CheckOwners(original);
}

// What is sealed stays with a tenant who can open it, what is not goes to none who seals.
absl::Status VaultWriter::CheckOwners(const VaultReader& original) const {
  const absl::StatusOr<SignatureSection> before = original.DecodeSigned();
  if (!before.ok()) return before.status();
  for (const StoredVariant& kept : variants_) {
    const VaultVariant& variant = kept.variant;
    const TenantRecord* const owner = OwnerOf(variant.index_name(), signature_->tenants);
    const ContentId now = owner != nullptr ? owner->content_id : ContentId{};
    const TenantRecord* const old_owner =
        variant.sealed.has_value() ? OwnerOf(variant.sealed->name, before->tenants) : nullptr;
    const ContentId then = old_owner != nullptr ? old_owner->content_id : ContentId{};
    if (now == then) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path(), ": variant '", variant.name, "' is ",
        variant.sealed.has_value() ? "sealed with another content key than its tenant would have"
                                   : absl::StrCat("not sealed, unlike all of tenant '", owner->prefix, "'"),
        ": remove it, and add it again later"));
  }
  return absl::OkStatus();
}

// What the log will say of what goes; what is written comes later.
void VaultWriter::BeginLog(const VaultReader& original, const VaultChanges& changes) {
  log_ = original.file_headers().log;
  log_entry_.time = options_.log_time.has_value() ? *options_.log_time : LogTime();
  log_entry_.version = signature_->version;
  log_entry_.signers_before = RootSigners(original);
  const auto log = [&](const LogAction& action) { log_entry_.actions.push_back(action); };
  for (const std::string& name : changes.remove) {
    log({.kind = LogActionKind::kRemoved, .name = (*original.Find(name))->index_name()});
  }
  for (const auto& [name, new_name] : changes.rename) {
    log({.kind = LogActionKind::kRenamed, .name = name, .new_name = new_name});
  }
  if (changes.compact) log({.kind = LogActionKind::kCompacted});
  if (changes.tenants.has_value()) log({.kind = LogActionKind::kTenants, .count = changes.tenants->size()});
}

absl::Status VaultWriter::Keep(const VaultReader& original, const VaultChanges& changes) {
  const absl::StatusOr<Fates> fates = DecideFates(original, changes);
  if (!fates.ok()) return fates.status();
  bool described = DescribesItself(original.base_header());
  for (const VaultVariant& variant : original.variants()) {
    const auto fate = fates->find(variant.name);
    if (fate != fates->end() && fate->second.empty()) continue;
    StoredVariant& kept = variants_.emplace_back();
    kept.variant = variant;
    if (variant.sealed.has_value()) {
      if (fate != fates->end()) {
        return absl::InvalidArgumentError(absl::StrCat(path(), ": variant '", variant.name,
                                                       "' is sealed under its name: remove it, and add it anew"));
      }
      absl::StatusOr<HeaderDifference> sealed = original.sealed_header(variant.name);
      if (!sealed.ok()) return sealed.status();
      kept.header = *std::move(sealed);
      described = described || (original.header().features & kFeatureDescribedFrames) != 0;
    } else {
      const absl::StatusOr<std::string> header = original.variant_header(variant.name);
      if (!header.ok()) return header.status();
      kept.header = DiffHeader(original.base_header(), *header);
      described = described || DescribesItself(*header);
    }
    if (original.root() != nullptr) {
      const absl::StatusOr<SignedObject> blob = original.signed_variant(variant.name);
      if (!blob.ok()) return blob.status();
      kept.digests = DecodeObject(*blob);
    }
    if (fate != fates->end()) kept.variant.name = fate->second;
    if (!names_.insert(kept.variant.index_name()).second) {
      return absl::AlreadyExistsError(absl::StrCat(path(), ": there is a variant '", kept.variant.name, "' already"));
    }
  }

  header_ = original.header();
  if (absl::Status status = KeepFreeLayouts(original); !status.ok()) return status;
  if (!described) header_.features &= ~kFeatureDescribedFrames;
  if (absl::Status status = KeepSignature(original, changes); !status.ok()) return status;
  if (signature_.has_value()) BeginLog(original, changes);
  base_header_ = original.base_header();
  for (const Section section : {Section::kModel, Section::kChunks, Section::kBase, Section::kNetwork}) {
    const SectionPlace& place = header_.section(section);
    if (place.size == 0) continue;
    if (absl::Status status = PadTo(place.offset); !status.ok()) return status;
    if (absl::Status status = file_->CopyFrom(original.file(), place.offset, place.size); !status.ok()) return status;
  }
  tail_ = AlignUp(header_.blobs_begin());

  std::vector<VaultVariant*> by_offset;
  for (StoredVariant& kept : variants_) {
    if (kept.variant.stored_size > 0) by_offset.push_back(&kept.variant);
  }
  std::sort(by_offset.begin(), by_offset.end(),
            [](const VaultVariant* a, const VaultVariant* b) { return a->offset < b->offset; });
  for (VaultVariant* const variant : by_offset) {
    const uint64_t old_offset = variant->offset;
    if (changes.compact) variant->offset = tail_;
    if (variant->offset > tail_) holes_.push_back({.offset = tail_, .size = variant->offset - tail_});
    if (absl::Status status = PadTo(variant->offset); !status.ok()) return status;
    if (absl::Status status = file_->CopyFrom(original.file(), old_offset, variant->stored_size); !status.ok()) {
      return status;
    }
    tail_ = AlignUp(variant->offset + variant->stored_size);
  }
  state_ = State::kVariants;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<VaultWriter>> EditVault(FileSystem& file_system, absl::string_view path,
                                                       const VaultChanges& changes, const VaultWriterOptions& options) {
  std::unique_ptr<VaultWriter> writer(new VaultWriter(options));
  absl::StatusOr<std::unique_ptr<FileLock>> lock = file_system.Lock(path, options.lock);
  if (!lock.ok()) return lock.status();
  writer->lock_ = *std::move(lock);
  if (absl::Status status = file_system.TryOutput(path); !status.ok()) return status;
  // Only now: before, another writer might have replaced the file after it was read.
  VaultReaderOptions read;
  read.trust = options.trust;
  read.keys = options.keys;
  absl::StatusOr<std::unique_ptr<VaultReader>> original = VaultReader::Open(file_system, path, read);
  if (!original.ok()) return original.status();
  writer->original_ = *std::move(original);
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path, options.durability);
  if (!file.ok()) return file.status();
  writer->file_ = *std::move(file);
  if (absl::Status status = writer->Keep(*writer->original_, changes); !status.ok()) return status;
  return writer;
}

}  // namespace modelvault
