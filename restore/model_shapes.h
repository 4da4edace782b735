// The tensors of a model's file as a network is checked against them.
#ifndef MODELVAULT_RESTORE_MODEL_SHAPES_H_
#define MODELVAULT_RESTORE_MODEL_SHAPES_H_

#include "absl/types/span.h"
#include "codec/model_tensor.h"
#include "restore/infer/network_view.h"

namespace modelvault {

// `tensors` must outlive the result.
TensorShapes ShapesOf(absl::Span<const ModelTensor> tensors);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_MODEL_SHAPES_H_
