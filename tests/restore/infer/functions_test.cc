#include "restore/infer/functions.h"

#include <cmath>
#include <cstdint>
#include <numbers>

#include "gtest/gtest.h"

namespace modelvault {
namespace {

TEST(FunctionsTest, PowersOfTwo) {
  for (uint32_t z = 0; z < 20u << 16; z += 7) {
    const double expected = std::exp2(-static_cast<double>(z) / 65536);
    ASSERT_NEAR(Exp2Negative(z) / 65536.0, expected, 5e-5) << z;
  }
  EXPECT_EQ(Exp2Negative(0), 65536u);
  EXPECT_EQ(Exp2Negative(UINT32_MAX), 0u);
}

TEST(FunctionsTest, Sigmoid) {
  for (int32_t x = -(32 << 16); x <= 32 << 16; x += 99) {
    const double expected = 1 / (1 + std::exp(-static_cast<double>(x) / 65536));
    ASSERT_NEAR(Sigmoid(x) / 65536.0, expected, 5e-5) << x;
  }
}

TEST(FunctionsTest, SineAndCosine) {
  const auto check = [](uint32_t phase) {
    const double angle = static_cast<double>(phase) / 4294967296.0 * 2 * std::numbers::pi;
    const SineCosine found = FindSineCosine(phase);
    ASSERT_NEAR(std::ldexp(found.sine, -30), std::sin(angle), 1.1e-4) << phase;
    ASSERT_NEAR(std::ldexp(found.cosine, -30), std::cos(angle), 1.1e-4) << phase;
  };
  for (uint64_t phase = 0; phase < uint64_t{1} << 32; phase += 1234567) check(static_cast<uint32_t>(phase));
  for (uint32_t quarter = 0; quarter < 4; ++quarter) {
    for (const uint32_t by : {0u, 1u, UINT32_MAX}) check((quarter << 30) + by);
  }
}

TEST(FunctionsTest, InverseSquareRoot) {
  const auto check = [](uint32_t a) {
    const double expected = 1 / std::sqrt(static_cast<double>(a) / 4294967296.0);
    ASSERT_NEAR(std::ldexp(static_cast<double>(InverseSquareRoot(a)), -30) / expected, 1, std::ldexp(1, -26)) << a;
  };
  for (uint64_t a = uint64_t{1} << 30; a < uint64_t{1} << 32; a += 654321) check(static_cast<uint32_t>(a));
  for (const uint32_t a : {1u << 30, (1u << 30) + 1, UINT32_MAX}) check(a);
}

}  // namespace
}  // namespace modelvault
