#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/commands/change_signing.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/tenant_keys.h"
#include "tools/mvault/commands/vault_edit.h"
#include "vault/hex_text.h"
#include "vault/keys/key_file.h"
#include "vault/tenant.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string action;
  EditArguments edit;
  std::string prefix;
  std::string tenant;
  std::string content_key;
  std::vector<std::string> devices;
  bool replace = false;
};

// The vault's tenants; kPermissionDenied if it was never signed, and so can have none.
absl::StatusOr<std::vector<TenantRecord>> TenantsOf(const VaultReader& vault) {
  absl::StatusOr<SigningPlan> plan = PlanOf(vault);
  if (!plan.ok()) {
    return absl::PermissionDeniedError(
        absl::StrCat(plan.status().message(), ", which says who its tenants are: ", "'mvault sign' gives it one"));
  }
  return std::move(plan->tenants);
}

std::vector<std::string> NamesOf(const VaultReader& vault, const std::string& prefix) {
  std::vector<std::string> names;
  for (const VaultVariant& variant : vault.variants()) {
    if (absl::StartsWith(variant.index_name(), prefix)) names.push_back(variant.name);
  }
  return names;
}

// Makes the change, in which `side`, if it is not null, signs.
absl::StatusOr<ExitCode> Change(Session& session, const Arguments& arguments, const VaultChanges& changes,
                                const TenantSide* side) {
  VaultWriterOptions options;
  if (side != nullptr) options.sign_tenant = side->signer();
  return EditAndPrint(session, absl::StrCat("tenant ", arguments.action), arguments.edit, changes, options);
}

absl::StatusOr<ExitCode> Add(Session& session, const Arguments& arguments, const VaultReader& vault) {
  if (arguments.tenant.empty()) return UsageError(session, "tenant add: --tenant is the tenant's public key");
  absl::StatusOr<std::vector<TenantRecord>> tenants = TenantsOf(vault);
  if (!tenants.ok()) return tenants.status();
  const absl::StatusOr<PublicKey> key = ReadPublicKey(arguments.tenant, KeyKind::kSigningPublic);
  if (!key.ok()) return key.status();
  std::optional<SecretKey> content_key;
  if (!arguments.content_key.empty()) {
    absl::StatusOr<SecretKey> read = ReadContentKey(arguments.content_key);
    if (!read.ok()) return read.status();
    content_key = *std::move(read);
  }
  std::vector<PublicKey> groups;
  for (const std::string& path : arguments.devices) {
    const absl::StatusOr<PublicKey> group = ReadPublicKey(path, KeyKind::kDevicePublic);
    if (!group.ok()) return group.status();
    groups.push_back(*group);
  }
  absl::StatusOr<TenantRecord> tenant = MakeTenant(arguments.prefix, *key, content_key, groups);
  if (!tenant.ok()) return tenant.status();
  const bool is_there = std::any_of(tenants->begin(), tenants->end(),
                                    [&](const TenantRecord& other) { return other.prefix == arguments.prefix; });
  if (is_there && !arguments.replace) {
    return absl::AlreadyExistsError(absl::StrCat(arguments.edit.vault, ": there is a tenant '", arguments.prefix,
                                                 "' already; --replace gives it other keys and groups"));
  }
  if (absl::Status status = PlaceTenant(*std::move(tenant), &*tenants); !status.ok()) return status;
  VaultChanges changes;
  changes.tenants = *std::move(tenants);
  return Change(session, arguments, changes, nullptr);
}

absl::StatusOr<ExitCode> Remove(Session& session, const Arguments& arguments, const VaultReader& vault) {
  absl::StatusOr<std::vector<TenantRecord>> tenants = TenantsOf(vault);
  if (!tenants.ok()) return tenants.status();
  const auto gone = std::find_if(tenants->begin(), tenants->end(),
                                 [&](const TenantRecord& tenant) { return tenant.prefix == arguments.prefix; });
  if (gone == tenants->end()) {
    return absl::NotFoundError(absl::StrCat(arguments.edit.vault, ": has no tenant '", arguments.prefix, "'"));
  }
  tenants->erase(gone);
  VaultChanges changes;
  changes.tenants = *std::move(tenants);
  changes.remove = NamesOf(vault, arguments.prefix);
  if (!changes.remove.empty()) {
    session.console.PrintNote(absl::StrCat("with the tenant '", arguments.prefix, "' ",
                                           changes.remove.size() == 1 ? "its variant goes" : "its variants go", ": ",
                                           absl::StrJoin(changes.remove, ", ")));
  }
  return Change(session, arguments, changes, nullptr);
}

absl::StatusOr<ExitCode> Sign(Session& session, const Arguments& arguments, const VaultReader& vault) {
  if (arguments.tenant.empty()) return UsageError(session, "tenant sign: --tenant is the tenant's secret key");
  const absl::StatusOr<TenantSide> side = TenantSide::Read({.signing_key = arguments.tenant, .content_key = ""});
  if (!side.ok()) return side.status();
  // What is signed is what SIGNATURE says of the bytes: it should be true.
  if (absl::Status status = side->CheckIsTenant(vault); !status.ok()) return status;
  if (absl::Status status = vault.CheckSigned(); !status.ok()) return status;
  return Change(session, arguments, {}, &*side);
}

