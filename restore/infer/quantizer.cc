#include "restore/infer/quantizer.h"

namespace modelvault {

Step QuantizeToInt8(const Vector& v, int8_t* out, size_t stride) {
  const uint32_t most = LargestMagnitude(v.values, v.size);
  if (most == 0) {
    for (size_t i = 0; i < v.size; ++i) out[i * stride] = 0;
    return {0, -kMaxExponent};
  }
  // 127 · 2^36 / most, rounded down to 16 bits: most >> 11 has 17, and no value gets beyond 127.
  const int32_t inverse = static_cast<int32_t>((127u << 25) / ((most >> 11) + 1)) << 14;
  for (size_t i = 0; i < v.size; ++i) {
    out[i * stride] = static_cast<int8_t>((MulHigh(v.values[i] << 2, inverse) + (1 << 19)) >> 20);
  }
  constexpr uint32_t kInverse127 = 2164392969u;  // 2^38 / 127.
  return {static_cast<int32_t>(MulHighUnsigned(most << 3, kInverse127)), *v.exponent - 9};
}

}  // namespace modelvault
