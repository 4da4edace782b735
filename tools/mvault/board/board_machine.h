// The emulated board of firmware_riscv/virt_rv32/ as a host sees it: its flash banks, its straps, and how QEMU is told
// to be it.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_MACHINE_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_MACHINE_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "firmware_riscv/app/straps.h"

namespace modelvault {

// Size of each of the two flash banks.
inline constexpr uint64_t kFlashBankSize = 32 << 20;
// Where the boot strap block lies in the code's bank; the firmware itself is shorter.
inline constexpr uint64_t kStrapOffset = 0x40000;

// The strap block (kStrapSize bytes) that has the firmware do `command`, for the variant `name` (empty: the base; at
// most kStrapNameRoom bytes) with tiles of `tile_size` bytes (0: the firmware's own size).
std::string MakeStraps(StrapCommand command, absl::string_view name = "", uint32_t tile_size = 0);

// The same for kAnswer; `answer.prompt` has at most kStrapPromptRoom bytes.
std::string MakeAnswerStraps(absl::string_view name, const AnswerStraps& answer, uint32_t tile_size = 0);

// Whom a board trusts, as its straps have it.
struct TrustStraps {
  std::array<uint8_t, MV_DIGEST_SIZE> key_set = {};
  std::array<uint8_t, MV_DEVICE_KEY_SIZE> device_key = {};  // Of the board's device group; zeros: it is of none.
  uint64_t least_version = 0;
  uint64_t now = 0;  // Seconds since 1970; 0: not known.
  uint64_t least_revocation = 0;
  std::string revocations;  // The list, of at most kRevocationStrapSize bytes; empty: none.
};

// A strap block (or none: empty) of a board that trusts somebody: kAllStrapsSize bytes.
std::string WithTrust(std::string straps, const TrustStraps& trust);

// The same for kUpdate.
std::string MakeUpdateStraps(bool one_slot, bool over_line);

struct BoardImages {
  std::string code;   // Files of kFlashBankSize bytes. This one is only read.
  std::string vault;  // Keeps what the board writes, unless it is read only.
  bool vault_read_only = false;
};

// The arguments behind the emulator's name. `plugin` is the plugin's file with its own arguments; empty: none.
std::vector<std::string> EmulatorArguments(const BoardImages& images, const std::string& plugin);

// A path inside one of the emulator's options, where a comma ends a value.
std::string EscapedForEmulator(absl::string_view path);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_MACHINE_H_
