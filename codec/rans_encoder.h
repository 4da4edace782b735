// The coder's side of codec/core/rans_decoder.h. rANS runs backwards: symbols are gathered in decoding order and coded
// last to first by Finish().
#ifndef MODELVAULT_CODEC_RANS_ENCODER_H_
#define MODELVAULT_CODEC_RANS_ENCODER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "codec/core/codec_format.h"
#include "codec/core/rans_decoder.h"

namespace modelvault {

class RansEncoder {
 public:
  // A symbol of frequency `f` (1 … 4,096) and cumulative start `s`, out of kProbabilityScale.
  void Symbol(uint32_t s, uint32_t f) { ops_.push_back({s, static_cast<uint16_t>(f), Kind::kSymbol}); }

  // The low `bits` (0 … 16) of value.
  void Raw(uint32_t value, unsigned bits) { ops_.push_back({value, static_cast<uint16_t>(bits), Kind::kRaw}); }

  // A gap of `level` whose value is not known yet; returns a ticket for SetGap.
  size_t Gap(unsigned level) {
    ops_.push_back({0, static_cast<uint16_t>(level), Kind::kGap});
    return ops_.size() - 1;
  }
  void SetGap(size_t ticket, uint32_t gap, bool negative) { ops_[ticket].value = (gap << 1) | (negative ? 1u : 0u); }
  // A gap that no weight ends: the cheapest that passes over `count` weights.
  void SetLastGap(size_t ticket, uint32_t count);

  size_t size() const { return ops_.size(); }

  // The stream; the encoder is empty afterwards.
  std::string Finish();

 private:
  enum class Kind : uint16_t { kSymbol, kRaw, kGap };
  struct Op {
    uint32_t value;
    uint16_t size;  // Frequency, bits or level.
    Kind kind;
  };

  std::vector<Op> ops_;
};

// Counts what RansEncoder would spend, in 1/65,536 bit. Same calls, so one template writes to either.
class CostCounter {
 public:
  void Symbol(uint32_t s, uint32_t f);
  void Raw(uint32_t, unsigned bits) { cost_ += uint64_t{bits} << 16; }
  uint64_t cost() const { return cost_; }

 private:
  uint64_t cost_ = 0;
};

inline constexpr uint64_t kBitCost = 65536;  // One bit in the unit of costs.

// Cost of a symbol of frequency f (1 … 4,096) out of kProbabilityScale.
uint32_t FrequencyCost(uint32_t f);
// Cost of a weight at `level` that differs from the base (its sign apart), or does not.
uint32_t HitCost(unsigned level);
uint32_t MissCost(unsigned level);

template <typename Sink>
void EncodeBit(Sink* sink, AdaptiveBit* bit, bool one) {
  const uint32_t f = bit->Frequency();
  if (one) {
    sink->Symbol(0, f);
  } else {
    sink->Symbol(f, kProbabilityScale - f);
  }
  bit->Update(one);
}

template <typename Sink, unsigned kMaxBits>
void EncodeGamma(Sink* sink, AdaptiveGamma<kMaxBits>* code, uint64_t value) {
  const unsigned length = static_cast<unsigned>(std::bit_width(value));
  for (unsigned i = 0; i < kMaxBits && i <= length; ++i) EncodeBit(sink, &code->unary[i], length > i);
  if (length < 2) return;
  AdaptiveBit* top = code->top[length - 2];
  unsigned left = length - 1;
  const bool first = (value >> --left) & 1;
  EncodeBit(sink, &top[0], first);
  if (left > 0) EncodeBit(sink, &top[1 + (first ? 1 : 0)], (value >> --left) & 1);
  while (left > 0) {
    const unsigned piece = left % 16 == 0 ? 16 : left % 16;
    left -= piece;
    sink->Raw(static_cast<uint32_t>((value >> left) & ((uint64_t{1} << piece) - 1)), piece);
  }
}

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_RANS_ENCODER_H_
