// Which slot's vault a board starts: the active one if it is whole and not too old, else the other.
#ifndef MODELVAULT_FIRMWARE_RISCV_BOOT_SLOT_BOOT_H_
#define MODELVAULT_FIRMWARE_RISCV_BOOT_SLOT_BOOT_H_

#include "firmware_riscv/boot/device_state.h"
#include "vault/core/crypto.h"

namespace modelvault {

class PatchReader;  // update/patch_reader.h

// What is known of vaults, which these files do not look into.
struct SlotHost {
  // Whether the vault in `slot` is whole: all its checksums and, where the board asks for them, its signatures. Sets
  // *version to the one that it is signed with, 0 without. Called at each start, and for a slot that was just written.
  mv_error (*verify)(void* context, unsigned slot, uint64_t* version);
  void* context;
  // For updates alone. The id of the vault that runs, 16 bytes (docs/format.md §12), which the new one must have, too;
  // null: it is not signed, or is not asked.
  const uint8_t* vault_id = nullptr;
  // The functions that hash, ready; null: there are none, and XXH64 has to do. Not called any more once verify() was.
  const Crypto* crypto = nullptr;
  // Whether what an open patch makes out of `running` would be started, before anything is written: for patches that
  // can be reread. `buffer` has room for a block. Null: that is seen when it is written.
  mv_error (*prove)(void* context, PatchReader* reader, const mv_region* running, ByteSpan buffer) = nullptr;
};

enum class SlotSource : uint8_t {
  kNothing = 0,  // No slot can be started.
  kActive = 1,
  kTrial = 2,  // The active one, which is new: Confirm() it once it has proven good.
  kOther = 3,  // The active one cannot be started, or was given up after kMaxSlotAttempts trials.
};

struct SlotChoice {
  SlotSource source = SlotSource::kNothing;
  unsigned slot = kNoSlot;
  uint64_t version = 0;
  mv_error error = MV_NOT_FOUND;  // With kNothing: why the last one cannot be started.
};

// Tells `state` what was proven. Writes a mark where a trial begins, and nothing else. While an update in place is not
// finished (update/in_place_update.h) there is nothing to start: MV_NOT_FINISHED.
template <UpdateSteps kSteps>
SlotChoice ChooseSlot(BasicDeviceState<kSteps>* state, const SlotHost& host);

extern template SlotChoice ChooseSlot(DeviceState* state, const SlotHost& host);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_BOOT_SLOT_BOOT_H_
