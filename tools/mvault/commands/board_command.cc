#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "restore/core/variant_stream.h"
#include "restore/named_vault.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/readable_text.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/board/board_emulator.h"
#include "tools/mvault/board/board_figures.h"
#include "tools/mvault/board/board_machine.h"
#include "tools/mvault/board/board_report.h"
#include "tools/mvault/board/energy_report.h"
#include "tools/mvault/board/energy_table.h"
#include "tools/mvault/cli/byte_size.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/commands/board_arguments.h"
#include "tools/mvault/commands/board_ask.h"
#include "tools/mvault/commands/board_trust.h"
#include "tools/mvault/commands/board_update.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/formatting.h"
#include "vault/format.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

constexpr uint64_t kMaxTile = 64 << 10;

// Restores the model on the board and on the host.
absl::StatusOr<BoardResult> Measure(const NamedVault& vault, const BoardEmulator& board,
                                    const BoardArguments& arguments, const std::string& name) {
  const std::string board_name = BoardNameOf(vault.vault(), name);
  if (absl::Status status = CheckBoardName(board_name); !status.ok()) return status;
  const absl::StatusOr<EmulatorRun> run =
      board.Run(MakeStraps(StrapCommand::kMeasure, board_name, static_cast<uint32_t>(arguments.tile.value_or(0))),
                arguments.clock.wait_states());
  if (!run.ok()) return run.status();
  absl::StatusOr<BoardLine> line = ParseBoardLine(run->output);
  if (!line.ok()) {
    return NoLineError(name, line.status(), *run);
  }
  BoardResult result;
  result.name = name;
  result.line = *std::move(line);
  result.uncounted = run->uncounted;
  if (result.uncounted.empty()) {
    absl::StatusOr<BoardPhases> phases = ParseCounts(run->counts);
    if (!phases.ok()) return phases.status();
    result.phases = *std::move(phases);
  }
  result.board_ok = run->exit_code == 0 && result.line.status == "ok" &&
                    result.line.name == (board_name.empty() ? name : board_name) &&
                    result.line.xxh64 == result.line.expected;
  vault.restorer().WillRestore(name);
  const absl::StatusOr<NamedModel> model = vault.OpenModel(name);
  const absl::Status status = model.ok() ? model->model->Verify() : model.status();
  if (status.ok()) {
    result.host_xxh64 = FormatHash(model->model->digests().xxh64);
  } else {
    result.host_error = std::string(status.message());
  }
  return result;
}

// The models to measure, the base as "base".
absl::StatusOr<std::vector<std::string>> NamesOf(const VaultReader& vault, const BoardArguments& arguments) {
  if (!arguments.all && !arguments.base && !arguments.name.empty() && arguments.name != kReservedVariantName) {
    if (absl::Status found = vault.Find(arguments.name).status(); !found.ok()) return found;
    return std::vector<std::string>{arguments.name};
  }
  std::vector<std::string> names = {std::string(kReservedVariantName)};
  if (arguments.all) {
    for (const VaultVariant& v : vault.variants()) names.push_back(v.name);
  }
  return names;
}

std::string ToText(const std::vector<BoardResult>& results, const BoardArguments& arguments,
                   const std::optional<EnergyOptions>& energy) {
  if (arguments.all) {
    return absl::StrCat(FormatBoardResults(results, arguments.clock),
                        energy.has_value() ? FormatEnergySummary(results, arguments.clock, *energy) : "");
  }
  std::string text = FormatBoardResult(results[0], arguments.clock, arguments.functions);
  if (energy.has_value() && results[0].uncounted.empty()) {
    absl::StrAppend(&text, "\n", FormatEnergy(results[0], arguments.clock, *energy));
  }
  return text;
}

Json ResultToJson(const BoardResult& result, const BoardArguments& arguments,
                  const std::optional<EnergyOptions>& energy) {
  Json json = BoardResultToJson(result, arguments.clock, arguments.functions);
  if (energy.has_value()) json["energy"] = EnergyToJson(result, arguments.clock, *energy);
  return json;
}

