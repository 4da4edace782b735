#include "restore/infer/quantizer.h"

namespace modelvault {

Step QuantizeActivations(const Vector& v, unsigned bits, int16_t* out, size_t stride) {
  // Quantised values before they are rounded have this many binary places where s is the largest.
  constexpr int kPlaces = 20;
  const int32_t levels = bits == 4 ? 7 : 127;
  const int most_shift = MostActivationShift(v.size);
  const uint32_t most = LargestMagnitude(v.values, v.size);
  // What a value times 4 is multiplied with (MulHigh) for that. Rounded down to 16 bits, so that none gets beyond the
  // levels: most >> 11 has 17.
  const int32_t inverse = static_cast<int32_t>((static_cast<uint32_t>(levels) << 25) / ((most >> 11) + 1)) << 14;
  const size_t negative = stride / 2;
  for (size_t begin = 0; begin < v.size; begin += kActivationGroup) {
    const size_t size = v.size - begin < kActivationGroup ? v.size - begin : kActivationGroup;
    const int32_t* value = v.values + begin;
    const int32_t largest = MulHigh(static_cast<int32_t>(LargestMagnitude(value, size) << 2), inverse);
    int shift = 0;
    while (shift < most_shift && RoundingShift(largest, kPlaces - most_shift + shift) > levels) ++shift;
    const int drop = kPlaces - most_shift + shift;
    const int32_t half = 1 << (drop - 1);
    for (const int32_t* const end = value + size; value != end; ++value, out += stride) {
      const int32_t q = (MulHigh(*value << 2, inverse) + half) >> drop << shift;
      out[0] = static_cast<int16_t>(q);
      out[negative] = static_cast<int16_t>(-q);
    }
  }
  // most / levels: 2^38 / 127 or 2^34 / 7.
  if (bits == 4) return {static_cast<int32_t>(MulHighUnsigned(most << 3, 2454267026u)), *v.exponent - 5 - most_shift};
  return {static_cast<int32_t>(MulHighUnsigned(most << 3, 2164392969u)), *v.exponent - 9 - most_shift};
}

}  // namespace modelvault
