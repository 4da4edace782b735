#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/board/board_bank.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/board_arguments.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/formatting.h"
#include "tools/packing/patch_builder.h"
#include "tools/packing/update_cost.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

constexpr uint64_t kDefaultSector = 4096;

struct Arguments {
  std::string old_vault;
  std::string new_vault;
  std::string output;
  std::string held;
  std::optional<uint64_t> sector;
  std::optional<uint64_t> slot;
  unsigned slots = 2;
  bool json = false;
};

absl::StatusOr<std::string> ReadAll(const RandomAccessFile& file) {
  std::string bytes(static_cast<size_t>(file.size()), '\0');
  const absl::Status status = file.ReadAt(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  if (!status.ok()) return status;
  return bytes;
}

struct Vault {
  std::string bytes;
  PatchIdentity identity;
};

// A vault that opens and fits into a slot.
absl::StatusOr<Vault> ReadVault(Session& session, const std::string& path, uint64_t slot) {
  const absl::StatusOr<std::unique_ptr<VaultReader>> vault = VaultReader::Open(session.file_system, path);
  if (!vault.ok()) return vault.status();
  if (absl::Status status = CheckForBoards(**vault); !status.ok()) return status;
  if (const uint64_t size = (*vault)->file().size(); size > slot) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": ", Grouped(size), " bytes do not fit into a slot of ",
                                                     Grouped(slot), " (see --slot-size)"));
  }
  absl::StatusOr<std::string> bytes = ReadAll((*vault)->file());
  if (!bytes.ok()) return bytes.status();
  Vault read = {*std::move(bytes), {}};
  if (const SignedRoot* const root = (*vault)->root(); root != nullptr) {
    read.identity.version = root->version;
    std::copy_n(root->vault_id().data, read.identity.vault_id.size(), read.identity.vault_id.begin());
  }
  return read;
}

// What every board that runs OLD would refuse.
absl::Status CheckIdentities(const Arguments& arguments, const PatchIdentity& old_vault,
                             const PatchIdentity& new_vault) {
  if (old_vault.version == 0) return absl::OkStatus();
  const std::string what = absl::StrCat(arguments.new_vault, ": no update of ", arguments.old_vault, ": ");
  if (new_vault.version == 0) return absl::PermissionDeniedError(absl::StrCat(what, "it has no signature"));
  if (new_vault.vault_id != old_vault.vault_id) {
    return absl::PermissionDeniedError(absl::StrCat(what, "it has another id (mvault info shows it)"));
  }
  if (new_vault.version >= old_vault.version) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(what, "it has version ", new_vault.version, ", before ", old_vault.version));
}

