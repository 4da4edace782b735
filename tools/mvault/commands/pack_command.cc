#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "restore/named_vault.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/byte_size.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/change_signing.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/network_options.h"
#include "tools/mvault/commands/profile_option.h"
#include "tools/mvault/commands/variant_inputs.h"
#include "tools/mvault/reports/accounting.h"
#include "tools/mvault/reports/formatting.h"
#include "tools/mvault/reports/unmatched_cost.h"
#include "tools/packing/pack.h"
#include "vault/format.h"

namespace modelvault {
namespace {

// Above so many bytes of input the report goes by section only: the finer account decodes everything once more.
constexpr uint64_t kMostToAccount = uint64_t{1} << 30;

// A base of more bytes is hardly for a board.
constexpr uint64_t kLargeForBoards = uint64_t{64} << 20;

struct Arguments {
  std::string base;
  VariantArguments variants;
  NameRuleArguments names;
  NetworkArguments network;
  std::string output;
  std::optional<uint64_t> budget;
  std::string profile;  // Empty: chosen by the budget.
  std::optional<uint64_t> chunk_size;
  std::optional<uint64_t> segment_size;
  bool base_only = false;
  bool whole_file = false;
  bool opaque = false;
  std::vector<std::string> keys;  // Files of secret keys that sign the vault.
  std::string work;               // A folder; empty: none.
  bool keep_work = false;
  int threads = 0;
  bool json = false;
};

Json ToJson(const Arguments& arguments, const PackReport& report, const std::optional<VaultAccount>& account,
            const Json& signature) {
  Json json;
  json["vault"] = arguments.output;
  json["bytes"] = report.bytes.file;
  json["budget"] = arguments.budget.has_value() ? Json(*arguments.budget) : Json(nullptr);
  if (report.profile.has_value()) {
    json["profile"] = ProfileName(report.profile->profile);
    json["other_profile_bytes"] =
        report.profile->profile == BaseProfile::kHost ? Json(nullptr) : Json(report.profile->other_size);
  }
  json["input_bytes"] = report.input_size;
  json["base_file_bytes"] = report.base_file_size;
  Json& variants = json["variants"] = Json::array();
  for (const PackedVariant& v : report.variants) {
    variants.push_back({{"name", v.name}, {"file_bytes", v.file_size}, {"stored_bytes", v.stored_size}});
  }
  if (report.work.has_value()) json["work"] = {{"jobs", report.work->jobs}, {"found", report.work->found}};
  json["note"] = report.note.empty() ? Json(nullptr) : Json(report.note);
  json["sections"] = PartsToJson(SectionParts(report.bytes));
  json["parts"] = account.has_value() ? PartsToJson(Parts(*account)) : Json(nullptr);
  json["signature"] = signature;
  return json;
}

std::string ToText(const Arguments& arguments, const PackReport& report, const std::optional<VaultAccount>& account) {
  std::string text = absl::StrFormat("%s: %s bytes: a base and %s, %s bytes of files (%.1f times as much)\n",
                                     Printable(arguments.output), Grouped(report.bytes.file),
                                     Counted(report.variants.size(), "variant"), Grouped(report.input_size),
                                     static_cast<double>(report.input_size) / static_cast<double>(report.bytes.file));
  if (arguments.budget.has_value()) {
    absl::StrAppend(&text, "budget: ", Counted(*arguments.budget, "byte"), ", ",
                    Grouped(*arguments.budget - report.bytes.file), " of them left\n");
  }
  if (report.profile.has_value() && report.profile->profile == BaseProfile::kHost) {
    absl::StrAppend(&text, "profile: host; no board reads this vault\n");
  } else if (report.profile.has_value()) {
    const auto& [profile, other_size] = *report.profile;
    absl::StrAppendFormat(&text, "profile: %s; %s would take %s bytes\n", ProfileName(profile),
                          ProfileName(OtherProfile(profile)), Grouped(other_size));
  }
  if (report.work.has_value()) {
    absl::StrAppendFormat(&text, "work: %s of %s done by an earlier run\n", Grouped(report.work->found),
                          Counted(report.work->jobs, "job"));
  }
  if (arguments.profile.empty() && !arguments.budget.has_value() && arguments.network.model.empty() &&
      report.base_file_size > kLargeForBoards) {
    absl::StrAppend(&text, "if no board is to read it: --profile host is for models of this size\n");
  }
  absl::StrAppend(&text, "every model was restored and compared with its file\n");
  if (!report.note.empty()) absl::StrAppend(&text, "note: ", PrintableLines(report.note));
  absl::StrAppend(&text, "\n",
                  FormatParts(account.has_value() ? Parts(*account) : SectionParts(report.bytes), report.bytes.file));
  return text;
}

// Whether `size`, if given, is a size the format allows.
bool IsAllowed(const std::optional<uint64_t>& size, uint32_t least, uint32_t most) {
  return !size.has_value() || (*size >= least && *size <= most && *size % kSizeGranularity == 0);
}

absl::StatusOr<ExitCode> Pack(Session& session, const Arguments& arguments) {
  if (!IsAllowed(arguments.chunk_size, kMinChunkSize, kMaxChunkSize)) {
    return UsageError(session, "--chunk-size: expected 256 bytes to 16 MiB, a multiple of 256");
  }
  if (!IsAllowed(arguments.segment_size, kMinSegmentSize, kMaxSegmentSize)) {
    return UsageError(session, "--segment-size: expected 4 KiB to 16 MiB, a multiple of 256");
  }
  if (arguments.keep_work && arguments.work.empty()) return UsageError(session, "--keep-work keeps what --work names");
  if (absl::Status s = CheckNetworkOptions(arguments.network); !s.ok()) return UsageError(session, s.message());
  const absl::StatusOr<std::vector<VariantInput>> variants = FindVariants(session.file_system, arguments.variants);
  if (!variants.ok()) return variants.status();
  if (variants->empty() != arguments.base_only) {
    return UsageError(session, arguments.base_only
                                   ? "--base-only leaves no room for --variants and --variant"
                                   : "nothing to pack beside the base: give --variants or --variant, or --base-only");
  }
  bool overwrites = SameFile(arguments.base, arguments.output) || SameFile(arguments.network.model, arguments.output) ||
                    SameFile(arguments.network.tokenizer, arguments.output);
  for (const VariantInput& v : *variants) overwrites = overwrites || SameFile(v.path, arguments.output);
  if (overwrites)
    return UsageError(session, absl::StrCat("-o ", arguments.output, " is one of the files to be packed"));

  absl::StatusOr<std::optional<NetworkInput>> network = FindNetwork(session.file_system, arguments.network);
  if (!network.ok()) return network.status();
  absl::StatusOr<PackOptions> options =
      FindPackOptions(arguments.names, arguments.budget, arguments.threads, session.console.progress().Function());
  if (!options.ok()) return options.status();
  options->executor = session.executor;
  // Ranks share machines: each has what it is given.
  if (session.executor != nullptr && options->threads == 0) options->threads = 1;
  options->work_folder = arguments.work;
  options->keep_work_folder = arguments.keep_work;
  options->network = *std::move(network);
  options->profile = ParseProfile(arguments.profile);
  options->whole_file = arguments.whole_file;
  options->opaque = arguments.opaque;
  if (arguments.chunk_size.has_value()) options->chunk_size = static_cast<uint32_t>(*arguments.chunk_size);
  if (arguments.segment_size.has_value()) options->segment_size = static_cast<uint32_t>(*arguments.segment_size);
  absl::StatusOr<ChangeSigning> signing = ChangeSigning::OfNewVault(session, arguments.output, arguments.keys);
  if (!signing.ok()) return signing.status();
  options->signature = signing->signature();
  options->sign_root = signing->sign_root();
  options->on_written = [&](const VaultReader& written) { signing->NoteWritten(written); };
  absl::StatusOr<PackReport> report =
      PackVault(session.file_system, arguments.base, *variants, arguments.output, *options);
  if (!report.ok()) return WithWayOn(report.status(), *variants);
  if (auto told = TellUnmatchedCost(session.file_system, arguments.output, {}, &*report); !told.ok()) return told;
  const ChangeSigning::Report& signature = signing->End(session);

  std::optional<VaultAccount> account;
  if (report->input_size <= kMostToAccount) {
    const absl::StatusOr<NamedVault> vault =
        NamedVault::Open(session.file_system, arguments.output, KnownModelFormats());
    if (!vault.ok()) return vault.status();
    absl::StatusOr<VaultAccount> made = AccountVault(*vault, options->threads, options->progress);
    if (!made.ok()) return made.status();
    account = *std::move(made);
  }
  if (arguments.json) {
    session.console.PrintJson(ToJson(arguments, *report, account, signature.json));
  } else {
    session.console.Print(absl::StrCat(ToText(arguments, *report, account), signature.text));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddPackCommand(Command& app, Session& session) {
  Command command = app.AddCommand("pack", "Pack a base and its variants into a new vault");
  auto arguments = std::make_shared<Arguments>();
  command.AddOption("--base", &arguments->base, "The base model's file").TypeName("FILE").Required();
  AddVariantOptions(&command, &arguments->variants);
  AddNameRuleOptions(&command, &arguments->names);
  AddNetworkOptions(&command, &arguments->network);
  command.AddOption("-o,--output", &arguments->output, "The vault; an existing file is replaced once all is verified")
      .TypeName("VAULT")
      .Required();
  AddSizeOption(&command, "--budget", &arguments->budget, "Bytes the vault may have; more is an error (exit code 4)");
  AddProfileOption(
      &command, &arguments->profile, true,
      "How the base is stored: as it is, for a board that computes with it, or coded, or all in blocks for "
      "hosts, which no board reads; default: fast where that fits the budget, else small");
  command.AddFlag("--opaque", &arguments->opaque, kOpaqueHelp);
  command.AddFlag("--base-only", &arguments->base_only,
                  "Pack no variant: all of them are added later, as by tenants that nobody is to know of");
  command.AddFlag("--whole-file", &arguments->whole_file,
                  "Store files whole as data, so that a board restores not only tensors but the file");
  AddSizeOption(&command, "--chunk-size", &arguments->chunk_size,
                "Raw bytes of the base that decode on their own: 256 to 16MiB, a multiple of 256; "
                "default 4KiB, for bases above 64 MiB 64KiB, with profile host 256KiB");
  AddSizeOption(&command, "--segment-size", &arguments->segment_size,
                "Raw bytes of a variant that decode on their own: 4KiB to 16MiB, a multiple of 256; default 1MiB, with "
                "profile host 256KiB");
  AddChangeKeyOption(&command, &arguments->keys);
  command
      .AddOption("--work", &arguments->work,
                 "Where an interrupted run with the same models finds its results; default: none")
      .TypeName("DIR");
  command.AddFlag("--keep-work", &arguments->keep_work, "Leave the work folder when all is done");
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(
      &command,
      "  mvault pack --base base.safetensors --variants departments --budget 1MiB -o all.mvlt\n"
      "  mvault pack --base base.safetensors --variant legal=legal.safetensors -o one.mvlt\n"
      "  mvault pack --base base.safetensors --variants departments --model model.json -o talks.mvlt\n",
      "Tensors are matched by name, and names as --rename says; dtypes may differ. A variant may lack tensors and\n"
      "have others, as long as half of it and of the base match. All "
      "that is written is\n"
      "restored and compared with its file before the vault takes its name.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Pack(session, *arguments); }; });
}

}  // namespace modelvault
