// `mvault board --ask`: a model of the vault answers on the board.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_ASK_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_ASK_H_

#include <optional>

#include "absl/status/statusor.h"
#include "restore/named_vault.h"
#include "tools/mvault/commands/board_arguments.h"
#include "tools/mvault/commands/commands.h"

namespace modelvault {

// Has the model answer on the board and on the host. kDifferent: the board failed, or answered something else.
absl::StatusOr<ExitCode> AskBoard(Session& session, const NamedVault& vault, const BoardArguments& arguments,
                                  const std::optional<EnergyOptions>& energy);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_ASK_H_
