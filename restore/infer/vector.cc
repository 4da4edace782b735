#include "restore/infer/vector.h"

namespace modelvault {

uint32_t LargestMagnitude(const int32_t* values, size_t size) {
  uint32_t most = 0;
  for (size_t i = 0; i < size; ++i) {
    const uint32_t magnitude = Magnitude(values[i]);
    if (magnitude > most) most = magnitude;
  }
  return most;
}

void Normalise(const Vector& v) {
  const uint32_t most = LargestMagnitude(v.values, v.size);
  const int up = kValueBits - BitCount(most);
  if (most == 0 || *v.exponent - up < -kMaxExponent) {
    for (size_t i = 0; i < v.size; ++i) v.values[i] = 0;
    *v.exponent = -kMaxExponent;
    return;
  }
  if (up > 0) {
    for (size_t i = 0; i < v.size; ++i) v.values[i] <<= up;
  } else if (up < 0) {
    for (size_t i = 0; i < v.size; ++i) v.values[i] = RoundingShift(v.values[i], -up);
  }
  *v.exponent -= up;
  if (*v.exponent > kMaxExponent) *v.exponent = kMaxExponent;
}

}  // namespace modelvault
