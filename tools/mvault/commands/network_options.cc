#include "tools/mvault/commands/network_options.h"

#include <utility>

#include "absl/status/status.h"

namespace modelvault {

void AddNetworkOptions(Command* command, NetworkArguments* arguments) {
  command
      ->AddOption("--model", &arguments->model,
                  "Describes the models: JSON, as for eval; the vault then tells a board what they compute")
      .TypeName("FILE");
  command
      ->AddOption("--tokenizer", &arguments->tokenizer,
                  "The vocabulary that turns text into tokens; default: the one that the model's file names")
      .TypeName("FILE");
}

absl::Status CheckNetworkOptions(const NetworkArguments& arguments) {
  if (!arguments.model.empty() || arguments.tokenizer.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("--tokenizer: there is no --model that takes tokens");
}

absl::StatusOr<std::optional<NetworkInput>> FindNetwork(FileSystem& file_system, const NetworkArguments& arguments) {
  if (arguments.model.empty()) return std::nullopt;
  absl::StatusOr<NetworkInput> input = ReadNetworkInput(file_system, arguments.model, arguments.tokenizer);
  if (!input.ok()) return input.status();
  return *std::move(input);
}

}  // namespace modelvault
