// What the cycle table needs to know of one RV32IMAC instruction, from its bits alone.
#ifndef MODELVAULT_FIRMWARE_RISCV_SIM_INSTRUCTION_COST_H_
#define MODELVAULT_FIRMWARE_RISCV_SIM_INSTRUCTION_COST_H_

#include <cstdint>

namespace modelvault::sim {

// What an instruction computes, as far as that changes what it costs in energy.
enum class InstructionKind : uint8_t { kOther, kMultiplication, kDivision, kBranch };

struct InstructionCost {
  uint32_t cycles = 1;        // Whatever comes before and after: 1, multiplication and division included.
  uint32_t reads = 0;         // Bit r: it reads register r. Never bit 0.
  uint32_t loads = 0;         // One bit: the register a load (or an atomic) writes. 0 for everything else.
  bool always_jumps = false;  // jal, jalr and their short forms: the next instruction is fetched anew, wherever it is.
  InstructionKind kind = InstructionKind::kOther;  // kBranch: conditional branches, and whatever always jumps.
};

// `bits` of a 2-byte instruction are its low 16; `size` is 2 or 4. Any bits do: what is no instruction of RV32IMAC
// costs one cycle and reads nothing.
InstructionCost CostOf(uint32_t bits, uint32_t size);

}  // namespace modelvault::sim

#endif  // MODELVAULT_FIRMWARE_RISCV_SIM_INSTRUCTION_COST_H_
