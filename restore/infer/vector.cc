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
  // The bits of all magnitudes together; of a negative number those of the one above it.
  uint32_t bits = 0, any = 0;
  for (size_t i = 0; i < v.size; ++i) {
    bits |= static_cast<uint32_t>(v.values[i] ^ (v.values[i] >> 31));
    any |= static_cast<uint32_t>(v.values[i]);
  }
  const int up = kValueBits - BitCount(bits);
  if (any == 0 || *v.exponent - up < -kMaxExponent) {
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
