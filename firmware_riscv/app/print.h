// Text to the board's console.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_PRINT_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_PRINT_H_

#include <stddef.h>
#include <stdint.h>

namespace modelvault {

void Print(const char* text);
void Print(const char* text, size_t size);
// Decimal.
void PrintNumber(uint64_t value);
// 16 hexadecimal digits, lower case.
void PrintHex(uint64_t value);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_PRINT_H_
