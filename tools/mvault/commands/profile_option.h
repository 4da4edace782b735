// --profile: how the base of a new vault is stored, and for whom.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_PROFILE_OPTION_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_PROFILE_OPTION_H_

#include <optional>
#include <string>

#include "codec/shared_tables_builder.h"
#include "tools/mvault/cli/command_line.h"

namespace modelvault {

// `*profile` must outlive the parsing; it stays empty without the option. `host`: the profile for hosts is one, too.
void AddProfileOption(Command* command, std::string* profile, bool host, const std::string& help);

// What the option said.
std::optional<BaseProfile> ParseProfile(const std::string& profile);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_PROFILE_OPTION_H_