absl::Status WritePatch(Session& session, const std::string& path, const std::string& bytes) {
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = session.file_system.CreateAtomic(path);
  if (!file.ok()) return file.status();
  const absl::Status status = (*file)->Append({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return status.ok() ? (*file)->Commit() : status;
}

Json ToJson(const Arguments& arguments, const PatchIdentity& identity, const BuiltPatch& patch,
            const UpdateCost& cost) {
  return {{"old", arguments.old_vault},
          {"new", arguments.new_vault},
          {"version", identity.version == 0 ? Json(nullptr) : Json(identity.version)},
          {"patch", arguments.output.empty() ? Json(nullptr) : Json(arguments.output)},
          {"slots", arguments.slots},
          {"patch_bytes", patch.bytes.size()},
          {"copied_bytes", patch.copied_bytes},
          {"data_bytes", patch.data_bytes},
          {"sectors", cost.sectors},
          {"written_sectors", cost.written},
          {"erases", cost.erases},
          {"programs", cost.programs},
          {"typical_s", cost.typical_s},
          {"worst_s", cost.worst_s},
          {"uart_s", cost.uart_s}};
}

std::string ToText(const BuiltPatch& patch, const UpdateCost& cost, uint64_t sector) {
  return absl::StrFormat(
      "patch: %s bytes, %s of them new; %s are copied from the old vault\n"
      "board: %s of %s of %s bytes written; with its state %s erases and %s programs\n"
      "modelled time: %.1f s, %.1f s with a flash at the end of its life; %.1f s for the patch at 115,200 baud\n",
      Grouped(patch.bytes.size()), Grouped(patch.data_bytes), Grouped(patch.copied_bytes), Grouped(cost.written),
      Counted(cost.sectors, "sector"), Grouped(sector), Grouped(cost.erases), Grouped(cost.programs), cost.typical_s,
      cost.worst_s, cost.uart_s);
}

absl::StatusOr<ExitCode> FlashDiff(Session& session, const Arguments& arguments) {
  const PatchKind kind = arguments.slots == 1 ? PatchKind::kInPlace : PatchKind::kTwoSlots;
  if (kind == PatchKind::kInPlace && !arguments.held.empty()) {
    return UsageError(session, "--held: with --slots 1 there is no other slot");
  }
  const uint64_t sector = arguments.sector.value_or(kDefaultSector);
  if (sector > UINT32_MAX) return UsageError(session, "--sector: expected a power of two from 256 bytes to 1 MiB");
  const uint64_t slot = arguments.slot.value_or(kBoardPartitionSize);
  const absl::StatusOr<Vault> old_vault = ReadVault(session, arguments.old_vault, slot);
  if (!old_vault.ok()) return old_vault.status();
  const absl::StatusOr<Vault> new_vault = ReadVault(session, arguments.new_vault, slot);
  if (!new_vault.ok()) return new_vault.status();
  const absl::Status identities = CheckIdentities(arguments, old_vault->identity, new_vault->identity);
  if (!identities.ok()) return identities;
  std::string held;
  if (!arguments.held.empty()) {
    const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = session.file_system.OpenForRead(arguments.held);
    if (!file.ok()) return file.status();
    absl::StatusOr<std::string> bytes = ReadAll(**file);
    if (!bytes.ok()) return bytes.status();
    held = *std::move(bytes);
  }
  const absl::StatusOr<BuiltPatch> patch =
      BuildPatch(old_vault->bytes, new_vault->bytes, static_cast<uint32_t>(sector), new_vault->identity, kind);
  if (absl::IsInvalidArgument(patch.status())) {
    return UsageError(session, absl::StrCat("--sector: ", patch.status().message()));
  }
  if (!patch.ok()) return patch.status();
  if (kind == PatchKind::kInPlace) held = old_vault->bytes;
  const UpdateCost cost = EstimateUpdate(new_vault->bytes, held, old_vault->bytes.size(), patch->bytes.size(),
                                         static_cast<uint32_t>(sector), kind);
  if (!arguments.output.empty()) {
    const absl::Status status = WritePatch(session, arguments.output, patch->bytes);
    if (!status.ok()) return status;
  }
  if (arguments.json) {
    session.console.PrintJson(ToJson(arguments, new_vault->identity, *patch, cost));
  } else {
    session.console.Print(ToText(*patch, cost, sector));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddFlashDiffCommand(Command& app, Session& session) {
  Command command = app.AddCommand("flash-diff", "Make a patch with which boards update themselves");
  auto arguments = std::make_shared<Arguments>();
  command.AddOption("OLD", &arguments->old_vault, "The vault that the boards run").Required();
  command.AddOption("NEW", &arguments->new_vault, "The vault that they are to run").Required();
  AddCacheOptions(&command, session);
  command.AddOption("-o,--output", &arguments->output, "The patch; default: none is written, only told of");
  AddSizeOption(&command, "--sector", &arguments->sector, "The flash's smallest erase; default: 4096");
  AddSizeOption(&command, "--slot-size", &arguments->slot, "Flash for each of the two vaults; default: 1MiB");
  command
      .AddOption("--slots", &arguments->slots,
                 "How many such slots the flash has: with 1 the board writes NEW over OLD")
      .Range(1, 2)
      .ShowDefault();
  command.AddOption("--held", &arguments->held, "What the board's other slot holds, whose equal sectors stay")
      .TypeName("FILE");
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command, "  mvault flash-diff v1.mvlt v2.mvlt -o v2.mvpatch\n",
            "The board makes NEW in its other slot, out of OLD and the patch, and starts it once it is proven; with "
            "one\nslot it writes NEW over OLD, and starts nothing until that is done.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return FlashDiff(session, *arguments); }; });
}

}  // namespace modelvault
