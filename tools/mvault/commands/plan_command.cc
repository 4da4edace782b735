#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/byte_size.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/family_plan_options.h"
#include "tools/mvault/commands/network_options.h"
#include "tools/mvault/reports/formatting.h"
#include "tools/packing/plan.h"

namespace modelvault {
namespace {

constexpr uint64_t kDefaultBudget = uint64_t{1} << 20;
constexpr uint32_t kDefaultVariants = 100;

struct Arguments {
  std::string base;
  std::optional<uint64_t> budget;
  uint32_t variants = 0;  // 0: not given.
  NetworkArguments network;
  std::optional<uint64_t> ram;
  FamilyPlanArguments family;
  int threads = 0;
  bool json = false;
};

constexpr double kMhz = 120;  // As `board` counts by default.

Json BoardToJson(const BoardPlan& board) {
  return {{"ram_bytes", board.ram},
          {"fits_board", board.fits},
          {"advice", board.advice.empty() ? Json(nullptr) : Json(board.advice)},
          {"taken_ram_bytes", board.taken()},
          {"cache_bytes", board.cache},
          {"activation_bytes", board.activations},
          {"parameter_bytes", board.parameters},
          {"list_bytes", board.list},
          {"loader_bytes", board.loader},
          {"code_bytes", board.code},
          {"stack_bytes", board.stack},
          {"token_cycles_fast", std::llround(board.token_fast)},
          {"token_cycles_small", std::llround(board.token_small)},
          {"prompt_cycles_fast", std::llround(board.prompt_fast)},
          {"prompt_cycles_small", std::llround(board.prompt_small)}};
}

std::string BoardToText(const BoardPlan& board) {
  TextTable table({"a board's RAM", ">bytes"});
  table.AddRow({"keys and values", Grouped(board.cache)});
  table.AddRow({"activations", Grouped(board.activations)});
  table.AddRow({"gains, scales, biases", Grouped(board.parameters)});
  table.AddRow({"what a variant changes, about", Grouped(board.list)});
  table.AddRow({"loader and engine, about", Grouped(board.loader)});
  table.AddRow({"code that runs from RAM, about", Grouped(board.code)});
  table.AddRow({"stack", Grouped(board.stack)});
  table.AddRow({absl::StrCat("of ", Grouped(board.ram)), Grouped(board.taken())});
  const auto row = [](const char* profile, double token, double prompt) {
    return absl::StrFormat(
        "%s: about %.1f M cycles a token with a full window, %.0f tokens a second at %.0f MHz; %.0f ms from reset to "
        "the "
        "first token after 16\n",
        profile, token / 1e6, kMhz * 1e6 / token, kMhz, prompt / kMhz / 1e3);
  };
  return absl::StrCat("\n", table.Format(), "\n", row("profile fast", board.token_fast, board.prompt_fast),
                      row("profile small", board.token_small, board.prompt_small));
}

Json ToJson(const Arguments& arguments, const VaultPlan& plan, uint64_t budget) {
  return {{"base", arguments.base},
          {"budget", budget},
          {"variants", arguments.variants},
          {"weights", plan.weights},
          {"fits", plan.fits},
          {"base_file_bytes", plan.base_file_size},
          {"model_bytes", plan.model_bytes},
          {"chunks_bytes", plan.chunks_bytes},
          {"base_bytes", plan.base_bytes},
          {"network_bytes", plan.network_bytes},
          {"fixed_bytes", plan.fixed_bytes},
          {"overhead_bytes_per_variant", plan.overhead_per_variant},
          {"bytes_left", plan.bytes_left},
          {"bytes_left_per_variant", plan.bytes_left_per_variant},
          {"bits_per_weight", plan.bits_per_weight},
          {"density", plan.density.has_value() ? Json(*plan.density) : Json(nullptr)},
          {"board", plan.board.has_value() ? BoardToJson(*plan.board) : Json(nullptr)}};
}

std::string ToText(const Arguments& arguments, const VaultPlan& plan, uint64_t budget) {
  TextTable table({"", ">bytes"});
  table.AddRow({"budget", Grouped(budget)});
  table.AddRow({"MODEL", Grouped(plan.model_bytes)});
  table.AddRow({"CHUNKS", Grouped(plan.chunks_bytes)});
  table.AddRow({"BASE", Grouped(plan.base_bytes)});
  if (plan.network_bytes > 0) table.AddRow({"NETWORK", Grouped(plan.network_bytes)});
  table.AddRow({"header, file headers, padding", Grouped(plan.fixed_bytes)});
  table.AddRow(
      {absl::StrFormat("overhead of %s, %.1f each", Counted(arguments.variants, "variant"), plan.overhead_per_variant),
       Grouped(plan.overhead_bytes)});
  table.AddRow({"left for the variants", Grouped(plan.bytes_left)});
  std::string text = absl::StrFormat("%s: %s bytes of file, %s weights\n\n%s\n", Printable(arguments.base),
                                     Grouped(plan.base_file_size), Grouped(plan.weights), table.Format());
  if (!plan.fits) return text;
  absl::StrAppendFormat(&text, "Each of %s may take %s: %s bits a weight.\n", Counted(arguments.variants, "variant"),
                        Counted(plan.bytes_left_per_variant, "byte"), FormatBits(plan.bits_per_weight));
  if (plan.density.has_value()) {
    absl::StrAppendFormat(&text,
                          "As ternary differences that is about %.1f %% of the INT8 weights changed, scales not "
                          "counted (they cost some percent more).\n",
                          100 * *plan.density);
  }
  if (plan.board.has_value()) absl::StrAppend(&text, BoardToText(*plan.board));
  return text;
}

absl::StatusOr<ExitCode> PlanFamilyOf(Session& session, const Arguments& arguments) {
  if (arguments.budget.has_value() || arguments.variants > 0 || !arguments.network.model.empty() ||
      !arguments.network.tokenizer.empty() || arguments.ram.has_value()) {
    return UsageError(session,
                      "--models: --budget, --variants, --model, --tokenizer and --ram plan what is not there yet");
  }
  return PrintFamilyPlan(session, arguments.base, arguments.family, arguments.threads, arguments.json);
}

absl::StatusOr<ExitCode> PlanBudget(Session& session, const Arguments& arguments) {
  if (arguments.family.any_other()) return UsageError(session, "--without, --sample and -o go with --models");
  if (absl::Status s = CheckNetworkOptions(arguments.network); !s.ok()) return UsageError(session, s.message());
  if (arguments.ram.has_value() && arguments.network.model.empty()) {
    return UsageError(session, "--ram: there is no --model to be run in it");
  }
  absl::StatusOr<std::optional<NetworkInput>> input = FindNetwork(session.file_system, arguments.network);
  if (!input.ok()) return input.status();
  std::optional<NetworkPlan> network;
  if (input->has_value()) network = {**std::move(input), arguments.ram.value_or(NetworkPlan().ram)};
  const uint64_t budget = arguments.budget.value_or(kDefaultBudget);
  const absl::StatusOr<VaultPlan> plan = PlanVault(session.file_system, arguments.base, budget, arguments.variants,
                                                   network, arguments.threads, session.console.progress().Function());
  if (!plan.ok()) return plan.status();
  if (arguments.json) {
    session.console.PrintJson(ToJson(arguments, *plan, budget));
  } else {
    session.console.Print(ToText(arguments, *plan, budget));
  }
  if (plan->fits && plan->board.has_value() && !plan->board->fits) {
    return absl::ResourceExhaustedError(absl::StrCat(arguments.base, ": a board cannot run it: ", plan->board->advice));
  }
  if (plan->fits) return ExitCode::kOk;
  return absl::ResourceExhaustedError(
      absl::StrFormat("%s: nothing fits: the base and the overhead of %s take %d bytes, budget %d", arguments.base,
                      Counted(arguments.variants, "variant"), plan->taken, budget));
}

absl::StatusOr<ExitCode> Plan(Session& session, const Arguments& arguments) {
  if (!arguments.family.models.empty()) return PlanFamilyOf(session, arguments);
  Arguments given = arguments;
  if (given.variants == 0) given.variants = kDefaultVariants;
  return PlanBudget(session, given);
}

}  // namespace

void AddPlanCommand(Command& app, Session& session) {
  Command command = app.AddCommand("plan", "Estimate what fits into a budget beside a base");
  auto arguments = std::make_shared<Arguments>();
  command.AddOption("--base", &arguments->base, "The base model's file or folder").TypeName("FILE").Required();
  AddSizeOption(&command, "--budget", &arguments->budget, "Bytes the vault may have; default 1MiB");
  command.AddOption("--variants", &arguments->variants, "How many variants there are to be; default 100")
      .TypeName("N")
      .Range(1, 100'000'000);
  AddNetworkOptions(&command, &arguments->network);
  AddSizeOption(&command, "--ram", &arguments->ram, "With --model: bytes of RAM that the board has; default 128KiB");
  AddFamilyPlanOptions(&command, &arguments->family);
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(
      &command,
      "  mvault plan --base base.safetensors\n"
      "  mvault plan --base base.safetensors --budget 4MiB --variants 500\n"
      "  mvault plan --base int8/base.safetensors --model model.json --ram 256KiB\n"
      "  mvault plan --base base --models finetunes -o /disk/all.mvlt\n",
      "Codes the base as 'pack' would and counts its bytes; nothing is written. Variants are taken to have\n"
      "names of 16 bytes and file headers like the base's; the tables of where variants differ, which pack adds\n"
      "because they save more than they cost, are left out. With --model it also tells what a board that runs "
      "the models needs. Exit code 4: nothing is left\n"
      "for the variants, or the board's RAM does not suffice. With --models it reads samples of a family that is\n"
      "there, and estimates its vault, and room, traffic and time of packing it; 4: the disk has too little room.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Plan(session, *arguments); }; });
}

}  // namespace modelvault
