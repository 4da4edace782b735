// The subcommands of mvault. Each Add…Command declares one with its options; what it is to do, once the command line
// has been parsed, it leaves in Session::command.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_COMMANDS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_COMMANDS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/mvault/cli/console.h"
#include "tools/mvault/cli/exit_code.h"
#include "tools/packing/executor.h"
#include "vault/file_system.h"

namespace modelvault {

class Command;  // tools/mvault/cli/command_line.h

// What the program gives its commands. An error a command returns is printed and becomes the exit code.
struct Session {
  FileSystem& file_system;
  Console& console;
  Executor* executor = nullptr;  // Where the jobs of `pack` run; null: on threads of this process.
  std::function<absl::StatusOr<ExitCode>()> command = nullptr;
  std::string cache_folder = "";  // Of what is read of URLs; empty: what the environment says.
  std::optional<uint64_t> cache_limit = std::nullopt;
};

// Prints what is wrong with a command line that parses, and gives the exit code for it.
ExitCode UsageError(Session& session, absl::string_view message);

// `app` and `session` must outlive the parsing and the command.
void AddPackCommand(Command& app, Session& session);
void AddLsCommand(Command& app, Session& session);
void AddInfoCommand(Command& app, Session& session);
void AddVerifyCommand(Command& app, Session& session);
void AddChecksumsCommand(Command& app, Session& session);
void AddRestoreCommand(Command& app, Session& session);
void AddAddCommand(Command& app, Session& session);
void AddReplaceCommand(Command& app, Session& session);
void AddRenameCommand(Command& app, Session& session);
void AddRmCommand(Command& app, Session& session);
void AddCompactCommand(Command& app, Session& session);
void AddDiffCommand(Command& app, Session& session);
void AddFlashDiffCommand(Command& app, Session& session);
void AddClusterCommand(Command& app, Session& session);
void AddPlanCommand(Command& app, Session& session);
void AddEvalCommand(Command& app, Session& session);
void AddFitCommand(Command& app, Session& session);
void AddRunCommand(Command& app, Session& session);
void AddBoardCommand(Command& app, Session& session);
void AddChatCommand(Command& app, Session& session);
void AddKeygenCommand(Command& app, Session& session);
void AddSignCommand(Command& app, Session& session);
void AddRotateCommand(Command& app, Session& session);
void AddRevokeCommand(Command& app, Session& session);
void AddLogCommand(Command& app, Session& session);
void AddTenantCommand(Command& app, Session& session);
void AddHelpCommand(Command& app, Session& session);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_COMMANDS_H_
