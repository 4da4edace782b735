#include "firmware_riscv/sim/cycle_counter.h"

#include <algorithm>

namespace modelvault::sim {
namespace {

bool InFlash(uint32_t address) { return address >= kFlashBegin && address < kFlashEnd; }
bool InRam(uint32_t address) { return address >= kRamBegin && address < kRamEnd; }

// Words that the bytes [begin, end) touch.
uint32_t Words(uint32_t begin, uint32_t end) { return ((end + 3) >> 2) - (begin >> 2); }

}  // namespace

void InstructionMix::Add(const InstructionMix& other) {
  multiplications += other.multiplications;
  divisions += other.divisions;
  branches += other.branches;
}

void InstructionMix::Count(InstructionKind kind, int step) {
  switch (kind) {
    case InstructionKind::kMultiplication:
      multiplications += step;
      break;
    case InstructionKind::kDivision:
      divisions += step;
      break;
    case InstructionKind::kBranch:
      branches += step;
      break;
    case InstructionKind::kOther:
      break;
  }
}

void Counts::Add(const Counts& other) {
  instructions += other.instructions;
  executing += other.executing;
  flash_fetches += other.flash_fetches;
  flash_accesses += other.flash_accesses;
  flash_reads += other.flash_reads;
  flash_read_bytes += other.flash_read_bytes;
  ram_fetches += other.ram_fetches;
  ram_reads += other.ram_reads;
  ram_writes += other.ram_writes;
  mix.Add(other.mix);
}

void Block::AddInstruction(uint32_t address, uint32_t bits, uint32_t size) {
  const InstructionCost cost = CostOf(bits, size);
  uint32_t added = cost.cycles;
  if (!instructions.empty() && (instructions.back().loads & cost.reads) != 0) ++added;
  cycles += added;
  mix.Count(cost.kind, 1);
  instructions.push_back({address, address + size, cost.reads, cost.loads, added, cost.always_jumps, cost.kind});
}

CycleCounter::CycleCounter(size_t function_count, uint64_t wait)
    : function_count_(function_count),
      counts_(kPhaseRegisterCount * function_count),
      begun_(kPhaseRegisterCount),
      charged_(counts_.data()),
      wait_(wait) {}

void CycleCounter::Enter(const Block* block) {
  const Block::Instruction& begin = block->instructions.front();
  const Block::Instruction& last = block->instructions.back();
  uint32_t cycles = block->cycles;
  uint32_t fetches = Words(begin.address, last.end);
  if (first_) {
    first_ = false;
  } else if (last_jumps_ || begin.address != last_end_) {
    ++cycles;
    if ((begin.address & 2) != 0 && begin.end - begin.address == 4) ++cycles;
  } else {
    if ((last_loads_ & begin.reads) != 0) ++cycles;
    // The half-word before it lies in the same word.
    if ((begin.address & 2) != 0) --fetches;
  }
  charged_ = &counts_[phase_offset_ + block->function];
  charged_->instructions += block->instructions.size();
  charged_->executing += cycles;
  charged_->mix.Add(block->mix);
  executing_ += cycles;
  CountFetches(begin.address, fetches);
  block_ = block;
  last_end_ = last.end;
  last_loads_ = last.loads;
  last_jumps_ = last.always_jumps;
}

void CycleCounter::Access(const Block* block, uint32_t instruction_address, uint32_t address, uint32_t size,
                          bool store) {
  if (block != block_) BreakOff(block, instruction_address);
  const bool crosses = (address & 3) + size > 4;
  const uint32_t words = crosses ? 2 : 1;
  if (crosses) {
    ++charged_->executing;
    ++executing_;
  }
  if (InFlash(address)) {
    charged_->flash_accesses += words;
    flash_words_ += words;
    if (store) {
      ++flash_stores_;
    } else {
      charged_->flash_reads += words;
      charged_->flash_read_bytes += size;
    }
  } else if (InRam(address)) {
    (store ? charged_->ram_writes : charged_->ram_reads) += words;
  } else if (store && address >= kPhaseRegisters && address < kPhaseRegisters + 4 * kPhaseRegisterCount) {
    const uint32_t phase = (address - kPhaseRegisters) >> 2;
    ++begun_[phase];
    phase_offset_ = phase * function_count_;
  } else if (store && address == kWatchdogRegister) {
    longest_unfed_ = std::max(longest_unfed_, Unfed(wait_));
    fed_executing_ = executing_;
    fed_flash_words_ = flash_words_;
  }
}

void CycleCounter::CountFetches(uint32_t address, int64_t words) {
  if (InFlash(address)) {
    charged_->flash_fetches += words;
    flash_words_ += words;
  } else if (InRam(address)) {
    charged_->ram_fetches += words;
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
    charged_->mix.Count(whole->instructions[i].kind, -1);
  }
  const uint32_t begin = whole->instructions.front().address;
  CountFetches(begin, int64_t{Words(begin, last.end)} - Words(begin, whole->instructions.back().end));
  last_end_ = last.end;
  last_loads_ = last.loads;
  last_jumps_ = last.always_jumps;
}

}  // namespace modelvault::sim
