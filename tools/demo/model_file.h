#ifndef MODELVAULT_TOOLS_DEMO_MODEL_FILE_H_
#define MODELVAULT_TOOLS_DEMO_MODEL_FILE_H_

// INT8 networks as safetensors files. A layer NAME is three tensors: NAME (I8, [outputs, inputs]), NAME.scale and
// NAME.bias (F32, [outputs]). Layers follow one another from input to output.

#include <stdint.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/demo/int8_model.h"
#include "tools/formats/safetensors.h"
#include "vault/file_system.h"

namespace modelvault::demo {

// Writes `model` to `path`, complete or not at all, and returns the file's size in bytes. Layers are called hidden1,
// hidden2, …, output.
absl::StatusOr<uint64_t> WriteModel(FileSystem& file_system, const std::string& path, const Int8Model& model,
                                    const SafetensorsMetadata& metadata);

// Reads what WriteModel wrote; layers may have any names. A file of another form is kInvalidArgument: other tensors,
// layers that do not fit one another, a scale that is not finite and above 0.
absl::StatusOr<Int8Model> ReadModel(FileSystem& file_system, const std::string& path);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_MODEL_FILE_H_
