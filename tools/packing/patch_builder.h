// Makes update patches (docs/format.md §15): a new vault out of an old one's bytes and others.
#ifndef MODELVAULT_TOOLS_PACKING_PATCH_BUILDER_H_
#define MODELVAULT_TOOLS_PACKING_PATCH_BUILDER_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// kInPlace: it can also be written over the old vault, front to back: bytes that moved towards the back are in the
// patch.
enum class PatchKind { kTwoSlots, kInPlace };

struct BuiltPatch {
  std::string bytes;
  uint64_t blocks = 0;
  uint64_t copied_bytes = 0;  // Of the new vault, out of the old one.
  uint64_t data_bytes = 0;    // Of it, in the patch.
};

// What a patch's header says of the new vault, beside its digests.
struct PatchIdentity {
  std::array<uint8_t, 16> vault_id = {};  // Zeros: it is not signed.
  uint64_t version = 0;                   // Likewise.
};

// `block_size`: a power of two, 256 to 1 MiB. kInvalidArgument for another one and for files without bytes;
// kResourceExhausted for files of more than 1 GiB. What is returned has been applied in memory and compared.
absl::StatusOr<BuiltPatch> BuildPatch(absl::string_view old_vault, absl::string_view new_vault, uint32_t block_size,
                                      const PatchIdentity& identity = {}, PatchKind kind = PatchKind::kTwoSlots);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_PATCH_BUILDER_H_
