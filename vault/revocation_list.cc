#include "vault/revocation_list.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "vault/core/revocation_view.h"
#include "vault/crypto.h"
#include "vault/error_place.h"
#include "vault/quoted_text.h"
#include "vault/refusal.h"

namespace modelvault {
namespace {

ByteView View(absl::string_view bytes) { return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}; }

template <typename Bytes>
void Append(const Bytes& bytes, std::string* out) {
  out->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void AppendLe32(uint32_t value, std::string* out) {
  uint8_t bytes[4];
  StoreLe32(bytes, value);
  out->append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

void AppendLe64(uint64_t value, std::string* out) {
  uint8_t bytes[8];
  StoreLe64(bytes, value);
  out->append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

size_t FileSize(const RevocationList& list) {
  return kRevocationHeadSize + list.entries.size() * kRevocationEntrySize + list.signatures.size() * kSignatureSize;
}

absl::StatusOr<std::string> ReadFile(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  if ((*file)->size() > kMaxRevocationListSize) {
    return absl::DataLossError(absl::StrCat(path, ": no revocation list: expected at most ", kMaxRevocationListSize,
                                            " bytes, found ", (*file)->size()));
  }
  std::string bytes(static_cast<size_t>((*file)->size()), '\0');
  absl::Status status = (*file)->ReadAt(0, absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()));
  if (!status.ok()) return status;
  return bytes;
}

// Of all the bytes of a file.
absl::Status ParseFile(const std::string& path, const std::string& bytes, RevocationView* view) {
  const auto fail = [&](uint64_t offset, const auto&... why) {
    return AtFileOffset(absl::DataLossError(absl::StrCat(path, ": ", why...)), offset);
  };
  uint32_t offset = 0;
  switch (ParseRevocations(View(bytes), view, &offset)) {
    case CoreStatus::kOk:
      break;
    case CoreStatus::kTruncated:
      return fail(bytes.size(), "the revocation list is cut off after ", bytes.size(), " bytes");
    case CoreStatus::kBadMagic:
      return fail(0, "no revocation list");
    default:
      return fail(offset, "the revocation list is malformed at offset ", offset);
  }
  if (view->size() == bytes.size()) return absl::OkStatus();
  return fail(view->size(), bytes.size() - view->size(), " bytes after the end of the revocation list, at offset ",
              view->size());
}

template <size_t kSize>
std::array<uint8_t, kSize> Copy(ByteView bytes) {
  std::array<uint8_t, kSize> copy;
  std::copy_n(bytes.data, kSize, copy.begin());
  return copy;
}

absl::Status Refuse(const std::string& path, absl::string_view why, Refusal refusal = Refusal::kUntrusted) {
  return Refused(refusal, absl::StrCat(path, ": the revocation list ", why));
}

}  // namespace

Digest RevokedName(absl::string_view name) {
  Digest digest;
  RevokedNameDigest(View(name), HostCrypto(), digest.data());
  return digest;
}

RevocationList EmptyRevocationList(const SignatureSection& section) {
  const KeySet& signer = section.key_sets.back();
  RevocationList list;
  list.vault_id = section.vault_id;
  list.key_set = signer.digest();
  list.signatures.assign(signer.keys.size(), kNoSignature);
  return list;
}

absl::Status Revoke(const Revocation& revocation, RevocationList* list) {
  const auto at = std::lower_bound(
      list->entries.begin(), list->entries.end(), revocation,
      [](const Revocation& a, const Revocation& b) { return std::pair(a.kind, a.what) < std::pair(b.kind, b.what); });
  if (at != list->entries.end() && at->kind == revocation.kind && at->what == revocation.what) {
    at->below = revocation.below;
    return absl::OkStatus();
  }
  if (FileSize(*list) + kRevocationEntrySize > kMaxRevocationListSize) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the revocation list is full: ", list->entries.size(), " entries and ", list->signatures.size(),
                     " signatures take ", FileSize(*list), " of ", kMaxRevocationListSize,
                     " bytes; a vault without the variants has room for others (mvault rm)"));
  }
  list->entries.insert(at, revocation);
  return absl::OkStatus();
}

std::string EncodeRevocations(const RevocationList& list) {
  std::string bytes;
  Append(absl::MakeSpan(kRevocationMagic), &bytes);
  Append(list.vault_id, &bytes);
  AppendLe64(list.number, &bytes);
  AppendLe32(static_cast<uint32_t>(list.entries.size()), &bytes);
  AppendLe32(static_cast<uint32_t>(list.signatures.size()), &bytes);
  Append(list.key_set, &bytes);
  for (const Revocation& entry : list.entries) {
    AppendLe32(static_cast<uint32_t>(entry.kind), &bytes);
    AppendLe64(entry.below, &bytes);
    Append(entry.what, &bytes);
  }
  for (const Signature& signature : list.signatures) Append(signature, &bytes);
  return bytes;
}

std::string RevocationMessageOf(const RevocationList& list) {
  const std::string bytes = EncodeRevocations(list);
  RevocationView view;
  view.signed_part = View(bytes).Sub(0, bytes.size() - list.signatures.size() * kSignatureSize);
  std::string message(kRevocationMessageSize, '\0');
  RevocationMessage(view, HostCrypto(), reinterpret_cast<uint8_t*>(message.data()));
  return message;
}

