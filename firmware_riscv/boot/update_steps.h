// The steps that make a change of the flash survive a cut. Firmware takes them all. A test leaves out one at a time and
// sees its campaign of cuts fail: so each is known to be needed, and the campaign to look.
#ifndef MODELVAULT_FIRMWARE_RISCV_BOOT_UPDATE_STEPS_H_
#define MODELVAULT_FIRMWARE_RISCV_BOOT_UPDATE_STEPS_H_

namespace modelvault {

struct UpdateSteps {
  // Of the device's state (device_state.h):
  bool keep_newest = true;       // The newest record's sector is not erased for the next record.
  bool secure_newest = true;     // A record that is not known to be whole is written anew before it is relied on.
  bool mark_when_whole = true;   // The first mark is made behind the record, not before it.
  bool erase_anyway = true;      // A sector is erased before a record, even if it reads erased.
  bool floor_after_boot = true;  // least_version rises with Confirm(), not with Switch().
  // Of the start (slot_boot.h):
  bool verify_slot = true;   // A vault is verified before it is chosen.
  bool check_floor = true;   // A vault below least_version is none.
  bool mark_attempt = true;  // A trial is counted before it begins, here and in boot.h.
  // Of an update (slot_update.h):
  bool spare_running = true;        // The slot that runs is not written.
  bool record_first = true;         // The slot is recorded as being written before it is.
  bool forget_marks = true;         // After a cut progress begins with a record of its own.
  bool rewrite_after_cut = true;    // After a cut no sector is left alone because it reads as it should.
  bool mark_after_sector = true;    // Progress is marked behind the sector, not before it.
  bool prove_before_switch = true;  // The new vault is verified before the switch.
  // Of an update in place (in_place_update.h); record_first, forget_marks and mark_after_sector are steps of it, too.
  bool finish_first = true;      // Nothing starts while the vault is being written.
  bool check_whole = true;       // All that the patch makes is checked before the first erase.
  bool stage_sector = true;      // A sector's new contents are whole in the spare sector before it is erased.
  bool mark_when_staged = true;  // That is marked behind it, not before it.
  // Of revocations, and of vaults that somebody puts into their place (app/device_trust.h):
  bool prove_list = true;     // A list is proven before the sector of the one before is erased.
  bool raise_number = true;   // The number of a list that is taken, or was booted with, is remembered.
  bool ask_for_list = true;   // No list, or one of a lower number than remembered, leaves the base alone.
  bool raise_version = true;  // The version of a vault that has worked is remembered, and none below it is taken.
  bool keep_key_set = true;   // So are the keys that have signed it.
  // Of the choice of a variant (boot_selection.h):
  bool spare_fallback = true;  // The record to fall back to keeps its sector.
  bool erase_record = true;    // A sector is erased before a record, even if it reads erased.
  bool whole_mark = true;      // A record counts once a mark behind it says that all of it was written.
};

inline constexpr UpdateSteps kAllSteps = {};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_BOOT_UPDATE_STEPS_H_
