#include "firmware_riscv/app/boot_proof.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/crypto/board_crypto.h"
#include "firmware_riscv/crypto/modelvault_crypto.h"
#include "firmware_riscv/loader/loader_parts.h"

namespace modelvault {

// Null where there are no functions, or no room behind the first `used` bytes of the memory.
const mv_crypto* BootProof::Begin(size_t used) {
  const size_t size = mv_crypto_room();
  room_ = {};
  if (size == 0 || size > memory_.size) return nullptr;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(memory_.data);
  const uintptr_t place = (begin + memory_.size - size) & ~uintptr_t{MV_CRYPTO_ALIGNMENT - 1};
  if (place < begin + used) return nullptr;
  room_ = {reinterpret_cast<uint8_t*>(place), size};
  return mv_crypto_begin(room_.data, room_.size);
}

void BootProof::End() {
  if (room_.data == nullptr) return;
  const size_t used = CryptoStackUsed(room_);
  if (used > stack_used_) stack_used_ = used;
  mv_crypto_end(room_.data);
}

mv_error BootProof::ProveVault(mv_fault* fault) {
  *fault = {MV_PLACE_UNKNOWN, 0};
  if (!is_asked()) return MV_OK;
  BeginPhase(Phase::kProveVault);
  const mv_error error = mv_prove_vault(vault_.data, vault_.size, trust_, Begin(0), &kWatchdog, &proof_, fault);
  End();
  BeginPhase(Phase::kOther);
  return error;
}

mv_error BootProof::Unseal(mv_loader* loader, mv_variant* variant) {
  const uint8_t* const key = BoardDeviceKey();
  if (key == nullptr) return MV_SEALED;
  const ByteSpan memory = KeepMemory(loader, variant->blob_size);
  const mv_crypto* const crypto = memory.data != nullptr ? Begin(mv_memory_used(loader)) : nullptr;
  mv_error error = MV_WORKSPACE_TOO_SMALL;
  if (crypto != nullptr) error = mv_unseal_variant(&proof_, key, crypto, memory.data, memory.size, variant);
  if (memory.data != nullptr) End();
  return error;
}

mv_error BootProof::ProveVariant(mv_loader* loader, const mv_variant& variant, mv_variant* usable, mv_fault* fault) {
  *fault = {MV_PLACE_UNKNOWN, 0};
  *usable = variant;
  if (!is_asked()) return MV_OK;
  KeepMemory(loader, 0);
  if (variant.name_size == 0) return MV_OK;
  BeginPhase(Phase::kProveVariant);
  const mv_crypto* const crypto = Begin(mv_memory_used(loader));
  mv_error error = MV_WORKSPACE_TOO_SMALL;
  if (crypto != nullptr) error = mv_prove_variant(&proof_, &variant, crypto, fault);
  End();
  if (error == MV_SEALED) error = Unseal(loader, usable);
  BeginPhase(Phase::kOther);
  return error;
}

mv_error BootProof::Open(ByteView name, mv_loader** loader, mv_variant* variant, mv_fault* fault) {
  mv_error error = ProveVault(fault);
  BeginPhase(Phase::kOpen);
  if (error == MV_OK) {
    error = mv_open(vault_.data, vault_.size, memory_.data, memory_.size, &kWatchdog, loader, fault);
  }
  if (error == MV_OK && name.size == 0) {
    mv_base(*loader, variant);
  } else if (error == MV_OK) {
    error = mv_find(*loader, reinterpret_cast<const char*>(name.data), name.size, variant);
  }
  BeginPhase(Phase::kOther);
  const mv_variant found = *variant;
  return error == MV_OK ? ProveVariant(*loader, found, variant, fault) : error;
}

}  // namespace modelvault
