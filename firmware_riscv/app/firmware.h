// The firmware's doings between drivers and console: opens the vault, restores and proves models, boots.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_FIRMWARE_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_FIRMWARE_H_

#include "firmware_riscv/app/boot_proof.h"
#include "firmware_riscv/app/device_trust.h"
#include "firmware_riscv/app/restore_pass.h"
#include "firmware_riscv/boot/boot.h"
#include "firmware_riscv/boot/boot_selection.h"
#include "firmware_riscv/boot/slot_boot.h"
#include "firmware_riscv/engine/modelvault_engine.h"
#include "firmware_riscv/loader/modelvault_loader.h"

namespace modelvault {

class Firmware {
 public:
  // `tile_size` 0: the defaults.
  // `trust` says whose vaults are started, and is told of those that were.
  Firmware(ByteSpan memory, const mv_flash* flash, DeviceTrust* trust, size_t tile_size);

  // Proves the vault, if anybody is trusted, opens it, and says so on the console; where its index is damaged or not
  // proven, for the base alone. Where this fails there is nothing to boot. Where the second slot has a vault, too, it
  // is the one that ChooseSlot() chooses; if none can be started, the active one's base. Then a line is for automation:
  //
  //   slot source=active|trial|other|nothing slot=N version=N
  //
  // Without slot and version where there is none; version 0: nobody is trusted.
  mv_error Open();

  // Proves and opens the vault in this slot, whatever it is; as SlotHost::verify.
  mv_error OpenSlot(unsigned slot, uint64_t* version);
  unsigned slot() const { return slot_; }
  // Of the vault that was opened last; null: nobody is trusted.
  const mv_proof* proof() const { return proof_.is_asked() ? &proof_.proof() : nullptr; }

  // Boots what is selected, or what there is to fall back to, and says so. Where the vault says what its models
  // compute, that is one pass, which loads the engine; else a pass that proves the model and one that uses it. The last
  // line is for automation:
  //
  //   boot status=S source=selected|trial|last-good|base|nothing bytes=N xxh64=HEX name=NAME
  //
  // With source=nothing no model runs, and the name is "-".
  mv_error Boot();

  // Proves who a model is by, if anybody is trusted, then restores it and proves it, without using it; says what is
  // wrong. Takes the engine's memory.
  PassResult Verify(const mv_variant& variant);

  // The running model's engine, which is loaded again if its memory has been taken. Null, and *error: nothing runs
  // (MV_NOT_FINISHED); the vault does not say what its models compute (MV_NOT_FOUND); or it cannot be loaded.
  mv_engine* Engine(mv_error* error);
  // Null while it is not loaded.
  const mv_engine* open_engine() const { return engine_; }
  // How often an engine was loaded: one of another number knows nothing of an earlier one's text.
  uint32_t loads() const { return loads_; }

  // Null while no vault is open.
  mv_loader* loader() const { return loader_; }
  BootSelection* selection() { return &selection_; }
  mv_error last_error() const { return last_error_; }

 private:
  void UseSlot(unsigned slot);
  bool Choose();
  void PrintOpenFailure(const mv_fault& fault);
  mv_error OpenVault(mv_fault* fault, bool* base_only);
  bool Prove(const mv_variant& variant, mv_variant* usable, PassResult* result);
  mv_error Load(const mv_variant& variant);
  void CloseEngine();
  uint32_t Run(ByteView name, mv_error* error);
  void Tell(const BootReport& report);
  void Remember();
  void PrintFailure(const PassResult& failed, const mv_variant& variant, mv_fault fault = {MV_PLACE_UNKNOWN, 0});

  ByteView partition_;
  unsigned slot_ = 0;
  bool two_slots_;
  ByteSpan memory_;
  size_t tile_size_;
  size_t engine_tile_size_;
  DeviceTrust* trust_;
  BootProof proof_;
  mv_loader* loader_ = nullptr;
  bool base_only_ = false;
  BootSelection selection_;
  PassResult last_pass_{};
  mv_variant running_{};
  bool runs_ = false;
  mv_engine* engine_ = nullptr;
  mv_fault engine_fault_{};  // Of the last Load().
  uint32_t loads_ = 0;
  mv_error last_error_ = MV_OK;
};

// 'name' as the console shows it; "base" for an empty one.
void PrintName(ByteView name);

// A place and its number.
void PrintFault(const mv_fault& fault);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_FIRMWARE_H_
