#include "restore/infer/parameters.h"

#include "restore/infer/fixed_point.h"

namespace modelvault {
namespace {

using Number = ParameterReader::Number;

constexpr unsigned kMantissaBits = 11;
constexpr int kMostShift = 15;
constexpr unsigned kFractionBits = 23;    // Of F32.
constexpr int16_t kZeroExponent = -8192;  // Of a tensor of zeros: no other vector has to give way to it.

Number FromFloat(uint32_t bits, unsigned exponent_bits, unsigned fraction_bits) {
  const uint32_t fraction = bits & ((1u << fraction_bits) - 1);
  const uint32_t e = (bits >> fraction_bits) & ((1u << exponent_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  Number n;
  n.negative = ((bits >> (exponent_bits + fraction_bits)) & 1) != 0;
  n.finite = e != (1u << exponent_bits) - 1;
  n.mantissa = e == 0 ? fraction : fraction | 1u << fraction_bits;
  n.exponent = (e == 0 ? 1 : static_cast<int>(e)) - bias - static_cast<int>(fraction_bits);
  return n;
}

// To kMantissaBits bits, the top one set; not for 0.
void Round(Number* n) {
  const int extra = BitCount(n->mantissa) - static_cast<int>(kMantissaBits);
  if (extra <= 0) {
    n->mantissa <<= -extra;
  } else {
    n->mantissa = ((n->mantissa >> (extra - 1)) + 1) >> 1;
  }
  n->exponent += extra;
  if (n->mantissa >> kMantissaBits == 0) return;
  n->mantissa >>= 1;
  ++n->exponent;
}

// mantissa · 2^shift; a shift below 0 rounds, one of more than kMostShift cannot be.
uint16_t Encode(bool negative, uint32_t mantissa, int shift) {
  int32_t m = static_cast<int32_t>(mantissa);
  if (shift < 0) {
    m = RoundingShift(m, -shift);
    shift = 0;
  }
  return static_cast<uint16_t>((negative ? -m : m) * 16 + shift);
}

// Makes room for values 2^by times as large.
void RaiseExponent(ParameterTensor* tensor, size_t count, int by) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t m = int32_t{static_cast<int16_t>(tensor->codes[i])} >> 4;
    tensor->codes[i] = Encode(m < 0, Magnitude(m), (tensor->codes[i] & 15) - by);
  }
  tensor->exponent = static_cast<int16_t>(tensor->exponent + by);
}

}  // namespace

void ParameterReader::Start(ParameterTensor* tensor, DType dtype, size_t count) {
  *this = ParameterReader();
  tensor_ = tensor;
  dtype_ = dtype;
  count_ = count;
  element_size_ = ElementSize(static_cast<uint8_t>(dtype));
  // Below every value's, so that the first that is not 0 sets it.
  tensor->exponent = INT16_MIN;
  tensor->complete = false;
}

CoreStatus ParameterReader::Consume(ByteView bytes) {
  const uint8_t* at = bytes.data;
  const uint8_t* const end = at + bytes.size;
  while (at != end) {
    CoreStatus status = CoreStatus::kOk;
    if (dtype_ == DType::kF32 && pending_size_ == 0 && end - at >= 4) {
      status = AppendFloat(LoadLe32(at));
      at += 4;
    } else {
      pending_ |= static_cast<uint32_t>(*at++) << (8 * pending_size_);
      if (++pending_size_ < element_size_) continue;
      status = dtype_ == DType::kF32
                   ? AppendFloat(pending_)
                   : Append(dtype_ == DType::kF16 ? FromFloat(pending_, 5, 10) : FromFloat(pending_, 8, 7));
      pending_ = 0;
      pending_size_ = 0;
    }
    if (status != CoreStatus::kOk) return status;
  }
  position_ += bytes.size;
  return CoreStatus::kOk;
}

// What nearly all values are, without a search for their top bit.
CoreStatus ParameterReader::AppendFloat(uint32_t bits) {
  constexpr unsigned kDropped = kFractionBits + 1 - kMantissaBits;
  const int e = static_cast<int>(bits >> kFractionBits & 255) - 127 - static_cast<int>(kMantissaBits - 1);
  const uint32_t fraction = bits & ((1u << kFractionBits) - 1);
  const uint32_t mantissa = ((fraction | 1u << kFractionBits) + (1u << (kDropped - 1))) >> kDropped;
  const int shift = e - tensor_->exponent;
  if (static_cast<unsigned>(shift) <= kMostShift && mantissa >> kMantissaBits == 0 && (bits << 1) >> 24 != 0 &&
      (bits << 1) >> 24 != 255 && read_ + 1 < count_) {
    const int32_t m = static_cast<int32_t>(mantissa);
    tensor_->codes[read_++] = static_cast<uint16_t>(((bits >> 31) != 0 ? -m : m) * 16 + shift);
    return CoreStatus::kOk;
  }
  return Append(FromFloat(bits, 8, kFractionBits));
}

CoreStatus ParameterReader::Append(Number n) {
  if (read_ == count_) return CoreStatus::kOutOfRange;
  if (!n.finite) return CoreStatus::kOutOfRange;
  uint16_t code = 0;
  if (n.mantissa != 0) {
    Round(&n);
    const int shift = n.exponent - tensor_->exponent;
    if (shift > kMostShift) RaiseExponent(tensor_, read_, shift - kMostShift);
    code = Encode(n.negative, n.mantissa, n.exponent - tensor_->exponent);
  }
  tensor_->codes[read_++] = code;
  if (read_ < count_) return CoreStatus::kOk;
  if (tensor_->exponent == INT16_MIN) tensor_->exponent = kZeroExponent;
  tensor_->complete = true;
  return CoreStatus::kOk;
}

}  // namespace modelvault
