// The boot strap block: what automation asks of the firmware at reset. 256 bytes beside the code, little-endian:
//
//   offset  size  field
//        0     4  magic 0x5453564D ("MVST"); anything else: no straps, a normal boot
//        4     4  command
//        8     4  tile_size, 0: the default
//       12     4  reserved, zero
//       16   240  variant's name, padded with zeros; empty: the base
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_STRAPS_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_STRAPS_H_

#include "codec/core/bytes.h"

namespace modelvault {

inline constexpr uint32_t kStrapMagic = 0x5453564D;
inline constexpr size_t kStrapCommandOffset = 4;
inline constexpr size_t kStrapTileSizeOffset = 8;
inline constexpr size_t kStrapReservedOffset = 12;
inline constexpr size_t kStrapNameOffset = 16;
inline constexpr size_t kStrapNameRoom = 240;  // A name that fills it has no zero behind it.
inline constexpr size_t kStrapSize = kStrapNameOffset + kStrapNameRoom;

enum class StrapCommand : uint32_t {
  kBoot = 0,         // Boot the selected variant, then the console.
  kConsole = 1,      // The console without booting.
  kMeasure = 2,      // Measure `name`, print one line, leave.
  kBootAndExit = 3,  // Boot the selected variant, then leave.
};
inline constexpr uint32_t kStrapCommandCount = 4;

struct Straps {
  StrapCommand command = StrapCommand::kBoot;
  uint32_t tile_size = 0;
  const char* name = "";  // In the block, not terminated.
  size_t name_size = 0;
};

// `block` is kStrapSize bytes, which must outlive the result. False if there is a block but it asks for
// what this build does not know.
[[nodiscard]] bool ReadStraps(ByteView block, Straps* straps);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_STRAPS_H_
