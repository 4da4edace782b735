// Vectors with memory of their own, for tests.
#ifndef MODELVAULT_TESTS_RESTORE_INFER_TEST_VECTOR_H_
#define MODELVAULT_TESTS_RESTORE_INFER_TEST_VECTOR_H_

#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "restore/infer/parameters.h"
#include "restore/infer/vector.h"

namespace modelvault {

class TestVector {
 public:
  explicit TestVector(size_t size) : values_(size) {}
  // Normalised, of the nearest values.
  explicit TestVector(const std::vector<double>& values) : values_(values.size()) {
    double largest = 0;
    for (const double value : values) largest = std::max(largest, std::abs(value));
    exponent_ = largest == 0 ? 0 : std::ilogb(largest) - kValueBits;
    for (size_t i = 0; i < values.size(); ++i) {
      values_[i] = static_cast<int32_t>(std::lround(std::ldexp(values[i], -exponent_)));
    }
    Normalise(vector());
  }

  Vector vector() { return {values_.data(), values_.size(), &exponent_}; }
  double at(size_t i) const { return std::ldexp(values_[i], exponent_); }
  std::vector<double> doubles() const {
    std::vector<double> result;
    for (size_t i = 0; i < values_.size(); ++i) result.push_back(at(i));
    return result;
  }
  int exponent() const { return exponent_; }

  // As an operator has to leave it.
  bool is_normalised() const {
    const uint32_t most = LargestMagnitude(values_.data(), values_.size());
    if (most == 0) return exponent_ == -kMaxExponent;
    return most >= 1u << (kValueBits - 1) && most <= 1u << kValueBits && std::abs(exponent_) <= kMaxExponent;
  }

 private:
  std::vector<int32_t> values_;
  int32_t exponent_ = 0;
};

// |found - expected| ≤ bound times the largest expected magnitude.
inline void ExpectNear(const TestVector& found, const std::vector<double>& expected, double bound) {
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found.at(i), expected[i], bound * largest) << i;
  EXPECT_TRUE(found.is_normalised());
}

class TestParameters {
 public:
  explicit TestParameters(const std::vector<float>& values) : codes_(values.size()) {
    tensor_.codes = codes_.data();
    ParameterReader reader;
    reader.Start(&tensor_, DType::kF32, values.size());
    EXPECT_EQ(reader.Consume({reinterpret_cast<const uint8_t*>(values.data()), 4 * values.size()}), CoreStatus::kOk);
    EXPECT_TRUE(tensor_.complete);
  }

  const ParameterTensor& tensor() const { return tensor_; }
  double at(size_t i) const { return std::ldexp(DecodeParameter(codes_[i]), tensor_.exponent); }

 private:
  std::vector<uint16_t> codes_;
  ParameterTensor tensor_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_INFER_TEST_VECTOR_H_
