// The board of firmware_riscv/ in the emulator: flash images in a folder that goes away with it, and runs under the
// cycle plugin.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_EMULATOR_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_EMULATOR_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace modelvault {

// Size of each of the two flash banks.
inline constexpr uint64_t kFlashBankSize = 32 << 20;
// Where the boot strap block lies in the code's bank; the firmware itself is shorter.
inline constexpr uint64_t kStrapOffset = 0x40000;
// The strap block's room for a name, in bytes.
inline constexpr size_t kMaxStrapName = 239;

// The 256 bytes of a strap block that has the firmware measure the variant `name` (empty: the base) with tiles of
// `tile_size` bytes (0: the firmware's own size). `name` has at most kMaxStrapName bytes.
std::string MeasureStrap(absl::string_view name, uint32_t tile_size);

// Files a run needs.
struct BoardFiles {
  std::string emulator;  // A path, or a name to be looked for in $PATH.
  std::string firmware;  // Flat binary.
  std::string symbols;   // For the plugin; empty: none.
  std::string plugin;
};

// Fills in what is empty: the emulator's name, and the others from ../share/modelvault beside the running program, else
// from the build folder. Everything must exist (symbols may be missing): kNotFound otherwise, saying what to install or
// which option to give. The emulator becomes a path.
absl::StatusOr<BoardFiles> FindBoardFiles(BoardFiles given);

struct EmulatorRun {
  int exit_code = 0;   // Of the board program; 128 and the signal's number for an emulator that was killed.
  std::string output;  // What the board printed.
  std::string errors;  // What the emulator said.
  std::string counts;  // The plugin's report; empty if there is none.
};

// Thread-safe.
class BoardEmulator {
 public:
  // Writes the vault's bank: `vault` and then zeros. At most kFlashBankSize bytes. kUnavailable if the disk refuses.
  static absl::StatusOr<std::unique_ptr<BoardEmulator>> Create(const BoardFiles& files,
                                                               absl::Span<const uint8_t> vault);
  ~BoardEmulator();
  BoardEmulator(const BoardEmulator&) = delete;
  BoardEmulator& operator=(const BoardEmulator&) = delete;

  // Boots the firmware with this strap block and waits until it ends. Both flash banks are read-only. Errors: the
  // emulator cannot be started or does not end (kUnavailable).
  absl::StatusOr<EmulatorRun> Run(absl::string_view strap, uint64_t wait_states) const;

 private:
  BoardEmulator(BoardFiles files, std::string folder) : files_(std::move(files)), folder_(std::move(folder)) {}

  const BoardFiles files_;
  const std::string folder_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_EMULATOR_H_
