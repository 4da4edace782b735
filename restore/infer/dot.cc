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

// A column of four rows, weights i of each.
struct Rows {
  Rows(const int8_t* weights, size_t cols) : a(weights), b(a + cols), c(b + cols), d(c + cols) {}

  [[gnu::always_inline]] void Add(size_t i, int32_t x, RowSums* sums) const {
    int32_t of_a = a[i], of_b = b[i], of_c = c[i], of_d = d[i];
    Loaded(&of_a, &of_b, &of_c, &of_d);
    sums->a += of_a * x;
    sums->b += of_b * x;
    sums->c += of_c * x;
    sums->d += of_d * x;
    Step(sums);
  }
  [[gnu::always_inline]] void Advance(size_t by) { a += by, b += by, c += by, d += by; }

  const int8_t* a;
  const int8_t* b;
  const int8_t* c;
  const int8_t* d;
};

// A weight of kDotTokens tokens.
[[gnu::always_inline]] inline void Tokens(int32_t w, const int16_t* x, RowSums* sums) {
  int32_t a = x[0], b = x[1], c = x[2], d = x[3];
  Loaded(&a, &b, &c, &d);
  sums->a += w * a;
  sums->b += w * b;
  sums->c += w * c;
  sums->d += w * d;
  Step(sums);
}

// The same for two weights.
[[gnu::always_inline]] inline void Tokens(int32_t w, int32_t v, const int16_t* x, RowSums* of_w, RowSums* of_v) {
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

void DotEightRows(const int8_t* weights, size_t cols, const int16_t* x, int32_t sums[8]) {
  constexpr size_t kStep = 8;
  const int16_t* const end = x + kDotPair * cols;
  const int16_t* const steps_end = x + kDotPair * (cols / kStep * kStep);
  Rows rows(weights, cols), more(rows.d + cols, cols);
  RowSums s, t;
  const auto column = [&](size_t i) __attribute__((always_inline)) {
    const int32_t value = x[kDotPair * i];
    rows.Add(i, value, &s);
    more.Add(i, value, &t);
  };
  while (x != steps_end) {
    column(0);
    column(1);
    column(2);
    column(3);
    column(4);
    column(5);
    column(6);
    column(7);
    x += kStep * kDotPair;
    rows.Advance(kStep);
    more.Advance(kStep);
  }
  while (x != end) {
    column(0);
    x += kDotPair;
    rows.Advance(1);
    more.Advance(1);
  }
  Store(s, sums);
  Store(t, sums + 4);
}

void DotFourRows(const int8_t* weights, size_t cols, const int16_t* x, int32_t sums[4]) {
  constexpr size_t kStep = 4;
  const int16_t* const end = x + kDotPair * cols;
  const int16_t* const steps_end = x + kDotPair * (cols / kStep * kStep);
  Rows rows(weights, cols);
  RowSums s;
  const auto column = [&](size_t i) __attribute__((always_inline)) { rows.Add(i, x[kDotPair * i], &s); };
  while (x != steps_end) {
    column(0);
    column(1);
    column(2);
    column(3);
    x += kStep * kDotPair;
    rows.Advance(kStep);
  }
  while (x != end) {
    column(0);
    x += kDotPair;
    rows.Advance(1);
  }
  Store(s, sums);
}

int32_t DotPart(const int8_t* weights, size_t count, const int16_t* x, int32_t sum) {
  const int8_t* const steps_end = weights + count / 4 * 4;
  const int8_t* const end = weights + count;
  while (weights != steps_end) {
    const int32_t x0 = x[0], x1 = x[kDotPair], x2 = x[2 * kDotPair], x3 = x[3 * kDotPair];
    int32_t a = weights[0], b = weights[1], c = weights[2], d = weights[3];
    Loaded(&a, &b, &c, &d);
    sum += a * x0 + b * x1 + c * x2 + d * x3;
    weights += 4, x += 4 * kDotPair;
  }
  while (weights != end) {
    sum += *weights++ * *x;
    x += kDotPair;
  }
  return sum;
}

void DotRowsOfTokens(const int8_t* weights, size_t cols, const int16_t* x, size_t stride, int32_t* sums) {
  constexpr size_t kStep = 8;
  const int16_t* const end = x + kDotPairs * cols;
  const int16_t* const steps_end = x + kDotPairs * (cols / kStep * kStep);
  // Two rows at a time: the sums of more do not fit the registers.
  for (size_t r = 0; r < kTokenRows; r += 2, weights += 2 * cols, sums += 2 * stride) {
    const int8_t* a = weights;
    const int8_t* b = a + cols;
    const int16_t* p = x;
    RowSums of_a, of_b;
    const auto column = [&](size_t i) __attribute__((always_inline)) {
      Tokens(a[i], b[i], p + kDotPairs * i, &of_a, &of_b);
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
      p += kStep * kDotPairs, a += kStep, b += kStep;
    }
    while (p != end) {
      column(0);
      p += kDotPairs, ++a, ++b;
    }
    Store(of_a, sums);
    Store(of_b, sums + stride);
  }
}

void DotPartOfTokens(const int8_t* weights, size_t count, const int16_t* x, int32_t sums[kDotTokens]) {
  RowSums s = {sums[0], sums[1], sums[2], sums[3]};
  for (const int8_t* const end = weights + count; weights != end; ++weights, x += kDotPairs) Tokens(*weights, x, &s);
  Store(s, sums);
}

}  // namespace modelvault
