#include "vault/tenant.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "vault/crypto.h"
#include "vault/section_encoder.h"
#include "vault/variant_name.h"

namespace modelvault {
namespace {

std::string Shown(absl::string_view prefix) { return absl::StrCat("'", absl::Utf8SafeCHexEscape(prefix), "'"); }

absl::Status CheckPrefix(absl::string_view prefix) {
  if (prefix.empty() || prefix.size() > kMaxTenantPrefixSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("a tenant's prefix of ", prefix.size(), " bytes, expected 1 to ", uint32_t{kMaxTenantPrefixSize}));
  }
  // The rules for names are such that what may stand before this may stand before anything.
  const std::string name = absl::StrCat(prefix, std::string(1, kSealedMark), std::string(kSealedNameDigits, '0'));
  if (absl::Status status = ValidateVariantName(name); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("tenant's prefix ", Shown(prefix), ": ", status.message()));
  }
  return absl::OkStatus();
}

// `bytes` is SIGNATURE, which `root` views.
CoreStatus Parse(const VaultHeader& header, absl::string_view index, const std::string& bytes, SignedRoot* root,
                 IndexView* view) {
  const CoreStatus status = ParseSignature(ToByteView(bytes), header, root);
  return status == CoreStatus::kOk ? view->Open(header, ToByteView(index)) : status;
}

absl::Status Unparsed(CoreStatus status) {
  return absl::InternalError(absl::StrCat("SIGNATURE as it would be written: ", CoreStatusName(status)));
}

}  // namespace

absl::StatusOr<std::optional<SecretKey>> FindContentKey(const TenantView& tenant, const TenantKeys& keys) {
  if (!IsSealed(tenant)) return std::nullopt;
  for (const SecretKey& key : keys.content) {
    const ContentId id = ContentIdOf(key);
    if (std::equal(id.begin(), id.end(), tenant.content_id.data)) return key;
  }
  for (const SecretKey& device : keys.devices) {
    uint8_t content[kSecretKeySize];
    const CoreStatus status = UnwrapContentKey(tenant, device.data(), HostCrypto(), content);
    if (status == CoreStatus::kOk) return SecretKey(content);
    if (status != CoreStatus::kSealed) {
      const absl::string_view prefix(reinterpret_cast<const char*>(tenant.prefix.data), tenant.prefix.size);
      return absl::PermissionDeniedError(absl::StrCat(
          "tenant ", Shown(prefix), ": the content key that it wrapped for this device group does not open"));
    }
  }
  return std::nullopt;
}

absl::StatusOr<TenantRecord> MakeTenant(absl::string_view prefix, const PublicKey& key,
                                        const std::optional<SecretKey>& content_key,
                                        absl::Span<const PublicKey> groups) {
  TenantRecord tenant;
  tenant.prefix = std::string(prefix);
  tenant.key = key;
  if (absl::Status status = CheckPrefix(prefix); !status.ok()) return status;
  if (!content_key.has_value()) {
    if (groups.empty()) return tenant;
    return absl::InvalidArgumentError(
        absl::StrCat("tenant ", Shown(prefix), ": device groups need a content key, which is wrapped for them"));
  }
  if (groups.size() > kMaxTenantGroups) {
    return absl::InvalidArgumentError(absl::StrCat("tenant ", Shown(prefix), ": ", groups.size(),
                                                   " device groups, at most ", uint32_t{kMaxTenantGroups}));
  }
  tenant.flags = kTenantSealed;
  tenant.content_id = ContentIdOf(*content_key);
  for (const PublicKey& group : groups) {
    absl::StatusOr<TenantGroup> wrapped = WrapContentKey(*content_key, group, key);
    if (!wrapped.ok()) return wrapped.status();
    tenant.groups.push_back(*std::move(wrapped));
  }
  std::sort(tenant.groups.begin(), tenant.groups.end(),
            [](const TenantGroup& a, const TenantGroup& b) { return a.id < b.id; });
  const auto twice = std::adjacent_find(tenant.groups.begin(), tenant.groups.end(),
                                        [](const TenantGroup& a, const TenantGroup& b) { return a.id == b.id; });
  if (twice == tenant.groups.end()) return tenant;
  return absl::InvalidArgumentError(absl::StrCat("tenant ", Shown(prefix), ": a device group is named twice"));
}

