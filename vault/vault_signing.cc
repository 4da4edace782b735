#include "vault/vault_signing.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "codec/core/xxh64.h"
#include "vault/core/vault_proof.h"
#include "vault/crypto.h"
#include "vault/error_place.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

// A vault that is being replaced by itself with another SIGNATURE.
class Resigned {
 public:
  static absl::StatusOr<std::unique_ptr<Resigned>> Begin(FileSystem& file_system, absl::string_view path,
                                                         const VaultWriterOptions& options) {
    std::unique_ptr<Resigned> resigned(new Resigned);
    absl::StatusOr<std::unique_ptr<FileLock>> lock = file_system.Lock(path, options.lock);
    if (!lock.ok()) return lock.status();
    resigned->lock_ = *std::move(lock);
    if (absl::Status status = file_system.TryOutput(path); !status.ok()) return status;
    absl::StatusOr<std::unique_ptr<VaultReader>> vault = VaultReader::Open(file_system, path);
    if (!vault.ok()) return vault.status();
    resigned->vault_ = *std::move(vault);
    absl::StatusOr<std::unique_ptr<AtomicFile>> file = file_system.CreateAtomic(path, options.durability);
    if (!file.ok()) return file.status();
    resigned->file_ = *std::move(file);
    return resigned;
  }

  const VaultReader& vault() const { return *vault_; }

  // Takes the vault's name with this header, whose checksums are made right, and SIGNATURE; all before it stays as it
  // is but, where it is given, MANIFEST.
  absl::Status Commit(std::string header, const std::string& signature, const std::string* manifest = nullptr) {
    const SectionPlace& place = vault_->header().section(Section::kManifest);
    const size_t copied = manifest == nullptr ? place.end() : place.offset;
    if (absl::Status status = file_->CopyFrom(vault_->file(), 0, copied); !status.ok()) return status;
    if (manifest != nullptr) {
      if (absl::Status status = file_->WriteAt(copied, BytesOf(*manifest)); !status.ok()) return status;
    }
    uint8_t* const p = reinterpret_cast<uint8_t*>(header.data());
    uint8_t* const entry = p + SectionEntryOffset(Section::kSignature);
    const uint64_t begin = LoadLe64(entry + kSectionOffsetField.offset);
    StoreLe64(entry + kSectionChecksumField.offset, Xxh64::Of(ToByteView(signature)));
    StoreLe64(p + kHeaderChecksumField.offset, Xxh64::Of({p, kHeaderChecksumField.offset}));
    if (absl::Status status = file_->WriteAt(begin, BytesOf(signature)); !status.ok()) return status;
    if (absl::Status status = file_->WriteAt(0, BytesOf(header)); !status.ok()) return status;
    return file_->Commit();
  }

 private:
  Resigned() = default;

  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<VaultReader> vault_;
  std::unique_ptr<AtomicFile> file_;
};

// The digests of all objects of a vault, in their order.
absl::StatusOr<std::vector<ObjectDigests>> DigestObjects(const VaultReader& vault, uint8_t tile_log2) {
  if (vault.root() != nullptr) {
    if (absl::Status status = vault.CheckSigned(); !status.ok()) return status;
  }
  if (vault.root() != nullptr && vault.root()->tile_log2 == tile_log2) {
    absl::StatusOr<SignatureSection> section = vault.DecodeSigned();
    if (!section.ok()) return section.status();
    return std::move(section->objects);
  }
  std::vector<ObjectDigests> objects;
  const auto add = [&](uint64_t offset, uint64_t size) -> absl::Status {
    absl::StatusOr<ObjectDigests> digests = DigestObject(
        offset, size, tile_log2, [&](uint64_t at, absl::Span<uint8_t> out) { return vault.file().ReadAt(at, out); });
    if (!digests.ok()) return digests.status();
    objects.push_back(*std::move(digests));
    return absl::OkStatus();
  };
  for (const Section section : kSectionsInFile) {
    if (section == Section::kSignature) continue;
    const SectionPlace& place = vault.header().section(section);
    if (absl::Status status = add(place.offset, place.size); !status.ok()) return status;
  }
  for (const VaultVariant* variant : vault.VariantsInIndexOrder()) {
    if (absl::Status status = add(variant->offset, variant->stored_size); !status.ok()) return status;
  }
  return objects;
}

absl::StatusOr<std::string> ReadIndex(const VaultReader& vault) {
  const SectionPlace& place = vault.header().section(Section::kIndex);
  std::string index(place.size, '\0');
  absl::Status read = vault.file().ReadAt(place.offset, {reinterpret_cast<uint8_t*>(index.data()), index.size()});
  if (!read.ok()) return read;
  return index;
}

