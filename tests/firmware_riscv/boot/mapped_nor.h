// A part of a NOR chip (update/nor_chip.h) that is read in place, as boot selection and revocation list are: what a cut
// left half done reads anew whenever Stir() is called, which this does around each erase and program.
#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_MAPPED_NOR_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_MAPPED_NOR_H_

#include <cstdint>
#include <vector>

#include "firmware_riscv/boot/flash_driver.h"
#include "tests/firmware_riscv/update/nor_chip.h"

namespace modelvault {

class MappedNor {
 public:
  // `chip` must outlive this, and neither must move.
  MappedNor(NorChip* chip, uint32_t begin, uint32_t size, uint32_t sector_size)
      : chip_(chip), begin_(begin), sector_size_(sector_size), region_(chip->Region(begin, size)), bytes_(size) {
    Stir();
  }
  MappedNor(const MappedNor&) = delete;
  MappedNor& operator=(const MappedNor&) = delete;

  void Stir() { chip_->Read(begin_, bytes_.data(), static_cast<uint32_t>(bytes_.size())); }
  const uint8_t* data() const { return bytes_.data(); }
  const mv_region& region() const { return region_; }

  // As the boot selection drives it.
  mv_flash Driver() {
    mv_flash flash = {};
    for (unsigned s = 0; s < MV_SELECTION_SECTORS; ++s) flash.sector[s] = bytes_.data() + s * sector_size_;
    flash.sector_size = sector_size_;
    flash.context = this;
    flash.erase = [](void* self, unsigned sector) {
      MappedNor* const it = static_cast<MappedNor*>(self);
      const mv_error error = it->region_.erase(it->region_.context, sector * it->sector_size_);
      it->Stir();
      return error;
    };
    flash.program = [](void* self, unsigned sector, uint32_t offset, const uint8_t* unit) {
      MappedNor* const it = static_cast<MappedNor*>(self);
      const mv_error error = it->region_.program(it->region_.context, sector * it->sector_size_ + offset, unit);
      it->Stir();
      return error;
    };
    return flash;
  }

 private:
  NorChip* const chip_;
  const uint32_t begin_, sector_size_;
  const mv_region region_;
  std::vector<uint8_t> bytes_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_MAPPED_NOR_H_
