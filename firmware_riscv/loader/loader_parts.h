// What of an open loader an engine in C++ works with: the same objects that a host has of a vault.
#ifndef MODELVAULT_FIRMWARE_RISCV_LOADER_LOADER_PARTS_H_
#define MODELVAULT_FIRMWARE_RISCV_LOADER_LOADER_PARTS_H_

#include "firmware_riscv/loader/modelvault_loader.h"
#include "restore/core/proven_chunks.h"
#include "restore/core/variant_stream.h"

namespace modelvault {

// All of it lives as long as the loader.
struct LoaderParts {
  const SharedTables* shared;
  StoredChunks chunks;
  mv_watchdog watchdog;
  ByteSpan idle;  // At a multiple of 8; free while no model is in progress there, and lost to whatever starts one.
  // Of the model in progress.
  const VariantLayout* layout;
  VariantStream* stream;
};

LoaderParts PartsOf(mv_loader* loader);

// mv_start_proven() with `seals` for ProvenChunks, and with what the model takes in `memory`, at a multiple of
// MV_MEMORY_ALIGNMENT (null: in the loader's own, as far as it is idle); both outlive the model in progress.
mv_error StartSealed(mv_loader* loader, const mv_variant* variant, size_t tile_size, uint32_t flags, uint32_t* seals,
                     ByteSpan memory);

// What mv_start_proven() with MV_WITH_BASE takes for a variant and a tile size, in bytes; multiples of
// MV_MEMORY_ALIGNMENT.
struct ProvenPassMemory {
  size_t fixed;  // Of the loader's memory, from its beginning: in use while nothing is in progress.
  size_t model;  // Of that or other memory, while the model is in progress.
  bool has_base_layout;
};
[[nodiscard]] CoreStatus MeasureProvenPass(const mv_loader* loader, const mv_variant& variant, size_t tile_size,
                                           ProvenPassMemory* memory);

// Whether a variant's stored bytes have their checksums; if not, *segment is the one at fault, 0 for the head.
bool IsBlobIntact(const mv_loader* loader, const mv_variant& variant, uint32_t* segment);

// Takes the model in progress away from the loader's interface: its memory is idle from here on, or its stream is the
// caller's. And whether no other one has been started since.
void EndModel(mv_loader* loader);
bool HasEnded(const mv_loader* loader);

// Takes `size` bytes of the idle memory, at a multiple of MV_MEMORY_ALIGNMENT, for the caller to keep, and what it kept
// before is the loader's again; null if there are not so many. No model may be in progress there.
ByteSpan KeepMemory(mv_loader* loader, size_t size);

// The loader's memory.
ByteSpan MemoryOf(const mv_loader* loader);
// From here on it is the first `size` bytes. At least what is in use; at most what mv_open() was given.
void LimitMemory(mv_loader* loader, size_t size);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_LOADER_LOADER_PARTS_H_
