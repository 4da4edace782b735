#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tools/commands.h"

namespace modelvault {

void AddHelpCommand(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("help", "Tell about mvault, or about one command");
  auto name = std::make_shared<std::string>();
  command->add_option("COMMAND", *name, "The command");
  command->callback([&app, &session, name] {
    session.command = [&app, &session, name]() -> absl::StatusOr<ExitCode> {
      if (name->empty()) {
        // app.help() would be that of the command in progress, which is this one.
        session.console.Print(app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal));
        return ExitCode::kOk;
      }
      const auto named = [&](const CLI::App* asked) { return asked->get_name() == *name; };
      const std::vector<const CLI::App*> found = std::as_const(app).get_subcommands(named);
      if (found.empty()) return UsageError(session, absl::StrCat("there is no command '", *name, "'"));
      session.console.Print(found.front()->help(app.get_name()));
      return ExitCode::kOk;
    };
  });
}

}  // namespace modelvault
