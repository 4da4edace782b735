// `plan` for a family that is there already: --models DIR.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_FAMILY_PLAN_OPTIONS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_FAMILY_PLAN_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/mvault/cli/exit_code.h"
#include "tools/mvault/commands/commands.h"

namespace modelvault {

struct FamilyPlanArguments {
  std::string models;  // Empty: there is no family.
  std::vector<std::string> without;
  std::optional<uint64_t> sample;
  std::string output;  // Empty: no disk is looked at.

  // Whether any option but --models is given.
  bool any_other() const { return !without.empty() || sample.has_value() || !output.empty(); }
};

// `arguments` must outlive the parsing.
void AddFamilyPlanOptions(Command* command, FamilyPlanArguments* arguments);

// Prints the plan; kResourceExhausted where the disk has too little room.
absl::StatusOr<ExitCode> PrintFamilyPlan(Session& session, const std::string& base,
                                         const FamilyPlanArguments& arguments, int threads, bool json);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_FAMILY_PLAN_OPTIONS_H_
