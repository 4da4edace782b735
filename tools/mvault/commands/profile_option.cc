#include "tools/mvault/commands/profile_option.h"

#include "tools/packing/pack.h"

namespace modelvault {

void AddProfileOption(Command* command, std::string* profile, const std::string& help) {
  command->AddOption("--profile", profile, help).TypeName("fast|small").OneOf({"fast", "small"});
}

std::optional<BaseProfile> ParseProfile(const std::string& profile) {
  for (const BaseProfile known : {BaseProfile::kSmall, BaseProfile::kFast}) {
    if (profile == ProfileName(known)) return known;
  }
  return std::nullopt;
}

}  // namespace modelvault
