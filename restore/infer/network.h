// What a NETWORK section says (docs/format.md): the operators that a model runs, in order, and what they run on. Core
// code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_NETWORK_H_
#define MODELVAULT_RESTORE_INFER_NETWORK_H_

#include "codec/core/bytes.h"

namespace modelvault {

enum class NetworkTask : uint8_t {
  kTokens = 1,    // A token id in, a score for each id of the vocabulary out.
  kFeatures = 2,  // A vector of numbers in, a score for each class out.
};

enum class OperatorCode : uint8_t {
  kEmbed = 1,      // out = row `token` of weights.
  kRmsNorm = 2,    // out = in / √(mean(in²) + ε) · weights; c is ε·2^32.
  kMatmul = 3,     // out = weights · in + bias; added to out where a is 1.
  kRope = 4,       // out is rotated in place; a heads, b the pairs' layout (RopePairs).
  kAttention = 5,  // out = attention of the queries `in` over the cache, to which in2 (keys) and c (values) are added; a
                   // heads, b heads of keys and values.
  kSiluGate = 6,   // out = silu(in) · in2.
  kRelu = 7,       // out = max(out, 0), in place.
  kAdd = 8,        // out = in + in2.
};

enum class RopePairs : uint8_t {
  kInterleaved = 0,  // (0, 1), (2, 3), …
  kHalves = 1,       // (0, d/2), (1, d/2 + 1), …
};

inline constexpr uint8_t kNoBuffer = 0xFF;
inline constexpr uint16_t kNoTensor = 0xFFFF;
inline constexpr size_t kMaxNetworkBuffers = 16;
inline constexpr size_t kMaxRopePairs = 128;

// Buffers are numbers below Network::buffer_count, tensors those of MODEL.
struct NetworkOperator {
  OperatorCode code;
  uint8_t out;
  uint8_t in;
  uint8_t in2;
  uint16_t weights;  // INT8 [out, in]; of kRmsNorm the gains [width].
  uint16_t scales;   // A step for each row of weights.
  uint16_t bias;     // [out].
  uint8_t a;
  uint8_t b;
  uint32_t c;
};

// Views into the section, which must outlive it.
struct Network {
  NetworkTask task = NetworkTask::kTokens;
  uint8_t activation_bits = 8;  // 8, or 4 in groups of 32.
  uint8_t buffer_count = 0;
  uint8_t rope_pair_count = 0;  // Half the width of a head that kRope rotates; 0 without kRope.
  uint16_t operator_count = 0;  // The last one's out are the scores.
  uint16_t cache_count = 0;     // kAttention operators; the i-th uses cache i.
  uint16_t window = 0;          // Positions that are kept beside the sinks.
  uint16_t sinks = 0;           // First positions, which stay.
  uint32_t inputs = 0;          // Ids of the vocabulary, or features.
  uint32_t outputs = 0;         // Scores.
  ByteView widths;              // u16 a buffer.
  ByteView rope_steps;          // u32 a pair: turns a position, times 2^32.
  ByteView operators;           // 16 bytes each.
  ByteView tokenizer;           // Empty without one.

  size_t width(size_t buffer) const { return LoadLe16(widths.data + 2 * buffer); }
  uint32_t rope_step(size_t pair) const { return LoadLe32(rope_steps.data + 4 * pair); }
  NetworkOperator op(size_t i) const {
    const uint8_t* const p = operators.data + 16 * i;
    return {static_cast<OperatorCode>(p[0]), p[1], p[2], p[3], LoadLe16(p + 4), LoadLe16(p + 6), LoadLe16(p + 8),
            p[10], p[11], LoadLe32(p + 12)};
  }
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_NETWORK_H_
