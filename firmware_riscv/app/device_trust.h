// Whom a board trusts: its anchor, raised by what it remembers of vaults that it has started (boot/device_state.h), so
// that neither an older vault nor an older revocation list comes back.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_DEVICE_TRUST_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_DEVICE_TRUST_H_

#include "firmware_riscv/boot/device_state.h"
#include "firmware_riscv/loader/modelvault_proof.h"

namespace modelvault {

class DeviceTrust {
 public:
  // `anchor` is null on a board that takes every vault: then its state is not looked at. `state` and `counter` are as
  // DeviceState's. All must outlive this.
  DeviceTrust(const mv_trust* anchor, const mv_region* state, const mv_counter* counter);

  // Null: nobody.
  const mv_trust* trust() const { return is_asked_ ? &trust_ : nullptr; }

  // A vault that was proven works: from now on none below its version is taken, the key set that has signed it is the
  // one to trust, and no revocation list below this one. Writes nothing if that is so already.
  mv_error Remember(const mv_proof& proof);

 private:
  bool is_asked_;
  DeviceState state_;
  mv_trust trust_ = {};
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_DEVICE_TRUST_H_
