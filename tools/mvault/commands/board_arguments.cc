#include "tools/mvault/commands/board_arguments.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "firmware_riscv/app/straps.h"
#include "tools/formats/readable_text.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/board/board_bank.h"
#include "tools/mvault/board/energy_table.h"
#include "tools/mvault/commands/board_trust.h"

namespace modelvault {

absl::Status CheckForBoards(const VaultReader& vault) {
  if ((vault.header().features & kHostOnlyFeatures) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      vault.path(),
      ": boards do not read its host codings (pack --profile host): pack it with the profile small or fast"));
}

namespace {

// The last line that is not empty, for messages.
std::string LastLine(const std::string& text) {
  size_t end = text.size();
  while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r')) --end;
  const size_t begin = end == 0 ? 0 : text.rfind('\n', end - 1) + 1;
  return text.substr(begin, end - begin);
}

// The vault as it goes into the board's flash.
absl::StatusOr<std::vector<uint8_t>> ReadForBoard(const VaultReader& vault, uint64_t partition) {
  const uint64_t size = vault.file().size();
  if (size > partition) {
    return absl::ResourceExhaustedError(absl::StrCat(vault.path(), ": ", Grouped(size),
                                                     " bytes do not fit into the board's partition of ",
                                                     Grouped(partition), " (see --partition)"));
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  if (absl::Status status = vault.file().ReadAt(0, absl::MakeSpan(bytes)); !status.ok()) return status;
  return bytes;
}

// The files of a board that `arguments` ask for; says what they lack.
absl::StatusOr<BoardFiles> FilesOf(Session& session, const BoardArguments& arguments) {
  absl::StatusOr<BoardFiles> files = FindBoardFiles(arguments.files);
  if (!files.ok()) return files.status();
  if (arguments.uncounted) {
    files->plugin.clear();
    files->uncounted = "--uncounted";
  } else if (!files->uncounted.empty()) {
    session.console.PrintNote(absl::StrCat(files->uncounted, ": cycles are not counted"));
  }
  return files;
}

}  // namespace

absl::StatusOr<std::optional<EnergyOptions>> ReadEnergyOptions(FileSystem& file_system,
                                                               const BoardArguments& arguments) {
  if (!arguments.energy) return std::nullopt;
  std::string text = kEnergyTableText;
  if (!arguments.energy_table.empty()) {
    absl::StatusOr<std::string> given = ReadTextFile(file_system, arguments.energy_table);
    if (!given.ok()) return given.status();
    text = *std::move(given);
  }
  absl::StatusOr<EnergyTable> table = ParseEnergyTable(text, arguments.energy_table);
  if (!table.ok()) return table.status();
  EnergyOptions options;
  options.table = *std::move(table);
  options.period_s = arguments.energy_period;
  return options;
}

absl::StatusOr<std::unique_ptr<BoardEmulator>> MakeBoard(Session& session, const VaultReader& vault,
                                                         const BoardArguments& arguments) {
  if (absl::Status status = CheckForBoards(vault); !status.ok()) return status;
  const absl::StatusOr<BoardFiles> files = FilesOf(session, arguments);
  if (!files.ok()) return files.status();
  const absl::StatusOr<std::vector<uint8_t>> bytes =
      ReadForBoard(vault, arguments.partition.value_or(kDefaultBoardPartition));
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<std::optional<TrustStraps>> trust = BoardTrustOf(session.file_system, vault, arguments.trust);
  if (!trust.ok()) return trust.status();
  return BoardEmulator::Create(*files, *bytes, *std::move(trust));
}

absl::StatusOr<std::unique_ptr<BoardEmulator>> MakeUpdatableBoard(Session& session, const VaultReader& vault,
                                                                  const BoardArguments& arguments,
                                                                  const std::string& name) {
  const absl::StatusOr<BoardFiles> files = FilesOf(session, arguments);
  if (!files.ok()) return files.status();
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadForBoard(vault, kBoardPartitionSize);
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<std::vector<uint8_t>> bank = MakeUpdatableBank(*std::move(bytes), name);
  if (!bank.ok()) return bank.status();
  absl::StatusOr<std::optional<TrustStraps>> trust = BoardTrustOf(session.file_system, vault, arguments.trust);
  if (!trust.ok()) return trust.status();
  return BoardEmulator::Create(*files, *bank, *std::move(trust));
}

absl::Status CheckBoardName(absl::string_view name) {
  if (name.size() <= kStrapNameRoom) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "': the board is asked for names of at most ", kStrapNameRoom, " bytes"));
}

absl::Status NoLineError(absl::string_view name, const absl::Status& why, const EmulatorRun& run) {
  const std::string last = LastLine(run.output.empty() ? run.errors : run.output);
  return absl::InternalError(absl::StrCat("'", name, "': ", why.message(), "; it ended with code ", run.exit_code,
                                          last.empty() ? "" : " and the words: ", last));
}

}  // namespace modelvault
