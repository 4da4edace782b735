// A field update of the firmware (update/slot_update.h): the patch that lies in the board's flash makes a new vault in
// the slot that does not run.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_UPDATE_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_UPDATE_H_

#include "firmware_riscv/app/device_trust.h"
#include "firmware_riscv/app/firmware.h"

namespace modelvault {

// `firmware` has opened its vault. Takes all free RAM, so that no model can be restored after it: the next start begins
// with the new vault, on trial until a boot was good. Ends with a line for automation:
//
//   update status=S sectors=N before=N kept=N written=N units=N
//
// as UpdateReport has them. 0: done, or done before; 1: what runs stays.
int Update(Firmware* firmware, DeviceTrust* trust);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_UPDATE_H_
