// What an engine's weights cost a board: the list of a variant's differences once, the base's bytes again and again.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_MEASURE_WEIGHTS_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_MEASURE_WEIGHTS_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/loader/modelvault_loader.h"

namespace modelvault {

struct WeightsResult {
  mv_error error;
  uint32_t list_size;   // Bytes; 0 where there is no list: another layout than the base's, or too little memory.
  uint32_t weight_ram;  // What a source of the base's bytes takes beside the list.
};

// Builds the list in `list_memory`, then, where there is one, reads all of the base, proven by its seals; each in a phase
// of its own. Ends what the loader has in progress.
WeightsResult MeasureWeights(mv_loader* loader, const mv_variant& variant, size_t tile_size, ByteSpan list_memory);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_MEASURE_WEIGHTS_H_
