// Changes to a vault that code nothing: what rename, rm and compact have in common.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_EDIT_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_EDIT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/tenant_keys.h"
#include "vault/vault_editor.h"

namespace modelvault {

struct VaultEdit {
  uint64_t old_size = 0;  // Of the file, in bytes.
  uint64_t new_size = 0;
  size_t old_variants = 0;
  size_t new_variants = 0;
};

// Checks that `written` holds of `original` all that `changes` keep, byte for byte as stored: MODEL, CHUNKS, BASE, the
// base's header and digests; and each kept variant's blob, header and digests, under its new name. kInternal otherwise.
absl::Status CheckKept(const VaultReader& original, const VaultReader& written, const VaultChanges& changes);

// Makes the changes, checks what was written, tells `on_written` of it, and commits. On any error the vault is as it
// was.
absl::StatusOr<VaultEdit> ApplyChanges(FileSystem& file_system, absl::string_view path, const VaultChanges& changes,
                                       const VaultWriterOptions& options = {},
                                       const std::function<void(const VaultReader& written)>& on_written = nullptr);

// The options that rename, rm and compact have in common.
struct EditArguments {
  std::string vault;
  std::vector<std::string> keys;  // Files of secret keys that sign the changed vault.
  TenantArguments tenant;
  bool json = false;
};
// `arguments` must outlive the parsing. The first is declared before a command's own options, the second after.
void AddEditVault(Command* command, EditArguments* arguments);
void AddEditOptions(Command* command, EditArguments* arguments);
// Of a tenant that changes what is its own.
void AddEditTenant(Command* command, EditArguments* arguments);

// Makes the changes, signs them if there are keys, and prints old and new size; with --json as a document that also has
// "vault" and "command". Tenants sign as `options` say, or else as the arguments do.
absl::StatusOr<ExitCode> EditAndPrint(Session& session, const std::string& command, const EditArguments& arguments,
                                      const VaultChanges& changes, VaultWriterOptions options = {});

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_EDIT_H_
