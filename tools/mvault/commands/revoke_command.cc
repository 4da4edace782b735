#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/formats/text_file.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/signers.h"
#include "tools/mvault/commands/tenant_keys.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/signature_report.h"
#include "vault/error_place.h"
#include "vault/hex_text.h"
#include "vault/revocation_list.h"
#include "vault/sealing.h"
#include "vault/tenant.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  std::vector<std::string> names;
  std::vector<std::string> tenants;  // Prefixes.
  std::vector<std::string> content_keys;
  bool gone = false;
  uint64_t below = kBelowEveryVersion;
  std::string list;
  SignerArguments signers;
  bool json = false;
};

absl::StatusOr<TenantKeys> ReadKeys(const Arguments& arguments) {
  TenantKeys keys;
  for (const std::string& path : arguments.content_keys) {
    absl::StatusOr<SecretKey> key = ReadContentKey(path);
    if (!key.ok()) return key.status();
    keys.content.push_back(*std::move(key));
  }
  return keys;
}

// What INDEX calls the variant `name`, of which the list knows nothing else: of a sealed one both names will do.
absl::StatusOr<std::string> NameInIndex(const Arguments& arguments, const VaultReader& vault,
                                        const SignatureSection& section, const TenantKeys& keys,
                                        const std::string& name) {
  for (const VaultVariant& variant : vault.variants()) {
    if (variant.name == name || variant.index_name() == name) return std::string(variant.index_name());
  }
  if (!arguments.gone) return vault.Find(name).status();
  const TenantRecord* const owner = OwnerOf(name, section.tenants);
  for (const SecretKey& key : keys.content) {
    if (owner != nullptr && ContentIdOf(key) == owner->content_id) return SealedNameOf(owner->prefix, name, key);
  }
  return name;
}

// What the command line asks to revoke.
absl::StatusOr<std::vector<Revocation>> Asked(const Arguments& arguments, const VaultReader& vault,
                                              const SignatureSection& section, const TenantKeys& keys) {
  std::vector<Revocation> asked;
  for (const std::string& name : arguments.names) {
    const absl::StatusOr<std::string> in_index = NameInIndex(arguments, vault, section, keys, name);
    if (!in_index.ok()) return in_index.status();
    asked.push_back({RevocationKind::kVariant, arguments.below, RevokedName(*in_index)});
  }
  for (const std::string& prefix : arguments.tenants) {
    const auto tenant = std::find_if(section.tenants.begin(), section.tenants.end(),
                                     [&](const TenantRecord& t) { return t.prefix == prefix; });
    if (tenant == section.tenants.end()) {
      return absl::NotFoundError(absl::StrCat(arguments.vault, ": has no tenant '", prefix, "'"));
    }
    asked.push_back({RevocationKind::kTenant, arguments.below, tenant->key});
  }
  return asked;
}

// The list there is, for the vault's last key set to sign on; a new one where there is none.
absl::StatusOr<RevocationList> CurrentList(Session& session, const Arguments& arguments,
                                           const SignatureSection& section, bool* is_new) {
  const absl::StatusOr<bool> exists = session.file_system.Exists(arguments.list);
  if (!exists.ok()) return exists.status();
  *is_new = !*exists;
  if (*is_new) return EmptyRevocationList(section);
  absl::StatusOr<RevocationList> list = ReadRevocations(session.file_system, arguments.list);
  if (!list.ok()) return list.status();
  if (list->vault_id != section.vault_id) {
    return absl::PermissionDeniedError(
        absl::StrCat(arguments.list, ": the revocation list is of another vault than ", arguments.vault));
  }
  return list;
}

