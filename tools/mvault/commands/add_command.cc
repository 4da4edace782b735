#include "tools/mvault/commands/added_variants.h"
#include "tools/mvault/commands/commands.h"

namespace modelvault {

void AddAddCommand(Command& app, Session& session) { AddVariantsCommand(app, session, /*replace=*/false); }

}  // namespace modelvault
