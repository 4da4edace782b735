#include "firmware_riscv/app/measure_weights.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/loader/loader_parts.h"
#include "restore/infer/delta_list_builder.h"
#include "restore/infer/vault_weights.h"

namespace modelvault {
namespace {

constexpr size_t kPieceSize = 1024;  // Where the base is coded.

mv_error BuildList(mv_loader* loader, const mv_variant& variant, size_t tile_size, DeltaList* list, size_t* list_size) {
  *list_size = 0;
  const mv_error started = mv_start_proven(loader, &variant, tile_size, MV_WITH_BASE);
  if (started != MV_OK || mv_base_tile(loader) == nullptr) return started;
  // What the loader leaves of its memory.
  const LoaderParts parts = PartsOf(loader);
  const ByteSpan all = FreeRam();
  const size_t taken = (mv_memory_used(loader) + MV_MEMORY_ALIGNMENT) & ~size_t{MV_MEMORY_ALIGNMENT - 1};
  if (taken > all.size) return MV_WORKSPACE_TOO_SMALL;
  DeltaListBuilder builder(parts.shared, {all.data + taken, all.size - taken});
  struct Target {
    mv_loader* loader;
    DeltaListBuilder* builder;
  } target = {loader, &builder};
  const mv_error error = mv_stream(
      loader,
      [](void* user, size_t offset, const uint8_t* bytes, size_t size) {
        const Target* const to = static_cast<const Target*>(user);
        return static_cast<mv_error>(to->builder->Add(offset, {bytes, size}, mv_base_tile(to->loader)));
      },
      &target);
  if (error != MV_OK) return error;
  const CoreStatus finished = builder.Finish(list, list_size);
  // Without memory for it there is no list, and an engine restores.
  return finished == CoreStatus::kWorkspaceTooSmall ? MV_OK : static_cast<mv_error>(finished);
}

mv_error ReadAll(const SharedTables& shared, const WeightSource& source) {
  for (size_t i = 0; i < shared.tensor_count(); ++i) {
    CoreStatus status = source.start(source.context, i, 0, shared.tensor(i).size);
    ByteView piece;
    do {
      if (status == CoreStatus::kOk) status = source.next(source.context, &piece);
      if (status != CoreStatus::kOk) return static_cast<mv_error>(status);
    } while (piece.size > 0);
  }
  return MV_OK;
}

}  // namespace

WeightsResult MeasureWeights(mv_loader* loader, const mv_variant& variant, size_t tile_size) {
  WeightsResult result = {MV_OK, 0, 0};
  BeginPhase(Phase::kList);
  DeltaList list;
  size_t list_size, weight_ram = 0;
  result.error = BuildList(loader, variant, tile_size, &list, &list_size);
  const LoaderParts parts = PartsOf(loader);
  if (result.error == MV_OK) {
    result.error = static_cast<mv_error>(BaseWeights::MemorySize(*parts.shared, parts.chunks, kPieceSize, &weight_ram));
  }
  if (result.error == MV_OK && weight_ram > parts.idle.size) result.error = MV_WORKSPACE_TOO_SMALL;
  if (result.error == MV_OK) {
    BaseWeights weights(parts.shared, parts.chunks, parts.tables, parts.idle, kPieceSize);
    const WeightSource source = weights.source(&list);
    static constexpr Phase kPhases[] = {Phase::kWeightsFirst, Phase::kWeightsProven, Phase::kWeightsUnproven};
    for (const Phase phase : kPhases) {
      BeginPhase(phase);
      if (phase == Phase::kWeightsUnproven) weights.set_proof(ProvenChunks::Proof::kNone);
      if (result.error == MV_OK) result.error = ReadAll(*parts.shared, source);
    }
  }
  BeginPhase(Phase::kOther);
  result.list_size = static_cast<uint32_t>(list_size);
  result.weight_ram = static_cast<uint32_t>(weight_ram);
  return result;
}

}  // namespace modelvault
