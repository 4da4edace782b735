// How the names of a fine-tune's tensors are read when they are not quite the base's.
#ifndef MODELVAULT_TOOLS_PACKING_NAME_RULES_H_
#define MODELVAULT_TOOLS_PACKING_NAME_RULES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// Text in a name and what stands in its place in the base's.
struct NameRule {
  std::string from;  // Its first occurrence counts; empty: the name's start.
  std::string to;

  bool operator==(const NameRule&) const = default;
};

// Names are changed for matching only: what is stored and restored keeps its own.
struct NameRules {
  std::vector<NameRule> renames;    // Each is applied to what the ones before it left.
  std::vector<std::string> ignore;  // Patterns of names in variants that are matched with nothing.

  std::string Apply(absl::string_view name) const;
  bool Ignores(absl::string_view name) const;
};

// "FROM=TO": what stands before and after the first '='. kInvalidArgument for text without one, or without both.
absl::StatusOr<NameRule> ParseNameRule(absl::string_view text);

// Whether all of `name` is what `pattern` says, in which '*' stands for any text, also none.
bool MatchesPattern(absl::string_view name, absl::string_view pattern);

// The rule as text for a command line: FROM=TO, quoted for a shell where it needs to be.
std::string FormatNameRule(const NameRule& rule);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_NAME_RULES_H_
