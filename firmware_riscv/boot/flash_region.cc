#include "firmware_riscv/boot/flash_region.h"

#include "codec/core/bytes.h"

namespace {

bool Inside(const mv_region* region, uint32_t offset, uint32_t size) {
  return size <= region->size && offset <= region->size - size;
}

void Feed(const mv_region* region) {
  if (region->feed != nullptr) region->feed(region->context);
}

}  // namespace

mv_error mv_region_read(const mv_region* region, uint32_t offset, uint8_t* out, uint32_t size) {
  if (!Inside(region, offset, size)) return MV_FLASH_BAD_PLACE;
  Feed(region);
  return region->read(region->context, offset, out, size);
}

mv_error mv_region_erase(const mv_region* region, uint32_t offset) {
  if (offset % region->sector_size != 0 || !Inside(region, offset, region->sector_size)) return MV_FLASH_BAD_PLACE;
  Feed(region);
  mv_error error = region->erase(region->context, offset);
  for (uint32_t at = 0; error == MV_OK && at < region->sector_size; at += MV_SELECTION_UNIT) {
    uint8_t unit[MV_SELECTION_UNIT];
    error = mv_region_read(region, offset + at, unit, sizeof(unit));
    uint8_t ones = 0xFF;
    for (const uint8_t byte : unit) ones &= byte;
    if (error == MV_OK && ones != 0xFF) error = MV_FLASH_FAILED;
  }
  return error;
}

mv_error mv_region_program(const mv_region* region, uint32_t offset, const uint8_t* unit) {
  if (offset % MV_SELECTION_UNIT != 0 || !Inside(region, offset, MV_SELECTION_UNIT)) return MV_FLASH_BAD_PLACE;
  Feed(region);
  mv_error error = region->program(region->context, offset, unit);
  uint8_t back[MV_SELECTION_UNIT];
  if (error == MV_OK) error = mv_region_read(region, offset, back, sizeof(back));
  if (error == MV_OK && memcmp(back, unit, sizeof(back)) != 0) error = MV_FLASH_FAILED;
  return error;
}
