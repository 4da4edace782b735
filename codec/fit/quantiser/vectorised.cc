#include "codec/fit/quantiser/vectorised.h"

#include <algorithm>

namespace modelvault {
namespace {

// Where the machine has wider vectors than the one compiled for, use them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define MODELVAULT_VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define MODELVAULT_VECTORISED
#endif

// Eight floats: one register, or as many as the processor needs for them.
using Eight = float __attribute__((vector_size(32), aligned(4), may_alias));
using FourDoubles = double __attribute__((vector_size(32), aligned(8), may_alias));

}  // namespace

MODELVAULT_VECTORISED
void AddScaled(float factor, const float* __restrict from, size_t count, float* __restrict to) {
  for (size_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

MODELVAULT_VECTORISED
void AddOuterProduct(float factor, const float* left, size_t rows, const float* right, float* to) {
  const Eight a = reinterpret_cast<const Eight*>(right)[0], b = reinterpret_cast<const Eight*>(right)[1];
  auto* sums = reinterpret_cast<Eight*>(to);
  for (size_t i = 0; i < rows; ++i, sums += 2) {
    const float scaled = factor * left[i];
    sums[0] += a * scaled;
    sums[1] += b * scaled;
  }
}

MODELVAULT_VECTORISED
void SubtractCombination(const double* factors, size_t depth, const double* rows, size_t stride, size_t count,
                         double* to) {
  size_t j = 0;
  for (; j + 16 <= count; j += 16) {
    auto* const sums = reinterpret_cast<FourDoubles*>(to + j);
    FourDoubles a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    for (size_t k = 0; k < depth; ++k) {
      const auto* const values = reinterpret_cast<const FourDoubles*>(rows + k * stride + j);
      const double factor = factors[k];
      a -= values[0] * factor;
      b -= values[1] * factor;
      c -= values[2] * factor;
      d -= values[3] * factor;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
  }
  for (; j < count; ++j) {
    for (size_t k = 0; k < depth; ++k) to[j] -= rows[k * stride + j] * factors[k];
  }
}

// to, of 32 floats, += the sum of factors[k] * strip[32 k …].
MODELVAULT_VECTORISED
static void AddStrip(const float* factors, size_t rows, const float* strip, float* to) {
  auto* const sums = reinterpret_cast<Eight*>(to);
  Eight a = sums[0], b = sums[1], c = sums[2], d = sums[3];
  for (size_t k = 0; k < rows; ++k, strip += 32) {
    const auto* const values = reinterpret_cast<const Eight*>(strip);
    const float factor = factors[k];
    a += values[0] * factor;
    b += values[1] * factor;
    c += values[2] * factor;
    d += values[3] * factor;
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

void Panel::Pack(absl::Span<const float* const> rows, size_t count) {
  rows_ = rows.size();
  count_ = count;
  const size_t strips = (count + kStrip - 1) / kStrip;
  strips_.assign(strips * rows_ * kStrip, 0);
  float* to = strips_.data();
  for (size_t begin = 0; begin < count; begin += kStrip) {
    for (const float* const row : rows) {
      std::copy_n(row + begin, std::min(kStrip, count - begin), to);
      to += kStrip;
    }
  }
}

void Panel::AddCombination(const float* factors, float* to) const {
  const float* strip = strips_.data();
  size_t begin = 0;
  for (; begin + kStrip <= count_; begin += kStrip, strip += rows_ * kStrip)
    AddStrip(factors, rows_, strip, to + begin);
  if (begin == count_) return;
  float last[kStrip] = {};
  std::copy_n(to + begin, count_ - begin, last);
  AddStrip(factors, rows_, strip, last);
  std::copy_n(last, count_ - begin, to + begin);
}

}  // namespace modelvault
