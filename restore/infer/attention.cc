#include "restore/infer/attention.h"

#include "restore/infer/attention_loops.h"
#include "restore/infer/functions.h"

namespace modelvault {
namespace {

constexpr int kCodeBias = 26;
constexpr uint8_t kTopCode = 255;

size_t Padded(size_t head_dim) { return (head_dim + kHeadChunk - 1) / kHeadChunk * kHeadChunk; }

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
  for (size_t i = 0; i < Padded(head_dim); ++i) {
    out[i] = i < head_dim ? static_cast<int16_t>(RoundingShift(query[i], shift)) : int16_t{0};
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
  const size_t head_dim = shape.head_dim, stride = cache.stride;
  int32_t* const scores = static_cast<int32_t*>(scratch);
  int16_t* const narrow = reinterpret_cast<int16_t*>(scores + cache.used);
  int16_t* const narrow_sink = narrow + Padded(head_dim);
  const int bits = QueryBits(head_dim);
  const uint8_t* const key_codes = cache.entries + 2 * shape.kv_dim();
  const uint8_t* const value_codes = key_codes + shape.kv_heads;
  int top = 0;
  for (size_t h = 0; h < shape.kv_heads; ++h) {
    top = LargestCodeExponent(value_codes + h, stride, cache.used, top);
  }
  // A weight has at most 20 bits; so many less that the sum over all positions of weight · 127 fits.
  const int weight_drop = BitCount(static_cast<uint32_t>(cache.used - 1)) - 4;
  const int drop = weight_drop > 0 ? weight_drop : 0;
  const size_t per_kv = shape.heads / shape.kv_heads;
  for (size_t h = 0; h < shape.heads; ++h) {
    const size_t kv = h / per_kv, at = h * head_dim;
    const int8_t* const keys = reinterpret_cast<const int8_t*>(cache.entries + kv * head_dim);
    const int8_t* const values = keys + shape.kv_dim();
    uint32_t most = LargestMagnitude(queries.values + at, head_dim);
    if (cache.sinks > 0) {
      const uint32_t most_sink = LargestMagnitude(sink_queries + at, head_dim);
      if (most_sink > most) most = most_sink;
    }
    const int down = BitCount(most) > bits ? BitCount(most) - bits : 0;
    NarrowQuery(queries.values + at, head_dim, down, narrow);
    if (cache.sinks > 0) NarrowQuery(sink_queries + at, head_dim, down, narrow_sink);
    for (size_t i = 0; i < head_dim; i += kHeadChunk) {
      DotPositions(keys + i, stride, cache.sinks, narrow_sink + i, i > 0, scores);
      DotPositions(keys + i + cache.sinks * stride, stride, cache.used - cache.sinks, narrow + i, i > 0,
                   scores + cache.sinks);
    }
    const int shift = 32 - kCodeBias + *queries.exponent + down + scale.exponent + 16;
    const int32_t largest =
        ScalePositions(key_codes + kv, stride, cache.used, scale.mantissa, shift, INT32_MIN, scores);
    uint32_t sum = WeighPositions(value_codes + kv, stride, cache.used, largest, top, drop, scores);
    // At least 1, times 2^16: 2^46 / sum to 15 bits or 16.
    const int narrow_sum = BitCount(sum) - 16;
    const int32_t inverse = static_cast<int32_t>((1u << 31) / ((sum >> narrow_sum) + 1)) << 14;
    for (size_t i = 0; i < head_dim; i += kHeadChunk) {
      int32_t mixed[kHeadChunk];
      MixPositions(values + i, stride, cache.used, scores, mixed);
      for (size_t d = 0; d < kHeadChunk && i + d < head_dim; ++d) {
        out.values[at + i + d] = RoundingShift(MulHigh(mixed[d], inverse), narrow_sum);
      }
    }
  }
  // mixed · 2^(drop + top - bias) / sum, and MulHigh is mixed · 2^(31 + 14 - 32) / (sum / 2^narrow_sum).
  *out.exponent = drop + top - kCodeBias - 13;
  Normalise(out);
}

}  // namespace modelvault
