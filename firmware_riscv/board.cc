#include "firmware_riscv/board.h"

extern "C" {
extern const uint8_t _vault_start[];
extern const uint8_t _vault_size[];  // An address that is a size.
extern const uint32_t _stack_bottom[];
extern const uint32_t _stack_top[];
[[noreturn]] void ReportTrap(uint32_t cause, uint32_t pc, uint32_t value);
}

namespace modelvault {
namespace {

// QEMU's 16550: the transmitter is always ready, so there is nothing to wait for.
volatile uint8_t* const kUartTransmit = reinterpret_cast<volatile uint8_t*>(0x10000000);
volatile uint32_t* const kFinisher = reinterpret_cast<volatile uint32_t*>(0x00100000);
constexpr uint32_t kFinisherPass = 0x5555;
constexpr uint32_t kFinisherFail = 0x3333;
constexpr uint32_t kStackPaint = 0xA5A5A5A5;  // start.S fills the stack with it.

}  // namespace

void PrintCharacter(char c) { *kUartTransmit = static_cast<uint8_t>(c); }

void Print(const char* text) {
  for (; *text != '\0'; ++text) PrintCharacter(*text);
}

void PrintNumber(uint64_t value) {
  char digits[21];
  char* p = digits + sizeof(digits) - 1;
  *p = '\0';
  do {
    *--p = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  Print(p);
}

void PrintHex(uint64_t value) {
  char digits[17];
  digits[16] = '\0';
  for (int i = 15; i >= 0; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  Print(digits);
}

ByteView VaultFlash() { return {_vault_start, reinterpret_cast<size_t>(_vault_size)}; }

uint64_t InstructionsRetired() {
  uint32_t high, low, again;
  do {
    asm volatile("csrr %0, minstreth" : "=r"(high));
    asm volatile("csrr %0, minstret" : "=r"(low));
    asm volatile("csrr %0, minstreth" : "=r"(again));
  } while (high != again);
  return static_cast<uint64_t>(high) << 32 | low;
}

uint32_t StackBytesUsed() {
  const uint32_t* p = _stack_bottom;
  while (p < _stack_top && *p == kStackPaint) ++p;
  return static_cast<uint32_t>(_stack_top - p) * 4;
}

}  // namespace modelvault

void Exit(int code) {
  *modelvault::kFinisher =
      code == 0 ? modelvault::kFinisherPass : (static_cast<uint32_t>(code) << 16 | modelvault::kFinisherFail);
  for (;;) {
  }
}

void ReportTrap(uint32_t cause, uint32_t pc, uint32_t value) {
  modelvault::Print("trap cause=");
  modelvault::PrintHex(cause);
  modelvault::Print(" pc=");
  modelvault::PrintHex(pc);
  modelvault::Print(" value=");
  modelvault::PrintHex(value);
  modelvault::Print("\n");
  Exit(2);
}
