#include "codec/core/prediction.h"

namespace modelvault {

uint16_t F32ToF16(uint32_t bits) {
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) {  // NaN; bit 9 keeps it one whatever the payload's upper bits are.
    return static_cast<uint16_t>(sign | 0x7E00u | ((magnitude >> 13) & 0x1FFu));
  }
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7C00u);  // 2^16 and up, infinity.
  if (magnitude >= 0x38800000u) {                                              // Normal halves, 2^-14 and up.
    const uint32_t rebased = magnitude - (112u << 23);
    return static_cast<uint16_t>(sign | ((rebased + 0xFFFu + ((rebased >> 13) & 1u)) >> 13));
  }
  const uint32_t exponent = magnitude >> 23;
  if (exponent < 102) return static_cast<uint16_t>(sign);  // Below 2^-25: rounds to zero.
  // Subnormal halves count units of 2^-24: shift the significand down to them.
  const uint32_t significand = (magnitude & 0x7FFFFFu) | 0x800000u;
  const uint32_t shift = 126 - exponent;  // 14 … 24
  const uint32_t half = 1u << (shift - 1);
  const uint32_t kept = significand >> shift;
  const uint32_t rest = significand & ((1u << shift) - 1);
  const uint32_t up = (rest > half || (rest == half && (kept & 1u))) ? 1 : 0;
  return static_cast<uint16_t>(sign | (kept + up));
}

uint16_t F32ToBf16(uint32_t bits) {
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

uint32_t F16ToF32(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 31u;
  uint32_t fraction = bits & 0x3FFu;
  if (exponent == 31) return sign | 0x7F800000u | (fraction << 13);
  if (exponent != 0) return sign | ((exponent + 112u) << 23) | (fraction << 13);
  if (fraction == 0) return sign;
  uint32_t e = 113;  // Subnormal: move the leading one up to the hidden place.
  while ((fraction & 0x400u) == 0) {
    fraction <<= 1;
    --e;
  }
  return sign | (e << 23) | ((fraction & 0x3FFu) << 13);
}

void Predict(Prediction prediction, const uint8_t* in, size_t count, uint8_t* out) {
  for (size_t i = 0; i < count; ++i) {
    switch (prediction) {
      case Prediction::kF32ToF16:
        StoreLe16(out + 2 * i, F32ToF16(LoadLe32(in + 4 * i)));
        break;
      case Prediction::kF32ToBf16:
        StoreLe16(out + 2 * i, F32ToBf16(LoadLe32(in + 4 * i)));
        break;
      case Prediction::kF16ToF32:
        StoreLe32(out + 4 * i, F16ToF32(LoadLe16(in + 2 * i)));
        break;
      case Prediction::kBf16ToF32:
        StoreLe32(out + 4 * i, Bf16ToF32(LoadLe16(in + 2 * i)));
        break;
      case Prediction::kZero:
      case Prediction::kCopy:
        return;
    }
  }
}

}  // namespace modelvault
