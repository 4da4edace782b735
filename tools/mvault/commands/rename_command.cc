#include <memory>
#include <string>

#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/vault_edit.h"

namespace modelvault {
namespace {

struct Arguments {
  EditArguments edit;
  std::string old_name;
  std::string new_name;
};

}  // namespace

void AddRenameCommand(Command& app, Session& session) {
  Command command = app.AddCommand("rename", "Give a variant another name");
  auto arguments = std::make_shared<Arguments>();
  AddEditVault(&command, &arguments->edit);
  command.AddOption("OLD", &arguments->old_name, "The variant's name").Required();
  command.AddOption("NEW", &arguments->new_name, "Its name from now on; must be free").Required();
  AddEditTenant(&command, &arguments->edit);
  AddEditOptions(&command, &arguments->edit);
  SetFooter(&command, "  mvault rename all.mvlt legal legal-2024\n");
  command.OnParsed([&session, arguments] {
    session.command = [&session, arguments] {
      VaultChanges changes;
      changes.rename.emplace_back(arguments->old_name, arguments->new_name);
      return EditAndPrint(session, "rename", arguments->edit, changes);
    };
  });
}

}  // namespace modelvault
