// What the nodes of an ONNX model say of its quantised weights.
#ifndef MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_QUANTISATION_H_
#define MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_QUANTISATION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "restore/model_file.h"
#include "tools/formats/described/described_format.h"
#include "vault/file_system.h"

namespace modelvault {

// Scales and zero points of the tensors that are an input of DequantizeLinear, or the weights of QLinearConv and
// QLinearMatMul, in any graph, in the order of the nodes and each tensor once. `file` is one that ReadOnnxTensors
// takes, whose message has `size` bytes and whose typed tensors are `tensors`.
//
// Tensors, scales and zero points are found by name among `tensors`; a zero point may be an initializer in varints,
// too. Left out is what has no name of its own in the model, is computed when the model runs, has a type that is no
// float (scales) or no integer of at most 32 bits (zero points), or does not fit the tensor's shape: blocks, for
// example.
absl::StatusOr<std::vector<TensorQuantisation>> ReadOnnxQuantisation(const RandomAccessFile& file, uint64_t size,
                                                                     const std::vector<TypedRange>& tensors);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ONNX_ONNX_QUANTISATION_H_
