#ifndef MODELVAULT_TOOLS_DEMO_NETWORK_FILE_H_
#define MODELVAULT_TOOLS_DEMO_NETWORK_FILE_H_

// Networks as safetensors files. A layer NAME is the tensors NAME ([outputs, inputs]) and NAME.bias (F32, [outputs]).
// Weights are F32, as training leaves them, or I8, as `mvault fit` does: then NAME.scale (F32, [outputs]) has the step
// of each row's grid. Layers follow one another from input to output, in the order of their weights in the file.

#include <stdint.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/demo/network.h"
#include "tools/formats/safetensors.h"
#include "vault/file_system.h"

namespace modelvault::demo {

// What a layer's tensors are called: hidden1, hidden2, …, output.
std::string LayerName(size_t layer, size_t layer_count);

// Writes `network` in F32 to `path`, complete or not at all, and returns the file's size in bytes.
absl::StatusOr<uint64_t> WriteNetwork(FileSystem& file_system, const std::string& path, const Network& network,
                                      const SafetensorsMetadata& metadata);

// What describes such networks to `mvault fit --model` (docs/cli.md), as JSON.
std::string DescribeNetwork(size_t layer_count);

// Reads a network in F32 or I8; layers may have any names. A file of another form is kInvalidArgument: other tensors,
// layers that do not fit one another, a scale that is not finite and above 0.
absl::StatusOr<Network> ReadNetwork(FileSystem& file_system, const std::string& path);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_NETWORK_FILE_H_
