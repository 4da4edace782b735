// The rANS decoder of variants' streams, with the adaptive bits and gamma codes on top of it (docs/format.md §4).
// Arithmetic: J. Duda, "Asymmetric numeral systems" (arXiv:1311.2540); 32-bit state, 16-bit renormalisation.
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_RANS_DECODER_H_
#define MODELVAULT_CODEC_CORE_RANS_DECODER_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"

namespace modelvault {

// A bit whose probability follows what was coded. 3 bytes: there are a thousand of them in a segment's state.
class AdaptiveBit {
 public:
  // Probability of a one, in 1/65,536.
  uint32_t one() const { return LoadLe16(one_); }
  // Bits seen, at most 31: young bits move faster.
  unsigned count() const { return count_; }

  // Frequency of a one out of kProbabilityScale, never certain.
  uint32_t Frequency() const {
    const uint32_t f = one() >> 4;
    return f == 0 ? 1 : f;
  }

  void Update(bool bit) {
    const uint32_t p = one();
    const unsigned rate = kRate[count_];
    if (count_ < 31) ++count_;
    StoreLe16(one_, static_cast<uint16_t>(bit ? p + ((65535u - p) >> rate) : p - (p >> rate)));
  }

  static constexpr uint8_t kRate[32] = {1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5,
                                        5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6};

 private:
  uint8_t one_[2] = {0, 128};
  uint8_t count_ = 0;
};

// The contexts of an adaptive gamma code for values of at most kMaxBits bits.
template <unsigned kMaxBits>
struct AdaptiveGamma {
  AdaptiveBit unary[kMaxBits];
  AdaptiveBit top[kMaxBits - 1][3];  // [bit length - 2][0] first bit below the leading one, [1 + it] the second.
};

// Decodes one stream. Running out of words does not read past the end: it is remembered, zeros are supplied, and
// AtEnd() will say false for ever. Callers check AtEnd() where the stream must end; symbols before that are unverified.
class RansDecoder {
 public:
  RansDecoder() = default;
  // Copies are made to keep the state in registers for a while. Member by member: copied as a whole, GCC moves the
  // state byte by byte on a machine without unaligned accesses.
  RansDecoder(const RansDecoder& other) { *this = other; }
  RansDecoder& operator=(const RansDecoder& other) {
    state_ = other.state_;
    next_ = other.next_;
    end_ = other.end_;
    return *this;
  }

  // False if the stream is too short to be one, has an odd length or lies at an odd address, which no stream of a vault
  // does that lies at an even one itself. `stream` must outlive the decoding.
  [[nodiscard]] bool Start(ByteView stream) {
    state_ = 0;
    next_ = end_ = nullptr;
    if (stream.size < 4 || stream.size % 2 != 0 || reinterpret_cast<uintptr_t>(stream.data) % 2 != 0) return false;
    state_ = LoadLe32(stream.data);
    if (state_ < kRansLow) return false;
    next_ = stream.data + 4;
    end_ = stream.data + stream.size;
    return true;
  }

  bool overrun() const { return end_ == nullptr; }
  bool AtEnd() const { return state_ == kRansLow && next_ == end_ && !overrun(); }

  // For accounting: bytes not yet read and the state, which together tell how many bits were spent.
  size_t unread() const { return static_cast<size_t>(end_ - next_); }
  uint32_t state() const { return state_; }

  uint32_t Slot() const { return state_ & (kProbabilityScale - 1); }

  // Removes a symbol with frequency `f` and cumulative start `s` out of kProbabilityScale, `slot` being Slot().
  void Advance(uint32_t f, uint32_t s, uint32_t slot) {
    state_ = f * (state_ >> kProbabilityBits) + slot - s;
    Renormalize();
  }

  // 0 to 16 uniform bits.
  uint32_t Raw(unsigned bits) { return Raw(bits, (1u << bits) - 1); }
  // The same below `high`, which is shifted up by as many.
  uint32_t RawBelow(uint32_t high, unsigned bits) {
    const uint32_t rest = state_ >> bits;
    const uint32_t value = ((high - rest) << bits) + state_;
    state_ = rest;
    Renormalize();
    return value;
  }
  // The same, for loops that have the mask 2^bits - 1 already.
  uint32_t Raw(unsigned bits, uint32_t mask) {
    const uint32_t value = state_ & mask;
    state_ >>= bits;
    Renormalize();
    return value;
  }

  bool Bit(AdaptiveBit* bit) {
    const uint32_t f = bit->Frequency();
    const uint32_t slot = Slot();
    const bool one = slot < f;
    if (one) {
      Advance(f, 0, slot);
    } else {
      Advance(kProbabilityScale - f, f, slot);
    }
    bit->Update(one);
    return one;
  }

  template <unsigned kMaxBits>
  uint64_t Gamma(AdaptiveGamma<kMaxBits>* code) {
    return Gamma(code->unary, code->top, kMaxBits);
  }

 private:
  uint64_t Gamma(AdaptiveBit* unary, AdaptiveBit (*top)[3], unsigned max_bits);

  void Renormalize() {
    if (state_ < kRansLow) {
      state_ <<= 16;
      if (__builtin_expect(next_ == end_, 0)) {
        next_ = end_ = nullptr;
        return;
      }
      state_ |= LoadAligned16(next_);
      next_ += 2;
    }
  }

  uint32_t state_ = 0;
  const uint8_t* next_ = nullptr;
  const uint8_t* end_ = nullptr;  // Null, as next_ then: more words were wanted than there are.
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_RANS_DECODER_H_
