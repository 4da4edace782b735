// A model's tensors as floats, whatever they are stored as.
#ifndef MODELVAULT_TOOLS_EVAL_FLOAT_TENSORS_H_
#define MODELVAULT_TOOLS_EVAL_FLOAT_TENSORS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/data_source.h"
#include "codec/model_tensor.h"
#include "tools/formats/float_tensor.h"

namespace modelvault {

// Reads the tensors `model_tensors` of a model whose data section is `data`: F32, F16 and BF16 as they are; I8 times
// the float tensor NAME.scale, which has a value for each row of NAME (shape[0], for rank 2 and more) or one for all,
// and does not appear in the result. kInvalidArgument, naming `model_name` and the tensor, for anything else.
absl::StatusOr<FloatTensors> ReadFloatTensors(absl::string_view model_name, absl::Span<const ModelTensor> model_tensors,
                                              DataSource* data);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_EVAL_FLOAT_TENSORS_H_
