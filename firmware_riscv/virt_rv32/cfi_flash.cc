#include "firmware_riscv/virt_rv32/cfi_flash.h"

#include "codec/core/bytes.h"

namespace modelvault {
namespace {

// Commands and status, in both halves of a word.
constexpr uint32_t kEraseSetup = 0x00200020;
constexpr uint32_t kEraseConfirm = 0x00D000D0;
constexpr uint32_t kProgramSetup = 0x00400040;
constexpr uint32_t kClearStatus = 0x00500050;
constexpr uint32_t kReadArray = 0x00FF00FF;
constexpr uint32_t kReady = 0x00800080;
// Erase failed, program failed, voltage too low, sector locked.
constexpr uint32_t kFailures = 0x003A003A;
// Reads of the status before a part that never gets ready is given up. The emulator's is ready at once; on a real part
// an erase takes up to some seconds.
constexpr uint32_t kMaxPolls = 100'000'000;

volatile uint32_t* Words(const uint8_t* place) {
  return reinterpret_cast<volatile uint32_t*>(const_cast<uint8_t*>(place));
}

// Waits for the end of a command and goes back to reading.
mv_error Finish(volatile uint32_t* place) {
  uint32_t status = 0;
  for (uint32_t i = 0; i < kMaxPolls && (status & kReady) != kReady; ++i) status = *place;
  const bool good = (status & kReady) == kReady && (status & kFailures) == 0;
  if (!good) *place = kClearStatus;
  *place = kReadArray;
  return good ? MV_OK : MV_FLASH_FAILED;
}

}  // namespace

mv_error CfiEraseAt(const uint8_t* place) {
  volatile uint32_t* const words = Words(place);
  *words = kEraseSetup;
  *words = kEraseConfirm;
  return Finish(words);
}

mv_error CfiProgramAt(const uint8_t* place, const uint8_t* unit) {
  for (uint32_t at = 0; at < MV_SELECTION_UNIT; at += 4) {
    volatile uint32_t* const words = Words(place + at);
    const uint32_t word = LoadLe32(unit + at);
    if (*words == word) continue;
    *words = kProgramSetup;
    *words = word;
    const mv_error error = Finish(words);
    if (error != MV_OK) return error;
  }
  return MV_OK;
}

mv_error CfiErase(void* context, unsigned sector) {
  return CfiEraseAt(static_cast<const mv_flash*>(context)->sector[sector]);
}

mv_error CfiProgram(void* context, unsigned sector, uint32_t offset, const uint8_t* unit) {
  return CfiProgramAt(static_cast<const mv_flash*>(context)->sector[sector] + offset, unit);
}

}  // namespace modelvault
