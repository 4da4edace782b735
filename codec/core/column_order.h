// The order in which a strip's columns are visited: by the class of the column prior (docs/format.md §6).
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_COLUMN_ORDER_H_
#define MODELVAULT_CODEC_CORE_COLUMN_ORDER_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/shared_tables.h"

namespace modelvault {

// How the columns of one strip of a row are visited: by class, lowest first.
struct StripColumns {
  // Of each class but the last, how many columns have it: class c in counts[0][c] and in counts[1][c + 1], so that the
  // classes line up in pairs with levels (of SegmentDecoder) wherever the row's level begins. The rest is zeros.
  alignas(4) uint16_t counts[2][kClassCount];
  uint8_t class_count;          // Classes up to the last of these that has columns.
  uint16_t last;                // Where the last class starts in the strip's order.
  uint8_t starts[kClassCount];  // And every other class that has columns.
};

// The columns of a tensor with a column prior, sorted by class inside each strip of a row: `order` has a place for each
// column, `strips` StripCount(columns) of them. Sizes for the widest tensor.
struct ColumnOrder {
  uint8_t* order = nullptr;
  StripColumns* strips = nullptr;
  size_t columns = 0;  // Room in `order`; `strips` has StripCount(columns).

  static constexpr size_t StripCount(size_t columns) { return (columns + kStripSize - 1) / kStripSize; }
  // Sorts the columns of `t`; false if there is not room enough.
  [[nodiscard]] bool Build(const SharedTables& shared, const TensorRecord& t);
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_COLUMN_ORDER_H_
