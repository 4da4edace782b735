#include "tools/mvault/commands/family_plan_options.h"

#include <cmath>
#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/remaining_time.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/commands/sample_option.h"
#include "tools/mvault/commands/variant_inputs.h"
#include "tools/packing/family_plan.h"

namespace modelvault {
namespace {

// Room on the disk of the folder of `output`; nothing without one.
absl::StatusOr<std::optional<uint64_t>> FreeBytes(const std::string& output) {
  if (output.empty()) return std::optional<uint64_t>();
  const std::filesystem::path parent = std::filesystem::path(output).parent_path();
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(parent.empty() ? "." : parent, error);
  if (!error) return space.available;
  const std::string message = absl::StrCat(output, ": how much room its folder has: ", error.message());
  return error == std::errc::no_such_file_or_directory ? absl::NotFoundError(message) : absl::UnavailableError(message);
}

Json ToJson(const std::string& base, const FamilyPlanArguments& arguments, size_t variants, const FamilyPlan& plan,
            const std::optional<uint64_t>& free, bool fits) {
  return {{"base", base},
          {"models", arguments.models},
          {"variants", variants},
          {"fits", fits},
          {"file_bytes", plan.file_size},
          {"sampled_bytes", plan.sampled_size},
          {"base_bytes", plan.base_bytes},
          {"variant_bytes", plan.variant_bytes},
          {"vault_bytes", plan.vault_bytes},
          {"disk_bytes", plan.disk_bytes},
          {"free_bytes", free.has_value() ? Json(*free) : Json(nullptr)},
          {"read_bytes", plan.read_bytes},
          {"write_bytes", plan.write_bytes},
          {"threads", plan.threads},
          {"base_rate", plan.base_rate},
          {"variant_rate", plan.variant_rate},
          {"seconds", plan.seconds}};
}

std::string ToText(const std::string& base, const FamilyPlanArguments& arguments, size_t variants,
                   const FamilyPlan& plan, const std::optional<uint64_t>& free) {
  TextTable table({"estimate", ">bytes"});
  table.AddRow({"base", Grouped(plan.base_bytes)});
  table.AddRow({"variants", Grouped(plan.variant_bytes)});
  table.AddRow({"vault", Grouped(plan.vault_bytes)});
  table.AddRow({"room on the disk while packing", Grouped(plan.disk_bytes)});
  if (free.has_value()) table.AddRow({"room that there is", Grouped(*free)});
  table.AddRow({"read while packing", Grouped(plan.read_bytes)});
  table.AddRow({"written while packing", Grouped(plan.write_bytes)});
  const long seconds = std::lround(std::ceil(plan.seconds));
  return absl::StrFormat(
      "%s and %s in %s: %s bytes of files, %s of them read\n\n%s\nCoding takes about %d:%02d:%02d with %s: %.1f MB/s "
      "of "
      "the base and %.1f MB/s of variants\na thread, measured on these samples now; reading, checking and the disk "
      "come "
      "on top.\n",
      Printable(base), Counted(variants, "variant"), Printable(arguments.models), Grouped(plan.file_size),
      Grouped(plan.sampled_size), table.Format(), seconds / 3600, seconds / 60 % 60, seconds % 60,
      Counted(static_cast<uint64_t>(plan.threads), "thread"), plan.base_rate / 1e6, plan.variant_rate / 1e6);
}

}  // namespace

void AddFamilyPlanOptions(Command* command, FamilyPlanArguments* arguments) {
  command
      ->AddOption("--models", &arguments->models,
                  "Folder of variants that are there already: tells what packing them takes")
      .TypeName("DIR");
  command->AddOption("--without", &arguments->without, "With --models: one to leave out; may be given many times")
      .TypeName("NAME")
      .OneValue();
  AddSampleOption(command, &arguments->sample);
  command
      ->AddOption("-o,--output", &arguments->output,
                  "With --models: where the vault is to be; too little room there is an error (exit code 4)")
      .TypeName("VAULT");
}

absl::StatusOr<ExitCode> PrintFamilyPlan(Session& session, const std::string& base,
                                         const FamilyPlanArguments& arguments, int threads, bool json) {
  absl::StatusOr<std::vector<VariantInput>> variants =
      FindFolderModels(session.file_system, arguments.models, arguments.without);
  if (!variants.ok()) return variants.status();
  std::erase_if(*variants, [&](const VariantInput& variant) { return SameFile(variant.path, base); });
  if (variants->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(arguments.models, ": holds no model but the base"));
  }
  const absl::StatusOr<std::optional<uint64_t>> free = FreeBytes(arguments.output);
  if (!free.ok()) return free.status();
  FamilyOptions options;
  options.sample_size = arguments.sample.value_or(kDefaultSampleSize);
  options.threads = threads;
  options.progress = session.console.progress().Function();
  const RemainingTime clock;
  const absl::StatusOr<FamilyPlan> plan =
      PlanFamily(session.file_system, base, *variants, options, [&clock] { return clock.Now(); });
  if (!plan.ok()) return WithWayOn(plan.status(), *variants);
  const bool fits = !free->has_value() || plan->disk_bytes <= **free;
  if (json) {
    session.console.PrintJson(ToJson(base, arguments, variants->size(), *plan, *free, fits));
  } else {
    session.console.Print(ToText(base, arguments, variants->size(), *plan, *free));
  }
  if (fits) return ExitCode::kOk;
  return absl::ResourceExhaustedError(absl::StrFormat("%s: its folder has room for %d bytes, packing needs about %d",
                                                      arguments.output, **free, plan->disk_bytes));
}

}  // namespace modelvault
