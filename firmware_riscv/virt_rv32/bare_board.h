// The emulated board's console, end and phases, for programs that bring no firmware, and what start.S and the linker
// script give and ask of each.
#ifndef MODELVAULT_FIRMWARE_RISCV_VIRT_RV32_BARE_BOARD_H_
#define MODELVAULT_FIRMWARE_RISCV_VIRT_RV32_BARE_BOARD_H_

#include <stdint.h>

#include "firmware_riscv/app/phases.h"

extern "C" {
extern const uint8_t _vault_start[];
extern uint8_t _arena_start[], _arena_end[];
// The program's own. A trap may end it with code 2.
[[noreturn]] void Exit(int code);
[[noreturn]] void ReportTrap(uint32_t cause, uint32_t pc, uint32_t value);
int main();
}

namespace modelvault {

// A byte that is written there is printed.
volatile uint8_t* const kUart = reinterpret_cast<volatile uint8_t*>(0x10000000);

// Ends the emulator with this exit code.
[[noreturn]] inline void EndEmulator(int code) {
  constexpr uint32_t kPass = 0x5555, kFail = 0x3333;
  *reinterpret_cast<volatile uint32_t*>(0x00100000) = code == 0 ? kPass : (static_cast<uint32_t>(code) << 16 | kFail);
  for (;;) {
  }
}

// Tells the counter of cycles what comes now.
inline void BeginPhase(uint32_t phase) { reinterpret_cast<volatile uint32_t*>(kPhaseRegisters)[phase] = 0; }

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_VIRT_RV32_BARE_BOARD_H_
