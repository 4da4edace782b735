// What the commands have in common that sign vaults or what is said of them.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_SIGNATURE_OUTPUT_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_SIGNATURE_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/mvault/commands/commands.h"
#include "vault/signature_section.h"
#include "vault/vault_reader.h"

namespace modelvault {

VaultId MakeVaultId();

// A key set; 0: all of them sign. kInvalidArgument for no keys, too many, and a threshold above their number.
absl::StatusOr<KeySet> MakeKeySet(uint32_t number, std::vector<PublicKey> keys, unsigned threshold);

// Whether anybody has signed the root of a vault with SIGNATURE.
bool HasSignature(const VaultReader& vault);

// Prints who has signed the vault, what is missing, and where the message is that others are to sign (empty: nowhere).
void PrintSignature(Session& session, const std::string& command, const VaultReader& vault,
                    const std::string& digest_out, bool json);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_SIGNATURE_OUTPUT_H_
