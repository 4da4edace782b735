// What lies in the vault's flash bank of a board that is in use: the vault, and the choice of what it boots.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_BANK_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_BANK_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace modelvault {

// The vault's partition (firmware_riscv/virt_rv32/virt_128k.ld), behind which the sectors of the boot selection lie.
inline constexpr uint64_t kBoardPartitionSize = 1 << 20;
// Of field updates: the slots, each as large as the partition, and where a patch is put.
inline constexpr uint64_t kBoardSlotOffset[2] = {0, 3 << 20};
inline constexpr uint64_t kBoardPatchOffset = 4 << 20;
inline constexpr uint64_t kBoardPatchRoom = 1 << 20;
inline constexpr uint64_t kBoardUpdateEnd = 7 << 20;

// The bank from its front on, with `vault`, of at most kBoardPartitionSize bytes, and `name` (at most MV_MAX_NAME_SIZE
// bytes; empty: the base) selected and confirmed.
absl::StatusOr<std::vector<uint8_t>> MakeBoardBank(std::vector<uint8_t> vault, absl::string_view name);

// The same with all that field updates write, erased.
absl::StatusOr<std::vector<uint8_t>> MakeUpdatableBank(std::vector<uint8_t> vault, absl::string_view name);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_BANK_H_
