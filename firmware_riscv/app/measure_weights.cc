#include "firmware_riscv/app/measure_weights.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/loader/core_errors.h"
#include "firmware_riscv/loader/loader_parts.h"
#include "firmware_riscv/loader/loader_weights.h"

namespace modelvault {
namespace {

mv_error ReadAll(const SharedTables& shared, const WeightSource& source) {
  for (size_t i = 0; i < shared.tensor_count(); ++i) {
    CoreStatus status = source.start(source.context, i, 0, shared.tensor(i).size);
    ByteView piece;
    do {
      if (status == CoreStatus::kOk) status = source.next(source.context, &piece);
      if (status != CoreStatus::kOk) return ToError(status);
    } while (piece.size > 0);
  }
  return MV_OK;
}

}  // namespace

WeightsResult MeasureWeights(mv_loader* loader, const mv_variant& variant, size_t tile_size, ByteSpan list_memory) {
  WeightsResult result = {MV_OK, 0, 0};
  LoaderWeights weights;
  BeginPhase(Phase::kList);
  LoaderWeights::Request request;
  request.tile_size = tile_size;
  request.list_memory = list_memory;
  result.error = weights.Open(loader, variant, request);
  result.list_size = static_cast<uint32_t>(weights.list_size());
  if (result.error == MV_OK && result.list_size > 0) {
    const SharedTables& shared = *PartsOf(loader).shared;
    size_t size;
    result.error = ToError(BaseWeights::MemorySize(shared, PartsOf(loader).chunks, LoaderWeights::kPieceSize, &size));
    result.weight_ram = static_cast<uint32_t>(size);
    BeginPhase(Phase::kWeights);
    if (result.error == MV_OK) result.error = ReadAll(shared, weights.source());
  }
  BeginPhase(Phase::kOther);
  return result;
}

}  // namespace modelvault
