#include "firmware_riscv/sim/instruction_cost.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace modelvault::sim {
namespace {

constexpr uint32_t kSp = 1u << 2, kA0 = 1u << 10, kA1 = 1u << 11, kA2 = 1u << 12, kT6 = 1u << 31;

struct Case {
  const char* text;
  uint32_t bits;
  uint32_t size;
  uint32_t cycles;
  uint32_t reads;
  uint32_t loads;
  bool always_jumps;
};

// As the GNU assembler codes them.
constexpr Case kCases[] = {
    {"lui a0, 1", 0x00001537, 4, 1, 0, 0, false},
    {"auipc a0, 1", 0x00001517, 4, 1, 0, 0, false},
    {"jal ra, .", 0x000000ef, 4, 1, 0, 0, true},
    {"jalr ra, 4(a0)", 0x004500e7, 4, 1, kA0, 0, true},
    {"beq a0, a1, .", 0x00b50063, 4, 1, kA0 | kA1, 0, false},
    {"lw a0, 8(a1)", 0x0085a503, 4, 1, kA1, kA0, false},
    {"lbu zero, 8(a1)", 0x0085c003, 4, 1, kA1, 0, false},
    {"sw a0, 8(a1)", 0x00a5a423, 4, 1, kA0 | kA1, 0, false},
    {"sh t6, 8(a1)", 0x01f59423, 4, 1, kT6 | kA1, 0, false},
    {"addi a0, a1, 1", 0x00158513, 4, 1, kA1, 0, false},
    {"slli a0, a1, 3", 0x00359513, 4, 1, kA1, 0, false},
    {"add a0, a1, a2", 0x00c58533, 4, 1, kA1 | kA2, 0, false},
    {"sub a0, zero, t6", 0x41f00533, 4, 1, kT6, 0, false},
    {"mul a0, a1, a2", 0x02c58533, 4, 1, kA1 | kA2, 0, false},
    {"mulh a0, a1, a2", 0x02c59533, 4, 2, kA1 | kA2, 0, false},
    {"mulhsu a0, a1, a2", 0x02c5a533, 4, 2, kA1 | kA2, 0, false},
    {"mulhu a0, a1, a2", 0x02c5b533, 4, 2, kA1 | kA2, 0, false},
    {"div a0, a1, a2", 0x02c5c533, 4, 37, kA1 | kA2, 0, false},
    {"divu a0, a1, a2", 0x02c5d533, 4, 37, kA1 | kA2, 0, false},
    {"rem a0, a1, a2", 0x02c5e533, 4, 37, kA1 | kA2, 0, false},
    {"remu a0, a1, a2", 0x02c5f533, 4, 37, kA1 | kA2, 0, false},
    {"fence", 0x0ff0000f, 4, 1, 0, 0, false},
    {"ecall", 0x00000073, 4, 1, 0, 0, false},
    {"mret", 0x30200073, 4, 1, 0, 0, false},
    {"csrrw a0, mepc, a1", 0x34159573, 4, 1, kA1, 0, false},
    {"csrrs a0, mepc, a1", 0x3415a573, 4, 1, kA1, 0, false},
    {"csrrc a0, mepc, a1", 0x3415b573, 4, 1, kA1, 0, false},
    {"csrrwi a0, mepc, 11", 0x3415d573, 4, 1, 0, 0, false},
    {"lr.w a0, (a1)", 0x1005a52f, 4, 1, kA1, kA0, false},
    {"sc.w a0, a2, (a1)", 0x18c5a52f, 4, 1, kA1 | kA2, kA0, false},
    {"amoadd.w a0, a2, (a1)", 0x00c5a52f, 4, 1, kA1 | kA2, kA0, false},
    {"c.addi4spn a0, sp, 16", 0x0808, 2, 1, kSp, 0, false},
    {"c.lw a0, 8(a1)", 0x4588, 2, 1, kA1, kA0, false},
    {"c.sw a0, 8(a1)", 0xc588, 2, 1, kA0 | kA1, 0, false},
    {"c.nop", 0x0001, 2, 1, 0, 0, false},
    {"c.addi t6, 1", 0x0f85, 2, 1, kT6, 0, false},
    {"c.jal .", 0x2001, 2, 1, 0, 0, true},
    {"c.li t6, 1", 0x4f85, 2, 1, 0, 0, false},
    {"c.addi16sp sp, 32", 0x6105, 2, 1, kSp, 0, false},
    {"c.lui t6, 1", 0x6f85, 2, 1, 0, 0, false},
    {"c.srli a0, 1", 0x8105, 2, 1, kA0, 0, false},
    {"c.srai a0, 1", 0x8505, 2, 1, kA0, 0, false},
    {"c.andi a0, 1", 0x8905, 2, 1, kA0, 0, false},
    {"c.sub a0, a1", 0x8d0d, 2, 1, kA0 | kA1, 0, false},
    {"c.xor a0, a1", 0x8d2d, 2, 1, kA0 | kA1, 0, false},
    {"c.or a0, a1", 0x8d4d, 2, 1, kA0 | kA1, 0, false},
    {"c.and a0, a1", 0x8d6d, 2, 1, kA0 | kA1, 0, false},
    {"c.j .", 0xa001, 2, 1, 0, 0, true},
    {"c.beqz a0, .", 0xc101, 2, 1, kA0, 0, false},
    {"c.bnez a0, .", 0xe101, 2, 1, kA0, 0, false},
    {"c.slli t6, 1", 0x0f86, 2, 1, kT6, 0, false},
    {"c.lwsp t6, 8(sp)", 0x4fa2, 2, 1, kSp, kT6, false},
    {"c.jr t6", 0x8f82, 2, 1, kT6, 0, true},
    {"c.mv t6, a1", 0x8fae, 2, 1, kA1, 0, false},
    {"c.ebreak", 0x9002, 2, 1, 0, 0, false},
    {"c.jalr t6", 0x9f82, 2, 1, kT6, 0, true},
    {"c.add t6, a1", 0x9fae, 2, 1, kT6 | kA1, 0, false},
    {"c.swsp t6, 8(sp)", 0xc47e, 2, 1, kSp | kT6, 0, false},
};

TEST(InstructionCostTest, EveryKindOfInstruction) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.text);
    // What follows a short instruction in memory is no part of it.
    for (const uint32_t behind : {0x00000000u, 0xFFFF0000u}) {
      const InstructionCost cost = CostOf(c.size == 2 ? c.bits | behind : c.bits, c.size);
      EXPECT_EQ(cost.cycles, c.cycles);
      EXPECT_EQ(cost.reads, c.reads);
      EXPECT_EQ(cost.loads, c.loads);
      EXPECT_EQ(cost.always_jumps, c.always_jumps);
    }
  }
}

// In the texts above: what multiplies, divides, or may go elsewhere.
InstructionKind KindOf(const std::string& text) {
  const std::string name = text.substr(0, text.find(' '));
  const auto is = [&](std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is({"mul", "mulh", "mulhsu", "mulhu"})) return InstructionKind::kMultiplication;
  if (is({"div", "divu", "rem", "remu"})) return InstructionKind::kDivision;
  if (is({"jal", "jalr", "beq", "c.jal", "c.j", "c.beqz", "c.bnez", "c.jr", "c.jalr"})) return InstructionKind::kBranch;
  return InstructionKind::kOther;
}

TEST(InstructionCostTest, EveryKindOfWork) {
  for (const Case& c : kCases) EXPECT_EQ(CostOf(c.bits, c.size).kind, KindOf(c.text)) << c.text;
}

}  // namespace
}  // namespace modelvault::sim
