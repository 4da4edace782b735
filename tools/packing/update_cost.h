// How long a board takes for a field update, by a model of its flash (docs/porting.md, "Field update").
#ifndef MODELVAULT_TOOLS_PACKING_UPDATE_COST_H_
#define MODELVAULT_TOOLS_PACKING_UPDATE_COST_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "tools/packing/patch_builder.h"

namespace modelvault {

// Serial NOR of 8 MB, as its makers' tables have it: typical, and the most over the part's life.
struct FlashTime {
  double typical_s;
  double worst_s;
};
inline constexpr uint64_t kSmallErase = 4096;      // Sectors are erased in these,
inline constexpr uint64_t kLargeErase = 64 << 10;  // or, where they are multiples of it, in these.
inline constexpr FlashTime kSmallEraseTime = {0.045, 0.4};
inline constexpr FlashTime kLargeEraseTime = {0.15, 2.0};
inline constexpr FlashTime kFirstByteTime = {30e-6, 50e-6};  // Of a program, and of each byte after it.
inline constexpr FlashTime kNextByteTime = {2.5e-6, 12e-6};
// The board of docs/design.md.
inline constexpr double kReadBytesPerSecond = 38e6;
inline constexpr double kHashBytesPerSecond = 120e6 / 3.6;
inline constexpr double kUartBytesPerSecond = 115200.0 / 10;

struct UpdateCost {
  uint64_t sectors = 0;   // Of the new vault.
  uint64_t written = 0;   // Of these: all but those that the slot holds already.
  uint64_t erases = 0;    // With those of the device's state.
  uint64_t programs = 0;  // Of units of 32 bytes, likewise.
  double typical_s = 0;   // With reading and hashing.
  double worst_s = 0;
  double uart_s = 0;  // For the patch to come at 115,200 baud.
};

// `held`: what the slot that is written holds; empty: unknown. In place that is the old vault, and what is written is
// written to the spare sector first.
UpdateCost EstimateUpdate(absl::string_view new_vault, absl::string_view held, uint64_t old_size, uint64_t patch_size,
                          uint32_t sector_size, PatchKind kind = PatchKind::kTwoSlots);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_PACKING_UPDATE_COST_H_
