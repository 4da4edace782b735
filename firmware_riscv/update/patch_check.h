// What every update does with a patch: holds its header against the vault that runs, checks all that it makes, and
// programs it.
#ifndef MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_CHECK_H_
#define MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_CHECK_H_

#include "firmware_riscv/boot/slot_boot.h"
#include "firmware_riscv/update/patch_reader.h"
#include "firmware_riscv/update/vault_hash.h"

namespace modelvault {

// Where the old vault is, where the new one comes, and the least version that it may have.
struct PatchPlace {
  const mv_region* running;
  const mv_region* target;
  uint64_t least_version;
};

// MV_OK: the patch is for the vault that runs; or *done: that one is what it makes. MV_BAD_PATCH, MV_OTHER_VAULT,
// MV_ROLLED_BACK, MV_WORKSPACE_TOO_SMALL (less room in `buffer` than for a block), or an error of the flash.
[[nodiscard]] mv_error CheckHeader(const PatchHeader& header, const PatchPlace& place, const SlotHost& host,
                                   ByteSpan buffer, bool* done);

// Makes all blocks of an open patch, which can be reread, holds them against its checksums and digests, has them proven
// (SlotHost::prove), and opens it anew.
[[nodiscard]] mv_error CheckBlocks(PatchReader* reader, const mv_region* running, const SlotHost& host,
                                   ByteSpan buffer);

// Adds the region's first `size` bytes.
[[nodiscard]] mv_error HashRegion(const mv_region* region, uint32_t size, ByteSpan buffer, VaultHash* hash);

// Whether the region reads as `bytes` from `offset` on.
[[nodiscard]] mv_error ReadsAs(const mv_region* region, uint32_t offset, ByteView bytes, bool* same);

// Programs `bytes` into units that are erased, from `offset` on; adds how many to *units. Of units that would stay
// erased none is programmed.
[[nodiscard]] mv_error ProgramBlock(const mv_region* region, uint32_t offset, ByteView bytes, uint32_t* units);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_UPDATE_PATCH_CHECK_H_
