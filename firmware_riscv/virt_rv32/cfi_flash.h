// The emulated board's flash driver: QEMU's pflash, two 16-bit CFI parts (Intel command set) side by side on a 32-bit
// bus, so every command and status comes twice in a word.
//
// While one of its sectors is erased or programmed the whole bank reads as status. The firmware's code is in the other
// bank; on a part with one bank these functions and all they call must run from RAM (docs/porting.md).
#ifndef MODELVAULT_FIRMWARE_RISCV_VIRT_RV32_CFI_FLASH_H_
#define MODELVAULT_FIRMWARE_RISCV_VIRT_RV32_CFI_FLASH_H_

#include "firmware_riscv/boot/flash_driver.h"

namespace modelvault {

// The callbacks of mv_flash; `context` is the const mv_flash* itself.
mv_error CfiErase(void* context, unsigned sector);
mv_error CfiProgram(void* context, unsigned sector, uint32_t offset, const uint8_t* unit);

// The same anywhere in the bank: the sector that begins at `place`, a unit at `place`.
mv_error CfiEraseAt(const uint8_t* place);
mv_error CfiProgramAt(const uint8_t* place, const uint8_t* unit);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_VIRT_RV32_CFI_FLASH_H_
