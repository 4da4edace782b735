#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "restore/named_vault.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/command_options.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "tools/mvault/commands/commands.h"
#include "tools/mvault/commands/trust_options.h"
#include "tools/mvault/commands/vault_argument.h"
#include "tools/mvault/reports/checksum_list.h"
#include "tools/mvault/reports/formatting.h"
#include "tools/mvault/reports/network_report.h"
#include "vault/format.h"
#include "vault/hex_text.h"

namespace modelvault {
namespace {

constexpr size_t kShownDigest = 12;  // Hexadecimal digits in text; JSON has all of them.

struct Arguments {
  std::string vault;
  std::string sort = "name";
  TrustArguments trust;
  bool json = false;
};

struct Row {
  std::string name;
  uint64_t stored_size;
  ModelDigests digests;
  bool locked = false;
};

absl::StatusOr<ExitCode> Ls(Session& session, const Arguments& arguments) {
  if (const std::string fault = TrustUsageFault(arguments.trust); !fault.empty()) return UsageError(session, fault);
  const absl::StatusOr<TrustedVault> trusted = OpenTrustedVault(session.file_system, arguments.vault, arguments.trust);
  if (!trusted.ok()) return trusted.status();
  const NamedVault* const vault = &trusted->vault;
  const bool has_list = trusted->revocations.has_value();
  const VaultBytes sections = vault->vault().BytesBySection();
  std::vector<Row> variants;
  for (const VaultVariant& v : vault->vault().variants())
    variants.push_back({v.name, v.stored_size, v.digests, v.locked()});
  if (arguments.sort == "size") {
    std::stable_sort(variants.begin(), variants.end(),
                     [](const Row& a, const Row& b) { return a.stored_size > b.stored_size; });
  }
  const std::string answers = AnswersOf(*vault);
  const Row base = {kReservedVariantName, sections.base, vault->vault().base_digests()};
  if (arguments.json) {
    const auto to_json = [&](const Row& row) -> Json {
      return {{"name", row.name},
              {"stored_bytes", row.stored_size},
              {"bits_per_weight", BitsPerWeight(row.stored_size, vault->weights())},
              {"xxh3_128", row.locked ? Json(nullptr) : Json(HexText(row.digests.xxh3))},
              {"xxh64", row.locked ? Json(nullptr) : Json(FormatHash(row.digests.xxh64))},
              {"revoked", has_list ? Json(!trusted->CheckNotRevoked(row.name).ok()) : Json(nullptr)}};
    };
    Json json = {{"vault", arguments.vault},    {"bytes", sections.file},
                 {"weights", vault->weights()}, {"answers", answers.empty() ? Json(nullptr) : Json(answers)},
                 {"base", to_json(base)},       {"variants", Json::array()}};
    for (const Row& row : variants) json["variants"].push_back(to_json(row));
    session.console.PrintJson(json);
    return ExitCode::kOk;
  }
  std::vector<std::string> columns = {"name", ">bytes", ">share", ">bits/weight", "digest"};
  if (has_list) columns.push_back("revoked");
  TextTable table(columns);
  const auto add = [&](const Row& row) {
    std::vector<std::string> cells = {Printable(row.name), Grouped(row.stored_size),
                                      Percent(row.stored_size, sections.file),
                                      FormatBits(BitsPerWeight(row.stored_size, vault->weights())),
                                      row.locked ? "sealed" : HexText(row.digests.xxh3).substr(0, kShownDigest)};
    if (has_list) cells.push_back(trusted->CheckNotRevoked(row.name).ok() ? "" : "revoked");
    table.AddRow(cells);
  };
  add(base);
  for (const Row& row : variants) add(row);
  session.console.Print(absl::StrFormat("%s%s, %s%s\n", table.Format(), Counted(variants.size(), "variant"),
                                        Counted(sections.file, "byte"),
                                        answers.empty() ? "" : absl::StrCat("; they answer ", answers)));
  return ExitCode::kOk;
}

}  // namespace

void AddLsCommand(Command& app, Session& session) {
  Command command = app.AddCommand("ls", "List the models of a vault");
  auto arguments = std::make_shared<Arguments>();
  AddVaultArgument(&command, session, &arguments->vault);
  command.AddOption("--sort", &arguments->sort, "Order of the variants: by 'name', or the largest first by 'size'")
      .TypeName("ORDER")
      .OneOf({"name", "size"})
      .ShowDefault();
  AddTrustOptions(&command, &arguments->trust);
  AddJsonFlag(&command, &arguments->json);
  SetFooter(&command, "  mvault ls all.mvlt\n  mvault ls all.mvlt --sort size\n",
            "Bytes are a variant's stored bytes, for the base its coded data; shares are of the whole file. Bits a\n"
            "weight count the base's INT8 elements, or all its elements where it has no INT8 ones.");
  command.OnParsed(
      [&session, arguments] { session.command = [&session, arguments] { return Ls(session, *arguments); }; });
}

}  // namespace modelvault