// No root is signed of which a tenant has not signed its part. `header` and `section` are what `vault` is to have.
absl::Status SignTenants(const VaultReader& vault, const VaultHeader& header, const VaultWriterOptions& options,
                         SignatureSection* section) {
  const absl::StatusOr<std::string> index = ReadIndex(vault);
  if (!index.ok()) return index.status();
  absl::Status status = SignTenants(header, *index, options.sign_tenant, section);
  if (status.ok() && options.sign_root != nullptr) {
    return CheckTenantsSigned(vault.path(), header, *index, *section);
  }
  return InFile(vault.path(), status);
}

// MANIFEST with an entry more in its log.
absl::StatusOr<std::string> LoggedManifest(const VaultReader& vault, const SigningPlan& plan,
                                           const VaultWriterOptions& options) {
  LogEntry entry;
  entry.version = plan.version;
  entry.time = options.log_time.has_value() ? *options.log_time : LogTime();
  entry.signers_before = RootSigners(vault);
  if (vault.root() == nullptr) {
    entry.actions = {{.kind = LogActionKind::kBegun, .count = vault.variants().size()}};
  } else {
    const SignatureSection before = DecodeSignature(*vault.root());
    if (before.key_sets != plan.key_sets) {
      entry.actions.push_back({.kind = LogActionKind::kKeys, .count = plan.key_sets.back().number});
    }
    if (before.tenants != plan.tenants) {
      entry.actions.push_back({.kind = LogActionKind::kTenants, .count = plan.tenants.size()});
    }
    if (entry.actions.empty()) entry.actions = {{.kind = LogActionKind::kRestated}};
  }
  FileHeaders headers = vault.file_headers();
  AppendLog(entry, &headers.log);
  return EncodeManifest(headers);
}

absl::Status CheckKeySetSigned(const KeySet& before, const KeySet& set) {
  KeySetView signer;
  const std::string own = before.Encode(false);
  signer.own = ToByteView(own);
  signer.key_count = static_cast<uint8_t>(before.keys.size());
  signer.threshold = before.threshold;
  std::string signatures;
  for (const Signature& signature : set.signatures) {
    signatures.append(reinterpret_cast<const char*>(signature.data()), signature.size());
  }
  const std::string message = KeySetMessage(before.digest(), set.digest());
  uint32_t wrong = 0;
  const CoreStatus status = CheckSignatures(signer, ToByteView(signatures), ToByteView(message), HostCrypto(), &wrong);
  if (status == CoreStatus::kOk) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("key set ", set.number, ": not signed by ", int{before.threshold},
                                                 " of the ", before.keys.size(), " keys of key set ", before.number));
}

}  // namespace

absl::StatusOr<SigningPlan> PlanOf(const VaultReader& vault) {
  if (vault.root() == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(vault.path(), ": has no SIGNATURE"));
  }
  SignatureSection section = DecodeSignature(*vault.root());
  return SigningPlan{.vault_id = section.vault_id,
                     .version = section.version,
                     .not_before = section.not_before,
                     .not_after = section.not_after,
                     .tile_log2 = section.tile_log2,
                     .key_sets = std::move(section.key_sets),
                     .tenants = std::move(section.tenants)};
}

SignatureSection PlannedSection(const SigningPlan& plan) {
  SignatureSection section;
  section.vault_id = plan.vault_id;
  section.version = plan.version;
  section.not_before = plan.not_before;
  section.not_after = plan.not_after;
  section.tile_log2 = plan.tile_log2;
  section.key_sets = plan.key_sets;
  section.tenants = plan.tenants;
  section.signatures.assign(plan.key_sets.empty() ? 0 : plan.key_sets.back().keys.size(), kNoSignature);
  return section;
}

