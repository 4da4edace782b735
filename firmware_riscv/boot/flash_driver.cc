#include "firmware_riscv/boot/flash_driver.h"

#include "codec/core/bytes.h"

using modelvault::LoadLe32;

mv_error mv_flash_erase(const mv_flash* flash, unsigned sector) {
  if (sector >= MV_SELECTION_SECTORS) return MV_FLASH_BAD_PLACE;
  const mv_error error = flash->erase(flash->context, sector);
  if (error != MV_OK) return error;
  for (uint32_t at = 0; at < flash->sector_size; at += 4) {
    if (LoadLe32(flash->sector[sector] + at) != 0xFFFFFFFF) return MV_FLASH_FAILED;
  }
  return MV_OK;
}

mv_error mv_flash_program(const mv_flash* flash, unsigned sector, uint32_t offset, uint32_t word) {
  if (sector >= MV_SELECTION_SECTORS || offset % 4 != 0 || offset >= flash->sector_size) return MV_FLASH_BAD_PLACE;
  const uint8_t* const place = flash->sector[sector] + offset;
  if ((word & ~LoadLe32(place)) != 0) return MV_FLASH_SETS_BIT;
  const mv_error error = flash->program(flash->context, sector, offset, word);
  if (error != MV_OK) return error;
  return LoadLe32(place) == word ? MV_OK : MV_FLASH_FAILED;
}
