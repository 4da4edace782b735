// A field update on the emulated board and nothing else: starts the vault of one of two slots, confirms it, and applies
// the patch that lies behind them, if there is one for it. A line for each of these on the console. Exit codes: 0 done;
// 1 nothing could be started, or the update failed; 2 a trap.
//
// The vault's bank, in sectors of 256 KiB: 0 and 1 MiB the slots, 2 MiB the state's three sectors, 3 MiB the patch.
#include "firmware_riscv/app/phases.h"
#include "firmware_riscv/update/slot_update.h"
#include "firmware_riscv/virt_rv32/bare_board.h"
#include "firmware_riscv/virt_rv32/cfi_flash.h"

namespace modelvault {
namespace {

constexpr uint32_t kMebibyte = 1u << 20;
constexpr uint32_t kSectorSize = 256u << 10;
constexpr size_t kBufferSize = 4096;

const uint8_t* const kSlot[kSlots] = {_vault_start, _vault_start + kMebibyte};
const uint8_t* const kState = _vault_start + 2 * kMebibyte;
const uint8_t* const kPatch = _vault_start + 3 * kMebibyte;

void Print(const char* text) {
  for (; *text != '\0'; ++text) *kUart = static_cast<uint8_t>(*text);
}

void Print(const char* text, uint32_t number) {
  Print(text);
  char digits[11] = {};
  char* first = digits + 10;
  do {
    *--first = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  Print(first);
}

mv_error ReadFlash(void* begin, uint32_t offset, uint8_t* out, uint32_t size) {
  memcpy(out, static_cast<const uint8_t*>(begin) + offset, size);
  return MV_OK;
}

mv_error EraseFlash(void* begin, uint32_t offset) { return CfiEraseAt(static_cast<const uint8_t*>(begin) + offset); }

mv_error ProgramFlash(void* begin, uint32_t offset, const uint8_t* unit) {
  return CfiProgramAt(static_cast<const uint8_t*>(begin) + offset, unit);
}

void FeedWatchdog(void*) { *reinterpret_cast<volatile uint32_t*>(kWatchdogRegister) = 0; }

mv_region Region(const uint8_t* begin, uint32_t size) {
  mv_region region = {};
  region.size = size;
  region.sector_size = kSectorSize;
  region.read = ReadFlash;
  region.erase = EraseFlash;
  region.program = ProgramFlash;
  region.feed = FeedWatchdog;
  region.context = const_cast<uint8_t*>(begin);
  return region;
}

// At the arena's end; the loader has the rest.
uint8_t* Buffer() { return reinterpret_cast<uint8_t*>(reinterpret_cast<uintptr_t>(_arena_end) - kBufferSize); }

// Opens the vault and compares all that is stored of its base and variants.
mv_error VerifySlot(void*, unsigned slot, uint64_t* version) {
  *version = 0;
  const mv_watchdog watchdog = {FeedWatchdog, nullptr};
  mv_loader* loader;
  const size_t memory_size = static_cast<size_t>(Buffer() - _arena_start);
  mv_error error = mv_open(kSlot[slot], kMebibyte, _arena_start, memory_size, &watchdog, &loader, nullptr);
  if (error != MV_OK) return error;
  mv_variant variant;
  mv_base(loader, &variant);
  mv_cursor cursor = {};
  do {
    if (mv_diagnose(loader, &variant).place != MV_PLACE_UNKNOWN) return MV_CHECKSUM_MISMATCH;
    error = mv_list(loader, &cursor, &variant);
  } while (error == MV_OK);
  return error == MV_NOT_FOUND ? MV_OK : error;
}

int Run() {
  static constexpr const char* kSources[] = {"nothing", "active", "trial", "other"};
  const mv_region sectors = Region(kState, kStateSectors * kSectorSize);
  const mv_region slots[kSlots] = {Region(kSlot[0], kMebibyte), Region(kSlot[1], kMebibyte)};
  const SlotHost host = {VerifySlot, nullptr};
  DeviceState state(&sectors, nullptr);
  const SlotChoice choice = ChooseSlot(&state, host);
  Print("start slot=", choice.slot);
  Print(" source=");
  Print(kSources[static_cast<uint8_t>(choice.source)]);
  Print("\n");
  if (choice.source == SlotSource::kNothing || state.Confirm(0) != MV_OK) return 1;

  if (memcmp(kPatch, kPatchMagic, sizeof(kPatchMagic)) != 0) return 0;
  const PatchSource patch = {ReadFlash, const_cast<uint8_t*>(kPatch), kMebibyte, true};
  UpdateReport report;
  const mv_error error = UpdateSlot(&state, {{&slots[0], &slots[1]}}, host, patch, {Buffer(), kBufferSize}, &report);
  Print("update status=");
  Print(mv_error_name(error));
  Print(" before=", report.done_before);
  Print(" written=", report.written);
  Print(" units=", report.units);
  Print("\n");
  return error == MV_OK ? 0 : 1;
}

}  // namespace
}  // namespace modelvault

void Exit(int code) { modelvault::EndEmulator(code); }

void ReportTrap(uint32_t, uint32_t, uint32_t) { Exit(2); }

int main() { return modelvault::Run(); }
