// The cycle table of docs/design.md, applied to a run that arrives as blocks of instructions and as data accesses.
// Knows nothing of the emulator.
//
//   each                                                        cycles
//   instruction                                                 1
//   taken branch; jump, call or return (any discontinuity)      +1
//   mulh, mulhu, mulhsu                                         +1
//   div, divu, rem, remu                                        +36
//   load whose result the very next instruction reads           +1
//   redirect to a 4-byte instruction at an address = 2 mod 4    +1
//   load or store that crosses a word                           +1
//   data access to flash, of any width up to a word             +d; one that crosses a word is two
//   word fetched from flash                                     +d; once while execution is sequential
//
// Beside cycles it counts what costs energy: words that flash and RAM hand over, and kinds of instructions. RAM is
// counted as flash is: an access that crosses a word is two, a word of instructions is fetched once while execution is
// sequential.
//
// A taken branch to the very next instruction cannot be told from one that is not taken. A trap counts as a jump, and
// the block it interrupts as if it had run to its end.
#ifndef MODELVAULT_FIRMWARE_RISCV_SIM_CYCLE_COUNTER_H_
#define MODELVAULT_FIRMWARE_RISCV_SIM_CYCLE_COUNTER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "firmware_riscv/app/phases.h"
#include "firmware_riscv/sim/instruction_cost.h"

namespace modelvault::sim {

inline constexpr uint32_t kFlashBegin = 0x20000000;
inline constexpr uint32_t kFlashEnd = 0x24000000;
inline constexpr uint32_t kRamBegin = 0x80000000;
inline constexpr uint32_t kRamEnd = kRamBegin + (128 << 10);

// How many of some instructions are of each kind; the rest are others.
struct InstructionMix {
  uint64_t multiplications = 0;  // High halves included.
  uint64_t divisions = 0;        // And remainders.
  uint64_t branches = 0;         // Taken or not; jumps, calls and returns.

  void Add(const InstructionMix& other);
  // `kind` is one more, or one fewer.
  void Count(InstructionKind kind, int step);
};

// Flash accesses and fetches are counted in words; the caller multiplies them by the wait states.
struct Counts {
  uint64_t instructions = 0;
  uint64_t executing = 0;         // Cycles without waiting for flash.
  uint64_t flash_fetches = 0;     // Words.
  uint64_t flash_accesses = 0;    // Data, reads and writes; one that crosses a word counts twice.
  uint64_t flash_reads = 0;       // Of these, reads,
  uint64_t flash_read_bytes = 0;  // and the bytes they asked for.
  uint64_t ram_fetches = 0;       // Words.
  uint64_t ram_reads = 0;         // Data, in words,
  uint64_t ram_writes = 0;        // likewise.
  InstructionMix mix;

  void Add(const Counts& other);
};

// Instructions that lie one behind the other. Filled by AddInstruction(), then constant.
struct Block {
  struct Instruction {
    uint32_t address;
    uint32_t end;
    uint32_t reads;
    uint32_t loads;
    uint32_t cycles;  // What it adds to the cycles of the block up to it.
    bool always_jumps;
    InstructionKind kind;
  };
  size_t function = 0;  // Whom its cycles are charged to.
  uint32_t cycles = 0;  // Of all instructions, what happens before the first and after the last left out.
  InstructionMix mix;
  std::vector<Instruction> instructions;

  // `bits` as for CostOf(). Instructions come in order of address, without gaps.
  void AddInstruction(uint32_t address, uint32_t bits, uint32_t size);
};

class CycleCounter {
 public:
  // Blocks name functions 0 to function_count - 1.
  // `wait` is what longest_unfed() counts with.
  CycleCounter(size_t function_count, uint64_t wait);

  // `block` begins to run, to its end unless Access() says otherwise. It must outlive the next call of Enter().
  void Enter(const Block* block);

  // An instruction of `block` accesses `size` bytes of data at `address`. Usually `block` is the one entered last.
  // The emulator breaks off a block at an instruction that reaches a device, runs that instruction as a block of its
  // own that it does not announce, and then announces the rest as a block: so if `block` is another one than that
  // entered last, the instructions behind the one at `instruction_address` are taken back.
  void Access(const Block* block, uint32_t instruction_address, uint32_t address, uint32_t size, bool store);

  // Cycles so far, and since the watchdog was fed last (or the start), with `wait` wait states a flash access.
  uint64_t Elapsed(uint64_t wait) const { return executing_ + wait * flash_words_; }
  uint64_t Unfed(uint64_t wait) const { return Elapsed(wait) - (fed_executing_ + wait * fed_flash_words_); }
  // The largest Unfed() at any feeding.
  uint64_t longest_unfed() const { return longest_unfed_; }

  // Stores into flash so far.
  uint64_t flash_stores() const { return flash_stores_; }
  const Counts& counts(uint32_t phase, size_t function) const { return counts_[phase * function_count_ + function]; }
  // How often the program said that this phase begins. Phase 0 begins once more, by itself.
  uint64_t begun(uint32_t phase) const { return begun_[phase]; }

 private:
  // `words` more of instructions, or fewer, were fetched from where `address` lies.
  void CountFetches(uint32_t address, int64_t words);
  void BreakOff(const Block* block, uint32_t instruction_address);

  const size_t function_count_;
  std::vector<Counts> counts_;
  std::vector<uint64_t> begun_;
  size_t phase_offset_ = 0;
  Counts* charged_;
  const Block* block_ = nullptr;
  uint64_t flash_stores_ = 0;
  const uint64_t wait_;
  uint64_t executing_ = 0;  // All phases together, as flash_words_.
  uint64_t flash_words_ = 0;
  uint64_t fed_executing_ = 0;
  uint64_t fed_flash_words_ = 0;
  uint64_t longest_unfed_ = 0;
  // Of the instruction that ran last.
  bool first_ = true;
  uint32_t last_end_ = 0;
  uint32_t last_loads_ = 0;
  bool last_jumps_ = false;
};

}  // namespace modelvault::sim

#endif  // MODELVAULT_FIRMWARE_RISCV_SIM_CYCLE_COUNTER_H_
