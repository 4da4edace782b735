#include "restore/infer/attention.h"

#include "restore/infer/functions.h"

namespace modelvault {
namespace {

constexpr int kCodeBias = 26;
constexpr uint8_t kTopCode = 255;

// The code of the smallest step of which `most` · 2^exponent is at most 127.
uint8_t FindCode(uint32_t most, int exponent) {
  constexpr uint32_t kInverse127 = 2164392969u;  // 2^38 / 127.
  if (most == 0) return 0;
  const int up = 31 - BitCount(most);
  const uint32_t step = MulHighUnsigned(most << up, kInverse127);  // Times 2^6, of 30 bits or 31.
  int drop = BitCount(step) - 4;
  uint32_t mantissa = (step >> drop) + 1;
  if (mantissa == 16) {
    mantissa = 8;
    ++drop;
  }
  const int e = exponent - up - 6 + drop + kCodeBias;
  if (e < 0) return 0;
  if (e > kTopCode / 8) return kTopCode;
  return static_cast<uint8_t>(e * 8 + static_cast<int>(mantissa) - 8);
}

uint8_t StoreHead(const int32_t* values, size_t size, int exponent, uint8_t* out) {
  const uint8_t code = FindCode(LargestMagnitude(values, size), exponent);
  // Values times 8 / (8 + code % 8); a normalised value times 4 fits.
  const int32_t inverse = static_cast<int32_t>((1u << 31) / (8u + (code & 7u))) << 2;
  const int shift = exponent - 3 - ((code >> 3) - kCodeBias);
  for (size_t i = 0; i < size; ++i) {
    int32_t q = SaturatingShift(MulHigh(values[i] << 2, inverse), shift);
    if (q > 127) q = 127;
    if (q < -127) q = -127;
    out[i] = static_cast<uint8_t>(q);
  }
  return code;
}

// Bits of a query such that no score's sum times 15 overflows; and an int16_t holds it.
int QueryBits(size_t head_dim) {
  const int bits = 20 - BitCount(static_cast<uint32_t>(head_dim - 1));
  return bits < 14 ? bits : 14;
}

// `shift` right.
void NarrowQuery(const int32_t* query, size_t head_dim, int shift, int16_t* out) {
  for (size_t i = 0; i < PaddedHead(head_dim); ++i) {
    out[i] = i < head_dim ? static_cast<int16_t>(RoundingShift(query[i], shift)) : int16_t{0};
  }
}

// Attention of up to kMaxHeads heads that follow one another and have the same keys and values.
class HeadGroup {
 public:
  HeadGroup(const AttentionShape& shape, const AttentionCache& cache, size_t first, size_t heads, void* scratch)
      : shape_(shape), cache_(cache), first_(first), heads_(heads) {
    const size_t kv = first / (shape.heads / shape.kv_heads);
    const uint8_t* const codes = cache.entries + 2 * shape.kv_dim() + kv;
    const int8_t* const values = reinterpret_cast<const int8_t*>(cache.entries) + kv * shape.head_dim;
    keys_ = {values, codes, cache.stride, cache.used};
    values_ = {values + shape.kv_dim(), codes + shape.kv_heads, cache.stride, cache.used};
    scores_ = static_cast<int32_t*>(scratch);
    queries_ = reinterpret_cast<int16_t*>(scores_ + kMaxHeads * cache.used);
  }

  void Score(const Vector& queries, const int32_t* sink_queries, const ScoreScale& scale);
  void Mix(int top, int drop, int32_t* out);

 private:
  void ScorePart(const CachedHead& keys, const int32_t* queries, int down, const ScoreFactor& factor, size_t begin);

