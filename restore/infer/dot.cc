#include "restore/infer/dot.h"

// The compiler unrolls nothing at -O2, so steps are written out: at one cycle an instruction, what moves pointers and
// jumps counts.
namespace modelvault {
namespace {

struct RowSums {
  int32_t a = 0, b = 0, c = 0, d = 0;
};

// A column of four rows.
[[gnu::always_inline]] inline void Column(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d, int32_t x,
                                          RowSums* sums) {
  sums->a += *a * x;
  sums->b += *b * x;
  sums->c += *c * x;
  sums->d += *d * x;
}

// A weight of kDotTokens tokens.
[[gnu::always_inline]] inline void Tokens(int32_t w, const int8_t* x, RowSums* sums) {
  sums->a += w * x[0];
  sums->b += w * x[1];
  sums->c += w * x[2];
  sums->d += w * x[3];
}

[[gnu::always_inline]] inline void Store(const RowSums& sums, int32_t* to) {
  to[0] = sums.a;
  to[1] = sums.b;
  to[2] = sums.c;
  to[3] = sums.d;
}

}  // namespace

void DotRows(const int8_t* weights, size_t cols, const int8_t* x, int32_t sums[kDotRows]) {
  constexpr size_t kStep = 8;
  const int8_t* a = weights;
  const int8_t* b = a + cols;
  const int8_t* c = b + cols;
  const int8_t* d = c + cols;
  const int8_t* const end = x + kDotPair * cols;
  const int8_t* const steps_end = x + kDotPair * (cols / kStep * kStep);
  RowSums s;
  while (x != steps_end) {
    Column(a, b, c, d, x[0], &s);
    Column(a + 1, b + 1, c + 1, d + 1, x[kDotPair], &s);
    Column(a + 2, b + 2, c + 2, d + 2, x[2 * kDotPair], &s);
    Column(a + 3, b + 3, c + 3, d + 3, x[3 * kDotPair], &s);
    Column(a + 4, b + 4, c + 4, d + 4, x[4 * kDotPair], &s);
    Column(a + 5, b + 5, c + 5, d + 5, x[5 * kDotPair], &s);
    Column(a + 6, b + 6, c + 6, d + 6, x[6 * kDotPair], &s);
    Column(a + 7, b + 7, c + 7, d + 7, x[7 * kDotPair], &s);
    x += kStep * kDotPair, a += kStep, b += kStep, c += kStep, d += kStep;
  }
  while (x != end) {
    Column(a++, b++, c++, d++, *x, &s);
    x += kDotPair;
  }
  Store(s, sums);
}

int32_t DotPart(const int8_t* weights, size_t count, const int8_t* x, int32_t sum) {
  const int8_t* const steps_end = weights + count / 4 * 4;
  const int8_t* const end = weights + count;
  while (weights != steps_end) {
    sum += weights[0] * x[0] + weights[1] * x[kDotPair] + weights[2] * x[2 * kDotPair] + weights[3] * x[3 * kDotPair];
    weights += 4, x += 4 * kDotPair;
  }
  while (weights != end) {
    sum += *weights++ * *x;
    x += kDotPair;
  }
  return sum;
}

void DotRowsOfTokens(const int8_t* weights, size_t cols, const int8_t* x, size_t stride, int32_t* sums) {
  for (size_t r = 0; r < kDotRows; r += 2) {
    const int8_t* a = weights + r * cols;
    const int8_t* b = a + cols;
    const int8_t* p = x;
    const int8_t* const steps_end = x + kDotTokens * (cols / 4 * 4);
    const int8_t* const end = x + kDotTokens * cols;
    RowSums of_a, of_b;
    const auto column = [&](size_t i) __attribute__((always_inline)) {
      Tokens(a[i], p + kDotTokens * i, &of_a);
      Tokens(b[i], p + kDotTokens * i, &of_b);
    };
    while (p != steps_end) {
      column(0);
      column(1);
      column(2);
      column(3);
      p += 4 * kDotTokens, a += 4, b += 4;
    }
    while (p != end) {
      column(0);
      p += kDotTokens, ++a, ++b;
    }
    Store(of_a, sums + r * stride);
    Store(of_b, sums + (r + 1) * stride);
  }
}

void DotPartOfTokens(const int8_t* weights, size_t count, const int8_t* x, int32_t sums[kDotTokens]) {
  RowSums s = {sums[0], sums[1], sums[2], sums[3]};
  for (const int8_t* const end = weights + count; weights != end; ++weights, x += kDotTokens) Tokens(*weights, x, &s);
  Store(s, sums);
}

}  // namespace modelvault
