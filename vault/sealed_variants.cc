// What VaultReader does about sealed variants (docs/format.md §13).
#include <algorithm>
#include <cstring>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "vault/crypto.h"
#include "vault/error_place.h"
#include "vault/quoted_text.h"
#include "vault/refusal.h"
#include "vault/section_encoder.h"
#include "vault/variant_name.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

std::string At(absl::string_view part, uint64_t offset) {
  return absl::StrCat(part, " at offset 0x", absl::Hex(offset));
}

absl::string_view PrefixOf(const TenantView& tenant) {
  return {reinterpret_cast<const char*>(tenant.prefix.data), tenant.prefix.size};
}

}  // namespace

absl::Status VaultReader::OpenSealed(const TenantKeys& keys) {
  for (uint32_t i = 0; i < root_.tenant_count; ++i) {
    const TenantView tenant = root_.TenantAt(i);
    absl::StatusOr<std::optional<SecretKey>> key = FindContentKey(tenant, keys);
    if (!key.ok()) return InFile(path(), key.status());
    if (key->has_value()) content_keys_.emplace(PrefixOf(tenant), **key);
  }
  for (size_t i = 0; i < variants_.size(); ++i) {
    VaultVariant& variant = variants_[i];
    TenantView tenant;
    const bool sealed = root_.tenant_count > 0 &&
                        FindTenant(root_, ToByteView(variant.name), &tenant) == CoreStatus::kOk && IsSealed(tenant);
    HeaderDifference& difference = headers_.variants[index_positions_[i]];
    const bool sound = sealed ? IsSealedName(tenant, ToByteView(variant.name)) &&
                                    variant.stored_size >= kSealedBlobExtra && !difference.sealed.empty()
                              : difference.sealed.empty();
    if (!sound) {
      const uint64_t offset = header_.section(Section::kIndex).offset;
      return AtFileOffset(absl::DataLossError(absl::StrCat(
                              path(), ": ", At("INDEX", offset), ": variant '", variant.name,
                              sealed ? "' is not sealed, unlike its tenant's variants" : "' is sealed, by no tenant")),
                          offset);
    }
    if (!sealed) continue;
    if (absl::Status status = OpenSealedEntry(PrefixOf(tenant), &variant, &difference); !status.ok()) return status;
  }
  SortVariants();
  return absl::OkStatus();
}

absl::Status VaultReader::OpenSealedEntry(absl::string_view prefix, VaultVariant* variant,
                                          HeaderDifference* difference) const {
  SealedEntry& entry = variant->sealed.emplace();
  entry.name = variant->name;
  StoreLe64(entry.salt.data(), variant->digests.xxh64);
  std::copy(variant->digests.xxh3.begin(), variant->digests.xxh3.end(), entry.salt.begin() + 8);
  variant->digests = ModelDigests();
  const auto key = content_keys_.find(std::string(prefix));
  if (key == content_keys_.end()) return absl::OkStatus();
  const uint64_t offset = header_.section(Section::kManifest).offset;
  const auto error = [&](const absl::Status& status) {
    return AtFileOffset(absl::Status(status.code(), absl::StrCat(path(), ": ", At("MANIFEST", offset), ": variant '",
                                                                 entry.name, "': ", status.message())),
                        offset);
  };
  const absl::StatusOr<std::string> head =
      OpenSealedHead(key->second, root_.vault_id(), entry.name, entry.salt, difference->sealed);
  if (!head.ok()) return error(head.status());
  absl::StatusOr<OpenedHeader> opened = DecodeSealedHeader(*head, headers_.base);
  if (!opened.ok()) return error(opened.status());
  if (absl::Status named = ValidateVariantName(opened->name); !named.ok()) {
    return error(absl::DataLossError(named.message()));
  }
  if (!absl::StartsWith(opened->name, prefix) || SealedNameOf(prefix, opened->name, key->second) != entry.name) {
    return error(absl::DataLossError("the name sealed in it is another's"));
  }
  entry.open = true;
  variant->name = std::move(opened->name);
  variant->digests = opened->digests;
  HeaderDifference plain = DiffHeader(headers_.base, opened->header);
  plain.sealed = std::move(difference->sealed);
  *difference = std::move(plain);
  return absl::OkStatus();
}

void VaultReader::SortVariants() {
  std::vector<size_t> order(variants_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return variants_[a].name < variants_[b].name; });
  std::vector<VaultVariant> variants;
  std::vector<size_t> positions;
  for (const size_t i : order) {
    variants.push_back(std::move(variants_[i]));
    positions.push_back(index_positions_[i]);
  }
  variants_ = std::move(variants);
  index_positions_ = std::move(positions);
}

absl::Status VaultReader::ReadSealed(const VaultVariant& variant, std::vector<uint8_t>* stored) const {
  stored->resize(static_cast<size_t>(variant.stored_size));  // INDEX has been read: it fits.
  if (absl::Status status = ReadAt(variant.offset, absl::MakeSpan(*stored)); !status.ok()) return status;
  const uint32_t computed = Checksum32(ToByteView(*stored));
  if (computed == variant.checksum32) return absl::OkStatus();
  return AtFileOffset(
      absl::DataLossError(absl::StrCat(path(), ": variant '", variant.name, "', ", At("sealed blob", variant.offset),
                                       ": checksum mismatch, stored 0x", absl::Hex(variant.checksum32, absl::kZeroPad8),
                                       ", computed 0x", absl::Hex(computed, absl::kZeroPad8))),
      variant.offset);
}

