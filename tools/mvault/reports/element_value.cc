#include "tools/mvault/reports/element_value.h"

#include <bit>
#include <cmath>

#include "codec/core/bytes.h"
#include "codec/core/prediction.h"

namespace modelvault {
namespace {

// The same number in 64 bits, without arithmetic of floats: the processor may be told to take small ones for zero.
double Widened(uint32_t f32) {
  const uint64_t sign = uint64_t{f32 >> 31} << 63;
  const uint32_t exponent = f32 >> 23 & 0xFF;
  const uint64_t fraction = f32 & 0x7FFFFF;
  constexpr unsigned kWider = 52 - 23;    // Bits of the fraction.
  constexpr uint64_t kBias = 1023 - 127;  // Of the exponent.
  uint64_t bits = sign;
  if (exponent == 0xFF) {
    bits |= uint64_t{0x7FF} << 52 | fraction << kWider;
  } else if (exponent != 0) {
    bits |= (exponent + kBias) << 52 | fraction << kWider;
  } else if (fraction != 0) {
    // Small ones have a first digit of their own there.
    const unsigned shift = static_cast<unsigned>(std::countl_zero(f32 & 0x7FFFFF)) - 8;
    bits |= (kBias + 1 - shift) << 52 | (fraction << (shift + kWider) & ((uint64_t{1} << 52) - 1));
  }
  return std::bit_cast<double>(bits);
}

bool IsSigned(DType dtype) {
  return dtype == DType::kI8 || dtype == DType::kI16 || dtype == DType::kI32 || dtype == DType::kI64;
}

}  // namespace

double ElementValue(DType dtype, const uint8_t* p) {
  const unsigned size = ElementSize(static_cast<uint8_t>(dtype));
  const uint64_t bits = LoadElement(p, size);
  switch (dtype) {
    case DType::kF16:
      return Widened(F16ToF32(static_cast<uint16_t>(bits)));
    case DType::kBf16:
      return Widened(Bf16ToF32(static_cast<uint16_t>(bits)));
    case DType::kF32:
      return Widened(static_cast<uint32_t>(bits));
    case DType::kF64:
      return std::bit_cast<double>(bits);
    default:
      return IsSigned(dtype) ? static_cast<double>(SignExtend(bits, 8 * size)) : static_cast<double>(bits);
  }
}

bool SameValue(double a, double b) {
  const uint64_t x = std::bit_cast<uint64_t>(a);
  const uint64_t y = std::bit_cast<uint64_t>(b);
  return x == y || (x | y) << 1 == 0 || (std::isnan(a) && std::isnan(b));
}

double ElementDistance(DType dtype, const uint8_t* a, const uint8_t* b) {
  if (IsFloat(dtype)) return std::abs(ElementValue(dtype, a) - ElementValue(dtype, b));
  const unsigned size = ElementSize(static_cast<uint8_t>(dtype));
  const uint64_t x = LoadElement(a, size);
  const uint64_t y = LoadElement(b, size);
  const bool a_less = IsSigned(dtype) ? SignExtend(x, 8 * size) < SignExtend(y, 8 * size) : x < y;
  const uint64_t mask = ~uint64_t{0} >> (64 - 8 * size);
  return static_cast<double>((a_less ? y - x : x - y) & mask);
}

}  // namespace modelvault