struct Row {
  TenantRecord tenant;
  size_t variants = 0;
  uint64_t bytes = 0;
  CoreStatus is_signed = CoreStatus::kOk;
};

const char* SignedText(const Row& row) {
  if (row.is_signed == CoreStatus::kOk) return row.tenant.signature == kNoSignature ? "nothing to sign" : "yes";
  return row.is_signed == CoreStatus::kUnsigned ? "no" : "WRONG";
}

absl::StatusOr<std::vector<Row>> Rows(const VaultReader& vault) {
  absl::StatusOr<std::vector<TenantRecord>> tenants = TenantsOf(vault);
  if (!tenants.ok()) return tenants.status();
  std::vector<Row> rows;
  for (TenantRecord& tenant : *tenants) rows.push_back({std::move(tenant)});
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const VaultVariant& variant : vault.variants()) {
      if (!absl::StartsWith(variant.index_name(), rows[i].tenant.prefix)) continue;
      ++rows[i].variants;
      rows[i].bytes += variant.stored_size;
    }
    rows[i].is_signed = vault.TenantSigned(static_cast<uint32_t>(i));
  }
  return rows;
}

absl::StatusOr<ExitCode> List(Session& session, const Arguments& arguments, const VaultReader& vault) {
  const absl::StatusOr<std::vector<Row>> rows = Rows(vault);
  if (!rows.ok()) return rows.status();
  if (arguments.edit.json) {
    Json json = {{"vault", arguments.edit.vault}, {"tenants", Json::array()}};
    for (const Row& row : *rows) {
      Json groups = Json::array();
      for (const TenantGroup& group : row.tenant.groups) groups.push_back(HexText(group.id));
      json["tenants"].push_back({{"prefix", row.tenant.prefix},
                                 {"key", HexText(row.tenant.key)},
                                 {"sealed", (row.tenant.flags & kTenantSealed) != 0},
                                 {"device_groups", groups},
                                 {"variants", row.variants},
                                 {"stored_bytes", row.bytes},
                                 {"signed", row.is_signed == CoreStatus::kOk}});
    }
    session.console.PrintJson(json);
    return ExitCode::kOk;
  }
  TextTable table({"prefix", "key", "sealed", ">device groups", ">variants", ">bytes", "signed"});
  for (const Row& row : *rows) {
    table.AddRow({Printable(row.tenant.prefix), KeyId(row.tenant.key),
                  (row.tenant.flags & kTenantSealed) != 0 ? "sealed" : "open", absl::StrCat(row.tenant.groups.size()),
                  Grouped(row.variants), Grouped(row.bytes), SignedText(row)});
  }
  session.console.Print(absl::StrCat(table.Format(), Counted(rows->size(), "tenant"), "\n"));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Run(Session& session, const Arguments& arguments) {
  const bool names_one = arguments.action == "add" || arguments.action == "rm";
  if (names_one == arguments.prefix.empty()) {
    return UsageError(session, absl::StrCat("tenant ", arguments.action,
                                            names_one ? ": which? give --prefix" : ": --prefix is of add and rm"));
  }
  const absl::StatusOr<std::unique_ptr<VaultReader>> vault =
      VaultReader::Open(session.file_system, arguments.edit.vault);
  if (!vault.ok()) return vault.status();
  if (arguments.action == "add") return Add(session, arguments, **vault);
  if (arguments.action == "rm") return Remove(session, arguments, **vault);
  if (arguments.action == "sign") return Sign(session, arguments, **vault);
  return List(session, arguments, **vault);
}

}  // namespace

void AddTenantCommand(Command& app, Session& session) {
  Command command = app.AddCommand("tenant", "Say who owns which variants of a vault, and let them sign");
  auto arguments = std::make_shared<Arguments>();
  command.AddOption("ACTION", &arguments->action, "add, rm, ls or sign").OneOf({"add", "rm", "ls", "sign"}).Required();
  AddEditVault(&command, &arguments->edit);
  command.AddOption("--prefix", &arguments->prefix, "add, rm: what the names of the tenant's variants begin with")
      .TypeName("PREFIX");
  command.AddOption("--tenant", &arguments->tenant, "add: the tenant's public key; sign: its secret key")
      .TypeName("FILE");
  command.AddOption("--content-key", &arguments->content_key, "add: the tenant's variants are sealed, with this key")
      .TypeName("FILE");
  command.AddOption("--device", &arguments->devices, "add: the public key of a device group that is to open them")
      .TypeName("FILE")
      .OneValue();
  command.AddFlag("--replace", &arguments->replace, "add: give a tenant that is there other keys and device groups");
  AddEditOptions(&command, &arguments->edit);
  SetFooter(
      &command,
      "  mvault tenant add all.mvlt --prefix acme. --tenant acme.pub --content-key acme.content --device ward.pub\n"
      "  mvault add all.mvlt --variants departments --tenant acme.key --content-key acme.content\n"
      "  mvault tenant ls all.mvlt\n"
      "  mvault tenant sign all.mvlt --tenant acme.key\n"
      "  mvault tenant rm all.mvlt --prefix acme.\n",
      "The vault must have been signed once. As long as a tenant has not signed its variants as they are,\n"
      "'mvault sign' refuses to sign the vault. A tenant goes with its variants.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Run(session, *arguments); }; });
}

}  // namespace modelvault
