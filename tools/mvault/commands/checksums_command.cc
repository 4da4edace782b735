#include <memory>
#include <string>

#include "nlohmann/json.hpp"
#include "restore/named_vault.h"
#include "tools/formats/model_formats.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/checksum_list.h"
#include "vault/hex_text.h"

namespace modelvault {
namespace {

struct Arguments {
  std::string vault;
  bool json = false;
};

absl::StatusOr<ExitCode> Checksums(Session& session, const Arguments& arguments) {
  const absl::StatusOr<NamedVault> vault = NamedVault::Open(session.file_system, arguments.vault, KnownModelFormats());
  if (!vault.ok()) return vault.status();
  const absl::StatusOr<ChecksumList> list = StoredChecksums(*vault);
  if (!list.ok()) return list.status();
  if (arguments.json) {
    Json json = {{"vault", arguments.vault}, {"checksums", Json::object()}};
    for (const auto& [what, digest] : *list) json["checksums"][what] = HexText(digest);
    session.console.PrintJson(json);
  } else {
    session.console.Print(FormatChecksums(*list));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddChecksumsCommand(Command& app, Session& session) {
  Command command = app.AddCommand("checksums", "Print what 'verify --against' compares");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command, "  mvault checksums all.mvlt > all.sums\n  mvault verify all.mvlt --against all.sums\n",
            "A line for each model's data and one for its file header: XXH3-128, two spaces, data/NAME or\n"
            "header/NAME; the base is called 'base'. These are the stored digests: nothing is decoded.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Checksums(session, *arguments); }; });
}

}  // namespace modelvault
