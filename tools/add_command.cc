#include "tools/added_variants.h"
#include "tools/commands.h"

namespace modelvault {

void AddAddCommand(Command& app, Session& session) { AddVariantsCommand(app, session, /*replace=*/false); }

}  // namespace modelvault
