// What the firmware tells whoever measures from outside: which phase begins. Firmware, plugin and hosts share it.
#ifndef MODELVAULT_FIRMWARE_RISCV_APP_PHASES_H_
#define MODELVAULT_FIRMWARE_RISCV_APP_PHASES_H_

#include <stdint.h>

namespace modelvault {

enum class Phase : uint8_t {
  kOther = 0,  // Start-up, and what is no part of a restore.
  kOpen = 1,
  kVerifyDecode = 2,
  kVerifyHash = 3,
  kUseDecode = 4,
  kUseHash = 5,
  kConsole = 6,
  kVerifyElse = 7,  // Around the loader: between its steps, and the consumer.
  kUseElse = 8,
  kProvenDecode = 9,  // One pass whose tiles are proven one by one, the stored bytes' checksums included.
  kProvenHash = 10,   // The digest of its model, which a board may leave out.
  kProvenElse = 11,
  kList = 12,          // A pass like that, with seals, and the list of what differs from the base.
  kWeights = 13,       // All of the base's bytes as an engine reads them, proven by their seals.
  kLoad = 14,          // The proven pass that loads an engine.
  kPrefill = 15,       // All tokens of a prompt, or the features; from them the first token is picked.
  kToken = 16,         // Each token after it, from the one before: begun once a token.
  kProveVault = 17,    // Who has signed the vault, and that its sections are theirs.
  kProveVariant = 18,  // The same of a variant's bytes.
};

// The emulated board's registers, for its observer alone; the emulator's finisher, whose addresses these are, ignores
// them. A store of any value to word k of kPhaseRegisters begins phase k after it.
inline constexpr uint32_t kPhaseRegisters = 0x00100100;
inline constexpr uint32_t kPhaseRegisterCount = 32;
// A store of any value feeds the watchdog.
inline constexpr uint32_t kWatchdogRegister = kPhaseRegisters + 4 * kPhaseRegisterCount;

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_APP_PHASES_H_
