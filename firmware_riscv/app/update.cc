#include "firmware_riscv/app/update.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/crypto/board_crypto.h"
#include "firmware_riscv/crypto/modelvault_crypto.h"
#include "firmware_riscv/update/patch_line.h"
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

PatchSource InFlash(const mv_region& region) { return {region.read, region.context, region.size, true}; }

// In free RAM: a block, and behind it what hashes.
ByteSpan BlockRoom() { return {FreeRam().data, kBlockRoom}; }

ByteSpan HashRoom() {
  const uintptr_t behind = reinterpret_cast<uintptr_t>(FreeRam().data) + kBlockRoom;
  constexpr uintptr_t kAlignment = MV_CRYPTO_ALIGNMENT;
  return {reinterpret_cast<uint8_t*>((behind + kAlignment - 1) & ~(kAlignment - 1)), CryptoRoom(CryptoSet::kStreaming)};
}

const PatchLine kLine = {[](void*) { return static_cast<uint8_t>(ReadCharacter()); },
                         [](void*, uint32_t index) {
                           Print("frame ");
                           PrintNumber(index);
                           Print("\n");
                         },
                         nullptr};

mv_error Apply(Firmware* firmware, DeviceTrust* trust, bool one_slot, const PatchSource& patch, UpdateReport* report) {
  // With one slot in use until now nothing was chosen: what is open is what runs.
  DeviceState* const state = trust->state();
  const mv_proof* const proof = firmware->proof();
  if (state->proven() == kNoSlot) state->SetProven(firmware->slot(), proof != nullptr ? proof->version : UINT64_MAX);
  Context context = {firmware, proof != nullptr, {}};
  if (proof != nullptr) memcpy(context.vault_id, proof->vault_id, sizeof(context.vault_id));
  const ByteSpan room = HashRoom();
  const SlotHost host = {VerifySlot, &context, proof != nullptr ? context.vault_id : nullptr,
                         room.size > 0 ? BeginCrypto(CryptoSet::kStreaming, room) : nullptr};
  const UpdateFlash& flash = BoardUpdateFlash();
  const mv_region& running = flash.slots[firmware->slot()];
  if (one_slot) return UpdateInPlace(state, {&running, &flash.spare}, host, patch, BlockRoom(), report);
  return UpdateSlot(state, {{&flash.slots[0], &flash.slots[1]}}, host, patch, BlockRoom(), report);
}

}  // namespace

bool FinishUpdate(DeviceTrust* trust, bool over_line) {
  const UpdateFlash& flash = BoardUpdateFlash();
  const DeviceRecord record = trust->state()->record();
  UpdateReport report;
  PatchStage stage(&flash.stage);
  PatchSource patch = InFlash(flash.patch);
  PatchReader reader(patch);
  mv_error error = MV_OK;
  if (reader.Open() != MV_OK || reader.header().id != record.patch) {
    // Nothing was added to it since the update began.
    error = stage.Open(/*trust_last=*/true);
    if (error == MV_OK && over_line) error = ReceivePatch(kLine, record.patch, BlockRoom(), &stage);
    if (error == MV_OK && (stage.patch() != record.patch || !stage.complete())) error = MV_BAD_PATCH;
    patch = stage.Source();
  }
  const mv_region& vault = flash.slots[record.active];
  if (error == MV_OK) {
    error = UpdateInPlace(trust->state(), {&vault, &flash.spare}, SlotHost{}, patch, BlockRoom(), &report);
  }
  PrintReport(error, report);
  return error == MV_OK;
}

int Update(Firmware* firmware, DeviceTrust* trust, bool one_slot, bool over_line) {
  UpdateReport report;
  mv_error error = firmware->last_error();
  const UpdateFlash& flash = BoardUpdateFlash();
  PatchStage stage(&flash.stage);
  PatchSource patch = InFlash(flash.patch);
  if (error == MV_OK && over_line) {
    error = stage.Open(/*trust_last=*/false);
    if (error == MV_OK) error = ReceivePatch(kLine, 0, BlockRoom(), &stage);
    if (error == MV_OK) Print("frame all\n");
    patch = stage.Source();
  }
  if (error == MV_OK) error = Apply(firmware, trust, one_slot, patch, &report);
  PrintReport(error, report);
  return error == MV_OK ? 0 : 1;
}

}  // namespace modelvault
