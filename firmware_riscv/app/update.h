// A field update of the firmware: a patch makes a new vault in the slot that does not
// run (update/slot_update.h), or over the one that does (update/in_place_update.h). A line for automation says what
// came of it, its numbers as UpdateReport has them:
//
//   update status=S sectors=N before=N kept=N written=N units=N
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_UPDATE_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_UPDATE_H_

#include "firmware_riscv/app/device_trust.h"
#include "firmware_riscv/app/firmware.h"
#include "firmware_riscv/update/in_place_update.h"

namespace modelvault {

// Goes on with an update in place that was cut off, with the patch that lies in flash; `over_line`: what is missing of
// it comes over the console's line (update/patch_line.h). Whatever comes of it, Firmware::Open() says whether there is
// a vault. True: it is done. Takes all free RAM.
bool FinishUpdate(DeviceTrust* trust, bool over_line);

// `firmware` has opened its vault. Takes all free RAM, so that no model can be restored after it: the next start begins
// with the new vault, on trial until a boot was good. `one_slot`: the vault that runs is written over instead.
// `over_line`: the patch comes over the console's line. 0: done, or done before; 1: what runs stays, but where an
// update in place was begun.
int Update(Firmware* firmware, DeviceTrust* trust, bool one_slot, bool over_line);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_UPDATE_H_
