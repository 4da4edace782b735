// Attention over an INT8 cache of keys and values. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_ATTENTION_H_
#define MODELVAULT_RESTORE_INFER_ATTENTION_H_

#include "codec/core/bytes.h"
#include "restore/infer/attention_loops.h"
#include "restore/infer/vector.h"

namespace modelvault {

struct AttentionShape {
  size_t heads;  // A multiple of kv_heads; so many of them use the same keys and values.
  size_t kv_heads;
  size_t head_dim;  // Even, at most 256.

  size_t kv_dim() const { return kv_heads * head_dim; }
  // Of a position in the cache: keys, values, then the code of each head's step, of keys and of values.
  size_t entry_size() const { return 2 * (kv_dim() + kv_heads); }
};

// What reading a cache may touch behind its last entry.
inline constexpr size_t kCacheOverread = 8;

// A head's values in whole chunks.
constexpr size_t PaddedHead(size_t head_dim) { return (head_dim + kHeadChunk - 1) / kHeadChunk * kHeadChunk; }

// Positions of one attention operator.
struct AttentionCache {
  uint8_t* entries;  // The first position's entry.
  size_t stride;     // From a position's entry to the next one's.
  size_t used;       // Positions to attend to.
  size_t sinks;      // The first of them that take other queries; 0: none.
};

// Bytes that Attend() needs for `positions`, at a multiple of 4.
constexpr size_t AttentionScratchSize(const AttentionShape& shape, size_t positions) {
  return kMaxHeads * (sizeof(int32_t) * positions + 2 * sizeof(int16_t) * PaddedHead(shape.head_dim));
}

// A head's step is (8 + code % 8) · 2^(code / 8 - 26), the smallest that does not clip; a head whose largest value is
// above 60,960 is clipped to it, and one below 1.5e-5 loses bits.
void StoreEntry(const AttentionShape& shape, const Vector& keys, const Vector& values, uint8_t* entry);

// log2(e) / √head_dim: mantissa · 2^exponent.
struct ScoreScale {
  int32_t mantissa;
  int exponent;
};
ScoreScale FindScoreScale(size_t head_dim);

// out = softmax(queries · keys / √head_dim) · values, head by head. `sink_queries` (as long as `queries`, the same
// exponent) are for the first cache.sinks positions. `out` may be `queries`. A score saturates at 16,384 / log2(e).
void Attend(const AttentionShape& shape, const AttentionCache& cache, const Vector& queries,
            const int32_t* sink_queries, const ScoreScale& scale, void* scratch, const Vector& out);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_ATTENTION_H_
