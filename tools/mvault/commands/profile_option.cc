#include "tools/mvault/commands/profile_option.h"

#include <vector>

#include "absl/strings/str_join.h"
#include "tools/packing/pack.h"

namespace modelvault {

void AddProfileOption(Command* command, std::string* profile, bool host, const std::string& help) {
  std::vector<std::string> names = {"fast", "small"};
  if (host) names.push_back("host");
  command->AddOption("--profile", profile, help).TypeName(absl::StrJoin(names, "|")).OneOf(names);
}

std::optional<BaseProfile> ParseProfile(const std::string& profile) {
  for (const BaseProfile known : {BaseProfile::kSmall, BaseProfile::kFast, BaseProfile::kHost}) {
    if (profile == ProfileName(known)) return known;
  }
  return std::nullopt;
}

}  // namespace modelvault
