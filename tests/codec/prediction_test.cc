#include "codec/core/prediction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tests/codec/random.h"

namespace modelvault {
namespace {

// IEEE 754 by the book, in double: rounds to nearest even at `fraction_bits` below the leading one, not below
// 2^least_exponent.
double RoundToFormat(double x, int fraction_bits, int least_exponent, double largest) {
  if (x == 0 || !std::isfinite(x)) return x;
  const int exponent = std::max(std::ilogb(x), least_exponent);
  const double unit = std::ldexp(1.0, exponent - fraction_bits);
  const double rounded = std::nearbyint(x / unit) * unit;  // To nearest even: the default mode.
  return std::abs(rounded) > largest ? std::copysign(std::numeric_limits<double>::infinity(), x) : rounded;
}

double HalfToDouble(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

bool IsNanHalf(uint16_t bits) { return (bits & 0x7FFF) > 0x7C00; }

void ExpectHalf(uint32_t f32) {
  const float x = std::bit_cast<float>(f32);
  const uint16_t half = F32ToF16(f32);
  ASSERT_EQ(half >> 15, f32 >> 31) << std::hex << f32;
  if (std::isnan(x)) {
    ASSERT_TRUE(IsNanHalf(half)) << std::hex << f32;
    ASSERT_EQ(half & 0x1FF, (f32 >> 13) & 0x1FF) << std::hex << f32;
    return;
  }
  ASSERT_EQ(HalfToDouble(half), RoundToFormat(x, 10, -14, 65504)) << std::hex << f32;
#ifdef __FLT16_MAX__
  ASSERT_EQ(half, std::bit_cast<uint16_t>(static_cast<_Float16>(x))) << std::hex << f32;
#endif
}

TEST(PredictionTest, EveryHalfWidensToItsValueAndComesBack) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const uint16_t half = static_cast<uint16_t>(i);
    const uint32_t wide = F16ToF32(half);
    ASSERT_EQ(wide >> 31, i >> 15);
    if (IsNanHalf(half)) {
      ASSERT_TRUE(std::isnan(std::bit_cast<float>(wide))) << i;
      ASSERT_EQ((wide >> 13) & 0x3FF, i & 0x3FF) << i;
      ASSERT_EQ(F32ToF16(wide), half | 0x200) << i;  // A NaN stays one, made quiet.
      continue;
    }
    ASSERT_EQ(std::bit_cast<float>(wide), HalfToDouble(half)) << i;
    ASSERT_EQ(F32ToF16(wide), half) << i;
  }
}

TEST(PredictionTest, NarrowsToHalfAtEveryBoundary) {
  // Between two neighbouring halves rounding changes only at, and right beside, the middle.
  for (uint32_t i = 0; i < 0x7C00; ++i) {
    const uint32_t low = F16ToF32(static_cast<uint16_t>(i));
    const uint32_t high = i + 1 == 0x7C00 ? std::bit_cast<uint32_t>(65536.0f) : F16ToF32(static_cast<uint16_t>(i + 1));
    const float middle = std::bit_cast<float>(low) / 2 + std::bit_cast<float>(high) / 2;
    const uint32_t at = std::bit_cast<uint32_t>(middle);
    for (uint32_t f32 : {low, low + 1, at - 1, at, at + 1, high - 1, high}) {
      ASSERT_NO_FATAL_FAILURE(ExpectHalf(f32));
      ASSERT_NO_FATAL_FAILURE(ExpectHalf(f32 | 0x80000000u));
    }
  }
}

TEST(PredictionTest, NarrowsAnyPatternToHalf) {
  Random random(3);
  for (int i = 0; i < 1000000; ++i) ASSERT_NO_FATAL_FAILURE(ExpectHalf(static_cast<uint32_t>(random.Next())));
  // Every exponent with the significands that carry, and what is no number.
  for (uint32_t exponent = 0; exponent < 256; ++exponent) {
    for (uint32_t fraction :
         {0u, 1u, 0xFFFu, 0x1000u, 0x1001u, 0x1FFFu, 0x3000u, 0x400000u, 0x7FEFFFu, 0x7FF000u, 0x7FFFFFu}) {
      ASSERT_NO_FATAL_FAILURE(ExpectHalf(exponent << 23 | fraction));
      ASSERT_NO_FATAL_FAILURE(ExpectHalf(0x80000000u | exponent << 23 | fraction));
    }
  }
}

TEST(PredictionTest, NarrowsToBfloatAtEveryBoundary) {
  const double largest = std::bit_cast<float>(0x7F7F0000u);
  for (uint32_t i = 0; i < 65536; ++i) {
    for (uint32_t low : {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      const uint32_t f32 = i << 16 | low;
      const uint16_t narrow = F32ToBf16(f32);
      const float x = std::bit_cast<float>(f32);
      const float y = std::bit_cast<float>(Bf16ToF32(narrow));
      ASSERT_EQ(std::signbit(x), std::signbit(y)) << std::hex << f32;
      if (std::isnan(x)) {
        ASSERT_TRUE(std::isnan(y)) << std::hex << f32;
        ASSERT_EQ(narrow & 0x3F, i & 0x3F) << std::hex << f32;
        continue;
      }
      ASSERT_EQ(static_cast<double>(y), RoundToFormat(x, 7, -126, largest)) << std::hex << f32;
    }
  }
}

TEST(PredictionTest, PredictsWholeRunsOfElements) {
  Random random(4);
  constexpr size_t kCount = 67;
  const Bytes wide = random.Uniform(4 * kCount);
  const Bytes narrow = random.Uniform(2 * kCount);
  Bytes out(2 * kCount);
  Predict(Prediction::kF32ToF16, wide.data(), kCount, out.data());
  for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(LoadLe16(&out[2 * i]), F32ToF16(LoadLe32(&wide[4 * i])));
  Predict(Prediction::kF32ToBf16, wide.data(), kCount, out.data());
  for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(LoadLe16(&out[2 * i]), F32ToBf16(LoadLe32(&wide[4 * i])));
  out.resize(4 * kCount);
  Predict(Prediction::kF16ToF32, narrow.data(), kCount, out.data());
  for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(LoadLe32(&out[4 * i]), F16ToF32(LoadLe16(&narrow[2 * i])));
  Predict(Prediction::kBf16ToF32, narrow.data(), kCount, out.data());
  for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(LoadLe32(&out[4 * i]), LoadLe16(&narrow[2 * i]) * 65536u);
}

TEST(PredictionTest, IsChosenByTheTwoTypes) {
  for (unsigned b = 0; b < kDTypeCount; ++b) {
    for (unsigned v = 0; v < kDTypeCount; ++v) {
      const DType base = static_cast<DType>(b), variant = static_cast<DType>(v);
      Prediction expected = b == v ? Prediction::kCopy : Prediction::kZero;
      if (base == DType::kF32 && variant == DType::kF16) expected = Prediction::kF32ToF16;
      if (base == DType::kF32 && variant == DType::kBf16) expected = Prediction::kF32ToBf16;
      if (base == DType::kF16 && variant == DType::kF32) expected = Prediction::kF16ToF32;
      if (base == DType::kBf16 && variant == DType::kF32) expected = Prediction::kBf16ToF32;
      EXPECT_EQ(PredictionFor(base, 80, variant, b == v ? 80 : 40), expected) << b << " " << v;
    }
  }
  EXPECT_EQ(PredictionFor(DType::kOpaque, 80, DType::kOpaque, 81), Prediction::kZero);
}

TEST(ApplyTritTest, IsTheFormulaForEveryBaseScaleAndTrit) {
  for (int base = -128; base <= 127; ++base) {
    for (int scale = 0; scale <= 65535; ++scale) {
      for (int d = -1; d <= 1; ++d) {
        const int64_t numerator = int64_t{256} * base + int64_t{scale} * d + 128;
        const int64_t quotient = numerator >= 0 ? numerator / 256 : -((255 - numerator) / 256);
        const int64_t expected = std::clamp<int64_t>(quotient, -128, 127);
        ASSERT_EQ(ApplyTrit(static_cast<int8_t>(base), static_cast<uint16_t>(scale), d), expected)
            << base << " " << scale << " " << d;
      }
    }
  }
}

// Ordered and back for one element, and its place on the line by another formula.
void ExpectOrder(uint64_t element, unsigned width, bool is_float, unsigned z) {
  const uint64_t sign_bit = uint64_t{1} << (width - 1);
  const uint64_t magnitude_bits = element & (sign_bit - 1);
  const bool negative = (element & sign_bit) != 0;
  // Floats: -0 is right below 0 and larger magnitudes are further down. Integers: two's complement.
  int64_t place = static_cast<int64_t>(magnitude_bits);
  if (negative) place = is_float ? -1 - place : place - static_cast<int64_t>(sign_bit - 1) - 1;
  const int64_t floor = place >= 0 ? place >> z : -1 - ((-1 - place) >> z);
  ASSERT_EQ(ElementToOrdered(element, width, is_float, z), floor) << width << " " << is_float << " " << z;
  if ((magnitude_bits & ((uint64_t{1} << z) - 1)) != 0) return;
  ASSERT_EQ(OrderedToElement(floor, width, is_float, z), element) << width << " " << is_float << " " << z;
}

TEST(OrderedTest, IsMonotoneAndInvertibleForEveryNarrowElement) {
  for (unsigned width : {8u, 16u}) {
    for (bool is_float : {false, true}) {
      for (unsigned z = 0; z < width; ++z) {
        for (uint64_t element = 0; element < uint64_t{1} << width; ++element) {
          ASSERT_NO_FATAL_FAILURE(ExpectOrder(element, width, is_float, z)) << element;
        }
      }
    }
  }
}

TEST(OrderedTest, IsMonotoneAndInvertibleForWideElements) {
  Random random(5);
  for (unsigned width : {32u, 64u}) {
    for (bool is_float : {false, true}) {
      for (unsigned z = 0; z < width; ++z) {
        for (int i = 0; i < 500; ++i) {
          uint64_t element = random.Next() >> random.Below(64);
          if (random.Below(2) == 0) element = ~element;
          if (random.Below(2) == 0) element &= ~((uint64_t{1} << z) - 1);
          if (width == 32) element &= 0xFFFFFFFFu;
          ASSERT_NO_FATAL_FAILURE(ExpectOrder(element, width, is_float, z)) << element;
        }
      }
    }
  }
}

TEST(OrderedTest, NeighbouringFloatsAreNeighbours) {
  int64_t last = ElementToOrdered(F32ToF16(0xFF800000u), 16, true, 0);  // Minus infinity, then up.
  for (int i = -0x7BFF; i <= 0x7C00; ++i) {
    const uint16_t half = static_cast<uint16_t>(i < 0 ? 0x8000 - i : i);
    if (i == 0) last += 1;  // -0 lies between.
    const int64_t place = ElementToOrdered(half, 16, true, 0);
    ASSERT_EQ(place, last + 1) << half;
    last = place;
  }
}

TEST(ElementTest, StoresWhatItLoads) {
  Random random(6);
  for (unsigned size : {1u, 2u, 4u, 8u}) {
    const uint64_t bits = random.Next();
    Bytes bytes(10, 0xEE);
    StoreElement(&bytes[1], size, bits);
    EXPECT_EQ(LoadElement(&bytes[1], size), size == 8 ? bits : bits & ((uint64_t{1} << (8 * size)) - 1));
    EXPECT_EQ(bytes[0], 0xEE);
    EXPECT_EQ(bytes[1 + size], 0xEE);
  }
}

TEST(SignExtendTest, KeepsTheLowBitsAsASignedNumber) {
  for (unsigned bits = 1; bits <= 64; ++bits) {
    const uint64_t top = uint64_t{1} << (bits - 1);
    EXPECT_EQ(SignExtend(top - 1, bits), static_cast<int64_t>(top - 1));
    EXPECT_EQ(SignExtend(top, bits), static_cast<int64_t>(0 - top));
    EXPECT_EQ(SignExtend(~uint64_t{0}, bits), -1);
    if (bits < 64) {
      EXPECT_EQ(SignExtend(top << 1, bits), 0);
    }
  }
}

}  // namespace
}  // namespace modelvault
