#include "firmware_riscv/app/measure.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/boot_proof.h"
#include "firmware_riscv/app/firmware.h"
#include "firmware_riscv/app/measure_weights.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/app/restore_pass.h"
#include "firmware_riscv/loader/modelvault_loader.h"

namespace modelvault {
namespace {

constexpr size_t kListRoom = 32 << 10;  // A multiple of 8.

void PrintField(const char* name, uint64_t value) {
  Print(name);
  PrintNumber(value);
}

}  // namespace

int Measure(const Straps& straps) {
  const ByteSpan free = FreeRam();
  // The loader's, and an engine's list behind it.
  const size_t list_size = free.size > 2 * kListRoom ? kListRoom : 0;
  const ByteSpan memory = {free.data, free.size - list_size};
  const ByteSpan list_memory = {memory.data + memory.size, list_size};
  const size_t tile_size = straps.tile_size != 0 ? straps.tile_size : MV_DEFAULT_TILE_SIZE;
  mv_loader* loader = nullptr;
  mv_fault fault;
  mv_variant variant = {};
  PassResult result = {Pass::kVerify, MV_NOT_FINISHED, MV_REJECTED, 0, 0};

  BootProof proof(VaultBank(), memory, BoardTrust());
  result.error =
      proof.Open({reinterpret_cast<const uint8_t*>(straps.name), straps.name_size}, &loader, &variant, &fault);
  if (result.error == MV_OK) result = VerifyThenUse(loader, variant, tile_size, kTouch);
  const size_t used = loader != nullptr ? mv_memory_used(loader) : 0;
  size_t proven_used = 0;
  if (result.error == MV_OK) {
    result = RunPass(loader, variant, tile_size, Pass::kProven, &kTouch);
    proven_used = mv_memory_used(loader);
  }
  WeightsResult weights = {MV_OK, 0, 0};
  if (result.error == MV_OK) weights = MeasureWeights(loader, variant, tile_size, list_memory);
  if (weights.error != MV_OK) result.error = weights.error;
  const bool ok = result.error == MV_OK && result.verdict == MV_VERIFIED;

  Print("measure status=");
  Print(mv_error_name(result.error));
  PrintField(" bytes=", result.bytes);
  Print(" xxh64=");
  PrintHex(result.digest);
  Print(" expected=");
  PrintHex(variant.digest);
  PrintField(" tile=", tile_size);
  PrintField(" static_ram=", StaticBytes() + used);
  PrintField(" proven_ram=", StaticBytes() + proven_used);
  PrintField(" list=", weights.list_size);
  PrintField(" weight_ram=", weights.weight_ram);
  PrintField(" ram_code=", RamCodeBytes());
  PrintField(" stack=", StackBytesUsed());
  PrintField(" proof_stack=", proof.stack_used());
  Print(" name=");
  PrintName({reinterpret_cast<const uint8_t*>(straps.name), straps.name_size});
  Print("\n");
  return ok ? 0 : 1;
}

}  // namespace modelvault