  const AttentionShape& shape_;
  const AttentionCache& cache_;
  size_t first_;
  size_t heads_;
  CachedHead keys_;
  CachedHead values_;
  int32_t* scores_;   // Of each head those of all positions.
  int16_t* queries_;  // Of each head.
};

// Scores of `keys`, which are the positions from `begin` on.
void HeadGroup::ScorePart(const CachedHead& keys, const int32_t* queries, int down, const ScoreFactor& factor,
                          size_t begin) {
  const size_t head_dim = shape_.head_dim, padded = PaddedHead(head_dim);
  for (size_t h = 0; h < heads_; ++h) NarrowQuery(queries + h * head_dim, head_dim, down, queries_ + h * padded);
  size_t i = 0;
  for (; i + kHeadChunk < head_dim; i += kHeadChunk) {
    for (size_t h = 0; h < heads_; ++h) {
      DotPositions(keys, i, queries_ + h * padded + i, i > 0, scores_ + h * cache_.used + begin);
    }
  }
  ScorePositions(keys, i, heads_, queries_ + i, padded, i > 0, factor, scores_ + begin, cache_.used);
}

void HeadGroup::Score(const Vector& queries, const int32_t* sink_queries, const ScoreScale& scale) {
  const size_t at = first_ * shape_.head_dim, size = heads_ * shape_.head_dim;
  uint32_t most = LargestMagnitude(queries.values + at, size);
  if (cache_.sinks > 0) {
    const uint32_t most_sink = LargestMagnitude(sink_queries + at, size);
    if (most_sink > most) most = most_sink;
  }
  const int extra = BitCount(most) - QueryBits(shape_.head_dim);
  const int down = extra > 0 ? extra : 0;
  const ScoreFactor factor = {scale.mantissa, kCodeBias - 48 - *queries.exponent - down - scale.exponent};
  if (cache_.sinks > 0) {
    CachedHead sinks = keys_;
    sinks.count = cache_.sinks;
    ScorePart(sinks, sink_queries + at, down, factor, 0);
  }
  ScorePart(keys_.From(cache_.sinks), queries.values + at, down, factor, cache_.sinks);
}

void HeadGroup::Mix(int top, int drop, int32_t* out) {
  const size_t head_dim = shape_.head_dim;
  for (size_t h = 0; h < heads_; ++h) {
    int32_t* const scores = scores_ + h * cache_.used;
    const uint32_t sum = WeighPositions(values_, LargestScore(scores, cache_.used), top, drop, scores);
    // At least 1, times 2^16: 2^46 / sum to 15 bits or 16.
    const int narrow = BitCount(sum) - 16;
    const int32_t inverse = static_cast<int32_t>((1u << 31) / ((sum >> narrow) + 1)) << 14;
    int32_t* const to = out + (first_ + h) * head_dim;
    for (size_t i = 0; i < head_dim; i += kHeadChunk) {
      int32_t mixed[kHeadChunk];
      MixPositions(values_, i, scores, mixed);
      for (size_t d = 0; d < kHeadChunk && i + d < head_dim; ++d) {
        to[i + d] = RoundingShift(MulHigh(mixed[d], inverse), narrow);
      }
    }
  }
}

}  // namespace

void StoreEntry(const AttentionShape& shape, const Vector& keys, const Vector& values, uint8_t* entry) {
  uint8_t* const codes = entry + 2 * shape.kv_dim();
  for (size_t h = 0; h < shape.kv_heads; ++h) {
    const size_t at = h * shape.head_dim;
    codes[h] = StoreHead(keys.values + at, shape.head_dim, *keys.exponent, entry + at);
    codes[shape.kv_heads + h] =
        StoreHead(values.values + at, shape.head_dim, *values.exponent, entry + shape.kv_dim() + at);
  }
}

ScoreScale FindScoreScale(size_t head_dim) {
  // 1/√: head_dim is a / 2^32 · 2^(2k).
  const int k = (BitCount(static_cast<uint32_t>(head_dim)) + 1) / 2;
  const uint32_t root = InverseSquareRoot(static_cast<uint32_t>(head_dim) << (32 - 2 * k));
  constexpr uint32_t kLog2E = 1549082005u;  // Times 2^30.
  return {static_cast<int32_t>(MulHighUnsigned(root, kLog2E) << 1), -29 - k};
}

void Attend(const AttentionShape& shape, const AttentionCache& cache, const Vector& queries,
            const int32_t* sink_queries, const ScoreScale& scale, void* scratch, const Vector& out) {
  int top = 0;
  for (size_t h = 0; h < shape.kv_heads; ++h) {
    const uint8_t* const codes = cache.entries + 2 * shape.kv_dim() + shape.kv_heads + h;
    top = LargestCodeExponent({nullptr, codes, cache.stride, cache.used}, top);
  }
  // A weight has at most 20 bits; so many less, at least one, that the sum over all positions of weight · 127 fits.
  const int extra = BitCount(static_cast<uint32_t>(cache.used - 1)) - 4;
  const int drop = extra > 1 ? extra : 1;
  const size_t per_kv = shape.heads / shape.kv_heads;
  for (size_t h = 0; h < shape.heads;) {
    const size_t left = per_kv - h % per_kv;
    const size_t heads = left < kMaxHeads ? left : kMaxHeads;
    HeadGroup group(shape, cache, h, heads, scratch);
    group.Score(queries, sink_queries, scale);
    group.Mix(top, drop, out.values);
    h += heads;
  }
  // mixed · 2^(drop + top - bias) / sum, and MulHigh is mixed · 2^(31 + 14 - 32) / (sum / 2^narrow).
  *out.exponent = drop + top - kCodeBias - 13;
  Normalise(out);
}

}  // namespace modelvault
