#include "restore/infer/attention_loops.h"

#include "restore/infer/fixed_point.h"
#include "restore/infer/functions.h"

namespace modelvault {

void DotPositions(const int8_t* values, size_t stride, size_t count, const int16_t* query, bool add, int32_t* sums) {
  const int32_t q0 = query[0], q1 = query[1], q2 = query[2], q3 = query[3];
  const int32_t q4 = query[4], q5 = query[5], q6 = query[6], q7 = query[7];
  for (size_t p = 0; p < count; ++p, values += stride) {
    const int32_t sum = values[0] * q0 + values[1] * q1 + values[2] * q2 + values[3] * q3 + values[4] * q4 +
                        values[5] * q5 + values[6] * q6 + values[7] * q7;
    sums[p] = add ? sums[p] + sum : sum;
  }
}

int32_t ScalePositions(const uint8_t* codes, size_t stride, size_t count, int32_t mantissa, int shift, int32_t most,
                       int32_t* sums) {
  for (size_t p = 0; p < count; ++p, codes += stride) {
    const int code = *codes;
    const int32_t product = MulHigh(sums[p] * (8 + (code & 7)), mantissa);
    const int down = -(shift + (code >> 3));
    // Nearly always downwards.
    const int32_t score = down >= 0 && down < 32 ? product >> down : SaturatingShift(product, -down);
    sums[p] = score;
    if (score > most) most = score;
  }
  return most;
}

uint32_t WeighPositions(const uint8_t* codes, size_t stride, size_t count, int32_t most, int top, int drop,
                        int32_t* scores) {
  uint32_t sum = 0;
  for (size_t p = 0; p < count; ++p, codes += stride) {
    const uint32_t power = Exp2Negative(static_cast<uint32_t>(most) - static_cast<uint32_t>(scores[p]));
    sum += power;
    const int code = *codes;
    const int down = top - (code >> 3) + drop;
    scores[p] = static_cast<int32_t>(power * (8u + (code & 7u)) >> (down > 31 ? 31 : down));
  }
  return sum;
}

int LargestCodeExponent(const uint8_t* codes, size_t stride, size_t count, int most) {
  for (size_t p = 0; p < count; ++p, codes += stride) {
    if (*codes >> 3 > most) most = *codes >> 3;
  }
  return most;
}

void MixPositions(const int8_t* values, size_t stride, size_t count, const int32_t* weights, int32_t* sums) {
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
  for (size_t p = 0; p < count; ++p, values += stride) {
    const int32_t w = weights[p];
    if (w == 0) continue;
    s0 += w * values[0], s1 += w * values[1], s2 += w * values[2], s3 += w * values[3];
    s4 += w * values[4], s5 += w * values[5], s6 += w * values[6], s7 += w * values[7];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3, sums[4] = s4, sums[5] = s5, sums[6] = s6, sums[7] = s7;
}

}  // namespace modelvault
