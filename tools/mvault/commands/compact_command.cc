#include <memory>

#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/vault_edit.h"

namespace modelvault {

void AddCompactCommand(Command& app, Session& session) {
  Command command = app.AddCommand("compact", "Close the holes that removed variants left");
  auto arguments = std::make_shared<EditArguments>();
  AddEditVault(&command, arguments.get());
  AddEditOptions(&command, arguments.get());
  SetFooter(&command, "  mvault compact all.mvlt\n",
            "Nothing is coded anew; variants move, their bytes stay the same.");
  command.OnParsed([&session, arguments] {
    session.command = [&session, arguments] {
      VaultChanges changes;
      changes.compact = true;
      return EditAndPrint(session, "compact", *arguments, changes);
    };
  });
}

}  // namespace modelvault
