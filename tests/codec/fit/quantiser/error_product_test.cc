#include "codec/fit/quantiser/error_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/codec/random.h"

namespace modelvault {
namespace {

std::vector<float> Uniform(size_t count, Random* random) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(2 * random->Unit() - 1);
  return values;
}

std::vector<float> Moment(size_t n, Random* random) {
  std::vector<float> m(n * n);
  for (size_t s = 0; s < 2 * n; ++s) {
    const std::vector<float> x = Uniform(n, random);
    for (size_t i = 0; i < n * n; ++i) m[i] += x[i / n] * x[i % n] / static_cast<float>(n);
  }
  return m;
}

// By the definition, from the coefficients of pairs of weights.
std::vector<double> ProductOf(const Curvature& c, const std::vector<float>& error) {
  std::vector<double> product(error.size());
  for (size_t i = 0; i < error.size(); ++i) {
    for (size_t j = 0; j < error.size(); ++j) product[i] += c.Between(i, j) * static_cast<double>(error[j]);
  }
  return product;
}

constexpr size_t kRows = 37;
constexpr size_t kCols = 70;

class ErrorProductTest : public testing::TestWithParam<size_t> {  // Changes between entering and leaving.
 protected:
  // Equal to what the error gives by the definition: everywhere, or in columns [begin, end) of rows [first, last).
  void ExpectExact(const ErrorProduct& p, size_t first = 0, size_t last = kRows, size_t begin = 0, size_t end = kCols) {
    const std::vector<double> expected = ProductOf(curvature_, p.error());
    for (size_t row = first; row < last; ++row) {
      for (size_t column = begin; column < end; ++column) {
        EXPECT_NEAR(p.gradient(row, column), expected[row * kCols + column], 1e-4) << row << ", " << column;
      }
    }
  }

  Random random_{5};
  Curvature curvature_ =
      Curvature::Kronecker("w", kRows, kCols, Moment(kRows, &random_), Moment(kCols, &random_), 0.1).value();
};

TEST_P(ErrorProductTest, AWalkByColumnsIsExactInsideAtOnceAndEverywhereOnceLeft) {
  ErrorProduct p(curvature_, Uniform(kRows * kCols, &random_));
  ExpectExact(p);
  for (size_t begin = 0; begin < kCols; begin += ErrorProduct::kBlock) {
    const size_t end = std::min(kCols, begin + ErrorProduct::kBlock);
    p.EnterColumns(begin, end);
    for (size_t n = 0; n < GetParam(); ++n) {
      p.Grow(random_.Below(kRows), begin + random_.Below(end - begin), random_.Unit() - 0.5);
    }
    ExpectExact(p, 0, kRows, begin, end);
    p.Leave();
    ExpectExact(p);
  }
}

TEST_P(ErrorProductTest, AWalkByRowsIsExactInsideAtOnceAndEverywhereOnceLeft) {
  ErrorProduct p(curvature_, Uniform(kRows * kCols, &random_));
  for (size_t begin = 0; begin < kRows; begin += 20) {
    const size_t end = std::min(kRows, begin + 20);
    p.EnterRows(begin, end);
    for (size_t n = 0; n < GetParam(); ++n) {
      // Twice in one row, and in another one.
      const size_t row = begin + random_.Below(end - begin - 1);
      const size_t column = random_.Below(kCols - 1);
      const size_t at[] = {row * kCols + column, row * kCols + kCols - 1, (end - 1) * kCols + column};
      const double by[] = {random_.Unit() - 0.5, random_.Unit() - 0.5, random_.Unit() - 0.5};
      p.Grow(at, by);
    }
    ExpectExact(p, begin, end);
    p.Leave();
    ExpectExact(p);
  }
}

INSTANTIATE_TEST_SUITE_P(Changes, ErrorProductTest, testing::Values(0, 1, 60));

TEST(ErrorProductFormTest, IsHalfTheErrorsCost) {
  const Curvature c = Curvature::Diagonal("w", 1, 3, {1, 2, 3}, 0).value();
  ErrorProduct p(c, {1, 1, 2});
  EXPECT_DOUBLE_EQ(p.Form(), (1 + 2 + 12) / 2.0);
  p.EnterColumns(0, 3);
  p.Grow(0, 2, -2);
  p.Leave();
  EXPECT_DOUBLE_EQ(p.gradient(0, 2), 0);
  EXPECT_DOUBLE_EQ(p.Form(), 1.5);
}

}  // namespace
}  // namespace modelvault
