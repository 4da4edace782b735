// Changes an existing vault. A variant that is kept keeps its stored bytes, and its place as well unless the vault is
// compacted, so that whoever programs a flash from it rewrites few sectors. What goes leaves a hole of zeros; new
// variants go into the first hole that takes them, else after the last blob.
//
// A vault with SIGNATURE keeps its id, key sets and tenants and the digests of what is copied. All signatures of its
// root go, and its version rises by one if there was one: it is unsigned until it is signed again, by
// VaultWriterOptions::sign_root at once or by vault/vault_signing.h later. A tenant's signature stays if it is still
// true of its variants. MANIFEST's log gets an entry.
//
// Add: no changes, then BeginVariant … as for a new vault (vault/vault_writer.h). Replace: remove the name, then write
// it anew. Always: Finish(), check what OpenWritten() shows, Commit().
#ifndef MODELVAULT_VAULT_VAULT_EDITOR_H_
#define MODELVAULT_VAULT_VAULT_EDITOR_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vault/file_system.h"
#include "vault/vault_writer.h"

namespace modelvault {

// What happens to the variants that are there. All names are those before the change, and all of it happens at once:
// two variants may swap their names.
struct VaultChanges {
  std::vector<std::string> remove;
  std::vector<std::pair<std::string, std::string>> rename;  // From, to.
  bool compact = false;                                     // Closes all holes.
  // Who owns names from now on, in the place of all tenants that the vault has, in the order of the format.
  std::optional<std::vector<TenantRecord>> tenants = std::nullopt;
};

// Locks the vault at `path`, reads it (the result's original()), and starts its successor with `changes` done, ready
// for BeginVariant or Finish. A process that is killed at any point leaves the old vault or the new one. The lock ends
// with Commit() or the result. `file_system` must outlive the result.
//
// Errors: a variant that is not there kNotFound; a name named twice, or invalid, kInvalidArgument; a new name that is
// taken kAlreadyExists; a sealed variant that would be renamed, or left to somebody who could not open it,
// kInvalidArgument; tenants without SIGNATURE kPermissionDenied; a vault that another writer holds for all of
// options.lock kAborted; else those of VaultReader and VaultWriter. The coded bytes of variants and base are copied,
// not checked: a damaged one stays damaged, and the vault can still be changed.
absl::StatusOr<std::unique_ptr<VaultWriter>> EditVault(FileSystem& file_system, absl::string_view path,
                                                       const VaultChanges& changes,
                                                       const VaultWriterOptions& options = {});

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_VAULT_EDITOR_H_
