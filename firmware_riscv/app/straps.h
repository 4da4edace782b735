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
//
// Behind it, for kUpdate, 4 bytes more:
//
//   offset  size  field
//      256     4  bit 0: the board has one slot, and writes the new vault over the old one; bit 1: the patch comes over
//                 the console's line (update/patch_line.h), not from flash; the others zero
//
// Behind that, whatever the command, for a board that starts only what is signed, 96 bytes:
//
//   offset  size  field
//     1312     4  magic 0x4154564D ("MVTA"); anything else: a board that trusts nobody and takes every vault
//     1316     4  reserved, zero
//     1320     8  least version of a vault
//     1328     8  the time, in seconds since 1970; 0: not known
//     1336     8  least number of a revocation list
//     1344    32  digest of the key set that is trusted
//     1376    32  secret key of the device group that the board is of; zeros: of none
//
// And at 4096, in a page of its own, the revocation list (docs/format.md §14), or a page that is erased: none.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_STRAPS_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_STRAPS_H_

#include "codec/core/bytes.h"
#include "firmware_riscv/loader/modelvault_proof.h"

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

inline constexpr size_t kStrapUpdateFlagsOffset = kStrapSize;
inline constexpr size_t kUpdateStrapSize = kStrapUpdateFlagsOffset + 4;
inline constexpr uint32_t kStrapOneSlot = 1;  // Flags.
inline constexpr uint32_t kStrapOverLine = 2;

inline constexpr uint32_t kTrustStrapMagic = 0x4154564D;
inline constexpr size_t kTrustStrapOffset = kAnswerStrapSize;
// From there on:
inline constexpr size_t kTrustReservedOffset = 4;
inline constexpr size_t kTrustVersionOffset = 8;
inline constexpr size_t kTrustNowOffset = 16;
inline constexpr size_t kTrustRevocationOffset = 24;
inline constexpr size_t kTrustKeySetOffset = 32;
inline constexpr size_t kTrustDeviceKeyOffset = kTrustKeySetOffset + MV_DIGEST_SIZE;
inline constexpr size_t kTrustStrapSize = kTrustDeviceKeyOffset + MV_DEVICE_KEY_SIZE;
inline constexpr size_t kRevocationStrapOffset = 4096;
inline constexpr size_t kRevocationStrapSize = 4096;
inline constexpr size_t kAllStrapsSize = kRevocationStrapOffset + kRevocationStrapSize;
static_assert(kTrustStrapOffset + kTrustStrapSize <= kRevocationStrapOffset);

enum class StrapCommand : uint32_t {
  kBoot = 0,         // Boot the selected variant, then the console.
  kConsole = 1,      // The console without booting.
  kMeasure = 2,      // Measure `name`, print one line, leave.
  kBootAndExit = 3,  // Boot the selected variant, then leave.
  kAnswer = 4,       // Load `name`, answer a prompt, print one line (answer.h), leave.
  kUpdate = 5,       // Apply the patch that lies in flash, print one line (update.h), leave.
};
inline constexpr uint32_t kStrapCommandCount = 6;

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
  bool one_slot = false;  // Of kUpdate, and:
  bool over_line = false;
};

// `block` is kAnswerStrapSize bytes, or kStrapSize where nothing is to be answered, which must outlive the result.
// False if there is a block but it asks for what this build does not know.
[[nodiscard]] bool ReadStraps(ByteView block, Straps* straps);

// Whom the straps trust; `block` is all of them, kAllStrapsSize bytes, which must outlive the result. False: nobody.
[[nodiscard]] bool ReadTrust(ByteView block, mv_trust* trust);
// And their device group's secret key, in the block; null: none.
const uint8_t* ReadDeviceKey(ByteView block);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_STRAPS_H_
