#ifndef MODELVAULT_TOOLS_DEMO_FLOAT_FILE_H_
#define MODELVAULT_TOOLS_DEMO_FLOAT_FILE_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/formats/safetensors.h"
#include "vault/file_system.h"

namespace modelvault::demo {

struct TensorValues {
  ModelTensor tensor;                // F32.
  const std::vector<float>* values;  // Of its shape, row-major; must outlive the call.
};

// Writes the tensors as F32 to `path`, complete or not at all, and returns the file's size in bytes.
absl::StatusOr<uint64_t> WriteFloatFile(FileSystem& file_system, const std::string& path,
                                        absl::Span<const TensorValues> tensors, const SafetensorsMetadata& metadata);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_FLOAT_FILE_H_
