// Applies an update patch on a board whose flash has one slot: the new vault is written over the old one, sector by
// sector, with a journal. Meanwhile the vault is neither, so nothing can be started until it is the new one: whatever
// cuts the power, the next start goes on (IsInPlace() below) before anything else.
//
// Before the first erase the whole patch is checked, and all that it makes. Then, for each sector that changes, in
// ascending order:
//
//   1. its new contents are made in the spare sector, from the patch and from sectors that are still the old ones;
//   2. a mark in the device's state: they are whole, step 2k + 1;
//   3. the sector is erased and copied from the spare one;
//   4. a mark: step 2k + 2.
//
// An update that goes on begins with a record of its own that says how many steps the marks told of, so that later
// starts read the same. Step 1 may be done again as long as the sector itself was not touched, step 3 as long as the
// spare one was not.
#ifndef MODELVAULT_FIRMWARE_RISCV_UPDATE_IN_PLACE_UPDATE_H_
#define MODELVAULT_FIRMWARE_RISCV_UPDATE_IN_PLACE_UPDATE_H_

#include "firmware_riscv/update/slot_update.h"

namespace modelvault {

struct InPlaceFlash {
  const mv_region* vault;
  const mv_region* spare;  // A sector, as large as the vault's.
};

// Whether an update is under way: then UpdateInPlace() comes before anything is started, with the patch whose id is
// state.record().patch.
template <UpdateSteps kSteps>
bool IsInPlace(const BasicDeviceState<kSteps>& state) {
  return state.record().phase == SlotPhase::kInPlace;
}

// Runs the update, or goes on with it. To begin one ChooseSlot() comes before, and the vault must not be on trial.
// `patch` is rereadable; `buffer` has room for a block of it. `report` may be null.
//
//   MV_OK               the vault is the new one, whole. It is proven by the next ChooseSlot()
//   MV_BAD_PATCH        damaged, not made for this (docs/format.md §15, flag "in place"), or too large for the slot
//   MV_OTHER_VAULT      for another vault; or not the patch that was begun with
//   MV_BAD_ARGUMENT     the patch cannot be reread, or the spare sector is none
//   and what UpdateSlot() gives
//
// Unless IsInPlace() afterwards, what ran before is as it was, or the update is done.
template <UpdateSteps kSteps>
[[nodiscard]] mv_error UpdateInPlace(BasicDeviceState<kSteps>* state, const InPlaceFlash& flash, const SlotHost& host,
                                     const PatchSource& patch, ByteSpan buffer, UpdateReport* report);

extern template mv_error UpdateInPlace(DeviceState* state, const InPlaceFlash& flash, const SlotHost& host,
                                       const PatchSource& patch, ByteSpan buffer, UpdateReport* report);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_UPDATE_IN_PLACE_UPDATE_H_