absl::Status CheckPlan(const SigningPlan& plan) {
  if (plan.key_sets.empty() || plan.key_sets.size() > kMaxKeySets) {
    return absl::InvalidArgumentError(absl::StrCat(plan.key_sets.size(), " key sets, expected 1 to ", kMaxKeySets));
  }
  if (plan.tenants.size() > kMaxTenants) {
    return absl::InvalidArgumentError(absl::StrCat(plan.tenants.size(), " tenants, at most ", kMaxTenants));
  }
  for (const KeySet& set : plan.key_sets) {
    if (set.keys.empty() || set.keys.size() > kMaxKeys) {
      return absl::InvalidArgumentError(
          absl::StrCat("key set ", set.number, ": ", set.keys.size(), " keys, expected 1 to ", kMaxKeys));
    }
  }
  // The reader's parser has the other rules. A vault of nothing is enough for it.
  VaultHeader header;
  header.features = kFeatureSignature | (plan.tenants.empty() ? 0 : kFeatureTenants);
  SignatureSection section = PlannedSection(plan);
  section.objects.resize(kSectionObjectCount);
  const std::string bytes = EncodeSignature(section);
  SignedRoot root;
  uint32_t bad_offset = 0;
  if (ParseSignature(ToByteView(bytes), header, &root, &bad_offset) != CoreStatus::kOk) {
    return absl::InvalidArgumentError(
        absl::StrCat("what is to be signed breaks the rules of SIGNATURE at its offset ", bad_offset,
                     ": an id, version, time, tile size, key set or tenant is out of range or order"));
  }
  for (size_t i = 1; i < plan.key_sets.size(); ++i) {
    absl::Status status = CheckKeySetSigned(plan.key_sets[i - 1], plan.key_sets[i]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status PrepareSignature(FileSystem& file_system, absl::string_view path, const SigningPlan& plan,
                              const VaultWriterOptions& options) {
  if (absl::Status status = InFile(path, CheckPlan(plan)); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Resigned>> resigned = Resigned::Begin(file_system, path, options);
  if (!resigned.ok()) return resigned.status();
  const VaultReader& vault = (*resigned)->vault();
  SignatureSection section = PlannedSection(plan);
  absl::StatusOr<std::vector<ObjectDigests>> objects = DigestObjects(vault, plan.tile_log2);
  if (!objects.ok()) return objects.status();
  section.objects = *std::move(objects);
  const absl::StatusOr<std::string> manifest = LoggedManifest(vault, plan, options);
  if (!manifest.ok()) return InFile(vault.path(), manifest.status());
  section.objects[kSectionObjectCount - 1] = DigestObject(*manifest, plan.tile_log2);

  VaultHeader header = vault.header();
  header.section(Section::kManifest).size = manifest->size();
  header.section(Section::kManifest).checksum = Xxh64::Of(ToByteView(*manifest));
  header.features |= kFeatureSignature;
  header.features = plan.tenants.empty() ? header.features & ~kFeatureTenants : header.features | kFeatureTenants;
  SectionPlace& place = header.section(Section::kSignature);
  place.offset = static_cast<size_t>(AlignUp(header.section(Section::kManifest).end()));
  place.size = EncodeSignature(section).size();
  header.file_size = place.end();
  const std::string header_bytes = EncodeHeader(header);
  if (absl::Status status = SignTenants(vault, header, options, &section); !status.ok()) return status;
  if (options.sign_root != nullptr) {
    const std::string message = RootMessageOf(ToByteView(header_bytes), section);
    if (absl::Status status = PlaceSignatures(message, options.sign_root, &section); !status.ok()) {
      return InFile(vault.path(), status);
    }
  }
  return (*resigned)->Commit(header_bytes, EncodeSignature(section), &*manifest);
}

std::vector<PublicKey> RootSigners(const VaultReader& vault) {
  std::vector<PublicKey> signers;
  const absl::StatusOr<std::string> message = RootMessage(vault);
  if (!message.ok()) return signers;
  const SignatureSection section = DecodeSignature(*vault.root());
  for (size_t i = 0; i < section.signatures.size(); ++i) {
    const PublicKey& key = section.key_sets.back().keys[i];
    const Signature& signature = section.signatures[i];
    if (signature != kNoSignature &&
        HostCrypto().verify(signature.data(), ToByteView(*message).data, message->size(), key.data())) {
      signers.push_back(key);
    }
  }
  return signers;
}

absl::StatusOr<std::string> RootMessage(const VaultReader& vault) {
  if (vault.root() == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(vault.path(), ": has no SIGNATURE"));
  }
  uint8_t message[kRootMessageSize];
  RootMessage(vault.header_bytes(), *vault.root(), HostCrypto(), message);
  return std::string(reinterpret_cast<const char*>(message), sizeof(message));
}

absl::Status AddRootSignatures(FileSystem& file_system, absl::string_view path,
                               absl::Span<const std::pair<PublicKey, Signature>> signatures,
                               const VaultWriterOptions& options) {
  absl::StatusOr<std::unique_ptr<Resigned>> resigned = Resigned::Begin(file_system, path, options);
  if (!resigned.ok()) return resigned.status();
  const VaultReader& vault = (*resigned)->vault();
  absl::StatusOr<SignatureSection> section = vault.DecodeSigned();
  if (!section.ok()) return section.status();
  const absl::StatusOr<std::string> index = ReadIndex(vault);
  if (!index.ok()) return index.status();
  absl::Status tenants = CheckTenantsSigned(vault.path(), vault.header(), *index, *section);
  if (!tenants.ok()) return tenants;
  const absl::StatusOr<std::string> message = RootMessage(vault);
  if (!message.ok()) return message.status();
  for (const auto& [key, signature] : signatures) {
    if (absl::Status status = PlaceSignature(*message, key, signature, &*section); !status.ok()) {
      return InFile(vault.path(), status);
    }
  }
  const ByteView header = vault.header_bytes();
  return (*resigned)->Commit(std::string(reinterpret_cast<const char*>(header.data), header.size),
                             EncodeSignature(*section));
}

absl::Status AddRootSignature(FileSystem& file_system, absl::string_view path, const PublicKey& key,
                              const Signature& signature, const VaultWriterOptions& options) {
  const std::pair<PublicKey, Signature> one[] = {{key, signature}};
  return AddRootSignatures(file_system, path, one, options);
}

}  // namespace modelvault
