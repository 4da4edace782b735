/* A part of the flash that a field update reads and writes (docs/porting.md, "Field update"): a slot for a vault, or
 * the sectors of the device's state. A port fills one mv_region for each; the functions below put NOR's rules around
 * its callbacks. Reads are calls, so that a part need not be mapped into memory, and a cache is the callback's
 * business. */
#ifndef MODELVAULT_FIRMWARE_RISCV_BOOT_FLASH_REGION_H_
#define MODELVAULT_FIRMWARE_RISCV_BOOT_FLASH_REGION_H_

#include "firmware_riscv/boot/flash_driver.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mv_region {
  uint32_t size;        /* Bytes: whole sectors. */
  uint32_t sector_size; /* What is erased together: a multiple of MV_SELECTION_UNIT. */
  /* Copies what the flash holds now. Offsets here and below are in the region, and inside it. */
  mv_error (*read)(void* context, uint32_t offset, uint8_t* out, uint32_t size);
  /* Sets every bit of the sector at `offset`. Returns when it is done and the sector can be read again. */
  mv_error (*erase)(void* context, uint32_t offset);
  /* Clears the bits that are zero in `unit`, MV_SELECTION_UNIT bytes, at a multiple of as many. Returns as erase()
   * does. No unit is programmed twice between two erases. */
  mv_error (*program)(void* context, uint32_t offset, const uint8_t* unit);
  /* Feeds the watchdog; NULL: there is none. Called before each callback above. */
  void (*feed)(void* context);
  void* context;
} mv_region;

/* All check the place first (MV_FLASH_BAD_PLACE). */
mv_error mv_region_read(const mv_region* region, uint32_t offset, uint8_t* out, uint32_t size);

/* MV_FLASH_FAILED if not all of the sector reads as ones afterwards. */
mv_error mv_region_erase(const mv_region* region, uint32_t offset);

/* MV_FLASH_FAILED if the unit does not read back. */
mv_error mv_region_program(const mv_region* region, uint32_t offset, const uint8_t* unit);

#ifdef __cplusplus
}
#endif

#endif /* MODELVAULT_FIRMWARE_RISCV_BOOT_FLASH_REGION_H_ */
