// Which files are to become which variants: --variants DIR and --variant NAME=FILE.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_VARIANT_INPUTS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_VARIANT_INPUTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/packing/pack.h"

namespace modelvault {

struct VariantArguments {
  std::string folder;              // Empty: none.
  std::vector<std::string> pairs;  // NAME=FILE.
};

// `arguments` must outlive the parsing.
void AddVariantOptions(Command* command, VariantArguments* arguments);

// The variants meant, sorted by name: of `folder` every *.safetensors (hidden files apart), named by its stem; of each
// pair what stands before and after its first '='. kInvalidArgument for none at all, a pair without '=', an invalid
// name, a folder without such files; kAlreadyExists for a name given twice; kNotFound or kUnavailable for a folder that
// cannot be read.
absl::StatusOr<std::vector<VariantInput>> FindVariants(const VariantArguments& arguments);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_VARIANT_INPUTS_H_
