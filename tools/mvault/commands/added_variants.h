// What `mvault add` and `mvault replace` share.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_ADDED_VARIANTS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_ADDED_VARIANTS_H_

#include "tools/mvault/commands/commands.h"

namespace modelvault {

// Declares `add`, or `replace` with `replace`.
void AddVariantsCommand(Command& app, Session& session, bool replace);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_ADDED_VARIANTS_H_