Json ToJson(const std::vector<BoardResult>& results, const BoardArguments& arguments,
            const std::optional<EnergyOptions>& energy) {
  Json json = {{"vault", arguments.vault},
               {"mhz", arguments.clock.mhz},
               {"flash_mbps", arguments.clock.flash_mbps},
               {"wait_states", arguments.clock.wait_states()}};
  if (energy.has_value()) json["energy_options"] = EnergyOptionsToJson(*energy);
  if (!arguments.all) {
    json.update(ResultToJson(results[0], arguments, energy));
    return json;
  }
  json["results"] = Json::array();
  for (const BoardResult& result : results) {
    json["results"].push_back(ResultToJson(result, arguments, energy));
  }
  json["summary"] = BoardSummaryToJson(Summarize(results, arguments.clock.mhz));
  if (energy.has_value()) json["summary"].update(EnergySummaryToJson(results, arguments.clock, *energy));
  return json;
}

bool IsUpdate(const BoardArguments& arguments) { return !arguments.updates.empty() || !arguments.line_updates.empty(); }

// What is wrong with the options of updates; empty: nothing.
std::string UpdateUsageFault(const BoardArguments& arguments) {
  if (!IsUpdate(arguments)) return arguments.cut_after > 0 ? "--cut-after goes with --update and --update-uart" : "";
  if (arguments.all || arguments.ask.has_value() || arguments.energy || arguments.functions) {
    return "--update and --update-uart go with none of --all, --ask, --energy and --functions";
  }
  return arguments.cut_after > 0 && arguments.uncounted ? "--cut-after takes the plugin, which --uncounted leaves out"
                                                        : "";
}

absl::StatusOr<ExitCode> Board(Session& session, const BoardArguments& arguments) {
  if (arguments.all && arguments.ask.has_value()) return UsageError(session, "--ask asks one model");
  if (const std::string fault = UpdateUsageFault(arguments); !fault.empty()) return UsageError(session, fault);
  const bool needs_no_name = IsUpdate(arguments) && arguments.name.empty();
  if (!needs_no_name && (arguments.name.empty() ? 0 : 1) + (arguments.base ? 1 : 0) + (arguments.all ? 1 : 0) != 1) {
    return UsageError(session, "give the name of a variant, or --base, or --all");
  }
  if (arguments.tile.has_value() && (*arguments.tile < kMinTileSize || *arguments.tile > kMaxTile)) {
    return UsageError(session, absl::StrCat("--tile: expected ", kMinTileSize, " to ", kMaxTile, " bytes"));
  }
  if (const std::string fault = TrustUsageFault(arguments.trust); !fault.empty()) return UsageError(session, fault);
  if (!arguments.energy && !arguments.energy_table.empty()) {
    return UsageError(session, "--energy-table goes with --energy");
  }
  const uint64_t partition = arguments.partition.value_or(kDefaultBoardPartition);
  if (partition == 0 || partition > kFlashBankSize) {
    return UsageError(session, absl::StrCat("--partition: expected 1 to ", kFlashBankSize, " bytes"));
  }
  const absl::StatusOr<std::optional<EnergyOptions>> energy = ReadEnergyOptions(session.file_system, arguments);
  if (!energy.ok()) return energy.status();
  // With what opens what is sealed; whose signature it is, the board judges.
  absl::StatusOr<VaultReaderOptions> keys = ReadKeys(arguments.trust);
  if (!keys.ok()) return keys.status();
  keys->trust.reset();
  absl::StatusOr<std::unique_ptr<VaultReader>> reader = VaultReader::Open(session.file_system, arguments.vault, *keys);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<NamedVault> vault = NamedVault::FromReader(*std::move(reader), KnownModelFormats());
  if (!vault.ok()) return vault.status();
  if (arguments.ask.has_value()) return AskBoard(session, *vault, arguments, *energy);
  if (IsUpdate(arguments)) {
    const absl::StatusOr<std::vector<std::string>> names = NamesOf(vault->vault(), arguments);
    if (!names.ok()) return names.status();
    return UpdateBoard(session, vault->vault(), arguments, names->front());
  }
  const absl::StatusOr<std::vector<std::string>> names = NamesOf(vault->vault(), arguments);
  if (!names.ok()) return names.status();
  const absl::StatusOr<std::unique_ptr<BoardEmulator>> board = MakeBoard(session, vault->vault(), arguments);
  if (!board.ok()) return board.status();

  bool ok = true;
  std::vector<BoardResult> results;
  const absl::Status status = OrderedParallel<BoardResult>(
      names->size(), ThreadCount(arguments.jobs),
      [&](uint64_t i) { return Measure(*vault, **board, arguments, (*names)[i]); },
      [&](uint64_t i, BoardResult result) {
        if (!result.ok()) session.console.PrintError(absl::DataLossError(BoardFailure(result)));
        ok = ok && result.ok();
        results.push_back(std::move(result));
        session.console.progress().Update("board", i + 1, names->size());
        return absl::OkStatus();
      });
  if (!status.ok()) return status;

  if (arguments.json) {
    session.console.PrintJson(ToJson(results, arguments, *energy));
  } else {
    session.console.Print(ToText(results, arguments, *energy));
  }
  return ok ? ExitCode::kOk : ExitCode::kDifferent;
}

}  // namespace

