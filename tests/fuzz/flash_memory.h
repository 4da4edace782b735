// Flash for fuzz targets: it always works, and traps where it is misused.
#ifndef MODELVAULT_TESTS_FUZZ_FLASH_MEMORY_H_
#define MODELVAULT_TESTS_FUZZ_FLASH_MEMORY_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "firmware_riscv/boot/flash_region.h"

namespace modelvault {

inline void Require(bool condition) {
  if (!condition) __builtin_trap();
}

// A part of flash that always works.
struct FlashMemory {
  uint32_t sector_size;
  std::vector<uint8_t> bytes;

  mv_region Region() {
    mv_region region = {};
    region.size = static_cast<uint32_t>(bytes.size());
    region.sector_size = sector_size;
    region.context = this;
    region.read = [](void* self, uint32_t offset, uint8_t* out, uint32_t size) {
      std::vector<uint8_t>& all = static_cast<FlashMemory*>(self)->bytes;
      Require(offset <= all.size() && size <= all.size() - offset);
      std::memcpy(out, all.data() + offset, size);
      return MV_OK;
    };
    region.erase = [](void* self, uint32_t offset) {
      FlashMemory* const flash = static_cast<FlashMemory*>(self);
      std::fill_n(flash->bytes.begin() + offset, flash->sector_size, uint8_t{0xFF});
      return MV_OK;
    };
    region.program = [](void* self, uint32_t offset, const uint8_t* unit) {
      uint8_t* const place = static_cast<FlashMemory*>(self)->bytes.data() + offset;
      for (uint32_t i = 0; i < MV_SELECTION_UNIT; ++i) {
        Require(place[i] == 0xFF);
        place[i] = unit[i];
      }
      return MV_OK;
    };
    return region;
  }
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_FLASH_MEMORY_H_
