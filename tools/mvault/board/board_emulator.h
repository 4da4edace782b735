// The board of firmware_riscv/ in the emulator: flash images in a folder that goes away with it, and runs under the
// cycle plugin.
#ifndef MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_EMULATOR_H_
#define MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_EMULATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/mvault/board/board_machine.h"

namespace modelvault {

// Files a run needs.
struct BoardFiles {
  std::string emulator;   // A path, or a name to be looked for in $PATH.
  std::string firmware;   // Flat binary.
  std::string symbols;    // For the plugin; empty: none.
  std::string plugin;     // Empty: cycles are not counted,
  std::string uncounted;  // for this reason, in words.
};

// Fills in what is empty: the emulator's name, and the others from ../share/modelvault beside the running program, else
// from the build folder. Everything must exist (symbols may be missing): kNotFound otherwise, saying what to install or
// which option to give. The emulator becomes a path. If it says to be of a version that does not load our plugin, and
// none is given, there is no plugin.
absl::StatusOr<BoardFiles> FindBoardFiles(BoardFiles given);

struct EmulatorRun {
  int exit_code = 0;      // Of the board program; 128 and the signal's number for an emulator that was killed.
  std::string output;     // What the board printed.
  std::string errors;     // What the emulator said.
  std::string counts;     // The plugin's report; empty if there is none.
  std::string uncounted;  // Why it ran without the plugin; empty: it did not.
};

using LineAnswer = std::function<std::string(absl::string_view line)>;

// EmulatorRun::exit_code where the power was cut.
inline constexpr int kPowerCut = 99;

// Thread-safe, but for Start() and WriteFlash().
class BoardEmulator {
 public:
  // Writes the vault's bank: `vault` and then zeros. At most kFlashBankSize bytes. The board trusts `trust`, or takes
  // every vault. kUnavailable if the disk refuses.
  static absl::StatusOr<std::unique_ptr<BoardEmulator>> Create(const BoardFiles& files, absl::Span<const uint8_t> vault,
                                                               std::optional<TrustStraps> trust = std::nullopt);
  ~BoardEmulator();
  BoardEmulator(const BoardEmulator&) = delete;
  BoardEmulator& operator=(const BoardEmulator&) = delete;

  // Boots the firmware with this strap block and waits until it ends. Both flash banks are read-only. An emulator that
  // does not begin for the plugin's sake gets another try without it. Errors: the emulator cannot be started or does
  // not end (kUnavailable).
  absl::StatusOr<EmulatorRun> Run(absl::string_view strap, uint64_t wait_states) const;

  // The same, but the vault's bank keeps what the board writes. `cut` > 0: the power goes before the store number `cut`
  // into flash (exit code kPowerCut), for which there must be a plugin.
  absl::StatusOr<EmulatorRun> Start(absl::string_view strap, uint64_t cut = 0) const;

  // The same with somebody at the console: `answer` is given each line that the board prints, without its end, and what
  // it returns is sent.
  absl::StatusOr<EmulatorRun> StartWith(absl::string_view strap, uint64_t cut, const LineAnswer& answer) const;

  // Writes the vault's bank, as whoever makes boards does.
  absl::Status WriteFlash(uint64_t offset, absl::string_view bytes) const;

  // Boots the firmware without straps and connects its console to this process's standard input and output until it
  // ends; the vault's bank keeps what it writes. Input that is no terminal is read to its end first, and `exit` follows
  // it. The result is as EmulatorRun::exit_code.
  absl::StatusOr<int> Connect() const;

 private:
  BoardEmulator(BoardFiles files, std::string folder, std::optional<TrustStraps> trust)
      : files_(std::move(files)), folder_(std::move(folder)), trust_(std::move(trust)) {}

  // Makes the code's bank.
  absl::Status WriteCode(const std::string& path, absl::string_view strap) const;

  // One run; `plugin`, with its own arguments behind the report's, may be empty.
  absl::StatusOr<EmulatorRun> RunOnce(absl::string_view strap, const std::string& plugin,
                                      const std::string& plugin_arguments, bool keeps_flash,
                                      const LineAnswer& answer = nullptr) const;

  const BoardFiles files_;
  const std::string folder_;
  const std::optional<TrustStraps> trust_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_BOARD_BOARD_EMULATOR_H_
