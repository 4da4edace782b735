#include "tools/demo/matmul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

std::vector<float> RandomMatrix(Random& random, size_t size) {
  std::vector<float> values(size);
  for (float& value : values) value = random.Normal();
  return values;
}

// In the order MatMul promises, so that results must be equal to the last bit.
std::vector<float> PlainProduct(MatrixView left, MatrixView right, size_t rows, size_t depth, size_t columns) {
  std::vector<float> product(rows * columns);
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      float sum = 0;
      for (size_t k = 0; k < depth; ++k) {
        sum += left.data[i * left.row_stride + k * left.column_stride] *
               right.data[k * right.row_stride + j * right.column_stride];
      }
      product[i * columns + j] = sum;
    }
  }
  return product;
}

TEST(MatMulTest, EqualsThePlainProductForAllSizesAndTranspositions) {
  Random random(3);
  MatMulScratch scratch;  // kept across sizes, as in training
  for (const size_t rows : {1, 3, 4, 5, 8, 33}) {
    for (const size_t depth : {1, 2, 17, 64}) {
      for (const size_t columns : {1, 15, 16, 17, 48}) {
        const std::vector<float> left = RandomMatrix(random, rows * depth);
        const std::vector<float> right = RandomMatrix(random, depth * columns);
        for (const bool left_transposed : {false, true}) {
          for (const bool right_transposed : {false, true}) {
            SCOPED_TRACE(testing::Message() << rows << "x" << depth << "x" << columns
                                            << ", transposed: " << left_transposed << ", " << right_transposed);
            const MatrixView a = left_transposed ? MatrixView{left.data(), 1, rows} : MatrixView{left.data(), depth, 1};
            const MatrixView b =
                right_transposed ? MatrixView{right.data(), 1, depth} : MatrixView{right.data(), columns, 1};
            std::vector<float> product(rows * columns, -1);
            MatMul(a, b, rows, depth, columns, product.data(), &scratch);
            ASSERT_EQ(product, PlainProduct(a, b, rows, depth, columns));
          }
        }
      }
    }
  }
}

TEST(MatMulTest, WritesNothingBeyondTheProduct) {
  const std::vector<float> ones(5 * 5, 1.0f);
  std::vector<float> product(5 * 5 + 1, -1.0f);
  MatMulScratch scratch;
  MatMul({ones.data(), 5, 1}, {ones.data(), 5, 1}, 5, 5, 5, product.data(), &scratch);
  EXPECT_EQ(product[24], 5.0f);
  EXPECT_EQ(product[25], -1.0f);
}

}  // namespace
}  // namespace modelvault::demo
