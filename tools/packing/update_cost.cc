#include "tools/packing/update_cost.h"

#include <algorithm>
#include <cstddef>

#include "firmware_riscv/boot/device_state.h"

namespace modelvault {
namespace {

// Records of the state: the update begins, the switch, the confirmation; each erases all sectors but one.
constexpr uint64_t kRecords = 3;

uint64_t UnitsIn(absl::string_view sector) {
  uint64_t units = 0;
  for (size_t at = 0; at < sector.size(); at += MV_SELECTION_UNIT) {
    const absl::string_view unit = sector.substr(at, MV_SELECTION_UNIT);
    units += std::all_of(unit.begin(), unit.end(), [](char c) { return c == '\xFF'; }) ? 0 : 1;
  }
  return units;
}

}  // namespace

UpdateCost EstimateUpdate(absl::string_view new_vault, absl::string_view held, uint64_t old_size, uint64_t patch_size,
                          uint32_t sector_size, PatchKind kind) {
  const uint64_t copies = kind == PatchKind::kInPlace ? 2 : 1;
  UpdateCost cost;
  for (size_t at = 0; at < new_vault.size(); at += sector_size) {
    const absl::string_view sector = new_vault.substr(at, sector_size);
    ++cost.sectors;
    if (at < held.size() && held.substr(at, sector.size()) == sector) continue;
    ++cost.written;
    cost.programs += copies * UnitsIn(sector);
  }
  const uint64_t marks = (sector_size - kStateBodySize) / MV_SELECTION_UNIT;
  const uint64_t steps = copies == 1 ? cost.sectors : copies * cost.written;
  const uint64_t records = kRecords + steps / std::max<uint64_t>(marks, 1);
  cost.programs += steps + records * (kStateBodySize / MV_SELECTION_UNIT + 1);
  cost.erases = copies * cost.written + records * (kStateSectors - 1);
  const bool large = sector_size % kLargeErase == 0;
  const uint64_t pieces =
      cost.erases * (large ? sector_size / kLargeErase : (sector_size + kSmallErase - 1) / kSmallErase);
  const FlashTime erase = large ? kLargeEraseTime : kSmallEraseTime;
  const double further = MV_SELECTION_UNIT - 1;
  // The running vault is read for its digest, and for copies when the patch is checked and when it is applied; what was
  // written when it is programmed, for its digest, and to be verified. All of that is hashed about as often.
  const double bytes = 3.0 * static_cast<double>(old_size) + 3.0 * static_cast<double>(new_vault.size());
  const double computing = bytes / kReadBytesPerSecond + bytes / kHashBytesPerSecond;
  const auto seconds = [&](double FlashTime::*which) {
    return static_cast<double>(pieces) * (erase.*which) +
           static_cast<double>(cost.programs) * (kFirstByteTime.*which + further * (kNextByteTime.*which)) + computing;
  };
  cost.typical_s = seconds(&FlashTime::typical_s);
  cost.worst_s = seconds(&FlashTime::worst_s);
  cost.uart_s = static_cast<double>(patch_size) / kUartBytesPerSecond;
  return cost;
}

}  // namespace modelvault
