#ifndef MODELVAULT_TOOLS_DEMO_MATMUL_H_
#define MODELVAULT_TOOLS_DEMO_MATMUL_H_

#include <stddef.h>

#include <vector>

namespace modelvault::demo {

// A read-only matrix in someone else's memory: element (i, j) is data[i * row_stride + j * column_stride], so a
// transposed view is the same memory with the strides swapped.
struct MatrixView {
  const float* data;
  size_t row_stride;
  size_t column_stride;
};

// Scratch memory of MatMul, kept between calls so that a training step does not allocate.
struct MatMulScratch {
  std::vector<float> left;
  std::vector<float> right;
};

// Writes the rows x columns product of `left` (rows x depth) and `right` (depth x columns) to `product`, row-major
// without gaps, which must not overlap the inputs. Each element is summed over depth in ascending order, in float and
// without fused multiply-add, so the result depends neither on the processor nor on how a batch is cut into calls.
void MatMul(MatrixView left, MatrixView right, size_t rows, size_t depth, size_t columns, float* product,
            MatMulScratch* scratch);

}  // namespace modelvault::demo

#endif  // MODELVAULT_TOOLS_DEMO_MATMUL_H_
