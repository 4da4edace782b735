// Numbers in text.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_NUMBERS_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_NUMBERS_H_

#include "codec/core/bytes.h"

namespace modelvault {

// Digits alone, of less than 2^64. False for anything else.
[[nodiscard]] bool ParseNumber(ByteView text, uint64_t* value);

// A decimal such as -1.25, times 2^16 and rounded, the half away from zero: a sign or none, up to five digits, and a
// point with up to nine behind it or none; less than 32768 in magnitude. False for anything else.
[[nodiscard]] bool ParseDecimal(ByteView text, int32_t* value);

// Prints value * 2^exponent with four decimals; "large" or "-large" for what is 2^31 and more.
void PrintDecimal(int32_t value, int exponent);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_NUMBERS_H_
