// Elements of tensors as numbers.
#ifndef MODELVAULT_TOOLS_MVAULT_REPORTS_ELEMENT_VALUE_H_
#define MODELVAULT_TOOLS_MVAULT_REPORTS_ELEMENT_VALUE_H_

#include <cstdint>

#include "codec/core/codec_format.h"

namespace modelvault {

// The value of the element at `p`, of any dtype but kOpaque; 64-bit integers are rounded.
double ElementValue(DType dtype, const uint8_t* p);

// Whether both are the same number, or none; 0 and -0 are one. Compares bits, as ElementValue handles them, so that
// numbers below the normal range count also where the processor takes them for zero (flush-to-zero).
bool SameValue(double a, double b);

// |a - b| of two elements of one dtype, exact (then rounded to a double) for integers.
double ElementDistance(DType dtype, const uint8_t* a, const uint8_t* b);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_REPORTS_ELEMENT_VALUE_H_
