// What the models compute: --model FILE and --tokenizer FILE.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_NETWORK_OPTIONS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_NETWORK_OPTIONS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/packing/network_builder.h"
#include "vault/file_system.h"

namespace modelvault {

struct NetworkArguments {
  std::string model;      // Empty: none.
  std::string tokenizer;  // Empty: what the model's file says.
};

// `arguments` must outlive the parsing.
void AddNetworkOptions(Command* command, NetworkArguments* arguments);

// kInvalidArgument for a tokenizer without a model.
absl::Status CheckNetworkOptions(const NetworkArguments& arguments);

// Reads the files; nothing where none is given.
absl::StatusOr<std::optional<NetworkInput>> FindNetwork(FileSystem& file_system, const NetworkArguments& arguments);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_NETWORK_OPTIONS_H_
