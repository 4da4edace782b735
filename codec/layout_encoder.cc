#include "codec/layout_encoder.h"

#include <vector>

#include "codec/varint.h"

namespace modelvault {
namespace {

bool NamesEachOnce(absl::Span<const LayoutEntry> tensors, size_t base_tensor_count) {
  std::vector<bool> seen(base_tensor_count, false);
  for (const LayoutEntry& t : tensors) {
    if (t.base_index >= base_tensor_count || seen[static_cast<size_t>(t.base_index)]) return false;
    seen[static_cast<size_t>(t.base_index)] = true;
  }
  return tensors.size() == base_tensor_count;
}

}  // namespace

StoredLayout SerializeLayout(absl::Span<const LayoutEntry> tensors, size_t base_tensor_count) {
  return SerializeLayoutAs(NamesEachOnce(tensors, base_tensor_count) ? LayoutForm::kEachOnce : LayoutForm::kFree,
                           tensors);
}

StoredLayout SerializeLayoutAs(LayoutForm form, absl::Span<const LayoutEntry> tensors) {
  StoredLayout stored{form, tensors.size(), ""};
  for (const LayoutEntry& t : tensors) {
    const bool own = form == LayoutForm::kFree && t.base_index == kNoBaseTensor;
    AppendVarint(&stored.bytes, form != LayoutForm::kFree ? t.base_index : own ? 0 : t.base_index + 1);
    stored.bytes.push_back(static_cast<char>(t.dtype));
    if (own || t.dtype == DType::kOpaque) AppendVarint(&stored.bytes, t.elements);
  }
  return stored;
}

}  // namespace modelvault
