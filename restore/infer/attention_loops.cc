#include "restore/infer/attention_loops.h"

#include "restore/infer/fixed_point.h"
#include "restore/infer/functions.h"

namespace modelvault {
namespace {

struct Query {
  explicit Query(const int16_t* q) : a(q[0]), b(q[1]), c(q[2]), d(q[3]), e(q[4]), f(q[5]), g(q[6]), h(q[7]) {}
  int32_t a, b, c, d, e, f, g, h;
};

[[gnu::always_inline]] inline int32_t Dot(const int8_t* v, const Query& q) {
  return v[0] * q.a + v[1] * q.b + v[2] * q.c + v[3] * q.d + v[4] * q.e + v[5] * q.f + v[6] * q.g + v[7] * q.h;
}

// What a sum becomes where the code is `code`.
struct CodeFactor {
  CodeFactor(int32_t code, const ScoreFactor& factor)
      : times(8 + (code & 7)), mantissa(factor.mantissa), down(factor.down - (code >> 3)) {}

  [[gnu::always_inline]] int32_t Scale(int32_t sum) const {
    const int32_t product = MulHigh(sum * times, mantissa);
    // Nearly always.
    if (static_cast<uint32_t>(down) < 32) [[likely]]
      return product >> down;
    return SaturatingShift(product, -down);
  }

  int32_t times;
  int32_t mantissa;
  int32_t down;
};

}  // namespace

void DotPositions(const CachedHead& head, size_t first, const int16_t* query, bool add, int32_t* sums) {
  const Query q(query);
  const int8_t* values = head.values + first;
  for (int32_t* const end = sums + head.count; sums != end; ++sums, values += head.stride) {
    const int32_t sum = Dot(values, q);
    *sums = add ? *sums + sum : sum;
  }
}

void ScorePositions(const CachedHead& head, size_t first, size_t heads, const int16_t* queries, size_t query_stride,
                    bool add, const ScoreFactor& factor, int32_t* scores, size_t score_stride) {
  const int8_t* values = head.values + first;
  const uint8_t* codes = head.codes;
  const size_t stride = head.stride;
  const Query q(queries);
  int32_t* const end = scores + head.count;
  if (heads == 1) {
    for (; scores != end; ++scores, values += stride, codes += stride) {
      const CodeFactor by_code(*codes, factor);
      const int32_t sum = Dot(values, q);
      *scores = by_code.Scale(add ? *scores + sum : sum);
    }
    return;
  }
  const Query r(queries + query_stride);
  for (int32_t* others = scores + score_stride; scores != end; ++scores, ++others, values += stride, codes += stride) {
    const CodeFactor by_code(*codes, factor);
    int32_t sum = Dot(values, q), other = Dot(values, r);
    if (add) {
      sum += *scores;
      other += *others;
    }
    *scores = by_code.Scale(sum);
    *others = by_code.Scale(other);
  }
}

int32_t LargestScore(const int32_t* scores, size_t count) {
  int32_t most = *scores;
  for (const int32_t* const end = scores + count; scores != end; ++scores) {
    if (*scores > most) most = *scores;
  }
  return most;
}

uint32_t WeighPositions(const CachedHead& head, int32_t most, int top, int drop, int32_t* scores) {
  uint32_t sum = 0;
  const uint8_t* codes = head.codes;
  const size_t stride = head.stride;
  const int most_down = top + drop - 1;
  for (int32_t* const end = scores + head.count; scores != end; ++scores, codes += stride) {
    const uint32_t power = Exp2Negative(static_cast<uint32_t>(most) - static_cast<uint32_t>(*scores));
    if (power == 0) {
      *scores = 0;
      continue;
    }
    sum += power;
    const int code = *codes;
    const int down = most_down - (code >> 3);
    // To the nearest: what is lost of many small weights would be missed.
    *scores = static_cast<int32_t>(((power * (8u + (code & 7u)) >> (down > 31 ? 31 : down)) + 1) >> 1);
  }
  return sum;
}

int LargestCodeExponent(const CachedHead& head, int most) {
  int largest = most * 8;
  const uint8_t* codes = head.codes;
  for (size_t p = 0; p < head.count; ++p, codes += head.stride) {
    if (*codes > largest) largest = *codes;
  }
  return largest / 8;
}

void MixPositions(const CachedHead& head, size_t first, const int32_t* weights, int32_t* sums) {
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
  const int8_t* v = head.values + first;
  const size_t stride = head.stride;
  for (const int32_t* const end = weights + head.count; weights != end; ++weights, v += stride) {
    const int32_t w = *weights;
    if (w == 0) continue;
    s0 += w * v[0], s1 += w * v[1], s2 += w * v[2], s3 += w * v[3];
    s4 += w * v[4], s5 += w * v[5], s6 += w * v[6], s7 += w * v[7];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3, sums[4] = s4, sums[5] = s5, sums[6] = s6, sums[7] = s7;
}

}  // namespace modelvault
