#include "firmware_riscv/app/update.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/crypto/board_crypto.h"
#include "firmware_riscv/update/slot_update.h"

namespace modelvault {
namespace {

// The largest block of a patch.
constexpr size_t kBlockRoom = 4096;

static_assert(MV_VAULT_ID_SIZE == kPatchVaultIdSize);

struct Context {
  Firmware* firmware;
  bool is_signed;
  uint8_t vault_id[MV_VAULT_ID_SIZE];
};

mv_error VerifySlot(void* self, unsigned slot, uint64_t* version) {
  const Context* const context = static_cast<const Context*>(self);
  const mv_error error = context->firmware->OpenSlot(slot, version);
  if (error != MV_OK || !context->is_signed) return error;
  const bool same = memcmp(context->firmware->proof()->vault_id, context->vault_id, MV_VAULT_ID_SIZE) == 0;
  return same ? MV_OK : MV_OTHER_VAULT;
}

void PrintField(const char* name, uint32_t value) {
  Print(name);
  PrintNumber(value);
}

void PrintReport(mv_error error, const UpdateReport& report) {
  Print("update status=");
  Print(mv_error_name(error));
  PrintField(" sectors=", report.sectors);
  PrintField(" before=", report.done_before);
  PrintField(" kept=", report.left_alone);
  PrintField(" written=", report.written);
  PrintField(" units=", report.units);
  Print("\n");
}

}  // namespace

int Update(Firmware* firmware, DeviceTrust* trust) {
  UpdateReport report;
  mv_error error = firmware->last_error();
  if (error == MV_OK) {
    // With one slot in use until now nothing was chosen: what is open is what runs.
    DeviceState* const state = trust->state();
    const mv_proof* const proof = firmware->proof();
    if (state->proven() == kNoSlot) state->SetProven(firmware->slot(), proof != nullptr ? proof->version : UINT64_MAX);
    Context context = {firmware, proof != nullptr, {}};
    if (proof != nullptr) memcpy(context.vault_id, proof->vault_id, sizeof(context.vault_id));
    const ByteSpan memory = FreeRam();
    const ByteSpan buffer = {memory.data, kBlockRoom};
    const uintptr_t behind = reinterpret_cast<uintptr_t>(memory.data) + kBlockRoom;
    const ByteSpan room = {reinterpret_cast<uint8_t*>((behind + 15) & ~uintptr_t{15}),
                           CryptoRoom(CryptoSet::kStreaming)};
    const SlotHost host = {VerifySlot, &context, proof != nullptr ? context.vault_id : nullptr,
                           room.size > 0 ? BeginCrypto(CryptoSet::kStreaming, room) : nullptr};
    const UpdateFlash& flash = BoardUpdateFlash();
    const PatchSource patch = {flash.patch.read, flash.patch.context, flash.patch.size, true};
    error = UpdateSlot(state, {{&flash.slots[0], &flash.slots[1]}}, host, patch, buffer, &report);
  }
  PrintReport(error, report);
  return error == MV_OK ? 0 : 1;
}

}  // namespace modelvault
