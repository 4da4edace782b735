// Has a vault and its variants proven (loader/modelvault_proof.h) on a board that trusts somebody; on any other board
// everything is taken as it is. The cryptographic functions lie at the end of the loader's memory meanwhile, behind
// what an open loader keeps.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_BOOT_PROOF_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_BOOT_PROOF_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/loader/modelvault_proof.h"

namespace modelvault {

class BootProof {
 public:
  // `trust` is null where nothing is asked; else it must outlive this, as `vault` must. `memory` is what the vault is
  // opened with.
  BootProof(ByteView vault, ByteSpan memory, const mv_trust* trust) : vault_(vault), memory_(memory), trust_(trust) {}

  bool is_asked() const { return trust_ != nullptr; }

  // Another vault is the one from now on; it must outlive this.
  void SetVault(ByteView vault) { vault_ = vault; }

  // Before the vault is opened; takes the end of the memory. As mv_prove_vault().
  mv_error ProveVault(mv_fault* fault);
  // The vault was not taken, but its base is.
  bool base_only() const { return is_asked() && proof_.base == MV_VERIFIED && proof_.variants != MV_VERIFIED; }

  // Before a variant of the open vault is restored; takes the end of the memory, where no model may be in progress. As
  // mv_prove_variant(); MV_WORKSPACE_TOO_SMALL if the loader has left too little. *usable is `variant`, or, if it is
  // sealed and the board has a key for it, what it opens to, in the loader's memory, until the next is proven.
  mv_error ProveVariant(mv_loader* loader, const mv_variant& variant, mv_variant* usable, mv_fault* fault);

  // All of that: proves the vault, opens it, finds the model named `name` (empty: the base) and proves it: *variant.
  mv_error Open(ByteView name, mv_loader** loader, mv_variant* variant, mv_fault* fault);

  // Of a vault that was proven.
  const mv_proof& proof() const { return proof_; }
  // The deepest that the functions' own stack has been.
  size_t stack_used() const { return stack_used_; }

 private:
  const mv_crypto* Begin(size_t used);
  void End();
  mv_error Unseal(mv_loader* loader, mv_variant* variant);

  ByteView vault_;
  ByteSpan memory_;
  const mv_trust* trust_;
  mv_proof proof_ = {};
  ByteSpan room_ = {};
  size_t stack_used_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_BOOT_PROOF_H_
