// What the emulated board offers a program: a console, a counter of retired instructions, the vault's flash window, a
// way out. See virt_128k.ld for the memory map.
#ifndef MODELVAULT_FIRMWARE_RISCV_BOARD_H_
#define MODELVAULT_FIRMWARE_RISCV_BOARD_H_

#include "codec/core/bytes.h"

namespace modelvault {

void Print(const char* text);
void PrintCharacter(char c);
// Decimal.
void PrintNumber(uint64_t value);
// 16 hexadecimal digits, lower case.
void PrintHex(uint64_t value);

// The flash bank that holds the vault: 32 MiB, the vault first, then bytes that mean nothing.
ByteView VaultFlash();

// Instructions retired since reset. Exact under QEMU's -icount.
uint64_t InstructionsRetired();

// The deepest the stack has been since reset, in bytes.
uint32_t StackBytesUsed();

}  // namespace modelvault

// Ends the emulator; a code of 0 means success.
extern "C" [[noreturn]] void Exit(int code);

#endif  // MODELVAULT_FIRMWARE_RISCV_BOARD_H_
