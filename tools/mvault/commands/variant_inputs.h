// Which files are to become which variants: --variants DIR and --variant NAME=FILE.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_VARIANT_INPUTS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_VARIANT_INPUTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "codec/progress_function.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/packing/name_rules.h"
#include "tools/packing/pack.h"
#include "vault/file_system.h"

namespace modelvault {

struct VariantArguments {
  std::string folder;                // Empty: none.
  std::vector<std::string> pairs;    // NAME=FILE.
  std::vector<std::string> without;  // Names of those to leave out.
};

// `arguments` must outlive the parsing.
void AddVariantOptions(Command* command, VariantArguments* arguments);

// Of --opaque.
inline constexpr char kOpaqueHelp[] =
    "Carry a file that is no model, or a damaged one, as it is, instead of refusing it";

struct NameRuleArguments {
  std::vector<std::string> renames;  // FROM=TO.
  std::vector<std::string> ignore;   // Patterns.
};

// How variants' names are matched with the base's. `arguments` must outlive the parsing.
void AddNameRuleOptions(Command* command, NameRuleArguments* arguments);

// kInvalidArgument for text that is no rule.
absl::StatusOr<NameRules> FindNameRules(const NameRuleArguments& arguments);

// What `pack`, `add` and `replace` pack with, as far as they have it in common; kInvalidArgument as FindNameRules.
absl::StatusOr<PackOptions> FindPackOptions(const NameRuleArguments& names, std::optional<uint64_t> budget, int threads,
                                            ProgressFunction progress);

// `status` and, if it says what is wrong with the file of one of several `variants` (kInvalidArgument, kDataLoss,
// kNotFound), how to go on without that one.
absl::Status WithWayOn(const absl::Status& status, const std::vector<VariantInput>& variants);

// The models of `folder` (FindModels) but for those in `without`, sorted by name, which need not be one for a variant.
// Errors as FindVariants'.
absl::StatusOr<std::vector<VariantInput>> FindFolderModels(FileSystem& file_system, const std::string& folder,
                                                           const std::vector<std::string>& without);

// The variants meant but for those in `without`, sorted by name: the models of `folder` (FindModels); of each pair what
// stands before and after its first '='. kInvalidArgument for none at all, a pair without '=', an invalid name, a
// folder without models; kAlreadyExists for a name given twice; kNotFound for a name in `without` that is none of
// theirs; FindModels' errors.
absl::StatusOr<std::vector<VariantInput>> FindVariants(FileSystem& file_system, const VariantArguments& arguments);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_VARIANT_INPUTS_H_
