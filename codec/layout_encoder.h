// Writes down which tensors a variant has (docs/format.md §6).
#ifndef MODELVAULT_CODEC_LAYOUT_ENCODER_H_
#define MODELVAULT_CODEC_LAYOUT_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "codec/core/codec_format.h"
#include "codec/core/layout_view.h"
#include "codec/core/variant_layout.h"

namespace modelvault {

// One tensor of a variant, in the variant's data order. A base tensor may serve several of them, or none: one that
// equals its base tensor costs next to nothing each time. One without a base tensor has its bytes coded on their own.
struct LayoutEntry {
  uint64_t base_index;  // kNoBaseTensor: none.
  DType dtype;
  uint64_t elements;  // Only for kOpaque, where they are bytes, and without a base tensor. Else the base tensor's.
};

// A layout as a blob stores it.
struct StoredLayout {
  LayoutForm form = LayoutForm::kBase;
  size_t tensor_count = 0;
  std::string bytes;

  LayoutView view() const {
    return {form, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, tensor_count};
  }
  bool operator==(const StoredLayout&) const = default;
};

// In the form that takes the lowest version of the format: kEachOnce where the entries name each of the base's
// `base_tensor_count` tensors once, else kFree.
StoredLayout SerializeLayout(absl::Span<const LayoutEntry> tensors, size_t base_tensor_count);

// In a given form, which is not kBase; the entries may be anything.
StoredLayout SerializeLayoutAs(LayoutForm form, absl::Span<const LayoutEntry> tensors);

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_LAYOUT_ENCODER_H_
