// The subcommands of mvault. Each Add…Command declares one with its options; what it is to do, once the command line
// has been parsed, it leaves in Session::command.
#ifndef MODELVAULT_TOOLS_COMMANDS_H_
#define MODELVAULT_TOOLS_COMMANDS_H_

#include <functional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/console.h"
#include "tools/exit_code.h"
#include "vault/file_system.h"

namespace CLI {
class App;
}

namespace modelvault {

// What the program gives its commands. An error a command returns is printed and becomes the exit code.
struct Session {
  FileSystem& file_system;
  Console& console;
  std::function<absl::StatusOr<ExitCode>()> command = nullptr;
};

// Prints what is wrong with a command line that parses, and gives the exit code for it.
ExitCode UsageError(Session& session, absl::string_view message);

// `app` and `session` must outlive the parsing and the command.
void AddPackCommand(CLI::App& app, Session& session);
void AddLsCommand(CLI::App& app, Session& session);
void AddInfoCommand(CLI::App& app, Session& session);
void AddVerifyCommand(CLI::App& app, Session& session);
void AddChecksumsCommand(CLI::App& app, Session& session);
void AddRestoreCommand(CLI::App& app, Session& session);
void AddAddCommand(CLI::App& app, Session& session);
void AddReplaceCommand(CLI::App& app, Session& session);
void AddRenameCommand(CLI::App& app, Session& session);
void AddRmCommand(CLI::App& app, Session& session);
void AddCompactCommand(CLI::App& app, Session& session);
void AddDiffCommand(CLI::App& app, Session& session);
void AddPlanCommand(CLI::App& app, Session& session);
void AddEvalCommand(CLI::App& app, Session& session);
void AddFitCommand(CLI::App& app, Session& session);
void AddBoardCommand(CLI::App& app, Session& session);
void AddHelpCommand(CLI::App& app, Session& session);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_COMMANDS_H_
