// The options of commands that take a vault only if those who are trusted have signed it.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_TRUST_OPTIONS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_TRUST_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "restore/named_vault.h"
#include "tools/mvault/cli/command_line.h"
#include "vault/file_system.h"
#include "vault/revocation_list.h"

namespace modelvault {

struct TrustArguments {
  // Files. Public keys: without any, nothing is asked of signatures. A tenant's content key, or the secret key of a
  // device group: opens what is sealed.
  std::vector<std::string> keys;
  unsigned threshold = 0;        // 0: as many as there are keys.
  uint64_t min_version = 0;      // Of the vault.
  std::optional<uint64_t> at;    // Seconds since 1970; not given: now.
  std::string revocations;       // A list's file; empty: none.
  uint64_t min_revocations = 0;  // The number that it has at least.
};

// `arguments` must outlive the parsing.
void AddTrustOptions(Command* command, TrustArguments* arguments);

// What is wrong with a command line that has these options; empty: nothing.
std::string TrustUsageFault(const TrustArguments& arguments);

// Sorts the keys into those that are trusted and those that open; no trust without any of the first. Errors: those of
// key files; kInvalidArgument for what needs a public key and has none.
absl::StatusOr<VaultReaderOptions> ReadKeys(const TrustArguments& arguments);

struct TrustedVault {
  NamedVault vault;
  std::optional<ProvenRevocations> revocations;

  // kPermissionDenied if the list revokes the model `name`; never the base.
  absl::Status CheckNotRevoked(const std::string& name) const;
};

// Opens the vault, with public keys only if it is signed by them, and the list. Errors: those of key files, VaultReader
// and ProvenRevocations; kInvalidArgument for what needs a public key and has none.
absl::StatusOr<TrustedVault> OpenTrustedVault(FileSystem& file_system, const std::string& path,
                                              const TrustArguments& arguments);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_TRUST_OPTIONS_H_
