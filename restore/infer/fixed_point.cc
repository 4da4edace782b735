#include "restore/infer/fixed_point.h"

namespace modelvault {

int BitCount(uint32_t v) {
  int bits = 0;
  for (int half = 16; half > 0; half /= 2) {
    if (v >> half == 0) continue;
    v >>= half;
    bits += half;
  }
  return bits + static_cast<int>(v);
}

}  // namespace modelvault
