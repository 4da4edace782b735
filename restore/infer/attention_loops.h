// The loops over the positions of a cache. Compiled for speed, run from RAM. Core code: built unchanged for host and
// board.
#ifndef MODELVAULT_RESTORE_INFER_ATTENTION_LOOPS_H_
#define MODELVAULT_RESTORE_INFER_ATTENTION_LOOPS_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

inline constexpr size_t kHeadChunk = 8;

// For each of `count` positions, their INT8 values `stride` bytes apart: sums[p] (+)= Σ over kHeadChunk values of
// values · query.
void DotPositions(const int8_t* values, size_t stride, size_t count, const int16_t* query, bool add, int32_t* sums);

// sums[p] becomes the score of position p, times 2^16: sums[p] · (8 + code % 8) · mantissa / 2^32 · 2^(code / 8 +
// shift); `codes` lie `stride` bytes apart. Returns the largest of them and of `most`.
int32_t ScalePositions(const uint8_t* codes, size_t stride, size_t count, int32_t mantissa, int shift, int32_t most,
                       int32_t* sums);

// scores[p] becomes 2^(scores[p] - most), times 2^16, times the step of `codes`, in units of 2^drop of the largest
// exponent, which is `top`. Returns the sum of the powers, times 2^16; so there are fewer than 2^16 positions.
uint32_t WeighPositions(const uint8_t* codes, size_t stride, size_t count, int32_t most, int top, int drop,
                        int32_t* scores);

// The largest code / 8, and `most`.
int LargestCodeExponent(const uint8_t* codes, size_t stride, size_t count, int most);

// sums[d] = Σ over positions of weights[p] · values[d], for kHeadChunk values.
void MixPositions(const int8_t* values, size_t stride, size_t count, const int32_t* weights, int32_t* sums);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_ATTENTION_LOOPS_H_
