#include <algorithm>
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
#include "tools/mvault/reports/formatting.h"
#include "tools/packing/plan.h"

namespace modelvault {
namespace {

constexpr uint64_t kDefaultBudget = uint64_t{1} << 20;

struct Arguments {
  std::string base;
  std::optional<uint64_t> budget;
  uint32_t variants = 100;
  int threads = 0;
  bool json = false;
};

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
          {"fixed_bytes", plan.fixed_bytes},
          {"overhead_bytes_per_variant", plan.overhead_per_variant},
          {"bytes_left", plan.bytes_left},
          {"bytes_left_per_variant", plan.bytes_left_per_variant},
          {"bits_per_weight", plan.bits_per_weight},
          {"density", plan.density.has_value() ? Json(*plan.density) : Json(nullptr)}};
}

std::string ToText(const Arguments& arguments, const VaultPlan& plan, uint64_t budget) {
  TextTable table({"", ">bytes"});
  table.AddRow({"budget", Grouped(budget)});
  table.AddRow({"MODEL", Grouped(plan.model_bytes)});
  table.AddRow({"CHUNKS", Grouped(plan.chunks_bytes)});
  table.AddRow({"BASE", Grouped(plan.base_bytes)});
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
  return text;
}

absl::StatusOr<ExitCode> Plan(Session& session, const Arguments& arguments) {
  const uint64_t budget = arguments.budget.value_or(kDefaultBudget);
  const absl::StatusOr<VaultPlan> plan = PlanVault(session.file_system, arguments.base, budget, arguments.variants,
                                                   arguments.threads, session.console.progress().Function());
  if (!plan.ok()) return plan.status();
  if (arguments.json) {
    session.console.PrintJson(ToJson(arguments, *plan, budget));
  } else {
    session.console.Print(ToText(arguments, *plan, budget));
  }
  if (plan->fits) return ExitCode::kOk;
  return absl::ResourceExhaustedError(
      absl::StrFormat("%s: nothing fits: the base and the overhead of %s take %d bytes, budget %d", arguments.base,
                      Counted(arguments.variants, "variant"), plan->taken, budget));
}

}  // namespace

void AddPlanCommand(Command& app, Session& session) {
  Command command = app.AddCommand("plan", "Estimate what fits into a budget beside a base");
  auto arguments = std::make_shared<Arguments>();
  command.AddOption("--base", &arguments->base, "The base model: a safetensors file").TypeName("FILE").Required();
  AddSizeOption(&command, "--budget", &arguments->budget, "Bytes the vault may have; default 1MiB");
  command.AddOption("--variants", &arguments->variants, "How many variants there are to be")
      .TypeName("N")
      .Range(1, 100'000'000)
      .ShowDefault();
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault plan --base base.safetensors\n"
            "  mvault plan --base base.safetensors --budget 4MiB --variants 500\n",
            "Codes the base as 'pack' would and counts its bytes; nothing is written. Variants are taken to have\n"
            "names of 16 bytes and file headers like the base's; the tables of where variants differ, which pack adds\n"
            "because they save more than they cost, are left out. Exit code 4: nothing is left for the variants.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Plan(session, *arguments); }; });
}

}  // namespace modelvault