void AddBoardCommand(Command& app, Session& session) {
  Command command = app.AddCommand("board", "Restore a variant on the emulated board and count its cycles");
  auto arguments = std::make_shared<BoardArguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddOption("NAME", &arguments->name, "The variant; 'base' is the base");
  command.AddFlag("--base", &arguments->base, "The base instead of a variant");
  command.AddFlag("--all", &arguments->all, "The base and every variant, and the median and the worst of them");
  command.AddOption("--mhz", &arguments->clock.mhz, "The board's clock")
      .TypeName("MHZ")
      .Range(1.0, 10000.0)
      .ShowDefault();
  command.AddOption("--flash-mbps", &arguments->clock.flash_mbps, "What its flash reads, in 10^6 bytes a second")
      .TypeName("MBPS")
      .Range(0.1, 100000.0)
      .ShowDefault();
  command
      .AddOption(
          "--ask",
          [arguments](const std::string& text) {
            arguments->ask = text;
            return std::string();
          },
          "Have the model answer this prompt, or tell the class of these numbers, instead")
      .TypeName("TEXT|NUMBERS|FILE");
  AddAnswerOptions(&command, &arguments->answer);
  command
      .AddOption("--update", &arguments->updates,
                 "Have the board apply this patch, which lies in its flash; repeatable")
      .TypeName("PATCH");
  command
      .AddOption("--update-uart", &arguments->line_updates,
                 "The same of a patch that comes over its serial line; behind --update")
      .TypeName("PATCH");
  command
      .AddOption("--cut-after", &arguments->cut_after,
                 "Cut the power of each update before this store into flash; the board goes on")
      .TypeName("N");
  command.AddOption("--slots", &arguments->slots, "How many vaults the board has flash for, with --update")
      .Range(1, 2)
      .ShowDefault();
  AddSizeOption(&command, "--tile", &arguments->tile, "Bytes handed over at a time; default: the firmware's, 4096");
  AddSizeOption(&command, "--partition", &arguments->partition, "Flash for the vault; default: 1MiB");
  command.AddFlag("--functions", &arguments->functions, "Tell the program's functions apart");
  command.AddFlag("--energy", &arguments->energy, "What it costs in energy, modelled: docs/energy.md");
  command.AddOption("--energy-table", &arguments->energy_table, "What each event costs; default: the built-in table")
      .TypeName("FILE");
  command.AddOption("--energy-period", &arguments->energy_period, "One boot, or one token, comes in this time")
      .TypeName("SECONDS")
      .Range(0.001, 1e9)
      .ShowDefault();
  command.AddOption("--jobs", &arguments->jobs, "Emulators side by side with --all; 0: one a core")
      .TypeName("N")
      .Range(0, 1024)
      .ShowDefault();
  command.AddOption("--emulator", &arguments->files.emulator, "The emulator; default: qemu-system-riscv32")
      .TypeName("PROGRAM");
  command
      .AddOption("--firmware", &arguments->files.firmware,
                 "The firmware's flat image; default: the one built or installed")
      .TypeName("FILE");
  command.AddOption("--plugin", &arguments->files.plugin, "The cycle plugin; default: the one built or installed")
      .TypeName("FILE");
  command.AddFlag("--uncounted", &arguments->uncounted, "Without the plugin, so without times: quicker");
  AddTrustOptions(&command, &arguments->trust);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault board all.mvlt legal\n  mvault board talks.mvlt legal --ask 'What is'\n  mvault board all.mvlt "
            "legal --functions\n"
            "  mvault board all.mvlt --all --json\n",
            "The vault goes into the flash of an emulated RV32IMAC board with 128 KiB of RAM, whose firmware restores\n"
            "the model twice: a pass that verifies, a pass that uses. Times are cycles counted with the table of\n"
            "docs/design.md, divided by --mhz; the machine this runs on does not matter. Exit code 1: a model was not\n"
            "verified on the board, or is not what the host restores; with --ask: its answer is not the host's; "
            "with\n--update: a patch was refused, or a start failed.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Board(session, *arguments); }; });
}

}  // namespace modelvault
