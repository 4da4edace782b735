#include "tools/mvault/reports/element_value.h"

#include <bit>
#include <cmath>

#include "codec/core/bytes.h"
#include "codec/core/prediction.h"

namespace modelvault {
namespace {

bool IsSigned(DType dtype) {
  return dtype == DType::kI8 || dtype == DType::kI16 || dtype == DType::kI32 || dtype == DType::kI64;
}

}  // namespace

double ElementValue(DType dtype, const uint8_t* p) {
  const unsigned size = ElementSize(static_cast<uint8_t>(dtype));
  const uint64_t bits = LoadElement(p, size);
  switch (dtype) {
    case DType::kF16:
      return std::bit_cast<float>(F16ToF32(static_cast<uint16_t>(bits)));
    case DType::kBf16:
      return std::bit_cast<float>(Bf16ToF32(static_cast<uint16_t>(bits)));
    case DType::kF32:
      return std::bit_cast<float>(static_cast<uint32_t>(bits));
    case DType::kF64:
      return std::bit_cast<double>(bits);
    default:
      return IsSigned(dtype) ? static_cast<double>(SignExtend(bits, 8 * size)) : static_cast<double>(bits);
  }
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
