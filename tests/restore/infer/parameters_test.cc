#include "restore/infer/parameters.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace modelvault {
namespace {

std::vector<uint8_t> Bytes(const std::vector<uint32_t>& values, size_t size) {
  std::vector<uint8_t> bytes;
  for (const uint32_t value : values) {
    for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  return bytes;
}

std::vector<uint8_t> FloatBytes(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return Bytes(bits, 4);
}

struct ReadBack {
  CoreStatus status = CoreStatus::kOk;
  ParameterTensor tensor;
  std::vector<uint16_t> codes;

  double value(size_t i) const { return std::ldexp(DecodeParameter(codes[i]), tensor.exponent); }
};

// Reads `bytes` in pieces of `piece`.
ReadBack Read(DType dtype, size_t count, const std::vector<uint8_t>& bytes, size_t piece = SIZE_MAX) {
  ReadBack back;
  back.codes.resize(count);
  back.tensor.codes = back.codes.data();
  ParameterReader reader;
  reader.Start(&back.tensor, dtype, count);
  for (size_t at = 0; at < bytes.size() && back.status == CoreStatus::kOk;) {
    const size_t size = std::min(piece, bytes.size() - at);
    back.status = reader.Consume({bytes.data() + at, size});
    at += size;
  }
  return back;
}

// Within 2^-11 of each value, or 2^-27 of the largest.
void ExpectValues(const ReadBack& back, const std::vector<double>& values) {
  ASSERT_EQ(back.status, CoreStatus::kOk);
  EXPECT_TRUE(back.tensor.complete);
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < values.size(); ++i) {
    const double bound = std::max(std::ldexp(std::abs(values[i]), -11), std::ldexp(largest, -26));
    EXPECT_NEAR(back.value(i), values[i], bound) << i;
  }
}

TEST(ParametersTest, FloatsOfAllSizes) {
  std::mt19937 random(11);
  for (const int spread : {0, 3, 20, 120}) {
    SCOPED_TRACE(spread);
    std::vector<float> values;
    std::vector<double> expected;
    for (int i = 0; i < 500; ++i) {
      const double mantissa = 1 + static_cast<double>(random() % 65536) / 65536;
      const int e = static_cast<int>(random() % static_cast<unsigned>(2 * spread + 1)) - spread;
      values.push_back(static_cast<float>(std::ldexp(random() % 2 != 0 ? mantissa : -mantissa, e)));
      expected.push_back(static_cast<double>(values.back()));
    }
    for (const size_t piece : {size_t{1}, size_t{3}, size_t{64}, SIZE_MAX}) {
      ExpectValues(Read(DType::kF32, values.size(), FloatBytes(values), piece), expected);
    }
  }
}

TEST(ParametersTest, TheEndsOfFloats) {
  ExpectValues(Read(DType::kF32, 3, FloatBytes({0, std::numeric_limits<float>::denorm_min(), -1e-45f})),
               {0, std::ldexp(1, -149), -std::ldexp(1, -149)});
  ExpectValues(Read(DType::kF32, 2, FloatBytes({std::numeric_limits<float>::max(), 1})),
               {static_cast<double>(std::numeric_limits<float>::max()), 1});
  ExpectValues(Read(DType::kF32, 2, FloatBytes({0, -0.0f})), {0, 0});
  // Rounded up to the next power of two.
  ExpectValues(Read(DType::kF32, 2, FloatBytes({1.99999f, 1.99999f})), {1.99999, 1.99999});
}

// An all-zero tensor has an exponent that no other value has to give way to.
TEST(ParametersTest, ZerosAreSmall) { EXPECT_LT(Read(DType::kF32, 2, FloatBytes({0, 0})).tensor.exponent, -1000); }

TEST(ParametersTest, OtherTypes) {
  ExpectValues(Read(DType::kF16, 4, Bytes({0x3C00, 0xC500, 0x0001, 0x7BFF}, 2), 1), {1, -5, std::ldexp(1, -24), 65504});
  ExpectValues(Read(DType::kBf16, 3, Bytes({0x3F80, 0xC0A0, 0x7F7F}, 2)), {1, -5, std::ldexp(255, 120)});
}

TEST(ParametersTest, WhatIsNoNumberOrTooMuchIsAnError) {
  for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    for (const size_t at : {0u, 1u, 2u}) {
      std::vector<float> values = {1, 2, 3};
      values[at] = bad;
      const ReadBack back = Read(DType::kF32, 3, FloatBytes(values));
      EXPECT_EQ(back.status, CoreStatus::kOutOfRange);
      EXPECT_FALSE(back.tensor.complete);
    }
  }
  EXPECT_EQ(Read(DType::kF16, 1, Bytes({0x7C00}, 2)).status, CoreStatus::kOutOfRange);
  EXPECT_EQ(Read(DType::kF32, 1, FloatBytes({1, 2})).status, CoreStatus::kOutOfRange);
  EXPECT_FALSE(Read(DType::kF32, 2, FloatBytes({1})).tensor.complete);
}

}  // namespace
}  // namespace modelvault
