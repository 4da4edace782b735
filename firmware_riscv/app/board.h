// What a board offers the firmware beside its flash (flash_driver.h): a console, counters, memory, straps, a way out.
// One file implements it for one board; virt_board.cc does for QEMU's `virt`, with the memory map of virt_128k.ld.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_BOARD_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_BOARD_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/app/phases.h"
#include "firmware_riscv/boot/device_state.h"
#include "firmware_riscv/boot/flash_driver.h"
#include "firmware_riscv/loader/modelvault_proof.h"

namespace modelvault {

// The console. ReadCharacter() waits for one.
void PrintCharacter(char c);
char ReadCharacter();

// The vault's partition in flash; and the whole bank from there on, where larger vaults than the partition can be
// measured.
ByteView VaultPartition();
// The slots of field updates (docs/porting.md): slot 0 is the partition, and of equal size.
ByteView VaultSlot(unsigned slot);
ByteView VaultBank();

// The flash driver, for the sectors of the boot selection.
const mv_flash* BoardFlash();

// Instructions retired since reset. Exact under QEMU's -icount.
uint64_t InstructionsRetired();

// Cycles since reset; always 0 where the board cannot count them. And how many there are in a second.
uint64_t CyclesElapsed();
inline constexpr uint32_t kClockHz = 120000000;

// What the firmware is doing, for whoever measures from outside. A board without such an observer leaves this empty.
void BeginPhase(Phase phase);

// The watchdog, if the board has one. `context` is not used.
void FeedWatchdog(void* context);
inline constexpr mv_watchdog kWatchdog = {FeedWatchdog, nullptr};

// RAM that nothing else uses, aligned to 8 bytes: for the loader, and what it leaves is the application's.
ByteSpan FreeRam();

// How many bytes directly behind that hold code that only restores models. Whoever has used them calls ReloadCode()
// before a model is restored again.
size_t ReclaimableRam();
void ReloadCode();

// RAM in use beside FreeRam(), in bytes: variables; code and constants copied from flash; and the deepest the stack has
// been since reset, of the bytes it has.
uint32_t StaticBytes();
uint32_t RamCodeBytes();
uint32_t StackBytesUsed();
uint32_t StackBytes();

// The boot strap blocks: kAllStrapsSize bytes that automation puts beside the code (straps.h).
ByteView StrapBlock();

// Whose vaults this board starts, before it remembers anything; null: anybody's.
const mv_trust* BoardTrust();

// The secret key of the device group that the board is of, MV_DEVICE_KEY_SIZE bytes; null: of none.
const uint8_t* BoardDeviceKey();

// The sectors of the device's state (boot/device_state.h); and a counter that outlives the flash, null: there is none.
const mv_region* BoardState();
const mv_counter* BoardCounter();

// What field updates write, and read patches from.
struct UpdateFlash {
  mv_region slots[kSlots];
  mv_region patch;  // Where whoever writes the flash puts a patch.
  mv_region spare;  // A sector for updates in place.
  mv_region stage;  // For a patch that comes over the console's line.
};
const UpdateFlash& BoardUpdateFlash();

}  // namespace modelvault

// Ends the emulator, or halts; a code of 0 means success.
extern "C" [[noreturn]] void Exit(int code);

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_BOARD_H_
