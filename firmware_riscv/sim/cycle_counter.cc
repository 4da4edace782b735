#include "firmware_riscv/sim/cycle_counter.h"

#include <algorithm>

#include "firmware_riscv/sim/instruction_cost.h"

namespace modelvault::sim {
namespace {

bool InFlash(uint32_t address) { return address >= kFlashBegin && address < kFlashEnd; }

// Words that the bytes [begin, end) touch; 0 outside flash.
uint32_t FlashWords(uint32_t begin, uint32_t end) { return InFlash(begin) ? ((end + 3) >> 2) - (begin >> 2) : 0; }

}  // namespace

void Counts::Add(const Counts& other) {
  instructions += other.instructions;
  executing += other.executing;
  flash_fetches += other.flash_fetches;
  flash_accesses += other.flash_accesses;
  flash_reads += other.flash_reads;
  flash_read_bytes += other.flash_read_bytes;
}

void Block::AddInstruction(uint32_t address, uint32_t bits, uint32_t size) {
  const InstructionCost cost = CostOf(bits, size);
  uint32_t added = cost.cycles;
  if (!instructions.empty() && (instructions.back().loads & cost.reads) != 0) ++added;
  cycles += added;
  instructions.push_back({address, address + size, cost.reads, cost.loads, added, cost.always_jumps});
}

CycleCounter::CycleCounter(size_t function_count, uint64_t wait)
    : function_count_(function_count),
      counts_(kPhaseRegisterCount * function_count),
      charged_(counts_.data()),
      wait_(wait) {}

void CycleCounter::Enter(const Block* block) {
  const Block::Instruction& begin = block->instructions.front();
  const Block::Instruction& last = block->instructions.back();
  uint32_t cycles = block->cycles;
  uint32_t fetches = FlashWords(begin.address, last.end);
  if (first_) {
    first_ = false;
  } else if (last_jumps_ || begin.address != last_end_) {
    ++cycles;
    if ((begin.address & 2) != 0 && begin.end - begin.address == 4) ++cycles;
  } else {
    if ((last_loads_ & begin.reads) != 0) ++cycles;
    // The half-word before it lies in the same word.
    if ((begin.address & 2) != 0 && fetches > 0) --fetches;
  }
  charged_ = &counts_[phase_offset_ + block->function];
  charged_->instructions += block->instructions.size();
  charged_->executing += cycles;
  charged_->flash_fetches += fetches;
  executing_ += cycles;
  flash_words_ += fetches;
  block_ = block;
  last_end_ = last.end;
  last_loads_ = last.loads;
  last_jumps_ = last.always_jumps;
}

void CycleCounter::Access(const Block* block, uint32_t instruction_address, uint32_t address, uint32_t size,
                          bool store) {
  if (block != block_) BreakOff(block, instruction_address);
  const bool crosses = (address & 3) + size > 4;
  if (crosses) {
    ++charged_->executing;
    ++executing_;
  }
  if (InFlash(address)) {
    const uint32_t words = crosses ? 2 : 1;
    charged_->flash_accesses += words;
    flash_words_ += words;
    if (store) {
      ++flash_stores_;
    } else {
      charged_->flash_reads += words;
      charged_->flash_read_bytes += size;
    }
  } else if (store && address >= kPhaseRegisters && address < kPhaseRegisters + 4 * kPhaseRegisterCount) {
    phase_offset_ = ((address - kPhaseRegisters) >> 2) * function_count_;
  } else if (store && address == kWatchdogRegister) {
    longest_unfed_ = std::max(longest_unfed_, Unfed(wait_));
    fed_executing_ = executing_;
    fed_flash_words_ = flash_words_;
  }
}

void CycleCounter::BreakOff(const Block* block, uint32_t instruction_address) {
  const Block* whole = block_;
  block_ = block;
  if (whole == nullptr) return;
  size_t ran = 0;
  while (ran < whole->instructions.size() && whole->instructions[ran].address != instruction_address) ++ran;
  if (ran == whole->instructions.size()) return;
  const Block::Instruction& last = whole->instructions[ran];
  for (size_t i = ran + 1; i < whole->instructions.size(); ++i) {
    charged_->executing -= whole->instructions[i].cycles;
    executing_ -= whole->instructions[i].cycles;
    --charged_->instructions;
  }
  const uint32_t begin = whole->instructions.front().address;
  const uint32_t not_fetched = FlashWords(begin, whole->instructions.back().end) - FlashWords(begin, last.end);
  charged_->flash_fetches -= not_fetched;
  flash_words_ -= not_fetched;
  last_end_ = last.end;
  last_loads_ = last.loads;
  last_jumps_ = last.always_jumps;
}

}  // namespace modelvault::sim
