#include <memory>
#include <string>
#include <vector>

#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/vault_edit.h"

namespace modelvault {
namespace {

struct Arguments {
  EditArguments edit;
  std::vector<std::string> names;
};

}  // namespace

void AddRmCommand(Command& app, Session& session) {
  Command command = app.AddCommand("rm", "Remove variants from a vault");
  auto arguments = std::make_shared<Arguments>();
  AddEditVault(&command, &arguments->edit);
  command.AddArguments("NAME", &arguments->names, /*required=*/true, "The variants to remove");
  AddEditTenant(&command, &arguments->edit);
  AddEditOptions(&command, &arguments->edit);
  SetFooter(&command, "  mvault rm all.mvlt legal marketing\n",
            "What they took becomes a hole that later variants may fill; 'mvault compact' gives it back.");
  command.OnParsed([&session, arguments] {
    session.command = [&session, arguments] {
      VaultChanges changes;
      changes.remove = arguments->names;
      return EditAndPrint(session, "rm", arguments->edit, changes);
    };
  });
}

}  // namespace modelvault
