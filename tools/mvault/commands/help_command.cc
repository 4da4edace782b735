#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/mvault/commands/commands.h"

namespace modelvault {

void AddHelpCommand(Command& app, Session& session) {
  Command command = app.AddCommand("help", "Tell about mvault, or about one command");
  auto name = std::make_shared<std::string>();
  command.AddOption("COMMAND", name.get(), "The command");
  command.OnParsed([app, &session, name] {
    session.command = [app, &session, name]() -> absl::StatusOr<ExitCode> {
      const std::optional<std::string> help = name->empty() ? app.Help() : app.HelpOf(*name);
      if (!help.has_value()) return UsageError(session, absl::StrCat("there is no command '", *name, "'"));
      session.console.Print(*help);
      return ExitCode::kOk;
    };
  });
}

}  // namespace modelvault
