#include "restore/model_shapes.h"

namespace modelvault {

TensorShapes ShapesOf(absl::Span<const ModelTensor> tensors) {
  return {tensors.data(), tensors.size(), [](const void* context, size_t i) {
            const ModelTensor& t = static_cast<const ModelTensor*>(context)[i];
            return TensorShape{t.dtype, static_cast<size_t>(t.rows()), static_cast<size_t>(t.cols())};
          }};
}

}  // namespace modelvault
