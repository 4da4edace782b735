#include "tools/mvault/reports/element_value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

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
