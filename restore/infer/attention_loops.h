// The loops over the positions of a cache. Compiled for speed, run from RAM. Core code: built unchanged for host and
// board.
#ifndef MODELVAULT_RESTORE_INFER_ATTENTION_LOOPS_H_
#define MODELVAULT_RESTORE_INFER_ATTENTION_LOOPS_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

// Values of a head that are done at once.
inline constexpr size_t kHeadChunk = 8;
// Heads with the same keys and values that are done at once: what is read of the cache is read once.
inline constexpr size_t kMaxHeads = 2;

// INT8 values of one head and the codes of their steps (attention.h), position after position.
struct CachedHead {
  const int8_t* values;
  const uint8_t* codes;
  size_t stride;  // From a position to the next one, of both.
  size_t count;   // Positions.

  CachedHead From(size_t position) const {
    return {values + position * stride, codes + position * stride, stride, count - position};
  }
};

// For each position sums[p] (+)= Σ over kHeadChunk values, from `first` on, of value · query.
void DotPositions(const CachedHead& head, size_t first, const int16_t* query, bool add, int32_t* sums);

// The scores of `heads` queries, times 2^16. As DotPositions(), for queries and sums that lie `query_stride` and
// `score_stride` apart; then scores[p] becomes sum · (8 + code % 8) · mantissa / 2^32 · 2^(code / 8 - down).
struct ScoreFactor {
  int32_t mantissa;
  int down;
};
void ScorePositions(const CachedHead& head, size_t first, size_t heads, const int16_t* queries, size_t query_stride,
                    bool add, const ScoreFactor& factor, int32_t* scores, size_t score_stride);

int32_t LargestScore(const int32_t* scores, size_t count);

// scores[p] becomes 2^(scores[p] - most), times 2^16, times the step of p's code in units of 2^(top + drop). `top` is
// the largest code / 8, `drop` at least 1. Returns the sum of the powers; so there are fewer than 2^16 positions.
uint32_t WeighPositions(const CachedHead& head, int32_t most, int top, int drop, int32_t* scores);

// The largest code / 8, and `most`.
int LargestCodeExponent(const CachedHead& head, int most);

// sums[d] = Σ over positions of weights[p] · values[d], for kHeadChunk values from `first` on.
void MixPositions(const CachedHead& head, size_t first, const int32_t* weights, int32_t* sums);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_ATTENTION_LOOPS_H_
