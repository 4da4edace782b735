#include "firmware_riscv/sim/instruction_cost.h"

namespace modelvault::sim {
namespace {

constexpr uint32_t kHighMultiplyExtra = 1;
constexpr uint32_t kDivideExtra = 36;

uint32_t Field(uint32_t bits, int low, int width) { return bits >> low & ((1u << width) - 1); }

// x0 is always there and never waited for.
uint32_t Register(uint32_t number) { return 1u << number & ~1u; }

// The three-bit register fields of the short forms mean x8 to x15.
uint32_t ShortRegister(uint32_t bits, int low) { return Register(8 + Field(bits, low, 3)); }

constexpr uint32_t kStackPointer = 1u << 2;

InstructionCost CostOfLong(uint32_t bits) {
  InstructionCost cost;
  const uint32_t rd = Register(Field(bits, 7, 5));
  const uint32_t rs1 = Register(Field(bits, 15, 5));
  const uint32_t rs2 = Register(Field(bits, 20, 5));
  const uint32_t funct3 = Field(bits, 12, 3);
  switch (Field(bits, 0, 7)) {
    case 0x03:  // Loads.
      cost.reads = rs1;
      cost.loads = rd;
      break;
    case 0x13:  // Arithmetic with a constant.
      cost.reads = rs1;
      break;
    case 0x23:  // Stores.
      cost.reads = rs1 | rs2;
      break;
    case 0x63:  // Branches.
      cost.reads = rs1 | rs2;
      cost.kind = InstructionKind::kBranch;
      break;
    case 0x2f:  // Atomics.
      cost.reads = rs1 | rs2;
      cost.loads = rd;
      break;
    case 0x33:  // Arithmetic.
      cost.reads = rs1 | rs2;
      if (Field(bits, 25, 7) == 1) {  // The M extension: mul, three high halves, four divisions.
        cost.kind = funct3 >= 4 ? InstructionKind::kDivision : InstructionKind::kMultiplication;
        if (funct3 >= 4) {
          cost.cycles += kDivideExtra;
        } else if (funct3 >= 1) {
          cost.cycles += kHighMultiplyExtra;
        }
      }
      break;
    case 0x67:  // jalr
      cost.reads = rs1;
      cost.always_jumps = true;
      break;
    case 0x6f:  // jal
      cost.always_jumps = true;
      break;
    case 0x73:  // csrrw, csrrs, csrrc read a register; their immediate forms and ecall, mret and so on do not.
      if (funct3 >= 1 && funct3 <= 3) cost.reads = rs1;
      break;
    default:  // lui, auipc, fences.
      break;
  }
  return cost;
}

InstructionCost CostOfShort(uint32_t bits) {
  InstructionCost cost;
  const uint32_t rd = Register(Field(bits, 7, 5));
  const uint32_t rs2 = Register(Field(bits, 2, 5));
  const uint32_t low = ShortRegister(bits, 2), high = ShortRegister(bits, 7);
  // Quadrant and function together.
  switch (Field(bits, 0, 2) << 3 | Field(bits, 13, 3)) {
    case 000:  // c.addi4spn
      cost.reads = kStackPointer;
      break;
    case 002:  // c.lw
      cost.reads = high;
      cost.loads = low;
      break;
    case 006:  // c.sw
      cost.reads = high | low;
      break;
    case 010:  // c.addi
      cost.reads = rd;
      break;
    case 011:  // c.jal
    case 015:  // c.j
      cost.always_jumps = true;
      break;
    case 013:  // c.addi16sp; c.lui reads nothing.
      if (rd == kStackPointer) cost.reads = kStackPointer;
      break;
    case 014:  // c.srli, c.srai, c.andi; then c.sub, c.xor, c.or, c.and.
      cost.reads = Field(bits, 10, 2) == 3 ? high | low : high;
      break;
    case 016:  // c.beqz
    case 017:  // c.bnez
      cost.reads = high;
      cost.kind = InstructionKind::kBranch;
      break;
    case 020:  // c.slli
      cost.reads = rd;
      break;
    case 022:  // c.lwsp
      cost.reads = kStackPointer;
      cost.loads = rd;
      break;
    case 024:
      if (rs2 != 0) {  // c.mv, c.add
        cost.reads = Field(bits, 12, 1) == 0 ? rs2 : rd | rs2;
      } else if (rd != 0) {  // c.jr, c.jalr; c.ebreak has neither register.
        cost.reads = rd;
        cost.always_jumps = true;
      }
      break;
    case 026:  // c.swsp
      cost.reads = kStackPointer | rs2;
      break;
    default:  // c.li, and what RV32IMAC does not have.
      break;
  }
  return cost;
}

}  // namespace

InstructionCost CostOf(uint32_t bits, uint32_t size) {
  InstructionCost cost = size == 4 ? CostOfLong(bits) : CostOfShort(bits & 0xFFFF);
  if (cost.always_jumps) cost.kind = InstructionKind::kBranch;
  return cost;
}

}  // namespace modelvault::sim
