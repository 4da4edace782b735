// The boot strap block: what automation asks of the firmware at reset. 256 bytes beside the code, little-endian:
//
//   offset  size  field
//        0     4  magic 0x5453564D ("MVST"); anything else: no straps, a normal boot
//        4     4  command
//        8     4  tile_size, 0: the default
//       12     4  reserved, zero
//       16   240  variant's name, padded with zeros; empty: the base
//
// Behind it, for kAnswer, 1,056 bytes more:
//
//   offset  size  field
//      256     4  most tokens to generate
//      260     4  bit 0: go on after a token that begins or ends a text; the others zero
//      264     4  top_k, and
//      268     4  temperature times 2^16, as Sampler takes them (restore/infer/sampler.h)
//      272     8  seed
//      280     4  size of the prompt, at most 1,024
//      284     4  reserved, zero
//      288  1024  prompt: text, or decimal numbers where the network takes features
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

inline constexpr size_t kStrapTokensOffset = kStrapSize;
inline constexpr size_t kStrapFlagsOffset = kStrapSize + 4;
inline constexpr size_t kStrapTopKOffset = kStrapSize + 8;
inline constexpr size_t kStrapTemperatureOffset = kStrapSize + 12;
inline constexpr size_t kStrapSeedOffset = kStrapSize + 16;
inline constexpr size_t kStrapPromptSizeOffset = kStrapSize + 24;
inline constexpr size_t kStrapPromptReservedOffset = kStrapSize + 28;
inline constexpr size_t kStrapPromptOffset = kStrapSize + 32;
inline constexpr size_t kStrapPromptRoom = 1024;
inline constexpr size_t kAnswerStrapSize = kStrapPromptOffset + kStrapPromptRoom;  // Both blocks.

inline constexpr uint32_t kStrapPassEnds = 1;  // A flag.

enum class StrapCommand : uint32_t {
  kBoot = 0,         // Boot the selected variant, then the console.
  kConsole = 1,      // The console without booting.
  kMeasure = 2,      // Measure `name`, print one line, leave.
  kBootAndExit = 3,  // Boot the selected variant, then leave.
  kAnswer = 4,       // Load `name`, answer a prompt, print one line (answer.h), leave.
};
inline constexpr uint32_t kStrapCommandCount = 5;

// What kAnswer is to answer.
struct AnswerStraps {
  uint32_t tokens = 0;
  bool pass_ends = false;
  uint32_t top_k = 0;
  uint32_t temperature = 0;
  uint64_t seed = 0;
  ByteView prompt;  // In the block.
};

struct Straps {
  StrapCommand command = StrapCommand::kBoot;
  uint32_t tile_size = 0;
  const char* name = "";  // In the block, not terminated.
  size_t name_size = 0;
  AnswerStraps answer;
};

// `block` is kAnswerStrapSize bytes, or kStrapSize where nothing is to be answered, which must outlive the result.
// False if there is a block but it asks for what this build does not know.
[[nodiscard]] bool ReadStraps(ByteView block, Straps* straps);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_STRAPS_H_
