// Changes to a vault that code nothing: what rename, rm and compact have in common.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_EDIT_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_EDIT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/mvault/commands/commands.h"
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

// Makes the changes, checks what was written, and commits. On any error the vault is as it was.
absl::StatusOr<VaultEdit> ApplyChanges(FileSystem& file_system, absl::string_view path, const VaultChanges& changes);

// Makes the changes and prints old and new size; with `json` as a document that also has "vault" and "command".
absl::StatusOr<ExitCode> EditAndPrint(Session& session, const std::string& command, const std::string& path,
                                      const VaultChanges& changes, bool json);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_EDIT_H_
