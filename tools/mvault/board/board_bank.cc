#include "tools/mvault/board/board_bank.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "firmware_riscv/boot/boot_selection.h"

namespace modelvault {
namespace {

constexpr uint32_t kSectorSize = 256 << 10;

// The board's own selection code over sectors in memory.
class Sectors {
 public:
  explicit Sectors(uint8_t* begin) : begin_(begin) {}

  mv_flash Driver() {
    mv_flash flash = {};
    for (unsigned i = 0; i < MV_SELECTION_SECTORS; ++i) flash.sector[i] = begin_ + i * kSectorSize;
    flash.sector_size = kSectorSize;
    flash.erase = [](void* self, unsigned sector) {
      std::fill_n(static_cast<Sectors*>(self)->begin_ + sector * kSectorSize, kSectorSize, uint8_t{0xFF});
      return MV_OK;
    };
    flash.program = [](void* self, unsigned sector, uint32_t offset, const uint8_t* unit) {
      std::copy_n(unit, MV_SELECTION_UNIT, static_cast<Sectors*>(self)->begin_ + sector * kSectorSize + offset);
      return MV_OK;
    };
    flash.context = this;
    return flash;
  }

 private:
  uint8_t* begin_;
};

}  // namespace

absl::StatusOr<std::vector<uint8_t>> MakeBoardBank(std::vector<uint8_t> vault, absl::string_view name) {
  vault.resize(kBoardPartitionSize, 0);
  vault.resize(kBoardPartitionSize + MV_SELECTION_SECTORS * kSectorSize, 0xFF);
  Sectors sectors(vault.data() + kBoardPartitionSize);
  const mv_flash flash = sectors.Driver();
  BootSelection selection(&flash);
  mv_error error = selection.Select({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
  // Nothing is written where the base is what boots anyway.
  if (error == MV_OK && selection.newest() != BootSelection::kNone) error = selection.Confirm(selection.newest());
  if (error != MV_OK) return absl::InternalError(absl::StrCat("selecting '", name, "': ", mv_error_name(error)));
  return vault;
}

absl::StatusOr<std::vector<uint8_t>> MakeUpdatableBank(std::vector<uint8_t> vault, absl::string_view name) {
  absl::StatusOr<std::vector<uint8_t>> bank = MakeBoardBank(std::move(vault), name);
  if (bank.ok()) bank->resize(kBoardUpdateEnd, 0xFF);
  return bank;
}

}  // namespace modelvault
