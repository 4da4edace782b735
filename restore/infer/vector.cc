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
  uint32_t bits = 0;
  for (const int32_t *value = v.values, *const end = v.values + v.size; value != end; ++value)
    bits |= MagnitudeBits(*value);
  NormaliseOf(v, bits);
}

void NormaliseOf(const Vector& v, uint32_t bits) {
  const int up = kValueBits - BitCount(bits);
  if (bits == 0 || *v.exponent - up < -kMaxExponent) {
    for (size_t i = 0; i < v.size; ++i) v.values[i] = 0;
    *v.exponent = -kMaxExponent;
    return;
  }
  if (up > 0) {
    for (size_t i = 0; i < v.size; ++i) v.values[i] <<= up;
  } else if (up < 0) {
    for (size_t i = 0; i < v.size; ++i) v.values[i] >>= -up;
  }
  *v.exponent -= up;
  if (*v.exponent > kMaxExponent) *v.exponent = kMaxExponent;
}

}  // namespace modelvault
