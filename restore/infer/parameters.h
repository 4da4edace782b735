// A network's small tensors (gains, row scales, biases), whatever they are stored as, in 16 bits a value. Core code:
// built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_PARAMETERS_H_
#define MODELVAULT_RESTORE_INFER_PARAMETERS_H_

#include "codec/core/bytes.h"
#include "codec/core/codec_format.h"
#include "codec/core/core_status.h"

namespace modelvault {

// A value's code: a mantissa m in bits 4 … 15, -2047 … 2047, and e in bits 0 … 3. It stands for m · 2^e times
// 2^exponent of its tensor, which is chosen so that the largest value has e = 15. So a value is off by at most 2^-11 of
// itself, or 2^-27 of the tensor's largest.
inline constexpr int kParameterBits = 26;

// The code's value without the tensor's exponent: its magnitude is below 2^kParameterBits.
inline int32_t DecodeParameter(uint16_t code) { return int32_t{static_cast<int16_t>(code)} >> 4 << (code & 15); }

// One such tensor.
struct ParameterTensor {
  uint16_t* codes = nullptr;  // Null: no parameters.
  int16_t exponent = 0;
  bool complete = false;  // All codes are there.
};

// Turns a tensor's little-endian bytes, handed over in order in pieces of any size, into codes.
class ParameterReader {
 public:
  // ±mantissa · 2^exponent.
  struct Number {
    uint32_t mantissa;
    int exponent;
    bool negative;
    bool finite;
  };

  // `tensor` has room for `count` codes and must outlive the reading; `dtype` is F32, F16 or BF16.
  void Start(ParameterTensor* tensor, DType dtype, size_t count);

  // kOutOfRange: more bytes than the tensor has, or a value that is no finite number; the tensor stays incomplete.
  [[nodiscard]] CoreStatus Consume(ByteView bytes);

  // Bytes consumed since Start().
  size_t position() const { return position_; }

 private:
  CoreStatus AppendFloat(uint32_t bits);
  CoreStatus Append(Number number);

  ParameterTensor* tensor_ = nullptr;
  size_t position_ = 0;
  size_t count_ = 0;
  size_t read_ = 0;       // Values.
  uint32_t pending_ = 0;  // First bytes of a value.
  DType dtype_ = DType::kF32;
  uint8_t element_size_ = 4;
  uint8_t pending_size_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_PARAMETERS_H_
