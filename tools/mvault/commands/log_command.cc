#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/cli/time_text.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/trust_options.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/formatting.h"
#include "vault/audit_log.h"
#include "vault/error_place.h"
#include "vault/hex_text.h"
#include "vault/keys/signing_key.h"
#include "vault/vault_signing.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  std::string since;
  TrustArguments trust;
  bool json = false;
};

std::string KindName(LogActionKind kind) {
  switch (kind) {
    case LogActionKind::kBegun:
      return "begun";
    case LogActionKind::kAdded:
      return "added";
    case LogActionKind::kReplaced:
      return "replaced";
    case LogActionKind::kRemoved:
      return "removed";
    case LogActionKind::kRenamed:
      return "renamed";
    case LogActionKind::kCompacted:
      return "compacted";
    case LogActionKind::kTenants:
      return "tenants";
    case LogActionKind::kKeys:
      return "keys";
    case LogActionKind::kRestated:
      return "restated";
  }
  return "unknown";
}

std::string ActionText(const LogAction& action) {
  switch (action.kind) {
    case LogActionKind::kBegun:
      return absl::StrCat("begun with ", Counted(action.count, "variant"));
    case LogActionKind::kTenants:
      return absl::StrCat("tenants changed: ", action.count, " now");
    case LogActionKind::kKeys:
      return absl::StrCat("keys changed: key set ", action.count, " now");
    case LogActionKind::kRestated:
      return "version or validity changed";
    case LogActionKind::kRenamed:
      return absl::StrCat("renamed ", Printable(action.name), " to ", Printable(action.new_name));
    case LogActionKind::kAdded:
    case LogActionKind::kReplaced:
      return absl::StrCat(KindName(action.kind), " ", Printable(action.name), " (",
                          HexText(action.digest).substr(0, 12), ")");
    case LogActionKind::kRemoved:
      return absl::StrCat("removed ", Printable(action.name));
    case LogActionKind::kCompacted:
      return "compacted";
  }
  return KindName(action.kind);
}

// Who has signed what entry `i` made: the next change has written it down, and of the last one the vault itself tells.
std::vector<std::string> SignersOf(const std::vector<LogEntry>& log, size_t i, const VaultReader& vault) {
  std::vector<std::string> ids;
  for (const PublicKey& key : i + 1 < log.size() ? log[i + 1].signers_before : RootSigners(vault)) {
    ids.push_back(KeyId(key));
  }
  return ids;
}

Json ActionJson(const LogAction& action) {
  const auto text = [](const std::string& value) { return value.empty() ? Json(nullptr) : Json(value); };
  return {{"action", KindName(action.kind)},
          {"name", text(action.name)},
          {"new_name", text(action.new_name)},
          {"digest", action.digest == LogAction().digest ? Json(nullptr) : Json(HexText(action.digest))},
          {"count", action.count}};
}

absl::StatusOr<ExitCode> Log(Session& session, const Arguments& arguments) {
  if (const std::string fault = TrustUsageFault(arguments.trust); !fault.empty()) return UsageError(session, fault);
  const absl::StatusOr<TrustedVault> trusted = OpenTrustedVault(session.file_system, arguments.vault, arguments.trust);
  if (!trusted.ok()) return trusted.status();
  const VaultReader& vault = trusted->vault.vault();
  const StoredLog& stored = vault.file_headers().log;
  if (stored.entries.empty()) {
    return absl::NotFoundError(absl::StrCat(arguments.vault, ": has no log: it begins with 'mvault sign'"));
  }
  const absl::StatusOr<std::vector<LogEntry>> log = DecodeLog(stored);
  if (!log.ok()) return InFile(arguments.vault, log.status());
  const std::vector<Digest> chain = ChainOf(stored);
  size_t first = 0;
  if (!arguments.since.empty()) {
    const auto known = std::find_if(chain.begin(), chain.end(), [&](const Digest& digest) {
      return HexText(digest) == absl::AsciiStrToLower(arguments.since);
    });
    if (known == chain.end()) {
      return absl::PermissionDeniedError(absl::StrCat(arguments.vault, ": its log of ", chain.size(),
                                                      chain.size() == 1 ? " entry" : " entries",
                                                      " does not go on from ", Printable(arguments.since),
                                                      ": it is another vault's, or what it said before was changed"));
    }
    first = static_cast<size_t>(known - chain.begin()) + 1;
  }
  if (arguments.json) {
    Json json = {{"vault", arguments.vault}, {"digest", HexText(stored.digest)}, {"entries", Json::array()}};
    for (size_t i = first; i < log->size(); ++i) {
      const LogEntry& entry = (*log)[i];
      Json actions = Json::array();
      for (const LogAction& action : entry.actions) actions.push_back(ActionJson(action));
      json["entries"].push_back({{"number", i + 1},
                                 {"version", entry.version},
                                 {"time", FormatTime(entry.time)},
                                 {"actions", actions},
                                 {"signed_by", SignersOf(*log, i, vault)},
                                 {"digest", HexText(chain[i])}});
    }
    session.console.PrintJson(json);
    return ExitCode::kOk;
  }
  TextTable table({">version", "when", "what", "signed by"});
  for (size_t i = first; i < log->size(); ++i) {
    const LogEntry& entry = (*log)[i];
    const std::string signers = absl::StrJoin(SignersOf(*log, i, vault), " ");
    const std::string number = absl::StrCat(entry.version);
    if (entry.actions.empty()) table.AddRow({number, FormatTime(entry.time), "nothing", signers});
    for (const LogAction& action : entry.actions) {
      const bool leads = &action == &entry.actions.front();
      table.AddRow(
          {leads ? number : "", leads ? FormatTime(entry.time) : "", ActionText(action), leads ? signers : ""});
    }
  }
  session.console.Print(absl::StrFormat("%sdigest of the log: %s\n", table.Format(), HexText(stored.digest)));
  return ExitCode::kOk;
}

}  // namespace

void AddLogCommand(Command& app, Session& session) {
  Command command = app.AddCommand("log", "Tell what was done to a vault since it was signed first");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command
      .AddOption(
          "--since", &arguments->since,
          "Digest of the log at an earlier time: tells only what came after, and fails if the log does not go on "
          "from there")
      .TypeName("DIGEST");
  AddTrustOptions(&command, &arguments->trust);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command, "  mvault log all.mvlt --key release.pub\n  mvault log all.mvlt --json\n",
            "Times are those of the clocks of whoever changed the vault. Sealed variants have the names that\n"
            "everybody sees.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Log(session, *arguments); }; });
}

}  // namespace modelvault
