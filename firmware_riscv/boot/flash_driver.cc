#include "firmware_riscv/boot/flash_driver.h"

#include "codec/core/bytes.h"

using modelvault::LoadLe32;

static_assert(MV_SELECTION_UNIT >= 8 && (MV_SELECTION_UNIT & (MV_SELECTION_UNIT - 1)) == 0);

namespace {

constexpr uint32_t kFeedInterval = 4096;

void Invalidate(const mv_flash* flash, unsigned sector, uint32_t offset, uint32_t size) {
  if (flash->invalidate != nullptr) flash->invalidate(flash->context, sector, offset, size);
}

}  // namespace

mv_error mv_flash_erase(const mv_flash* flash, unsigned sector) {
  if (sector >= MV_SELECTION_SECTORS) return MV_FLASH_BAD_PLACE;
  const mv_error error = flash->erase(flash->context, sector);
  Invalidate(flash, sector, 0, flash->sector_size);
  if (error != MV_OK) return error;
  for (uint32_t at = 0; at < flash->sector_size; at += 4) {
    if (at % kFeedInterval == 0 && flash->feed != nullptr) flash->feed(flash->context);
    if (LoadLe32(flash->sector[sector] + at) != 0xFFFFFFFF) return MV_FLASH_FAILED;
  }
  return MV_OK;
}

mv_error mv_flash_program(const mv_flash* flash, unsigned sector, uint32_t offset, const uint8_t* unit) {
  if (sector >= MV_SELECTION_SECTORS || offset % MV_SELECTION_UNIT != 0 || offset >= flash->sector_size) {
    return MV_FLASH_BAD_PLACE;
  }
  const uint8_t* const place = flash->sector[sector] + offset;
  for (uint32_t i = 0; i < MV_SELECTION_UNIT; ++i) {
    if ((unit[i] & ~place[i]) != 0) return MV_FLASH_SETS_BIT;
  }
  const mv_error error = flash->program(flash->context, sector, offset, unit);
  Invalidate(flash, sector, offset, MV_SELECTION_UNIT);
  if (error != MV_OK) return error;
  return memcmp(place, unit, MV_SELECTION_UNIT) == 0 ? MV_OK : MV_FLASH_FAILED;
}
