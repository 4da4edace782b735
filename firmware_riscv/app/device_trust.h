// Whom a board trusts: its anchor, raised by what it remembers of vaults that it has started (boot/device_state.h), so
// that neither an older vault nor an older revocation list comes back.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_DEVICE_TRUST_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_DEVICE_TRUST_H_

#include "firmware_riscv/boot/device_state.h"
#include "firmware_riscv/loader/modelvault_proof.h"

namespace modelvault {

template <UpdateSteps kSteps>
class BasicDeviceTrust {
 public:
  // `anchor` is null on a board that takes every vault: then its state only says which slot is active. `state` and
  // `counter` are as DeviceState's. All must outlive this.
  BasicDeviceTrust(const mv_trust* anchor, const mv_region* state, const mv_counter* counter);

  // Null: nobody.
  const mv_trust* trust() const { return is_asked_ ? &trust_ : nullptr; }

  BasicDeviceState<kSteps>* state() { return &state_; }

  // The vault in `slot`, which `proof` is of, works: it is the choice from now on, none below its version is taken, the
  // key set that has signed it is the one to trust, and no revocation list below this one. Writes nothing if that is so
  // already. On a board that takes every vault only the choice is written, if ChooseSlot() has made one.
  mv_error Remember(unsigned slot, const mv_proof& proof);

  // Puts `list` (not in `sector`, which is the list's and whole) into the place of the vault's list. It is proven
  // first, so that no list takes the place of another that is not by the same signers and at least as new. From then on
  // there must be one of at least its number: what a cut in between leaves is the list before, or the base alone until
  // this is called again. It counts from the next start on; until then variants that are proven anew may be refused
  // with MV_NOT_AUTHENTIC. `proof` is that of the vault, or of its base alone. Errors are those of
  // mv_prove_revocations(), and nothing was written; or the flash's.
  mv_error ReplaceRevocations(const mv_proof& proof, const mv_crypto* crypto, ByteView list, const mv_region* sector);

 private:
  bool is_asked_;
  BasicDeviceState<kSteps> state_;
  mv_trust trust_ = {};
};

using DeviceTrust = BasicDeviceTrust<kAllSteps>;

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_DEVICE_TRUST_H_
