// Applies an update patch: makes the new vault in the slot that does not run, sector by sector, proves it, and
// switches. The vault that runs is only read, so at every moment it, or the new one, is whole and can be started.
//
// Cut off at any moment, it is started again with the same patch and goes on: with the first sector that is not marked
// as done. From there on every sector is erased and written, however it reads, since one whose erase or program lost
// its power may read well now and not later. Only where the slot still is the whole vault that was active before this
// one (device_state.h), and nothing was cut off since, a sector that reads as it should stays.
#ifndef MODELVAULT_FIRMWARE_RISCV_UPDATE_SLOT_UPDATE_H_
#define MODELVAULT_FIRMWARE_RISCV_UPDATE_SLOT_UPDATE_H_

#include "firmware_riscv/boot/slot_boot.h"
#include "firmware_riscv/update/patch_reader.h"

namespace modelvault {

struct UpdateReport {
  uint32_t sectors = 0;      // Of the new vault.
  uint32_t done_before = 0;  // Of these, before this call.
  uint32_t left_alone = 0;   // Of these, since they read as they should.
  uint32_t written = 0;      // Of these, in this call.
  uint32_t units = 0;        // Programmed.
};

struct UpdateSlots {
  const mv_region* slot[kSlots];
};

// Runs the update. ChooseSlot() comes before; after it the new vault is active from the next start on, on trial.
// `buffer` has room for a block of the patch. A slot's sector is a block or several; with several no sector stays as it
// is. `report` may be null.
//
//   MV_OK               the new vault is active, or was made active by this patch before and runs
//   MV_BAD_PATCH        the patch is damaged, or does not fit these slots
//   MV_UNKNOWN_VERSION  it is of another patch format
//   MV_OTHER_VAULT      it is for another vault than the one that runs, or makes one of another id
//   MV_ROLLED_BACK      the new vault's version is below the floor
//   MV_NOT_FINISHED     nothing was chosen, or the running vault is on trial
//   MV_WORKSPACE_TOO_SMALL, MV_CHECKSUM_MISMATCH, MV_DIGEST_MISMATCH, what host.verify() says of the new vault, and
//   errors of the flash
//
// Whatever it is, what runs stays active. What the patch's header tells of the new vault is looked at before anything
// is written, and again of the vault itself before the switch; a patch that can be reread is checked to its last byte.
template <UpdateSteps kSteps>
[[nodiscard]] mv_error UpdateSlot(BasicDeviceState<kSteps>* state, const UpdateSlots& slots, const SlotHost& host,
                                  const PatchSource& patch, ByteSpan buffer, UpdateReport* report);

extern template mv_error UpdateSlot(DeviceState* state, const UpdateSlots& slots, const SlotHost& host,
                                    const PatchSource& patch, ByteSpan buffer, UpdateReport* report);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_UPDATE_SLOT_UPDATE_H_
