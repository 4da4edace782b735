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

void MarkProven(void*, mv_step step) {
  BeginPhase(step == MV_STEP_DECODE ? Phase::kProvenDecode
             : step == MV_STEP_HASH ? Phase::kProvenHash
                                    : Phase::kProvenElse);
}

// What a pass tells whoever measures, and what it begins with.
struct PassKind {
  Phase first;
  void (*mark)(void* context, mv_step step);
};

PassKind KindOf(Pass pass) {
  switch (pass) {
    case Pass::kVerify:
      return {Phase::kVerifyElse, MarkVerify};
    case Pass::kUse:
      return {Phase::kUseElse, MarkUse};
    default:
      return {Phase::kProvenElse, MarkProven};
  }
}

void Touch(void*, const uint8_t* tile, size_t) { static_cast<void>(*static_cast<const volatile uint8_t*>(tile)); }

}  // namespace

const TileUser kTouch = {Touch, nullptr};

PassResult RunPass(mv_loader* loader, const mv_variant& variant, size_t tile_size, Pass pass, const TileUser* user) {
  PassResult result = {pass, MV_NOT_FINISHED, MV_REJECTED, 0, 0};
  const PassKind kind = KindOf(pass);
  BeginPhase(kind.first);
  mv_observe(loader, kind.mark, nullptr);
  result.error = pass == Pass::kProven ? mv_start_proven(loader, &variant, tile_size, MV_WITH_DIGEST)
                                       : mv_start(loader, &variant, tile_size);
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
