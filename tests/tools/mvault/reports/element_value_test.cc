#include "tools/mvault/reports/element_value.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace modelvault {
namespace {

const uint8_t* Bytes(const char* text) { return reinterpret_cast<const uint8_t*>(text); }

TEST(ElementValueTest, ReadsEveryDtype) {
  EXPECT_EQ(ElementValue(DType::kBool, Bytes("\x01")), 1);
  EXPECT_EQ(ElementValue(DType::kU8, Bytes("\xFF")), 255);
  EXPECT_EQ(ElementValue(DType::kI8, Bytes("\xFF")), -1);
  EXPECT_EQ(ElementValue(DType::kI16, Bytes("\x00\x80")), -32768);
  EXPECT_EQ(ElementValue(DType::kU16, Bytes("\x00\x80")), 32768);
  EXPECT_EQ(ElementValue(DType::kI32, Bytes("\xFE\xFF\xFF\xFF")), -2);
  EXPECT_EQ(ElementValue(DType::kU32, Bytes("\xFE\xFF\xFF\xFF")), 4294967294.0);
  EXPECT_EQ(ElementValue(DType::kI64, Bytes("\xFD\xFF\xFF\xFF\xFF\xFF\xFF\xFF")), -3);
  EXPECT_EQ(ElementValue(DType::kU64, Bytes("\x00\x00\x00\x00\x00\x00\x00\x80")), 9223372036854775808.0);
  EXPECT_EQ(ElementValue(DType::kF16, Bytes("\x00\x3E")), 1.5);
  EXPECT_EQ(ElementValue(DType::kBf16, Bytes("\xC0\xBF")), -1.5);
  EXPECT_EQ(ElementValue(DType::kF32, Bytes("\x00\x00\xC0\x3F")), 1.5);
  EXPECT_EQ(ElementValue(DType::kF64, Bytes("\x00\x00\x00\x00\x00\x00\xF8\xBF")), -1.5);
}

TEST(ElementValueTest, FloatsAreWidenedExactly) {
  const uint32_t kBits[] = {0,          0x80000000, 1,          0x80000001, 0x007FFFFF, 0x00400000, 0x00800000,
                            0x3F800000, 0xC0490FDB, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x00000100};
  for (const uint32_t bits : kBits) {
    const double value = ElementValue(DType::kF32, reinterpret_cast<const uint8_t*>(&bits));
    EXPECT_EQ(std::bit_cast<uint64_t>(value), std::bit_cast<uint64_t>(double{std::bit_cast<float>(bits)})) << bits;
  }
  EXPECT_TRUE(std::isnan(ElementValue(DType::kF32, Bytes("\x01\x00\x80\x7F"))));
}

TEST(ElementValueTest, ValuesAreTheSameByTheirBits) {
  EXPECT_TRUE(SameValue(1.5, 1.5));
  EXPECT_TRUE(SameValue(0.0, -0.0));
  EXPECT_TRUE(SameValue(NAN, -NAN));
  EXPECT_FALSE(SameValue(1.5, -1.5));
  EXPECT_FALSE(SameValue(NAN, INFINITY));
}

#ifdef __SSE2__
// As a library that somebody's preload brings in may leave the processor.
TEST(ElementValueTest, SmallNumbersCountWhereTheProcessorFlushesThem) {
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x40;
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | kFlushToZero | kDenormalsAreZero);
  const double small = ElementValue(DType::kF32, Bytes("\x01\x00\x00\x00"));
  const double brain = ElementValue(DType::kBf16, Bytes("\x01\x00"));
  const double least = ElementValue(DType::kF64, Bytes("\x01\x00\x00\x00\x00\x00\x00\x00"));
  const bool same = SameValue(small, 0) || SameValue(brain, 0) || SameValue(least, 0) || SameValue(small, brain);
  const double distance = ElementDistance(DType::kF32, Bytes("\x03\x00\x00\x00"), Bytes("\x01\x00\x00\x00"));
  _mm_setcsr(before);
  EXPECT_FALSE(same);
  EXPECT_EQ(distance, 2 * static_cast<double>(std::numeric_limits<float>::denorm_min()));
}
#endif

TEST(ElementValueTest, MeasuresTheWidestDistances) {
  EXPECT_EQ(ElementDistance(DType::kI8, Bytes("\x80"), Bytes("\x7F")), 255);
  EXPECT_EQ(ElementDistance(DType::kI8, Bytes("\x7F"), Bytes("\x80")), 255);
  EXPECT_EQ(ElementDistance(DType::kU8, Bytes("\x80"), Bytes("\x7F")), 1);
  EXPECT_EQ(ElementDistance(DType::kI64, Bytes("\x00\x00\x00\x00\x00\x00\x00\x80"),
                            Bytes("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F")),
            18446744073709551615.0);
  // Two large neighbours that are one number as doubles.
  EXPECT_EQ(ElementDistance(DType::kU64, Bytes("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
                            Bytes("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF")),
            1);
  EXPECT_EQ(ElementDistance(DType::kF16, Bytes("\x00\x3E"), Bytes("\x00\xBE")), 3);
  EXPECT_TRUE(std::isnan(ElementDistance(DType::kF16, Bytes("\x00\x7E"), Bytes("\x00\x3E"))));
  EXPECT_EQ(ElementDistance(DType::kF16, Bytes("\x00\x7C"), Bytes("\x00\x3E")),
            std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace modelvault
