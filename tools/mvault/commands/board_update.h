// `mvault board --update`: field updates of the emulated board.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_UPDATE_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_UPDATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "tools/mvault/commands/board_arguments.h"
#include "tools/mvault/commands/commands.h"
#include "vault/vault_reader.h"

namespace modelvault {

// Starts the board with the vault, `name` selected (the base: empty), then has it apply each patch and starts it again.
// kDifferent: a patch was refused, or a start did not succeed.
absl::StatusOr<ExitCode> UpdateBoard(Session& session, const VaultReader& vault, const BoardArguments& arguments,
                                     const std::string& name);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_UPDATE_H_
