// What a tenant brings when it changes a vault: its signing key, and the content key that its variants are sealed with.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_TENANT_KEYS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_TENANT_KEYS_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/packing/pack.h"
#include "vault/keys/signing_key.h"
#include "vault/tenant.h"
#include "vault/vault_reader.h"

namespace modelvault {

struct TenantArguments {
  std::string signing_key;  // Files; empty: none.
  std::string content_key;
};

// Declares --tenant and --content-key. `arguments` must outlive the parsing.
void AddTenantOptions(Command* command, TenantArguments* arguments);

class TenantSide {
 public:
  // Errors are those of key files.
  static absl::StatusOr<TenantSide> Read(const TenantArguments& arguments);

  TenantKeys keys() const;
  // Signs for the tenants whose key it is; null without a key.
  TenantSigner signer() const;

  // kNotFound if the vault has no tenant with the key.
  absl::Status CheckIsTenant(const VaultReader& vault) const;

  // Gives names of variants that are to be added to the vault the prefix of the tenant whose key this is, unless they
  // have it. kNotFound if the vault has no such tenant; kInvalidArgument if it has several prefixes and a name has none
  // of them, or the name is another tenant's. Without a key names stay.
  absl::Status NameVariants(const VaultReader& vault, std::vector<VariantInput>* variants) const;

 private:
  TenantSide() = default;

  std::shared_ptr<const SigningKey> signing_key_;
  std::optional<SecretKey> content_key_;
};

// A tenant's content key.
absl::StatusOr<SecretKey> ReadContentKey(const std::string& path);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_TENANT_KEYS_H_
