// The emulated board's trust, from the options of commands that trust somebody.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_TRUST_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_TRUST_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "tools/mvault/board/board_machine.h"
#include "tools/mvault/commands/trust_options.h"
#include "vault/file_system.h"
#include "vault/vault_reader.h"

namespace modelvault {

// What a board is told that is to take `vault` only as the options say; nothing without keys. A board trusts a key set
// by its digest: it is the vault's own with these keys and threshold, if there is one, which the vault need not be
// signed by. It is of the first device group whose secret key is among the keys. The time is not known to it unless
// given. Errors: those of key files, and kInvalidArgument for a list that
// does not fit into its page.
absl::StatusOr<std::optional<TrustStraps>> BoardTrustOf(FileSystem& file_system, const VaultReader& vault,
                                                        const TrustArguments& arguments);

// What INDEX, and so a board, calls the model `name`; empty for the base.
std::string BoardNameOf(const VaultReader& vault, const std::string& name);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_TRUST_H_
