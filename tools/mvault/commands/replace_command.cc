#include "tools/mvault/commands/added_variants.h"
#include "tools/mvault/commands/commands.h"

namespace modelvault {

void AddReplaceCommand(Command& app, Session& session) { AddVariantsCommand(app, session, /*replace=*/true); }

}  // namespace modelvault
