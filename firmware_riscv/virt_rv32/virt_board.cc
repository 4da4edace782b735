// QEMU's `virt` board as virt_128k.ld lays it out.
#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/app/straps.h"
#include "firmware_riscv/virt_rv32/cfi_flash.h"

extern "C" {
extern const uint8_t _straps[];
extern const uint8_t _vault_start[];
extern const uint8_t _vault_partition_size[], _vault_bank_size[];  // Addresses that are sizes.
extern const uint8_t _selection_start[], _state_start[], _second_slot_start[], _patch_start[], _spare_start[],
    _stage_start[];
extern const uint32_t _stack_bottom[];
extern const uint32_t _stack_top[];
extern const uint8_t _ram_code_start[], _ram_code_end[];
extern uint8_t _restore_code_start[], _restore_code_end[], _restore_code_room_end[];
extern const uint8_t _restore_code_load[];
extern const uint8_t _data_start[], _data_end[];
extern const uint8_t _bss_start[], _bss_end[];
extern uint8_t _arena_start[], _arena_end[];
[[noreturn]] void ReportTrap(uint32_t cause, uint32_t pc, uint32_t value);
}

namespace modelvault {
namespace {

// QEMU's 16550: the transmitter is always ready, so there is nothing to wait for.
volatile uint8_t* const kUart = reinterpret_cast<volatile uint8_t*>(0x10000000);
constexpr unsigned kUartLineStatus = 5;
constexpr uint8_t kUartDataReady = 1;
volatile uint32_t* const kFinisher = reinterpret_cast<volatile uint32_t*>(0x00100000);
constexpr uint32_t kFinisherPass = 0x5555;
constexpr uint32_t kFinisherFail = 0x3333;
volatile uint32_t* const kPhases = reinterpret_cast<volatile uint32_t*>(kPhaseRegisters);
constexpr uint32_t kStackPaint = 0xA5A5A5A5;  // start.S fills the stack with it.

constexpr uint32_t kSectorSize = 256 * 1024;
extern const mv_flash kFlash;
const mv_flash kFlash = {{_selection_start, _selection_start + kSectorSize},
                         kSectorSize,
                         CfiErase,
                         CfiProgram,
                         const_cast<mv_flash*>(&kFlash),
                         /*invalidate=*/nullptr,
                         FeedWatchdog};

// Of all regions the context is where they begin.
mv_error ReadFlash(void* begin, uint32_t offset, uint8_t* out, uint32_t size) {
  memcpy(out, static_cast<const uint8_t*>(begin) + offset, size);
  return MV_OK;
}
mv_error EraseFlash(void* begin, uint32_t offset) { return CfiEraseAt(static_cast<const uint8_t*>(begin) + offset); }
mv_error ProgramFlash(void* begin, uint32_t offset, const uint8_t* unit) {
  return CfiProgramAt(static_cast<const uint8_t*>(begin) + offset, unit);
}
constexpr mv_region Region(const uint8_t* begin, uint32_t size) {
  return {size, kSectorSize, ReadFlash, EraseFlash, ProgramFlash, FeedWatchdog, const_cast<uint8_t*>(begin)};
}
constexpr uint32_t kMebibyte = 1u << 20;

}  // namespace

void PrintCharacter(char c) { *kUart = static_cast<uint8_t>(c); }

char ReadCharacter() {
  // However long somebody takes to type, the board is alive.
  while ((kUart[kUartLineStatus] & kUartDataReady) == 0) FeedWatchdog(nullptr);
  return static_cast<char>(*kUart);
}

ByteView VaultPartition() { return {_vault_start, reinterpret_cast<size_t>(_vault_partition_size)}; }

ByteView VaultBank() { return {_vault_start, reinterpret_cast<size_t>(_vault_bank_size)}; }

const mv_flash* BoardFlash() { return &kFlash; }

const mv_region* BoardState() {
  static constexpr mv_region region = Region(_state_start, kStateSectors * kSectorSize);
  return &region;
}

const UpdateFlash& BoardUpdateFlash() {
  static constexpr UpdateFlash flash = {{Region(_vault_start, kMebibyte), Region(_second_slot_start, kMebibyte)},
                                        Region(_patch_start, kMebibyte),
                                        Region(_spare_start, kSectorSize),
                                        Region(_stage_start, 2 * kMebibyte)};
  return flash;
}

ByteView VaultSlot(unsigned slot) {
  return {slot == 0 ? _vault_start : _second_slot_start, reinterpret_cast<size_t>(_vault_partition_size)};
}

const mv_counter* BoardCounter() { return nullptr; }

uint64_t InstructionsRetired() {
  uint32_t high, low, again;
  do {
    asm volatile("csrr %0, minstreth" : "=r"(high));
    asm volatile("csrr %0, minstret" : "=r"(low));
    asm volatile("csrr %0, minstreth" : "=r"(again));
  } while (high != again);
  return static_cast<uint64_t>(high) << 32 | low;
}

// The emulator's counter of cycles counts instructions.
uint64_t CyclesElapsed() { return 0; }

void BeginPhase(Phase phase) { kPhases[static_cast<uint8_t>(phase)] = 0; }

void FeedWatchdog(void*) { *reinterpret_cast<volatile uint32_t*>(kWatchdogRegister) = 0; }

ByteSpan FreeRam() { return {_arena_start, static_cast<size_t>(_arena_end - _arena_start)}; }

size_t ReclaimableRam() { return static_cast<size_t>(_restore_code_room_end - _restore_code_start); }

void ReloadCode() {
  const size_t size = static_cast<size_t>(_restore_code_end - _restore_code_start);
  memcpy(_restore_code_start, _restore_code_load, size);
  asm volatile("fence.i" ::: "memory");
}

const uint8_t* BoardDeviceKey() { return ReadDeviceKey(StrapBlock()); }

uint32_t StaticBytes() { return static_cast<uint32_t>((_data_end - _data_start) + (_bss_end - _bss_start)); }

uint32_t RamCodeBytes() {
  return static_cast<uint32_t>((_ram_code_end - _ram_code_start) + (_restore_code_room_end - _restore_code_start));
}

uint32_t StackBytesUsed() {
  const uint32_t* p = _stack_bottom;
  while (p < _stack_top && *p == kStackPaint) ++p;
  return static_cast<uint32_t>(_stack_top - p) * 4;
}

uint32_t StackBytes() { return static_cast<uint32_t>(_stack_top - _stack_bottom) * 4; }

ByteView StrapBlock() { return {_straps, kAllStrapsSize}; }

// A firmware that was built to trust somebody is not told otherwise; a strap may only ask for more.
const mv_trust* BoardTrust() {
  static mv_trust trust;
  const bool strapped = ReadTrust(StrapBlock(), &trust);
#ifdef MODELVAULT_TRUSTED_KEY_SET
  static const uint8_t kKeySet[MV_DIGEST_SIZE] = {MODELVAULT_TRUSTED_KEY_SET};
  trust.key_set = kKeySet;
  trust.revocations = StrapBlock().data + kRevocationStrapOffset;
  trust.revocations_size = kRevocationStrapSize;
  static_cast<void>(strapped);
  return &trust;
#else
  return strapped ? &trust : nullptr;
#endif
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
