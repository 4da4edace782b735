#include "tools/mvault/commands/tenant_keys.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "vault/keys/key_file.h"

namespace modelvault {

void AddTenantOptions(Command* command, TenantArguments* arguments) {
  command->AddOption("--tenant", &arguments->signing_key, "The tenant's secret key, which signs what is the tenant's")
      .TypeName("FILE");
  command
      ->AddOption("--content-key", &arguments->content_key,
                  "The content key that the tenant's variants are sealed with, which also tells their names")
      .TypeName("FILE");
}

absl::StatusOr<SecretKey> ReadContentKey(const std::string& path) {
  const absl::StatusOr<SecretBytes> bytes = ReadSecretKey(path, KeyKind::kContentSecret);
  if (!bytes.ok()) return bytes.status();
  return SecretKey(bytes->data());
}

absl::StatusOr<TenantSide> TenantSide::Read(const TenantArguments& arguments) {
  TenantSide side;
  if (!arguments.signing_key.empty()) {
    absl::StatusOr<SigningKey> key = ReadSigningKey(arguments.signing_key);
    if (!key.ok()) return key.status();
    side.signing_key_ = std::make_shared<const SigningKey>(*std::move(key));
  }
  if (!arguments.content_key.empty()) {
    absl::StatusOr<SecretKey> key = ReadContentKey(arguments.content_key);
    if (!key.ok()) return key.status();
    side.content_key_ = *std::move(key);
  }
  return side;
}

TenantKeys TenantSide::keys() const {
  TenantKeys keys;
  if (content_key_.has_value()) keys.content.push_back(*content_key_);
  return keys;
}

TenantSigner TenantSide::signer() const {
  if (signing_key_ == nullptr) return nullptr;
  return [key = signing_key_](const TenantRecord& tenant,
                              absl::string_view message) -> absl::StatusOr<std::optional<Signature>> {
    if (tenant.key != key->public_key()) return std::nullopt;
    return key->Sign(message);
  };
}

absl::Status TenantSide::CheckIsTenant(const VaultReader& vault) const {
  std::vector<VariantInput> none;
  return NameVariants(vault, &none);
}

absl::Status TenantSide::NameVariants(const VaultReader& vault, std::vector<VariantInput>* variants) const {
  if (signing_key_ == nullptr) return absl::OkStatus();
  std::vector<TenantRecord> tenants;
  if (vault.root() != nullptr) tenants = DecodeSignature(*vault.root()).tenants;
  std::vector<std::string> own;
  for (const TenantRecord& tenant : tenants) {
    if (tenant.key == signing_key_->public_key()) own.push_back(tenant.prefix);
  }
  if (own.empty()) {
    return absl::NotFoundError(absl::StrCat(vault.path(), ": has no tenant with the key ",
                                            KeyId(signing_key_->public_key()), ": 'mvault tenant add' adds one"));
  }
  for (VariantInput& variant : *variants) {
    const TenantRecord* const owner = OwnerOf(variant.name, tenants);
    if (owner != nullptr && owner->key == signing_key_->public_key()) continue;
    if (owner != nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(vault.path(), ": variant '", variant.name,
                                                     "' would be of tenant '", owner->prefix,
                                                     "', whose key this is not"));
    }
    if (own.size() > 1) {
      return absl::InvalidArgumentError(absl::StrCat(vault.path(), ": variant '", variant.name,
                                                     "' begins with none of the tenant's ", own.size(),
                                                     " prefixes: with which it is to begin is for you to say"));
    }
    variant.name = own.front() + variant.name;
  }
  return absl::OkStatus();
}

}  // namespace modelvault
