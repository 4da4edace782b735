#include "restore/infer/dot.h"

// The compiler unrolls nothing at -O2, so steps are written out: at one cycle an instruction, what moves pointers and
// jumps counts.
namespace modelvault {
namespace {

struct RowSums {
  int32_t a = 0, b = 0, c = 0, d = 0;
};

// Keeps each step's loads together, behind the products of the step before: the compiler would move the loads of many
// steps to the front and run out of registers, or put each right before its use, where the processor waits for it.
[[gnu::always_inline]] inline void Step(RowSums* sums) {
  asm volatile("" : "+r"(sums->a), "+r"(sums->b), "+r"(sums->c), "+r"(sums->d) : : "memory");
}
[[gnu::always_inline]] inline void Loaded(int32_t* a, int32_t* b, int32_t* c, int32_t* d) {
  asm volatile("" : "+r"(*a), "+r"(*b), "+r"(*c), "+r"(*d) : : "memory");
}

// A column of four rows.
[[gnu::always_inline]] inline void Column(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d,
                                          const int8_t* x, RowSums* sums) {
  const int32_t value = *x;
  int32_t of_a = *a, of_b = *b, of_c = *c, of_d = *d;
  Loaded(&of_a, &of_b, &of_c, &of_d);
  sums->a += of_a * value;
  sums->b += of_b * value;
  sums->c += of_c * value;
  sums->d += of_d * value;
  Step(sums);
}

// A weight of kDotTokens tokens.
[[gnu::always_inline]] inline void Tokens(int32_t w, const int8_t* x, RowSums* sums) {
  int32_t a = x[0], b = x[1], c = x[2], d = x[3];
  Loaded(&a, &b, &c, &d);
  sums->a += w * a;
  sums->b += w * b;
  sums->c += w * c;
  sums->d += w * d;
  Step(sums);
}

// The same for two weights.
[[gnu::always_inline]] inline void Tokens(int32_t w, int32_t v, const int8_t* x, RowSums* of_w, RowSums* of_v) {
  int32_t a = x[0], b = x[1], c = x[2], d = x[3];
  Loaded(&a, &b, &c, &d);
  of_w->a += w * a;
  of_w->b += w * b;
  of_w->c += w * c;
  of_w->d += w * d;
  Step(of_w);
  of_v->a += v * a;
  of_v->b += v * b;
  of_v->c += v * c;
  of_v->d += v * d;
  Step(of_v);
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
    Column(a, b, c, d, x, &s);
    Column(a + 1, b + 1, c + 1, d + 1, x + kDotPair, &s);
    Column(a + 2, b + 2, c + 2, d + 2, x + 2 * kDotPair, &s);
    Column(a + 3, b + 3, c + 3, d + 3, x + 3 * kDotPair, &s);
    Column(a + 4, b + 4, c + 4, d + 4, x + 4 * kDotPair, &s);
    Column(a + 5, b + 5, c + 5, d + 5, x + 5 * kDotPair, &s);
    Column(a + 6, b + 6, c + 6, d + 6, x + 6 * kDotPair, &s);
    Column(a + 7, b + 7, c + 7, d + 7, x + 7 * kDotPair, &s);
    x += kStep * kDotPair, a += kStep, b += kStep, c += kStep, d += kStep;
  }
  while (x != end) {
    Column(a++, b++, c++, d++, x, &s);
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
  constexpr size_t kStep = 8;
  const int8_t* const end = x + kDotTokens * cols;
  const int8_t* const steps_end = x + kDotTokens * (cols / kStep * kStep);
  // Two rows at a time: the sums of more do not fit the registers.
  for (size_t r = 0; r < kDotRows; r += 2, weights += 2 * cols, sums += 2 * stride) {
    const int8_t* a = weights;
    const int8_t* b = a + cols;
    const int8_t* p = x;
    RowSums of_a, of_b;
    const auto column = [&](size_t i) __attribute__((always_inline)) {
      Tokens(a[i], b[i], p + kDotTokens * i, &of_a, &of_b);
    };
    while (p != steps_end) {
      column(0);
      column(1);
      column(2);
      column(3);
      column(4);
      column(5);
      column(6);
      column(7);
      p += kStep * kDotTokens, a += kStep, b += kStep;
    }
    while (p != end) {
      column(0);
      p += kDotTokens, ++a, ++b;
    }
    Store(of_a, sums);
    Store(of_b, sums + stride);
  }
}

void DotPartOfTokens(const int8_t* weights, size_t count, const int8_t* x, int32_t sums[kDotTokens]) {
  RowSums s = {sums[0], sums[1], sums[2], sums[3]};
  for (const int8_t* const end = weights + count; weights != end; ++weights, x += kDotTokens) Tokens(*weights, x, &s);
  Store(s, sums);
}

}  // namespace modelvault