absl::Status PlaceTenant(TenantRecord tenant, std::vector<TenantRecord>* tenants) {
  for (TenantRecord& other : *tenants) {
    if (other.prefix == tenant.prefix) {
      other = std::move(tenant);
      return absl::OkStatus();
    }
    if (absl::StartsWith(other.prefix, tenant.prefix) || absl::StartsWith(tenant.prefix, other.prefix)) {
      return absl::InvalidArgumentError(absl::StrCat("tenant ", Shown(tenant.prefix),
                                                     ": of this prefix and that of tenant ", Shown(other.prefix),
                                                     " one begins with the other"));
    }
  }
  if (tenants->size() >= kMaxTenants) {
    return absl::ResourceExhaustedError(absl::StrCat("a vault has at most ", uint32_t{kMaxTenants}, " tenants"));
  }
  // std::string compares bytes as unsigned, like the format.
  const auto at = std::find_if(tenants->begin(), tenants->end(),
                               [&](const TenantRecord& other) { return tenant.prefix < other.prefix; });
  tenants->insert(at, std::move(tenant));
  return absl::OkStatus();
}

const TenantRecord* OwnerOf(absl::string_view name, absl::Span<const TenantRecord> tenants) {
  for (const TenantRecord& tenant : tenants) {
    if (absl::StartsWith(name, tenant.prefix)) return &tenant;
  }
  return nullptr;
}

absl::Status SignTenants(const VaultHeader& header, absl::string_view index, const TenantSigner& sign,
                         SignatureSection* section) {
  const std::string bytes = EncodeSignature(*section);
  SignedRoot root;
  IndexView view;
  CoreStatus status = Parse(header, index, bytes, &root, &view);
  for (uint32_t i = 0; status == CoreStatus::kOk && i < root.tenant_count; ++i) {
    TenantRecord& tenant = section->tenants[i];
    const TenantView stored = root.TenantAt(i);
    uint8_t message[kTenantMessageSize];
    uint32_t variant_count = 0;
    status = TenantMessage(root, view, stored, HostCrypto(), message, &variant_count);
    if (status != CoreStatus::kOk) break;
    const auto is_its = [&](const Signature& signature) {
      return signature != kNoSignature &&
             HostCrypto().verify(signature.data(), message, sizeof(message), tenant.key.data());
    };
    if (is_its(tenant.signature)) continue;
    tenant.signature = kNoSignature;
    if (sign == nullptr) continue;
    const absl::StatusOr<std::optional<Signature>> made =
        sign(tenant, {reinterpret_cast<const char*>(message), sizeof(message)});
    if (!made.ok()) return made.status();
    if (!made->has_value()) continue;
    if (!is_its(**made)) {
      return absl::PermissionDeniedError(
          absl::StrCat("tenant ", Shown(tenant.prefix), ": the signature is not of its key"));
    }
    tenant.signature = **made;
  }
  return status == CoreStatus::kOk ? absl::OkStatus() : Unparsed(status);
}

absl::Status CheckTenantsSigned(const std::string& path, const SignedRoot& root, const IndexView& index) {
  for (uint32_t i = 0; i < root.tenant_count; ++i) {
    const TenantView tenant = root.TenantAt(i);
    const CoreStatus status = ProveTenant(root, index, tenant, HostCrypto());
    if (status == CoreStatus::kOk) continue;
    const absl::string_view prefix(reinterpret_cast<const char*>(tenant.prefix.data), tenant.prefix.size);
    const std::string what = absl::StrCat(path, ": tenant ", Shown(prefix));
    if (status == CoreStatus::kUnsigned) {
      return absl::PermissionDeniedError(absl::StrCat(what, " has not signed its variants as they are"));
    }
    if (status == CoreStatus::kBadSignature) {
      return absl::PermissionDeniedError(absl::StrCat(what, ": its signature is wrong: it signed something else"));
    }
    return absl::DataLossError(absl::StrCat(what, ": ", CoreStatusName(status)));
  }
  return absl::OkStatus();
}

absl::Status CheckTenantsSigned(const std::string& path, const VaultHeader& header, absl::string_view index,
                                const SignatureSection& section) {
  const std::string bytes = EncodeSignature(section);
  SignedRoot root;
  IndexView view;
  const CoreStatus status = Parse(header, index, bytes, &root, &view);
  return status == CoreStatus::kOk ? CheckTenantsSigned(path, root, view) : Unparsed(status);
}

}  // namespace modelvault
