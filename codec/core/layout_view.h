// A variant's layout as it is stored (docs/format.md §6). Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_LAYOUT_VIEW_H_
#define MODELVAULT_CODEC_CORE_LAYOUT_VIEW_H_

#include "codec/core/bytes.h"

namespace modelvault {

enum class LayoutForm : uint8_t {
  kBase,      // Nothing is stored: the base's tensors as they are.
  kEachOnce,  // Every base tensor once, in any order, of any dtype.
  kFree,      // Base tensors left out or used repeatedly, and tensors of the variant's own.
};

struct LayoutView {
  LayoutForm form = LayoutForm::kBase;
  ByteView bytes;           // Exactly the records of the tensors.
  size_t tensor_count = 0;  // 0 for kBase.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_LAYOUT_VIEW_H_
