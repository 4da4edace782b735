// The firmware's doings between drivers and console: opens the vault, restores and proves models, boots.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_FIRMWARE_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_FIRMWARE_H_

#include "firmware_riscv/app/restore_pass.h"
#include "firmware_riscv/boot/boot.h"
#include "firmware_riscv/boot/boot_selection.h"
#include "firmware_riscv/loader/modelvault_loader.h"

namespace modelvault {

class Firmware {
 public:
  // `tile_size` 0: the default.
  Firmware(ByteView partition, ByteSpan memory, const mv_flash* flash, size_t tile_size);

  // Opens the vault and says so on the console; where its index is damaged, for the base alone. Where this fails there
  // is nothing to boot.
  mv_error Open();

  // Boots what is selected, or what there is to fall back to, and says so. The last line is for automation:
  //
  //   boot status=S source=selected|trial|last-good|base|nothing bytes=N xxh64=HEX name=NAME
  //
  // With source=nothing no model runs, and the name is "-".
  mv_error Boot();

  // Restores a model and proves it, without using it; says what is wrong.
  PassResult Verify(const mv_variant& variant);

  // Null while no vault is open.
  mv_loader* loader() const { return loader_; }
  BootSelection* selection() { return &selection_; }
  mv_error last_error() const { return last_error_; }

 private:
  void PrintOpenFailure(const mv_fault& fault);
  uint32_t Run(ByteView name, mv_error* error);
  void Tell(const BootReport& report);
  void PrintFailure(const PassResult& failed, const mv_variant& variant);

  ByteView partition_;
  ByteSpan memory_;
  size_t tile_size_;
  mv_loader* loader_ = nullptr;
  bool base_only_ = false;
  BootSelection selection_;
  PassResult last_pass_{};
  mv_error last_error_ = MV_OK;
};

// 'name' as the console shows it; "base" for an empty one.
void PrintName(ByteView name);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_FIRMWARE_H_
