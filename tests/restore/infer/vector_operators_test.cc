#include "restore/infer/vector_operators.h"

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "restore/infer/quantizer.h"
#include "tests/restore/infer/llama_network.h"
#include "tests/restore/infer/test_vector.h"

namespace modelvault {
namespace {

std::vector<double> RandomValues(size_t count, double largest, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) values.push_back((static_cast<double>(random() % 20001) / 10000 - 1) * largest);
  return values;
}

constexpr double kExact = 1e-7;
const double kMagnitudes[] = {1e-30, 1e-6, 1, 300, 1e20};

TEST(VectorTest, NormaliseKeepsValues) {
  TestVector v(3);
  const Vector view = v.vector();
  const int32_t starts[][3] = {{1, -2, 3}, {INT32_MAX, -5, 0}, {-(1 << 30) - (1 << 30), 1 << 20, 0}, {1 << 27, 0, 0}};
  for (const auto& start : starts) {
    std::copy(start, start + 3, view.values);
    *view.exponent = 5;
    const std::vector<double> before = v.doubles();
    Normalise(view);
    ExpectNear(v, before, kExact);
  }
}

TEST(VectorTest, NormaliseSaturatesExponents) {
  TestVector v(2);
  const Vector view = v.vector();
  view.values[0] = 1 << 28, view.values[1] = -7;
  *view.exponent = 100000;
  Normalise(view);
  EXPECT_EQ(*view.exponent, kMaxExponent);
  EXPECT_EQ(view.values[0], 1 << 27);
  *view.exponent = -100000;
  Normalise(view);
  EXPECT_EQ(v.doubles(), std::vector<double>({0, 0}));
  EXPECT_TRUE(v.is_normalised());
}

TEST(VectorOperatorsTest, RmsNorm) {
  for (const size_t size : {1u, 3u, 64u, 700u}) {
    const std::vector<double> gains = RandomValues(size, 2, 5);
    const TestParameters parameters(std::vector<float>(gains.begin(), gains.end()));
    for (const double magnitude : kMagnitudes) {
      for (const double epsilon : {1e-5, 0.25}) {
        SCOPED_TRACE(testing::Message() << size << " values up to " << magnitude << ", epsilon " << epsilon);
        TestVector in(RandomValues(size, magnitude, 6)), out(size);
        const double stored = std::round(std::ldexp(epsilon, 32));
        RmsNorm(in.vector(), parameters.tensor(), static_cast<uint32_t>(stored), out.vector());
        double squares = 0;
        for (size_t i = 0; i < size; ++i) squares += in.at(i) * in.at(i);
        const double root = std::sqrt(squares / static_cast<double>(size) + std::ldexp(stored, -32));
        std::vector<double> expected;
        for (size_t i = 0; i < size; ++i) expected.push_back(in.at(i) / root * parameters.at(i));
        ExpectNear(out, expected, 1e-6);
      }
    }
  }
}

TEST(VectorOperatorsTest, RmsNormOfZeros) {
  TestVector in(std::vector<double>(4, 0.0)), out(4);
  RmsNorm(in.vector(), TestParameters({1, 2, 3, 4}).tensor(), 43, out.vector());
  ExpectNear(out, {0, 0, 0, 0}, 0);
}

TEST(VectorOperatorsTest, Add) {
  for (const double magnitude : kMagnitudes) {
    TestVector a(RandomValues(50, 1, 7)), b(RandomValues(50, magnitude, 8));
    std::vector<double> expected;
    for (size_t i = 0; i < 50; ++i) expected.push_back(a.at(i) + b.at(i));
    TestVector out(50);
    modelvault::Add(a.vector(), b.vector(), out.vector());
    ExpectNear(out, expected, kExact);
    modelvault::Add(a.vector(), b.vector(), a.vector());
    ExpectNear(a, expected, kExact);
  }
  TestVector zero(std::vector<double>(2, 0.0)), one(std::vector<double>{1, -1});
  modelvault::Add(zero.vector(), one.vector(), zero.vector());
  ExpectNear(zero, {1, -1}, kExact);
}

TEST(VectorOperatorsTest, Relu) {
  TestVector v(std::vector<double>{-4, 0.25, 0, 0.5});
  Relu(v.vector());
  ExpectNear(v, {0, 0.25, 0, 0.5}, kExact);
  TestVector negative(std::vector<double>{-4, -1});
  Relu(negative.vector());
  ExpectNear(negative, {0, 0}, 0);
}

TEST(VectorOperatorsTest, SiluGate) {
  for (const double magnitude : {1e-6, 0.1, 3.0, 40.0, 1e6, 1e20}) {
    SCOPED_TRACE(magnitude);
    TestVector in(RandomValues(80, magnitude, 9)), gate(RandomValues(80, 5, 10));
    std::vector<double> expected;
    for (size_t i = 0; i < 80; ++i) expected.push_back(in.at(i) / (1 + std::exp(-in.at(i))) * gate.at(i));
    SiluGate(in.vector(), gate.vector(), in.vector());
    // Sigmoid's error of 5e-5, and what the product's largest is below that of its factors.
    ExpectNear(in, expected, 5e-4);
  }
}

TEST(VectorOperatorsTest, RotateHeads) {
  constexpr size_t kHeads = 3, kHeadDim = 8;
  std::string steps;
  for (const uint32_t step : RopeSteps(10000, kHeadDim)) Put(&steps, step, 4);
  Network network;
  network.rope_pair_count = kHeadDim / 2;
  network.rope_steps = {reinterpret_cast<const uint8_t*>(steps.data()), steps.size()};
  for (const RopePairs pairs : {RopePairs::kInterleaved, RopePairs::kHalves}) {
    for (const uint32_t position : {0u, 1u, 17u, 1000u, 4294967295u}) {
      TestVector v(RandomValues(kHeads * kHeadDim, 2, 11));
      std::vector<double> expected = v.doubles();
      for (size_t head = 0; head < kHeads; ++head) {
        for (size_t i = 0; i < kHeadDim / 2; ++i) {
          const bool halves = pairs == RopePairs::kHalves;
          double& a = expected[head * kHeadDim + (halves ? i : 2 * i)];
          double& b = expected[head * kHeadDim + (halves ? i + kHeadDim / 2 : 2 * i + 1)];
          // A position below 0 turns backwards.
          const double angle =
              static_cast<int32_t>(position) * std::pow(10000, -2.0 * static_cast<double>(i) / kHeadDim);
          const double x = a, y = b;
          a = x * std::cos(angle) - y * std::sin(angle);
          b = x * std::sin(angle) + y * std::cos(angle);
        }
      }
      RotateHeads(network, pairs, position, kHeads, kHeadDim, v.vector().values);
      Normalise(v.vector());
      ExpectNear(v, expected, 2e-4);
    }
  }
}

class QuantizerTest : public testing::TestWithParam<unsigned> {
 protected:
  int levels() const { return GetParam() == 4 ? 7 : 127; }
};

TEST_P(QuantizerTest, GroupsHaveStepsOfTheirOwn) {
  // Groups of very different sizes, the last one short.
  for (const double magnitude : kMagnitudes) {
    std::vector<double> values = RandomValues(100, magnitude, 13);
    for (size_t i = 32; i < 64; ++i) values[i] *= 0.09;
    for (size_t i = 64; i < 96; ++i) values[i] *= 1e-9;
    TestVector v(values);
    std::vector<int16_t> pairs(200);
    const Step step = QuantizeActivations(v.vector(), GetParam(), pairs.data(), 2);
    const double size = std::ldexp(step.mantissa, step.exponent);
    int most = 0;
    for (size_t i = 0; i < 100; ++i) {
      const int q = pairs[2 * i];
      const int group_step = i < 32 || i >= 96 ? 16 : i < 64 ? 2 : 1;
      EXPECT_EQ(pairs[2 * i + 1], -q);
      EXPECT_EQ(q % group_step, 0) << i;
      EXPECT_LE(std::abs(q / group_step), levels()) << i;
      EXPECT_NEAR(q * size, v.at(i), (GetParam() == 4 ? 0.53 : 0.506) * group_step * size) << i;
      most = std::max(most, std::abs(q));
    }
    EXPECT_EQ(most, 16 * levels());
  }
}

TEST_P(QuantizerTest, WideVectorsHaveFewerSteps) {
  for (const size_t cols : {1u, 8191u, 8192u, 20000u, 65535u}) {
    std::vector<double> values(cols, 1.0);
    TestVector v(values);
    std::vector<int16_t> pairs(2 * cols);
    QuantizeActivations(v.vector(), GetParam(), pairs.data(), 2);
    const int64_t sum = int64_t{128} * pairs[0] * static_cast<int64_t>(cols);
    EXPECT_LT(sum, int64_t{1} << 31);
    EXPECT_EQ(pairs[0] % levels(), 0);
  }
}

TEST_P(QuantizerTest, ZerosStayZeros) {
  TestVector v(std::vector<double>(40, 0.0));
  std::vector<int16_t> quantized(80, 1);
  EXPECT_EQ(QuantizeActivations(v.vector(), GetParam(), quantized.data(), 2).mantissa, 0);
  EXPECT_EQ(quantized, std::vector<int16_t>(80, 0));
}

INSTANTIATE_TEST_SUITE_P(Bits, QuantizerTest, testing::Values(8, 4));

}  // namespace
}  // namespace modelvault
