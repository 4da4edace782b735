// One pass over a model: the loader's tiles to a consumer, a verdict at the end.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_RESTORE_PASS_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_RESTORE_PASS_H_

#include "firmware_riscv/loader/modelvault_loader.h"

namespace modelvault {

// A model is proven before it is used: nothing can hold it in between, so it is restored twice, and proven twice. Or,
// kProven, once, each tile proven by what it is decoded from (mv_start_proven). kLoad is such a pass that an engine
// runs by itself. kProof is none: it proves who the stored bytes are by, and restores nothing.
enum class Pass : uint8_t { kVerify, kUse, kProven, kLoad, kProof };

// Gets the tiles of a use pass, in order.
struct TileUser {
  void (*use)(void* context, const uint8_t* tile, size_t size);
  void* context;
};

struct PassResult {
  Pass pass;
  mv_error error;
  uint32_t verdict;  // MV_VERIFIED or not verified.
  uint64_t bytes;    // Handed over.
  uint64_t digest;   // Of those.
};

// `user` may be null (Pass::kVerify needs none).
PassResult RunPass(mv_loader* loader, const mv_variant& variant, size_t tile_size, Pass pass, const TileUser* user);

// Both passes; no tile reaches `user` before the verify pass has proven the model. The last pass that ran: the one that
// failed, if one did.
PassResult VerifyThenUse(mv_loader* loader, const mv_variant& variant, size_t tile_size, const TileUser& user);

// The least a consumer can do: reads a byte of each tile. What handing over costs, without what computing would.
extern const TileUser kTouch;

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_RESTORE_PASS_H_
