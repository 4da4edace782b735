#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "firmware_riscv/loader/modelvault_loader.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/board/board_bank.h"
#include "tools/mvault/board/board_emulator.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/vault_argument.h"
#include "vault/format.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  std::string name;
  BoardFiles files;
};

// The vault's bytes, if the board can hold them and has a model to run.
absl::StatusOr<std::vector<uint8_t>> ReadForChat(const VaultReader& vault, const std::string& name) {
  if (name != kReservedVariantName) {
    if (absl::Status found = vault.Find(name).status(); !found.ok()) return found;
  }
  if (!vault.header().has_network()) {
    return absl::NotFoundError(
        absl::StrCat(vault.path(), ": the vault does not say what its models compute: pack or fit it with --model"));
  }
  const uint64_t size = vault.file().size();
  if (size > kBoardPartitionSize) {
    return absl::ResourceExhaustedError(absl::StrCat(vault.path(), ": ", Grouped(size),
                                                     " bytes do not fit into the board's partition of ",
                                                     Grouped(kBoardPartitionSize)));
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  if (absl::Status status = vault.file().ReadAt(0, absl::MakeSpan(bytes)); !status.ok()) return status;
  return bytes;
}

absl::StatusOr<ExitCode> Chat(Session& session, const Arguments& arguments) {
  const absl::StatusOr<std::unique_ptr<VaultReader>> vault = VaultReader::Open(session.file_system, arguments.vault);
  if (!vault.ok()) return vault.status();
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadForChat(**vault, arguments.name);
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<BoardFiles> files = FindBoardFiles(arguments.files);
  if (!files.ok()) return files.status();
  const absl::StatusOr<std::vector<uint8_t>> bank =
      MakeBoardBank(*std::move(bytes), arguments.name == kReservedVariantName ? "" : arguments.name);
  if (!bank.ok()) return bank.status();
  const absl::StatusOr<std::unique_ptr<BoardEmulator>> board = BoardEmulator::Create(*files, *bank);
  if (!board.ok()) return board.status();
  if (absl::Status flushed = session.console.Flush(); !flushed.ok()) return flushed;
  const absl::StatusOr<int> exit_code = (*board)->Connect();
  if (!exit_code.ok()) return exit_code.status();
  if (*exit_code != 0) return absl::UnavailableError(absl::StrCat("the board ended with code ", *exit_code));
  return ExitCode::kOk;
}

}  // namespace

void AddChatCommand(Command& app, Session& session) {
  Command command = app.AddCommand("chat", "Boot a variant on the emulated board and talk to it");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddOption("NAME", &arguments->name, "The variant; 'base' is the base").Required();
  command.AddOption("--emulator", &arguments->files.emulator, "The emulator; default: qemu-system-riscv32")
      .TypeName("PROGRAM");
  command
      .AddOption("--firmware", &arguments->files.firmware,
                 "The firmware's flat image; default: the one built or installed")
      .TypeName("FILE");
  SetFooter(
      &command, "  mvault chat hospital.mvlt radiology\n",
      "The terminal is the board's console: 'ask TEXT' has the variant go on with a text, 'help' lists the other\n"
      "commands, 'exit' ends it. What the board writes into its flash is gone afterwards; VAULT is only read.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Chat(session, *arguments); }; });
}

}  // namespace modelvault
