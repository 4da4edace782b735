#include "tools/added_variants.h"
#include "tools/commands.h"

namespace modelvault {

void AddReplaceCommand(Command& app, Session& session) { AddVariantsCommand(app, session, /*replace=*/true); }

}  // namespace modelvault
