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
  // Free while no model is in progress, and lost to whatever starts one: the tables of a decoder, and memory at a
  // multiple of 8.
  TableCache* tables;
  ByteSpan idle;
  // Of the model in progress.
  const VariantLayout* layout;
  VariantStream* stream;
};

LoaderParts PartsOf(mv_loader* loader);

// mv_start_proven() with `seals` for ProvenChunks, which outlive the model in progress.
mv_error StartSealed(mv_loader* loader, const mv_variant* variant, size_t tile_size, uint32_t flags, uint32_t* seals);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_LOADER_LOADER_PARTS_H_
