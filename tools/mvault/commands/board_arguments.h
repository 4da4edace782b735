// What `mvault board` is given, and what all that it does needs first.
#ifndef MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_ARGUMENTS_H_
#define MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_ARGUMENTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/mvault/board/board_emulator.h"
#include "tools/mvault/board/board_report.h"
#include "tools/mvault/board/energy_report.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/host_answer.h"
#include "tools/mvault/commands/trust_options.h"
#include "vault/file_system.h"
#include "vault/vault_reader.h"

namespace modelvault {

inline constexpr uint64_t kDefaultBoardPartition = 1 << 20;

struct BoardArguments {
  std::string vault;
  std::string name;
  bool base = false;
  bool all = false;
  std::vector<std::string> updates;       // Patches in flash, and
  std::vector<std::string> line_updates;  // those that come over the line; neither: no update.
  uint64_t cut_after = 0;                 // Store into flash before which each update's power is cut; 0: none.
  unsigned slots = 2;                     // Of a board that is updated.
  std::optional<std::string> ask;         // What the model is to answer; nothing: it is to be restored.
  AnswerOptions answer;
  BoardClock clock;
  std::optional<uint64_t> tile;
  std::optional<uint64_t> partition;
  int jobs = 0;
  bool functions = false;
  bool energy = false;
  std::string energy_table;
  double energy_period = EnergyOptions().period_s;
  BoardFiles files;
  bool uncounted = false;
  TrustArguments trust;
  bool json = false;
};

// What --energy needs; nothing without it.
absl::StatusOr<std::optional<EnergyOptions>> ReadEnergyOptions(FileSystem& file_system,
                                                               const BoardArguments& arguments);

// kInvalidArgument for a vault that no board reads.
absl::Status CheckForBoards(const VaultReader& vault);

// A board with the vault in its flash that trusts whom the arguments say. kResourceExhausted: the vault is larger than
// the partition.
absl::StatusOr<std::unique_ptr<BoardEmulator>> MakeBoard(Session& session, const VaultReader& vault,
                                                         const BoardArguments& arguments);

// The same with all that a board in use has in flash, `name` selected and confirmed (MakeUpdatableBank()).
absl::StatusOr<std::unique_ptr<BoardEmulator>> MakeUpdatableBoard(Session& session, const VaultReader& vault,
                                                                  const BoardArguments& arguments,
                                                                  const std::string& name);

// kInvalidArgument for a name that is too long for straps.
absl::Status CheckBoardName(absl::string_view name);

// `why` no line of what the board printed is the one that was to come, with its last words.
absl::Status NoLineError(absl::string_view name, const absl::Status& why, const EmulatorRun& run);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_COMMANDS_BOARD_ARGUMENTS_H_
