// How the tensors of a fine-tune lie beside its base's.
#ifndef MODELVAULT_TOOLS_PACKING_VARIANT_MATCH_H_
#define MODELVAULT_TOOLS_PACKING_VARIANT_MATCH_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "codec/layout_encoder.h"
#include "codec/model_tensor.h"
#include "tools/packing/name_rules.h"

namespace modelvault {

// Tensors paired by name. Indices are those of the two lists.
struct TensorPairs {
  struct Pair {
    size_t variant = 0;
    size_t base = 0;
  };
  std::vector<std::optional<size_t>> base_of;  // For each of the variant's tensors; nothing where it has no match.
  std::vector<size_t> missing;                 // The base's that the variant lacks.
  std::vector<size_t> extra;                   // The variant's that the base lacks.
  std::vector<Pair> reshaped;                  // The same name, another shape: no match.
  std::vector<size_t> ignored;                 // The variant's that the rules match with nothing; in no other list.

  size_t matched() const;
  bool complete() const { return missing.empty() && extra.empty() && reshaped.empty(); }
};

// A variant's tensor is matched with the base's of its name or, where the base has none, of the name that `rules` make
// of it; no tensor of the base with two. Base tensors that the rules ignore are not called missing.
TensorPairs PairTensors(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                        const NameRules& rules);

// Pairs what is left over with the base's next tensor of the same type and shape, in data order: for files whose names
// were made by a converter, and say little. What has no partner that way stays as it is.
void PairByShape(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant, TensorPairs* pairs);

// Whether a variant with these pairs is one of this base at all: at least half of the bytes of either, apart from what
// is ignored, belong to tensors with a match.
bool IsOfBase(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant, const TensorPairs& pairs);

// The tensor of `tensors` that a head or an embedding of this name and shape may be tied to.
std::optional<size_t> TiedTo(absl::Span<const ModelTensor> tensors, const ModelTensor& tensor);

// A variant as the coders take it.
struct VariantMatch {
  bool own_layout = false;           // Anything but the base's tensors in their order, of their dtypes and sizes.
  std::vector<LayoutEntry> tensors;  // In the variant's data order.
};

// A tensor without a match is coded against the base's tensor that it is tied to, or else on its own.
VariantMatch LayOut(absl::Span<const ModelTensor> base, absl::Span<const ModelTensor> variant,
                    const TensorPairs& pairs);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_VARIANT_MATCH_H_
