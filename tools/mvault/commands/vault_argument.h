// The vault that a command is about.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_ARGUMENT_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_ARGUMENT_H_

#include <string>

#include "tools/mvault/cli/command_line.h"
#include "tools/mvault/commands/commands.h"

namespace modelvault {

// A vault that is only read: a file, or a URL with the options that go with it. All must outlive the parsing, and
// `session` the command.
void AddVaultArgument(Command* command, Session& session, std::string* vault);

// One that is changed: a file.
void AddChangedVaultArgument(Command* command, std::string* vault);

// Those options alone, for commands that call their vaults something else.
void AddCacheOptions(Command* command, Session& session);

// Opens URLs as the session's options, when it is called, and the environment say. `session` must outlive it.
UrlOpener UrlOpenerOf(const Session& session);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_VAULT_ARGUMENT_H_
