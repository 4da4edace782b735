#include "tools/mvault/commands/added_variants.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/byte_size.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/change_signing.h"
#include "tools/mvault/commands/tenant_keys.h"
#include "tools/mvault/commands/variant_inputs.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/unmatched_cost.h"
#include "tools/packing/pack.h"
#include "vault/vault_reader.h"

namespace modelvault {
namespace {

struct Arguments {
  bool replace = false;
  std::string vault;
  VariantArguments variants;
  NameRuleArguments names;
  std::optional<uint64_t> budget;
  bool opaque = false;
  std::vector<std::string> keys;  // Files of secret keys that sign the changed vault.
  TenantArguments tenant;
  int threads = 0;
  bool json = false;
};

absl::StatusOr<uint64_t> FileSize(FileSystem& file_system, const std::string& path) {
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForRead(path);
  if (!file.ok()) return file.status();
  return (*file)->size();
}

// Names that a tenant adds are its own.
absl::Status NameForTenant(Session& session, const Arguments& arguments, const TenantSide& tenant,
                           std::vector<VariantInput>* variants) {
  if (arguments.tenant.signing_key.empty()) return absl::OkStatus();
  const absl::StatusOr<std::unique_ptr<VaultReader>> vault = VaultReader::Open(session.file_system, arguments.vault);
  return vault.ok() ? tenant.NameVariants(**vault, variants) : vault.status();
}

absl::StatusOr<ExitCode> Run(Session& session, const Arguments& arguments) {
  absl::StatusOr<std::vector<VariantInput>> variants = FindVariants(session.file_system, arguments.variants);
  if (!variants.ok()) return variants.status();
  if (variants->empty()) return UsageError(session, "no variant is given: use --variants or --variant");
  const absl::StatusOr<uint64_t> old_size = FileSize(session.file_system, arguments.vault);
  if (!old_size.ok()) return old_size.status();
  absl::StatusOr<PackOptions> options =
      FindPackOptions(arguments.names, arguments.budget, arguments.threads, session.console.progress().Function());
  if (!options.ok()) return options.status();
  options->opaque = arguments.opaque;
  absl::StatusOr<ChangeSigning> signing = ChangeSigning::OfChange(session, arguments.vault, arguments.keys);
  if (!signing.ok()) return signing.status();
  const absl::StatusOr<TenantSide> tenant = TenantSide::Read(arguments.tenant);
  if (!tenant.ok()) return tenant.status();
  if (absl::Status status = NameForTenant(session, arguments, *tenant, &*variants); !status.ok()) return status;
  options->keys = tenant->keys();
  options->sign_tenant = tenant->signer();
  options->sign_root = signing->sign_root();
  options->trust = signing->trust();
  options->on_written = [&](const VaultReader& written) { signing->NoteWritten(written); };
  absl::StatusOr<PackReport> report =
      AddVariants(session.file_system, arguments.vault, *variants, arguments.replace, *options);
  if (!report.ok()) return WithWayOn(report.status(), *variants);
  absl::Status told = TellUnmatchedCost(session.file_system, arguments.vault, options->keys, &*report);
  if (!told.ok()) return told;
  const ChangeSigning::Report& signature = signing->End(session);
  if (arguments.json) {
    Json json = {{"command", arguments.replace ? "replace" : "add"},
                 {"vault", arguments.vault},
                 {"old_bytes", *old_size},
                 {"new_bytes", report->bytes.file}};
    Json& list = json["variants"] = Json::array();
    for (const PackedVariant& v : report->variants) {
      list.push_back({{"name", v.name}, {"file_bytes", v.file_size}, {"stored_bytes", v.stored_size}});
    }
    json["note"] = report->note.empty() ? Json(nullptr) : Json(report->note);
    json["signature"] = signature.json;
    session.console.PrintJson(json);
    return ExitCode::kOk;
  }
  std::string text;
  for (const PackedVariant& v : report->variants) {
    absl::StrAppend(&text, Printable(v.name), ": ", Counted(v.stored_size, "byte"), " stored, restored and compared\n");
  }
  if (!report->note.empty()) absl::StrAppend(&text, "note: ", PrintableLines(report->note));
  absl::StrAppend(&text, Printable(arguments.vault), ": ", Grouped(report->bytes.file),
                  " bytes (before: ", Grouped(*old_size), ")\n", signature.text);
  session.console.Print(text);
  return ExitCode::kOk;
}

}  // namespace

void AddVariantsCommand(Command& app, Session& session, bool replace) {
  const std::string name = replace ? "replace" : "add";
  Command command = app.AddCommand(
      name, replace ? "Give variants of a vault new contents" : "Add variants to a vault, leaving the others alone");
  auto arguments = std::make_shared<Arguments>();
  arguments->replace = replace;
  AddChangedVaultArgument(&command, &arguments->vault);
  AddVariantOptions(&command, &arguments->variants);
  AddNameRuleOptions(&command, &arguments->names);
  AddSizeOption(&command, "--budget", &arguments->budget, "Bytes the vault may have; more is an error (exit code 4)");
  command.AddFlag("--opaque", &arguments->opaque, kOpaqueHelp);
  AddTenantOptions(&command, &arguments->tenant);
  AddChangeKeyOption(&command, &arguments->keys);
  AddThreadsOption(&command, &arguments->threads);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            absl::StrCat("  mvault ", name, " all.mvlt --variant legal=legal.safetensors\n", "  mvault ", name,
                         " all.mvlt --variants departments --budget 1MiB\n"),
            replace ? "Each name must be in the vault. The bytes of other variants stay where they are."
                    : "No name may be in the vault yet. The bytes of other variants stay where they are.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Run(session, *arguments); }; });
}

}  // namespace modelvault
