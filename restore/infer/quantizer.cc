#include "restore/infer/quantizer.h"

namespace modelvault {
namespace {

// Quantised values before they are rounded have this many binary places.
constexpr int kPlaces = 20;

// What a value times 4 is multiplied with (MulHigh) so that the largest magnitude, `most`, becomes `levels`. Rounded
// down to 16 bits, so that none gets beyond: most >> 11 has 17.
int32_t InverseStep(uint32_t most, uint32_t levels) {
  return static_cast<int32_t>((levels << 25) / ((most >> 11) + 1)) << 14;
}

// most / levels; `inverse` is 2^38 / levels.
Step StepOf(uint32_t most, uint32_t inverse, int32_t exponent) {
  return {static_cast<int32_t>(MulHighUnsigned(most << 3, inverse)), exponent - 9};
}

}  // namespace

Step QuantizeToInt8(const Vector& v, int8_t* out, size_t stride) {
  const uint32_t most = LargestMagnitude(v.values, v.size);
  const int32_t inverse = InverseStep(most, 127);
  const size_t negative = stride / 2;
  for (const int32_t *value = v.values, *const end = v.values + v.size; value != end; ++value, out += stride) {
    const int32_t q = (MulHigh(*value << 2, inverse) + (1 << (kPlaces - 1))) >> kPlaces;
    out[negative] = static_cast<int8_t>(-q);
    out[0] = static_cast<int8_t>(q);
  }
  return StepOf(most, 2164392969u, *v.exponent);
}

Step QuantizeTo4Bits(const Vector& v, int8_t* out, size_t stride) {
  constexpr int kMostShift = 4;
  const size_t negative = stride / 2;
  const uint32_t most = LargestMagnitude(v.values, v.size);
  const int32_t inverse = InverseStep(most, 7 << kMostShift);
  for (size_t begin = 0; begin < v.size; begin += kActivationGroup) {
    const size_t size = v.size - begin < kActivationGroup ? v.size - begin : kActivationGroup;
    const int32_t* const values = v.values + begin;
    const int32_t largest = MulHigh(static_cast<int32_t>(LargestMagnitude(values, size) << 2), inverse);
    int shift = 0;
    while (RoundingShift(largest, kPlaces + shift) > 7) ++shift;
    for (size_t i = 0; i < size; ++i, out += stride) {
      const int32_t q = RoundingShift(MulHigh(values[i] << 2, inverse), kPlaces + shift) << shift;
      out[negative] = static_cast<int8_t>(-q);
      out[0] = static_cast<int8_t>(q);
    }
  }
  return StepOf(most, 2454267026u, *v.exponent);
}

}  // namespace modelvault
