// What happens at a boot: the selected variant, else the last good one, else the base; and what is written about it.
#ifndef MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_H_
#define MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_H_

#include "firmware_riscv/boot/boot_selection.h"

namespace modelvault {

enum class BootEvent : uint8_t {
  kSectorDamaged,  // A selection sector holds what is no record; it is ignored.
  kTrial,          // A variant on test is about to be tried; `number`: which attempt.
  kGivenUp,        // A variant on test has had all its attempts without a good boot.
  kStart,          // A model is about to be restored.
  kFailed,         // It was not proven; `error` says why.
  kConfirmed,      // The variant on test went well and is the choice from now on.
  kRejected,       // It did not, and will not be tried again.
  kNotMarked,      // The flash could not be marked; `error` says why. The boot goes on.
};

struct BootReport {
  BootEvent event;
  ByteView name;  // Empty: the base.
  unsigned number = 0;
  mv_error error = MV_OK;
};

// The firmware around the boot.
struct BootHost {
  // Restores, proves and uses the model named `name` (empty: the base): MV_VERIFIED only if every pass was proven.
  // Otherwise *error says why not.
  uint32_t (*run)(void* context, ByteView name, mv_error* error);
  void (*tell)(void* context, const BootReport& report);
  void* context;
  // Whether a good boot confirms a choice on test. If not, the application does, with BootSelection::Confirm(), once it
  // has seen the model work; a choice that is not confirmed after kMaxAttempts boots is given up.
  bool confirm = true;
};

// Why the model that runs is the one that does.
enum class BootSource : uint8_t {
  kNothing = 0,   // Nothing could be proven; nothing runs.
  kSelected = 1,  // It is the confirmed choice, or nothing was ever chosen and it is the base.
  kTrial = 2,     // It was on test, and is confirmed now.
  kLastGood = 3,  // It is the one confirmed before.
  kBase = 4,      // It is the base, since all else failed.
};

struct BootResult {
  BootSource source;
  ByteView name;   // Empty: the base.
  mv_error error;  // With kNothing: why the last one failed.
};

template <UpdateSteps kSteps>
BootResult Boot(BasicBootSelection<kSteps>* selection, const BootHost& host);

extern template BootResult Boot(BootSelection* selection, const BootHost& host);

// Boots the base, whatever is selected, and leaves the selection alone: for a vault whose variants cannot be found.
BootResult BootBase(const BootHost& host);

}  // namespace modelvault

#endif  // MODELVAULT_FIRMWARE_RISCV_BOOT_BOOT_H_
