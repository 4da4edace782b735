// The rANS decoder every stream uses, with the adaptive bits and gamma codes on top of it (docs/format.md §4).
// Arithmetic: J. Duda, "Asymmetric numeral systems" (arXiv:1311.2540); 32-bit state, 16-bit renormalisation.
// Core code: built unchanged for host and board.
#ifndef MODELVAULT_CODEC_CORE_RANS_DECODER_H_
#define MODELVAULT_CODEC_CORE_RANS_DECODER_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"

namespace modelvault {

// A bit whose probability follows what was coded. 4 bytes.
struct AdaptiveBit {
  uint16_t one = 32768;  // Probability of a one, in 1/65,536.
  uint16_t count = 0;    // Bits seen, at most 31: young bits move faster.

  // Frequency of a one out of kProbabilityScale, never certain.
  uint32_t Frequency() const {
    const uint32_t f = one >> 4;
    return f == 0 ? 1 : f;
  }

  void Update(bool bit) {
    const unsigned rate = kRate[count];
    if (count < 31) ++count;
    if (bit) {
      one = static_cast<uint16_t>(one + ((65535u - one) >> rate));
    } else {
      one = static_cast<uint16_t>(one - (one >> rate));
    }
  }

  static constexpr uint8_t kRate[32] = {1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5,
                                        5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6};
};

// The contexts of an adaptive gamma code for values of at most kMaxBits bits.
template <unsigned kMaxBits>
struct AdaptiveGamma {
  AdaptiveBit unary[kMaxBits];
  AdaptiveBit top[kMaxBits + 1][4];  // [bit length][1] first bit below the leading one, [2 + it] the second.
};

// Decodes one stream. Running out of words does not read past the end: it is remembered, zeros are supplied, and
// AtEnd() will say false for ever. Callers check AtEnd() where the stream must end; symbols before that are unverified.
class RansDecoder {
 public:
  // False if the stream is too short to be one or has an odd length. `stream` must outlive the decoding.
  [[nodiscard]] bool Start(ByteView stream) {
    state_ = 0;
    next_ = end_ = nullptr;
    overrun_ = true;
    if (stream.size < 4 || stream.size % 2 != 0) return false;
    state_ = LoadLe32(stream.data);
    next_ = stream.data + 4;
    end_ = stream.data + stream.size;
    overrun_ = state_ < kRansLow;
    return !overrun_;
  }

  bool overrun() const { return overrun_; }
  bool AtEnd() const { return !overrun_ && state_ == kRansLow && next_ == end_; }

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
  uint32_t Raw(unsigned bits) {
    const uint32_t value = state_ & ((1u << bits) - 1);
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
    unsigned length = 0;
    while (length < kMaxBits && Bit(&code->unary[length])) ++length;
    if (length < 2) return length;
    AdaptiveBit* top = code->top[length];
    const unsigned first = Bit(&top[1]);
    uint64_t value = 2 | first;
    unsigned left = length - 2;
    if (left > 0) {
      value = 2 * value + Bit(&top[2 + first]);
      --left;
    }
    while (left > 0) {
      const unsigned piece = left % 16 == 0 ? 16 : left % 16;
      value = (value << piece) | Raw(piece);
      left -= piece;
    }
    return value;
  }

 private:
  void Renormalize() {
    if (state_ < kRansLow) {
      if (next_ == end_) {
        overrun_ = true;
        state_ <<= 16;
        return;
      }
      state_ = (state_ << 16) | LoadLe16(next_);
      next_ += 2;
    }
  }

  uint32_t state_ = 0;
  const uint8_t* next_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool overrun_ = true;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_CORE_RANS_DECODER_H_