// kPermissionDenied unless the list is signed by a key set of the vault: what others wrote is not to be signed unseen.
absl::Status CheckSignedList(const Arguments& arguments, const SignatureSection& section, const RevocationList& list) {
  for (const KeySet& set : section.key_sets) {
    if (set.digest() != list.key_set) continue;
    const SignatureCount count = CountSignatures(set, list.signatures, RevocationMessageOf(list));
    if (count.complete()) return absl::OkStatus();
    return absl::PermissionDeniedError(
        absl::StrCat(arguments.list, ": the revocation list is not signed, ", SignatureCountText(count),
                     ": it can be extended when it is ('mvault revoke' without a NAME)"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat(arguments.list, ": the revocation list is of no key set of ", arguments.vault));
}

// Adds what is asked to the list, which is then to be signed anew.
absl::Status Extend(const Arguments& arguments, const SignatureSection& section, const std::vector<Revocation>& asked,
                    bool is_new, RevocationList* list) {
  if (!is_new) {
    if (absl::Status status = CheckSignedList(arguments, section, *list); !status.ok()) return status;
    RevocationList next = EmptyRevocationList(section);
    next.number = list->number + 1;
    next.entries = std::move(list->entries);
    *list = std::move(next);
  }
  for (const Revocation& revocation : asked) {
    if (absl::Status status = Revoke(revocation, list); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void Print(Session& session, const Arguments& arguments, const KeySet& signer, const RevocationList& list) {
  const SignatureCount count = CountSignatures(signer, list.signatures, RevocationMessageOf(list));
  if (arguments.json) {
    Json entries = Json::array();
    for (const Revocation& entry : list.entries) {
      entries.push_back({{"kind", entry.kind == RevocationKind::kTenant ? "tenant" : "variant"},
                         {"below_version", entry.below == kBelowEveryVersion ? Json(nullptr) : Json(entry.below)},
                         {"what", HexText(entry.what)}});
    }
    session.console.PrintJson(
        {{"command", "revoke"},
         {"vault", arguments.vault},
         {"list", arguments.list},
         {"number", list.number},
         {"entries", entries},
         {"digest_out", arguments.signers.digest_out.empty() ? Json(nullptr) : Json(arguments.signers.digest_out)},
         {"signature", SignatureCountJson(count)}});
    return;
  }
  session.console.Print(absl::StrFormat(
      "%s: number %d, %s revoked, %s\n", Printable(arguments.list), list.number,
      list.entries.size() == 1 ? "1 entry" : absl::StrCat(list.entries.size(), " entries"), SignatureCountText(count)));
}

absl::StatusOr<ExitCode> RevokeInList(Session& session, const Arguments& arguments) {
  const absl::StatusOr<Signers> signers = Signers::Read(session.file_system, arguments.signers);
  if (!signers.ok()) return signers.status();
  if (signers->empty() && arguments.signers.digest_out.empty()) {
    return UsageError(session, "who signs the list? give --key, or --digest-out and then --signature-in");
  }
  if (arguments.below == 0) return UsageError(session, "--below-version: versions begin with 1");
  VaultReaderOptions with_keys;
  absl::StatusOr<TenantKeys> keys = ReadKeys(arguments);
  if (!keys.ok()) return keys.status();
  with_keys.keys = *keys;
  const absl::StatusOr<std::unique_ptr<VaultReader>> vault =
      VaultReader::Open(session.file_system, arguments.vault, with_keys);
  if (!vault.ok()) return vault.status();
  if ((*vault)->root() == nullptr) {
    return absl::PermissionDeniedError(
        absl::StrCat(arguments.vault, ": not signed: 'mvault sign' names the keys that may revoke"));
  }
  const SignatureSection section = DecodeSignature(*(*vault)->root());
  const KeySet& signer = section.key_sets.back();
  if (absl::Status status = signers->CheckMembers(signer); !status.ok()) return status;
  const absl::StatusOr<std::vector<Revocation>> asked = Asked(arguments, **vault, section, *keys);
  if (!asked.ok()) return asked.status();
  bool is_new = false;
  absl::StatusOr<RevocationList> list = CurrentList(session, arguments, section, &is_new);
  if (!list.ok()) return list.status();
  const bool is_older = list->key_set != signer.digest();
  // Which key sets came before is for the last one to say.
  if (is_older) {
    VaultReaderOptions options;
    options.trust.emplace();
    options.trust->key_set = signer.digest();
    absl::Status status = VaultReader::Open(session.file_system, arguments.vault, options).status();
    if (!status.ok()) return status;
  }
  // Without a name it is only signed; of an older key set it is taken over.
  if (is_new || !asked->empty() || is_older) {
    absl::Status status = Extend(arguments, section, *asked, is_new, &*list);
    if (!status.ok()) return status;
  }
  const std::string message = RevocationMessageOf(*list);
  for (const auto& [key, signature] : signers->Sign(message)) {
    absl::Status status = PlaceRevocationSignature(signer, key, signature, &*list);
    if (!status.ok()) return InFile(arguments.list, status);
  }
  absl::Status status = WriteTextFile(session.file_system, arguments.list, EncodeRevocations(*list));
  if (!status.ok()) return status;
  if (!arguments.signers.digest_out.empty()) {
    status = WriteTextFile(session.file_system, arguments.signers.digest_out, message);
    if (!status.ok()) return status;
  }
  Print(session, arguments, signer, *list);
  return ExitCode::kOk;
}

}  // namespace

void AddRevokeCommand(Command& app, Session& session) {
  Command command = app.AddCommand("revoke", "Revoke variants or tenants of a signed vault, by a list of its own");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddArguments("NAME", &arguments->names, /*required=*/false, "Variants to revoke");
  command.AddOption("--tenant", &arguments->tenants, "Revoke the tenant with this prefix, with all its variants")
      .TypeName("PREFIX")
      .OneValue();
  command
      .AddOption(
          "--content-key", &arguments->content_keys,
          "A tenant's content key: its sealed variants may be called by their names, not only as 'mvault ls' does")
      .TypeName("FILE")
      .OneValue();
  command
      .AddOption("--below-version", &arguments->below, "Revoke them in vaults of a version below this; default: in all")
      .TypeName("N");
  command.AddFlag("--gone", &arguments->gone, "The names need not be in this vault any more");
  command.AddOption("--list", &arguments->list, "The list's file: made, or extended").TypeName("LIST").Required();
  AddSignerOptions(&command, &arguments->signers);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command,
            "  mvault revoke all.mvlt legal --list all.mvrl --key release.key\n"
            "  mvault revoke all.mvlt legal --below-version 7 --list all.mvrl --key release.key\n"
            "  mvault revoke all.mvlt --list all.mvrl --key bob.key\n",
            "The vault stays as it is. The keys are those that sign it; without a NAME they only sign the list that\n"
            "is there. A list has at most 4,096 bytes, a sector of a board's flash.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return RevokeInList(session, *arguments); }; });
}

}  // namespace modelvault
