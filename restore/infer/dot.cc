#include "restore/infer/dot.h"

namespace modelvault {

void DotRows(const int8_t* weights, size_t cols, const int8_t* x, int32_t sums[kDotRows]) {
  const int8_t* a = weights;
  const int8_t* b = a + cols;
  const int8_t* c = b + cols;
  const int8_t* d = c + cols;
  const int8_t* const end = x + cols;
  const int8_t* const unrolled_end = x + cols / 4 * 4;
  int32_t sum_a = 0, sum_b = 0, sum_c = 0, sum_d = 0;
  while (x != unrolled_end) {
    for (int i = 0; i < 4; ++i) {
      const int32_t value = x[i];
      sum_a += a[i] * value;
      sum_b += b[i] * value;
      sum_c += c[i] * value;
      sum_d += d[i] * value;
    }
    x += 4, a += 4, b += 4, c += 4, d += 4;
  }
  while (x != end) {
    const int32_t value = *x++;
    sum_a += *a++ * value;
    sum_b += *b++ * value;
    sum_c += *c++ * value;
    sum_d += *d++ * value;
  }
  sums[0] = sum_a, sums[1] = sum_b, sums[2] = sum_c, sums[3] = sum_d;
}

int32_t DotPart(const int8_t* weights, size_t count, const int8_t* x, int32_t sum) {
  const int8_t* const unrolled_end = x + count / 4 * 4;
  const int8_t* const end = x + count;
  while (x != unrolled_end) {
    for (int i = 0; i < 4; ++i) sum += weights[i] * x[i];
    weights += 4, x += 4;
  }
  while (x != end) sum += *weights++ * *x++;
  return sum;
}

void DotRowsOfTokens(const int8_t* weights, size_t cols, const int8_t* x, size_t stride, int32_t* sums) {
  for (size_t r = 0; r < kDotRows; r += 2) {
    const int8_t* a = weights + r * cols;
    const int8_t* b = a + cols;
    const int8_t* const end = x + kDotTokens * cols;
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    for (const int8_t* p = x; p != end; p += kDotTokens) {
      const int32_t wa = *a++, wb = *b++;
      a0 += wa * p[0], a1 += wa * p[1], a2 += wa * p[2], a3 += wa * p[3];
      b0 += wb * p[0], b1 += wb * p[1], b2 += wb * p[2], b3 += wb * p[3];
    }
    int32_t* const to = sums + r * stride;
    to[0] = a0, to[1] = a1, to[2] = a2, to[3] = a3;
    to[stride] = b0, to[stride + 1] = b1, to[stride + 2] = b2, to[stride + 3] = b3;
  }
}

void DotPartOfTokens(const int8_t* weights, size_t count, const int8_t* x, int32_t sums[kDotTokens]) {
  for (size_t i = 0; i < count; ++i, x += kDotTokens) {
    const int32_t w = weights[i];
    for (size_t t = 0; t < kDotTokens; ++t) sums[t] += w * x[t];
  }
}

}  // namespace modelvault