absl::Status PlaceRevocationSignature(const KeySet& signer, const PublicKey& key, const Signature& signature,
                                      RevocationList* list) {
  const size_t place = signer.Find(key);
  if (place == signer.keys.size()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the key is not one of the ", signer.keys.size(), " of key set ", signer.number));
  }
  const std::string message = RevocationMessageOf(*list);
  if (!HostCrypto().verify(signature.data(), View(message).data, message.size(), key.data())) {
    return absl::PermissionDeniedError("the signature is not the key's on this revocation list");
  }
  list->signatures[place] = signature;
  return absl::OkStatus();
}

absl::StatusOr<ProvenRevocations> ProvenRevocations::Open(FileSystem& file_system, const std::string& path,
                                                          const VaultReader& vault, uint64_t least_number) {
  absl::StatusOr<std::string> bytes = ReadFile(file_system, path);
  if (!bytes.ok()) return bytes.status();
  return FromBytes(path, *std::move(bytes), vault, least_number);
}

absl::StatusOr<ProvenRevocations> ProvenRevocations::FromBytes(const std::string& path, std::string bytes,
                                                               const VaultReader& vault, uint64_t least_number) {
  ProvenRevocations list;
  list.path_ = path;
  list.bytes_ = std::move(bytes);
  RevocationView view;
  if (absl::Status status = ParseFile(path, list.bytes_, &view); !status.ok()) return status;
  list.number_ = view.number;
  const SignedRoot* const root = vault.root();
  if (root == nullptr || !vault.key_set_digest().has_value()) {
    return Refuse(path, absl::StrCat("can't be proven: ", vault.path(), " itself was not"));
  }
  uint32_t wrong = 0;
  switch (const CoreStatus status = ProveRevocations(&view, *root, least_number, HostCrypto(), &wrong)) {
    case CoreStatus::kOk:
      std::copy(std::begin(view.digest), std::end(view.digest), list.digest_.begin());
      return list;
    case CoreStatus::kUntrusted:
      return Refuse(path, Copy<sizeof(VaultId)>(view.vault_id) == Copy<sizeof(VaultId)>(root->vault_id())
                              ? "is of another key set than the vault's last one"
                              : "is of another vault");
    case CoreStatus::kUnsigned:
      return Refuse(path, "is not signed");
    case CoreStatus::kBadSignature:
      return Refuse(path,
                    wrong < root->last_key_set.key_count
                        ? absl::StrCat("has a wrong signature, number ", wrong)
                        : absl::StrCat("has too few signatures, expected at least ", int{root->last_key_set.threshold},
                                       " of ", int{root->last_key_set.key_count}));
    case CoreStatus::kRolledBack:
      return Refuse(path, absl::StrCat("is an older one: number ", view.number, ", expected at least ", least_number),
                    Refusal::kRolledBack);
    default:
      return Refuse(path, CoreStatusName(status));
  }
}

absl::Status ProvenRevocations::Check(const VaultReader& vault, absl::string_view name) const {
  RevocationView view;
  uint32_t entry = 0;
  // A sealed variant is revoked by its name in INDEX.
  const absl::StatusOr<const VaultVariant*> variant = vault.Find(name);
  const absl::string_view index_name = variant.ok() ? (*variant)->index_name() : name;
  const CoreStatus parsed = ParseRevocations(View(bytes_), &view);
  std::copy(digest_.begin(), digest_.end(), view.digest);
  if (parsed != CoreStatus::kOk ||
      CheckRevoked(view, *vault.root(), View(index_name), HostCrypto(), &entry) != CoreStatus::kRevoked) {
    return absl::OkStatus();
  }
  const std::string who = view.kind(entry) == RevocationKind::kTenant ? "with its tenant " : "";
  const std::string versions = view.below(entry) == kBelowEveryVersion
                                   ? "in every version"
                                   : absl::StrCat("in versions below ", view.below(entry));
  return Refused(Refusal::kRevoked,
                 absl::StrCat(vault.path(), ": variant ", Quoted(name), ": revoked ", who, versions,
                              "; this is version ", vault.root()->version, " (", path_, ", number ", number_, ")"));
}

absl::StatusOr<RevocationList> ReadRevocations(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(file_system, path);
  if (!bytes.ok()) return bytes.status();
  RevocationView view;
  if (absl::Status status = ParseFile(path, *bytes, &view); !status.ok()) return status;
  RevocationList list;
  list.vault_id = Copy<sizeof(VaultId)>(view.vault_id);
  list.number = view.number;
  list.key_set = Copy<kDigestSize>(view.key_set);
  for (uint32_t i = 0; i < view.count; ++i) {
    list.entries.push_back({view.kind(i), view.below(i), Copy<kDigestSize>(view.what(i))});
  }
  for (size_t i = 0; i < view.signatures.size / kSignatureSize; ++i) {
    list.signatures.push_back(Copy<kSignatureSize>(view.signatures.Sub(i * kSignatureSize, kSignatureSize)));
  }
  return list;
}

}  // namespace modelvault
