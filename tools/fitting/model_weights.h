// What a model's file holds: floats to be fitted, and tensors that a fit carries over as they are.
#ifndef MODELVAULT_TOOLS_FITTING_MODEL_WEIGHTS_H_
#define MODELVAULT_TOOLS_FITTING_MODEL_WEIGHTS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/model_tensor.h"
#include "tools/formats/float_tensor.h"
#include "vault/file_system.h"

namespace modelvault {

// A tensor that is not F32, F16 or BF16: an integer buffer, a mask, a table in double precision.
struct CarriedTensor {
  ModelTensor info;
  std::vector<uint8_t> bytes;
};

struct ModelWeights {
  std::vector<ModelTensor> layout;  // All of the file's tensors, in its order.
  FloatTensors tensors;             // F32, F16 and BF16, by their names.
  std::vector<CarriedTensor> carried;
  std::array<uint8_t, 16> digest{};  // XXH3-128 of the file.
  uint64_t size = 0;                 // Bytes of the file.
};

// Whether it is fitted, rather than carried over.
inline bool IsFloat(const ModelTensor& tensor) {
  return tensor.dtype == DType::kF32 || tensor.dtype == DType::kF16 || tensor.dtype == DType::kBf16;
}

// kNotFound for a file that is not there; kInvalidArgument for one that is no model, has weights in
// blocks (Weave), or a float that is not finite, naming the tensor and the row.
absl::StatusOr<ModelWeights> ReadModelWeights(FileSystem& file_system, const std::string& path);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FITTING_MODEL_WEIGHTS_H_
