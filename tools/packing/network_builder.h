// From a model's description to a NETWORK section (docs/format.md §9).
#ifndef MODELVAULT_TOOLS_PACKING_NETWORK_BUILDER_H_
#define MODELVAULT_TOOLS_PACKING_NETWORK_BUILDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/model_tensor.h"
#include "tools/formats/model_config.h"
#include "vault/file_system.h"

namespace modelvault {

// What a network is made of beside a base's tensors.
struct NetworkInput {
  std::string path;  // Of the description, for messages.
  ModelConfig config;
  std::string tokenizer;  // As NETWORK holds it; empty: none.
};

// Reads a description and its vocabulary. `tokenizer_path`, if not empty, is taken for the one that the description
// names. kInvalidArgument where they do not go together.
absl::StatusOr<NetworkInput> ReadNetworkInput(FileSystem& file_system, const std::string& model_path,
                                              const std::string& tokenizer_path);

// The NETWORK of a base with these tensors, in data order. kInvalidArgument: the description does not go together, or
// not with the tensors; the message names the tensor, what was expected of it and what was found. `base_name` is for
// messages. The same input gives the same bytes.
absl::StatusOr<std::string> BuildNetwork(const NetworkInput& input, absl::Span<const ModelTensor> tensors,
                                         absl::string_view base_name);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_NETWORK_BUILDER_H_
