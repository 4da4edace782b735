// How the tensors of a fine-tune lie beside its base's.
#ifndef MODELVAULT_TOOLS_PACKING_VARIANT_MATCH_H_
#define MODELVAULT_TOOLS_PACKING_VARIANT_MATCH_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "codec/model_tensor.h"
#include "codec/segment_encoder.h"

namespace modelvault {

// How a variant's tensors lie beside its base's.
struct VariantMatch {
  bool own_layout = false;           // Order, dtypes or opaque sizes differ from the base's.
  std::vector<LayoutEntry> tensors;  // In the variant's data order.
};

// Pairs tensors by name. InvalidArgument if names or shapes differ, naming the first tensor that does.
absl::StatusOr<VariantMatch> MatchVariant(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                                          absl::string_view variant_path);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_VARIANT_MATCH_H_
