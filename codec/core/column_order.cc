#include "codec/core/column_order.h"

namespace modelvault {

bool ColumnOrder::Build(const SharedTables& shared, const TensorRecord& t) {
  if (t.cols > columns) return false;
  const size_t cols = static_cast<size_t>(t.cols);
  const uint8_t* packed = shared.column_classes(t);
  for (size_t begin = 0; begin < cols; begin += kStripSize) {
    const size_t count = cols - begin < kStripSize ? cols - begin : kStripSize;
    uint8_t classes[kStripSize];
    uint16_t places[kClassCount] = {};
    for (size_t j = 0; j < count; j += 2) {
      const unsigned pair = *packed++;
      classes[j] = pair & 15;
      classes[j + 1] = static_cast<uint8_t>(pair >> 4);
      ++places[pair & 15];
      if (j + 1 < count) ++places[pair >> 4];
    }
    StripColumns* strip = &strips[begin / kStripSize];
    memset(strip, 0, sizeof(*strip));
    uint16_t sum = 0;
    for (unsigned c = 0; c < kClassCount; ++c) {  // From counts to starts.
      const uint16_t n = places[c];
      if (c != kClassCount - 1 && n != 0) {
        strip->counts[0][c] = strip->counts[1][c + 1] = n;
        strip->class_count = static_cast<uint8_t>(c + 1);
      }
      strip->starts[c] = static_cast<uint8_t>(sum);  // Less than 256 where the class has columns.
      strip->last = sum;
      places[c] = sum;
      sum = static_cast<uint16_t>(sum + n);
    }
    for (size_t j = 0; j < count; ++j) order[begin + places[classes[j]]++] = static_cast<uint8_t>(j);
  }
  return true;
}

}  // namespace modelvault
