// The arithmetic between a base element and a variant's: weights on the INT8 grid, predictions across float types,
// residuals (docs/format.md §6). Shared by decoder and encoder. Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_PREDICTION_H_
#define MODELVAULT_CODEC_CORE_PREDICTION_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"

namespace modelvault {

// One restored weight. `scale` is unsigned Q8.8, d is -1, 0 or +1. 32-bit intermediates: 256 * -128 - 65,535 needs 18
// bits. Saturates: the quantiser may leave 127 + 1 behind, and a wrapped weight would flip its sign.
inline int8_t ApplyTrit(int8_t base, uint16_t scale, int d) {
  const int32_t sum = 256 * static_cast<int32_t>(base) + static_cast<int32_t>(scale) * d + 128;
  const int32_t w = sum >> 8;  // Arithmetic in every compiler we build with, and by definition since C++20.
  return static_cast<int8_t>(w < -128 ? -128 : w > 127 ? 127 : w);
}

// How a variant's element is predicted from its base's.
enum class Prediction : uint8_t { kZero, kCopy, kF32ToF16, kF32ToBf16, kF16ToF32, kBf16ToF32 };

// For tensors of equal shape; opaque ones are predicted only by opaque ones of equal byte size.
inline Prediction PredictionFor(DType base, size_t base_size, DType variant, size_t variant_size) {
  if (base == variant) return base_size == variant_size ? Prediction::kCopy : Prediction::kZero;
  if (base == DType::kF32 && variant == DType::kF16) return Prediction::kF32ToF16;
  if (base == DType::kF32 && variant == DType::kBf16) return Prediction::kF32ToBf16;
  if (base == DType::kF16 && variant == DType::kF32) return Prediction::kF16ToF32;
  if (base == DType::kBf16 && variant == DType::kF32) return Prediction::kBf16ToF32;
  return Prediction::kZero;
}

// IEEE 754 conversions on bit patterns, to nearest even. NaNs keep sign and upper payload and stay NaNs.
uint16_t F32ToF16(uint32_t bits);
uint16_t F32ToBf16(uint32_t bits);
uint32_t F16ToF32(uint16_t bits);
inline uint32_t Bf16ToF32(uint16_t bits) { return static_cast<uint32_t>(bits) << 16; }

// Turns base elements into predictions of the variant's, `count` elements. `in` and `out` do not overlap; not for kZero
// and kCopy.
void Predict(Prediction prediction, const uint8_t* in, size_t count, uint8_t* out);

// Element i of `size` bytes at p, zero-extended.
inline uint64_t LoadElement(const uint8_t* p, unsigned size) {
  switch (size) {
    case 1:
      return *p;
    case 2:
      return LoadLe16(p);
    case 4:
      return LoadLe32(p);
    default:
      return LoadLe64(p);
  }
}
inline void StoreElement(uint8_t* p, unsigned size, uint64_t bits) {
  switch (size) {
    case 1:
      *p = static_cast<uint8_t>(bits);
      break;
    case 2:
      StoreLe16(p, static_cast<uint16_t>(bits));
      break;
    case 4:
      StoreLe32(p, static_cast<uint32_t>(bits));
      break;
    default:
      StoreLe64(p, bits);
      break;
  }
}

// Sign-extends the low `bits` (1 … 64) of v.
inline int64_t SignExtend(uint64_t v, unsigned bits) {
  const unsigned up = 64 - bits;
  return static_cast<int64_t>(v << up) >> up;
}

// Residual arithmetic of an element of `width` bits with shift z < width: its place on a line where neighbours are
// neighbours, and back. OrderedToElement inverts ElementToOrdered when the element's low z magnitude bits are zero.
inline int64_t ElementToOrdered(uint64_t element, unsigned width, bool is_float, unsigned z) {
  int64_t i = SignExtend(element, width);
  if (is_float && i < 0) i ^= static_cast<int64_t>((uint64_t{1} << (width - 1)) - 1);
  return i >> z;
}
inline uint64_t OrderedToElement(int64_t a, unsigned width, bool is_float, unsigned z) {
  uint64_t i = static_cast<uint64_t>(a) << z;
  if (is_float && a < 0) {
    i |= (uint64_t{1} << z) - 1;
    i ^= (uint64_t{1} << (width - 1)) - 1;
  }
  return width == 64 ? i : i & ((uint64_t{1} << width) - 1);
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_PREDICTION_H_
