#include "codec/core/rans_decoder.h"

namespace modelvault {

// One copy for all widths: what is coded so is rare enough.
uint64_t RansDecoder::Gamma(AdaptiveBit* unary, AdaptiveBit (*top)[3], unsigned max_bits) {
  RansDecoder rans = *this;  // In registers.
  unsigned length = 0;
  while (length < max_bits && rans.Bit(&unary[length])) ++length;
  uint64_t value = length;
  if (length >= 2) {
    AdaptiveBit* bits = top[length - 2];
    const unsigned first = rans.Bit(&bits[0]);
    value = 2 | first;
    unsigned left = length - 2;
    if (left > 0) {
      value = 2 * value + rans.Bit(&bits[1 + first]);
      --left;
    }
    while (left > 0) {
      const unsigned piece = left % 16 == 0 ? 16 : left % 16;
      value = (value << piece) | rans.Raw(piece);
      left -= piece;
    }
  }
  *this = rans;
  return value;
}

}  // namespace modelvault
