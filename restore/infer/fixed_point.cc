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

int32_t SaturatingShift(int32_t v, int shift) {
  constexpr int32_t kMost = 1 << 30;
  if (shift <= 0) return RoundingShift(v, -shift);
  if (v == 0) return 0;
  if (shift > 30 || Magnitude(v) > (static_cast<uint32_t>(kMost) >> shift)) return v < 0 ? -kMost : kMost;
  return v << shift;
}

}  // namespace modelvault
