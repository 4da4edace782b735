/* What the boot selection asks of a part's flash: two erasable sectors, units to program, everything readable in place.
 * A port fills one mv_flash (docs/porting.md); the functions below put NOR's rules around its callbacks. */
#ifndef MODELVAULT_FIRMWARE_RISCV_BOOT_FLASH_DRIVER_H_
#define MODELVAULT_FIRMWARE_RISCV_BOOT_FLASH_DRIVER_H_

#include <stddef.h>
#include <stdint.h>

#include "firmware_riscv/loader/modelvault_loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The sectors of the boot selection. They hold nothing else, and lie outside the vault's partition. */
#define MV_SELECTION_SECTORS 2u

/* Bytes that are programmed together, a power of two from 8 on. 32 serve every part whose own unit is no larger;
 * another number makes another format of the sectors, and one's records are none in the other. */
#ifndef MV_SELECTION_UNIT
#define MV_SELECTION_UNIT 32u
#endif

typedef struct mv_flash {
  /* Where the sectors can be read, and how large they are. */
  const uint8_t* sector[MV_SELECTION_SECTORS];
  uint32_t sector_size;
  /* Sets every bit of a sector. Returns when it is done and the sector can be read again. */
  mv_error (*erase)(void* context, unsigned sector);
  /* Clears the bits that are zero in `unit`, MV_SELECTION_UNIT bytes; `offset`, in the sector, is a multiple of that.
   * Returns as erase() does. A unit is programmed once between two erases; only marks of records in the first format
   * (boot_selection.h), which are words on parts with units of words, come later: what reads as it should is left out.
   */
  mv_error (*program)(void* context, unsigned sector, uint32_t offset, const uint8_t* unit);
  void* context;
  /* Where reads go through a cache: forgets what it holds of these bytes. Called after every erase and program, before
   * the flash is read again. NULL: reads are not cached. */
  void (*invalidate)(void* context, unsigned sector, uint32_t offset, uint32_t size);
  /* Feeds the watchdog; called at least every 4 KiB while an erased sector is looked through. NULL: there is none. */
  void (*feed)(void* context);
} mv_flash;

/* Both check the place first (MV_FLASH_BAD_PLACE). MV_FLASH_FAILED if not all of the sector reads as ones afterwards.
 */
mv_error mv_flash_erase(const mv_flash* flash, unsigned sector);

/* Programs MV_SELECTION_UNIT bytes. MV_FLASH_SETS_BIT, and nothing is written, if a bit that is zero would have to
 * become one: that takes an erase. MV_FLASH_FAILED if they do not read back. */
mv_error mv_flash_program(const mv_flash* flash, unsigned sector, uint32_t offset, const uint8_t* unit);

#ifdef __cplusplus
}
#endif

#endif /* MODELVAULT_FIRMWARE_RISCV_BOOT_FLASH_DRIVER_H_ */