absl::StatusOr<VaultBlob> VaultReader::OpenSealedVariant(const VaultVariant& variant) const {
  const auto key = std::find_if(content_keys_.begin(), content_keys_.end(),
                                [&](const auto& k) { return absl::StartsWith(variant.index_name(), k.first); });
  if (key == content_keys_.end()) return CheckUnlocked(variant);
  const auto error = [&](absl::StatusCode code, absl::string_view what) {
    return AtFileOffset(absl::Status(code, absl::StrCat(path(), ": variant '", variant.name, "', ",
                                                        At("sealed blob", variant.offset), ": ", what)),
                        variant.offset);
  };
  VaultBlob blob;
  blob.variant_ = variant;
  if (absl::Status status = ReadSealed(variant, &blob.bytes_); !status.ok()) return status;
  const SealedEntry& sealed = *variant.sealed;
  VariantEntry entry;
  entry.name = ToByteView(sealed.name);
  entry.xxh64 = LoadLe64(sealed.salt.data());
  std::memcpy(entry.xxh3, sealed.salt.data() + 8, sizeof(entry.xxh3));
  OpenedBlob opened;
  CoreStatus status = modelvault::OpenSealedBlob(root_.vault_id(), entry, ToByteView(blob.bytes_), key->second.data(),
                                                 HostCrypto(), blob.bytes_.data(), &opened);
  if (status != CoreStatus::kOk) {
    return error(absl::StatusCode::kPermissionDenied, "not what a holder of its tenant's key sealed here");
  }
  if (opened.xxh64 != variant.digests.xxh64 ||
      !std::equal(variant.digests.xxh3.begin(), variant.digests.xxh3.end(), opened.xxh3)) {
    return error(absl::StatusCode::kDataLoss, "its digests are not those in MANIFEST");
  }
  blob.size_ = opened.blob.size;
  blob.bytes_.resize(static_cast<size_t>(kSealedDigestsSize + blob.size_));
  blob.bytes_.erase(blob.bytes_.begin(), blob.bytes_.begin() + kSealedDigestsSize);
  status = ParseBlobHead(ToByteView(blob.bytes_), blob.bytes_.size(), header_, &blob.head_);
  if (status == CoreStatus::kOk) status = blob.FindSegments();
  if (status != CoreStatus::kOk) return error(absl::StatusCode::kDataLoss, CoreStatusName(status));
  return blob;
}

absl::Status VaultReader::CheckStoredBlob(const VaultVariant& variant) const {
  if (!variant.sealed.has_value()) return OpenBlob(variant).status();
  std::vector<uint8_t> stored;
  return ReadSealed(variant, &stored);
}

absl::StatusOr<HeaderDifference> VaultReader::sealed_header(absl::string_view name) const {
  const absl::StatusOr<size_t> position = FindPosition(name);
  if (!position.ok()) return position.status();
  return HeaderDifference{.sealed = headers_.variants[index_positions_[*position]].sealed};
}

CoreStatus VaultReader::TenantSigned(uint32_t i) const {
  std::vector<VaultVariant> variants;
  for (const VaultVariant* variant : VariantsInIndexOrder()) variants.push_back(*variant);
  const std::string bytes = EncodeIndex(variants, (header_.features & kFeatureWideIndex) != 0);
  IndexView index;
  const CoreStatus status = index.Open(header_, ToByteView(bytes));
  return status == CoreStatus::kOk ? ProveTenant(root_, index, root_.TenantAt(i), HostCrypto()) : status;
}

absl::Status VaultReader::CheckNotHidden(absl::string_view name) const {
  TenantView tenant;
  if (root_.tenant_count == 0 || FindTenant(root_, ToByteView(name), &tenant) != CoreStatus::kOk) {
    return absl::OkStatus();
  }
  const absl::string_view prefix = PrefixOf(tenant);
  const bool hides = std::any_of(variants_.begin(), variants_.end(), [&](const VaultVariant& variant) {
    return variant.locked() && absl::StartsWith(variant.name, prefix);
  });
  if (!hides) return absl::OkStatus();
  return Refused(Refusal::kSealed,
                 absl::StrCat(path(), ": the variants of tenant '", prefix, "' are sealed, their names, too: if ",
                              Quoted(name), " is one of them, it needs the tenant's key"));
}

absl::Status VaultReader::CheckUnlocked(const VaultVariant& variant) const {
  if (!variant.locked()) return absl::OkStatus();
  TenantView tenant;
  absl::string_view prefix;
  if (FindTenant(root_, ToByteView(variant.index_name()), &tenant) == CoreStatus::kOk) prefix = PrefixOf(tenant);
  return Refused(Refusal::kSealed, absl::StrCat(path(), ": variant '", variant.name, "' is sealed by tenant '", prefix,
                                                "'; needs its key"));
}

}  // namespace modelvault
