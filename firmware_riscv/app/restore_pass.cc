#include "firmware_riscv/app/restore_pass.h"

#include "firmware_riscv/app/board.h"

namespace modelvault {
namespace {

void MarkVerify(void*, mv_step step) {
  BeginPhase(step == MV_STEP_DECODE ? Phase::kVerifyDecode
             : step == MV_STEP_HASH ? Phase::kVerifyHash
                                    : Phase::kVerifyElse);
}

void MarkUse(void*, mv_step step) {
  BeginPhase(step == MV_STEP_DECODE ? Phase::kUseDecode : step == MV_STEP_HASH ? Phase::kUseHash : Phase::kUseElse);
}

void Touch(void*, const uint8_t* tile, size_t) { static_cast<void>(*static_cast<const volatile uint8_t*>(tile)); }

}  // namespace

const TileUser kTouch = {Touch, nullptr};

PassResult RunPass(mv_loader* loader, const mv_variant& variant, size_t tile_size, Pass pass, const TileUser* user) {
  PassResult result = {pass, MV_NOT_FINISHED, MV_REJECTED, 0, 0};
  BeginPhase(pass == Pass::kVerify ? Phase::kVerifyElse : Phase::kUseElse);
  mv_observe(loader, pass == Pass::kVerify ? MarkVerify : MarkUse, nullptr);
  result.error = mv_start(loader, &variant, tile_size);
  while (result.error == MV_OK) {
    const uint8_t* tile;
    size_t size;
    result.error = mv_next(loader, &tile, &size);
    if (size == 0) break;
    result.bytes += size;
    if (user != nullptr) user->use(user->context, tile, size);
  }
  if (result.error == MV_OK) result.error = mv_finish(loader, &result.verdict);
  result.digest = mv_digest(loader);
  mv_observe(loader, nullptr, nullptr);
  BeginPhase(Phase::kOther);
  return result;
}

PassResult VerifyThenUse(mv_loader* loader, const mv_variant& variant, size_t tile_size, const TileUser& user) {
  const PassResult proven = RunPass(loader, variant, tile_size, Pass::kVerify, nullptr);
  return proven.verdict == MV_VERIFIED ? RunPass(loader, variant, tile_size, Pass::kUse, &user) : proven;
}

}  // namespace modelvault
