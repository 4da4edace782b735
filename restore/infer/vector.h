// Vectors of a network in block floating point. Core code: built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_VECTOR_H_
#define MODELVAULT_RESTORE_INFER_VECTOR_H_

#include "restore/infer/fixed_point.h"

namespace modelvault {

// Element i is values[i] · 2^*exponent. Between operators vectors are normalised: the largest magnitude is from
// 2^(kValueBits - 1) to 2^kValueBits, and the exponent within ±kMaxExponent; or all are 0 and the exponent is the
// least.
struct Vector {
  int32_t* values;
  size_t size;
  int32_t* exponent;
};

inline constexpr int kValueBits = 28;
inline constexpr int kMaxExponent = 8192;

uint32_t LargestMagnitude(const int32_t* values, size_t size);

// Normalises values below 2^31 with any exponent. Beyond kMaxExponent the exponent saturates: then values are smaller
// than they should be, or, below -kMaxExponent, zero. Between normalised inputs and ordinary weights lie 8,000 bits.
void Normalise(const Vector& v);

// The same where `bits` are the MagnitudeBits() of all values, or'ed.
inline uint32_t MagnitudeBits(int32_t v) { return static_cast<uint32_t>(v ^ (v >> 31)); }
void NormaliseOf(const Vector& v, uint32_t bits);

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_VECTOR_H_
